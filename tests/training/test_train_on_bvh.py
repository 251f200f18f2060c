"""A studio's BVH files, from a folder to weights and on to the commands that use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.clips import choose_clip, read_motion
from bridge.errors import BridgeError
from bridge.evaluation.windows import cut_windows
from bridge.forecaster import Forecaster
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.training import build_motion_set
from tests.bvh.rigs import STUDIO, STUDIO_MAP, performance


def invoke(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    made: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return made


def test_bvh_files_of_three_subjects_become_weights_that_forecast_them(tmp_path: Path) -> None:
    data, joint_map, weights = tmp_path / "mocap", tmp_path / "map.toml", tmp_path / "w.safetensors"
    takes = (("anna/walk", 120.0, 5), ("ben/walk", 25.0, 72), ("cleo/walk", 60.0, 5))
    for seed, (name, fps, seconds) in enumerate(takes):
        performance(round(seconds * fps), seed=seed, names=STUDIO, fps=fps).write(data / f"{name}.bvh")
    joint_map.write_text(STUDIO_MAP, encoding="utf-8")
    options = ("--joint-map", joint_map, "--device", "cpu", "--threads", "1")
    trained = invoke("train", "--data", data, "--out", weights, "--minutes", "0.05", "--no-tune", *options)
    assert trained["steps"] >= 1
    subjects = Forecaster.load(weights, device="cpu").metadata.training["subjects"]
    assert len(subjects) == 2 and set(subjects) < {"anna", "ben", "cleo"}
    bvh = data / "anna" / "walk.bvh"
    drawn = invoke("plot", bvh, "--out", tmp_path / "a.png", "--weights", weights, *options)
    assert (tmp_path / "a.png").stat().st_size > 10_000 and drawn["closest_future"] is not None
    calibration = tmp_path / "c.npz"
    invoke("calibrate", data / "ben", "--out", calibration, "--weights", weights, *options)
    scored = invoke("score", bvh, "--weights", weights, "--calibration", calibration, *options)
    assert scored["frames"] == 600 and scored["verdicts"] > 0
    exported = invoke("replay", bvh, "--export", tmp_path / "a.pbr", "--joint-map", joint_map)
    assert exported["frames"] == 600


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
