"""A studio's BVH files, from a folder to weights and on to the commands that use them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.bvh import JointMap, builtin_names
from bridge.cli.app import app
from bridge.cli.clips import choose_clip, read_motion
from bridge.errors import BridgeError
from bridge.evaluation.windows import cut_windows
from bridge.forecaster import Forecaster
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.training import build_motion_set
from tests.bvh.rigs import STUDIO, STUDIO_MAP, performance
from tests.documents.fences import fences
from tests.documents.terminal import Terminal
from tests.support import REPOSITORY

DOCUMENT = REPOSITORY / "bridge/training/README.md"
# The last word on an option counts.
QUICKLY = {
    "train": ["--minutes", "0.05", "--no-tune", "--threads", "1"],
    "evaluate": ["--limit", "20", "--methods", "last_pose,gru_snf"],
}
BLOCKS = [fence for fence in fences(DOCUMENT.read_text(encoding="utf-8")) if fence.language == "sh"]


def test_the_documents_commands_run_as_written_and_make_weights_that_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one folder, on a studio's files; trained for seconds. At the end what goes on until Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    takes = (("anna/walk", 120.0, 5), ("ben/walk", 12.5, 76), ("cleo/walk", 60.0, 5))
    for seed, (name, fps, seconds) in enumerate(takes):
        performance(round(seconds * fps), seed=seed, fps=fps).write(tmp_path / "mocap" / f"{name}.bvh")
    ran = []
    for line in (line for block in BLOCKS if not block.words for line in block.commands):
        command, *words = shlex.split(line, comments=True)
        if command == "pip":
            continue
        assert command == "pose-bridge"
        words += QUICKLY.get(words[0], [])
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (line, result.output, result.exception)
        ran.append(words[0])
    assert {*ran} == {"convert", "plot", "train", "calibrate", "evaluate", "score"}
    assert (tmp_path / "walk.png").stat().st_size > 10_000
    subjects = Forecaster.load(tmp_path / "studio.safetensors", device="cpu").metadata.training["subjects"]
    assert len(subjects) == 2 and set(subjects) < {"anna", "ben", "cleo"}
    with Terminal(tmp_path, "") as terminal:
        for block in BLOCKS:
            if "stays" in block.words:
                terminal.type(block)


def test_a_bvh_file_is_exported_for_the_native_client(tmp_path: Path) -> None:
    performance(30, names=STUDIO).write(tmp_path / "a.bvh")
    (tmp_path / "map.toml").write_text(STUDIO_MAP, encoding="utf-8")
    arguments = ["replay", tmp_path / "a.bvh", "--export", tmp_path / "a.pbr", "--joint-map", tmp_path / "map.toml"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0 and "30 frames" in result.output
    assert (tmp_path / "a.pbr").read_bytes().startswith(b"PBREC")


def test_the_documents_joint_map_is_one_and_its_built_in_maps_are_all_of_them() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    made = JointMap.parse(example, "example")
    assert made.unit_m == 0.01 and len(made.templates) == 5
    built_in = text.split("Built in, tried by the names of the joints:")[1].split("They are in")[0]
    assert {name for name in builtin_names() if f"`{name}`" in built_in} == set(builtin_names())


@pytest.mark.parametrize("fps", [25.0, 120.0])
def test_other_rates_are_brought_to_thirty_frames_a_second(tmp_path: Path, fps: float) -> None:
    """Against the same motion written at 30 Hz: joints are where they were at those times."""
    other = choose_clip(performance(round(4 * fps), fps=fps).write(tmp_path / "other.bvh"), None)
    plain = choose_clip(performance(120, fps=30.0).write(tmp_path / "plain.bvh"), None)
    made, known = (build_motion_set([clip], MEDIAPIPE_POSE_33, 30.0) for clip in (other, plain))
    rows = min(len(made.pose_m), len(known.pose_m))
    assert rows >= 118
    np.testing.assert_allclose(made.pose_m[:rows], known.pose_m[:rows], atol=4e-3)
    np.testing.assert_allclose(made.root_m[:rows], known.root_m[:rows], atol=2e-3)
    window, *_ = cut_windows([other], MEDIAPIPE_POSE_33, context_frames=20, horizon_frames=30, stride_frames=60)
    # A window ends on a frame of the recording, at whatever time that was.
    newest_s = (window.window.timestamp_us - 1) / 1e6
    fine = choose_clip(performance(1200, fps=300.0).write(tmp_path / "fine.bvh"), None)
    for pose_m, steps in ((window.window.pose_m, np.arange(-19, 1)), (window.truth_m, np.arange(1, 31))):
        rows_there = np.rint(300 * (newest_s + steps / 30)).astype(int)
        np.testing.assert_allclose(pose_m, fine.pose_m[rows_there], atol=6e-3)


def test_landmarks_that_the_map_leaves_out_are_named_when_nothing_can_be_trained(tmp_path: Path) -> None:
    text = STUDIO_MAP.replace(f'face = "{STUDIO["head"]}"\n', "")
    (tmp_path / "map.toml").write_text(text, encoding="utf-8")
    for name in ("anna", "ben"):
        performance(60, names=STUDIO).write(tmp_path / "mocap" / f"{name}.bvh")
    clips = read_motion(tmp_path / "mocap", tmp_path / "map.toml")
    with pytest.raises(BridgeError, match=r"no usable frames: nose, left_eye_inner, .* never seen"):
        build_motion_set(clips, MEDIAPIPE_POSE_33, 30.0)
