from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.cli.clips import BUNDLED_RECORDING, choose_clip
from bridge.errors import NotFound


@pytest.fixture
def motion_file(tmp_path: Path) -> Path:
    path = tmp_path / "cmu999.npz"
    pose = np.random.default_rng(0).integers(-5000, 5000, (5, 33, 3)).astype(np.int16)
    np.savez(path, pose=pose, starts=np.array([0, 2, 5]), clip_ids=np.array(["one", "two"]), fps=30, scale=1e-4)
    return path


def test_first_clip_unless_another_is_named(motion_file: Path) -> None:
    assert choose_clip(motion_file, None).clip_id == "one"
    assert choose_clip(motion_file, "two").frames == 3


def test_unknown_clip_names_those_that_are_there(motion_file: Path) -> None:
    with pytest.raises(NotFound, match="one, two"):
        choose_clip(motion_file, "three")


def test_the_bundled_recording_is_a_real_stream_with_gaps() -> None:
    clip = choose_clip(BUNDLED_RECORDING, None)
    assert clip.frames == 230
    assert 0 < (~clip.detected).sum() < 20
    assert "BSD" in clip.licence
