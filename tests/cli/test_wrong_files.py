"""A file that is not what its option takes: one line, which option, what is wrong, what is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.errors import BridgeError
from bridge.recordings import BUNDLED_RECORDING
from tests.cli.helpers import make_recording

KINDS = ("folder", "text", "empty", "picture", "half", "other_keys", "other_layout", "pickled", "missing")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every kind but "missing"."""
    folder = tmp_path_factory.mktemp("wrong")
    whole = make_recording(folder / "whole.npz")
    (folder / "folder").mkdir()
    (folder / "text").write_text("no recording\n", encoding="utf-8")
    (folder / "empty").touch()
    Image.new("RGB", (8, 8)).save(folder / "picture", "PNG")
    (folder / "half").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for name, arrays in {
        "other_keys": {"values": np.zeros(3)},
        "other_layout": {
            "world": np.zeros((40, 7, 4), np.float32),
            "timestamp_us": 33_333 * np.arange(40) + 1,
            "layout": np.asarray("no.such.layout"),
        },
        "pickled": {"world": np.array([object()], object), "timestamp_us": np.arange(1)},
    }.items():
        with (folder / name).open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (("score",), (), "recording"),
        (("plot",), (), "recording"),
        (("replay",), ("--export", "out.pbr"), "recording"),
        (("calibrate",), ("--out", "/dev/null"), "recordings"),
        (("evaluate", "--data"), (), "data"),
        (("train", "--out", "/dev/null", "--data"), (), "data"),
        (("info", "--weights"), (), "weights"),
        (("score", str(BUNDLED_RECORDING), "--calibration"), (), "calibration"),
        (("config", "check"), (), "config"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else words,
)
def test_it_is_told_in_one_line(
    wrong: Path,
    kind: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    field: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*before, str(wrong / kind), *after])
    if (before, kind) == (("config", "check"), "empty"):
        assert done.exit_code == 0  # a file that sets nothing is fine
        return
    assert isinstance(done.exception, BridgeError), done.exception
    told = str(done.exception)
    assert told.startswith(f"{field}: ")
    assert "\n" not in told
    assert "; expected " in told
    assert str(wrong / kind) in told
    assert "allow_pickle=" not in told or kind == "pickled"
