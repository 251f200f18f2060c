"""`pose-bridge train` from files to weights that forecast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bridge.cli.app import app
from bridge.errors import BridgeError
from bridge.forecaster import Forecaster, WindowBatch
from tests.support import TINY_LAYOUT
from tests.training.builders import write_motion_file, write_recordings


def _train(data: Path, out: Path, *options: str) -> Result:
    fixed = ["--data", str(data), "--out", str(out), "--layout", TINY_LAYOUT.id, "--device", "cpu", "--threads", "1"]
    return CliRunner().invoke(app, ["train", *fixed, *options])


def _report(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert isinstance(report, dict)
    return report


def test_recordings_become_weights_and_nobody_is_on_both_sides(tmp_path: Path) -> None:
    subjects = ["anna", "ben", "cleo"]
    write_recordings(tmp_path / "data", subjects)
    out = tmp_path / "new folder" / "weights.safetensors"
    report = _report(_train(tmp_path / "data", out, "--minutes", "0.05", "--json"))
    assert set(report) >= {"out", "steps", "minutes", "epochs", "best", "refinement"}
    assert report["out"] == str(out) and report["refinement"]
    assert isinstance(report["best"], dict) and np.isfinite(report["best"]["validation_energy_score"])
    assert isinstance(report["steps"], int) and report["steps"] >= 1

    forecaster = Forecaster.load(out, device="cpu")
    trained_on = forecaster.metadata.training["subjects"]
    assert len(trained_on) == 2 and set(trained_on) < set(subjects)
    assert str(forecaster.refinement) == report["refinement"]
    frames = forecaster.context_frames
    batch = WindowBatch(
        pose=np.repeat(TINY_LAYOUT.template[None, None], frames, axis=1),
        observed=np.ones((1, frames, TINY_LAYOUT.joints), np.bool_),
        root=np.zeros((1, frames, 3), np.float32),
        has_root=np.zeros(1, np.bool_),
    )
    made = forecaster.sample(batch, horizon_frames=30, samples=4, seeds=[0])
    assert made.pose.shape == (1, 4, 30, 7, 3) and np.isfinite(made.pose).all()


def test_splits_of_an_index_are_kept(tmp_path: Path) -> None:
    splits = {"a": "train", "b": "validation", "c": "calibration", "d": "train"}
    write_motion_file(tmp_path / "data", splits)
    out = tmp_path / "weights.safetensors"
    report = _report(_train(tmp_path / "data", out, "--minutes", "0.05", "--no-tune", "--rollout-share", "0", "--json"))
    assert report["refinement"] is None
    metadata = Forecaster.load(out, device="cpu").metadata
    assert metadata.training["subjects"] == ["a", "d"]
    assert metadata.training["licences"] == ["CC0-1.0"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: None, "no such file or folder"),
        (lambda folder: folder.mkdir(), "no npz or bvh file"),
        (lambda folder: write_recordings(folder, ["anna"]), "two subjects"),
        (lambda folder: write_recordings(folder, ["anna", "ben"], frames=20), "long enough"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused_before_anything_is_written(
    tmp_path: Path, make: object, problem: str
) -> None:
    assert callable(make)
    make(tmp_path / "data")
    out = tmp_path / "weights.safetensors"
    result = _train(tmp_path / "data", out, "--minutes", "0.05")
    assert result.exit_code == 1
    assert isinstance(result.exception, BridgeError) and problem in str(result.exception)
    assert not out.exists()


def test_data_of_another_layout_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path / "data", ["anna", "ben"])
    arguments = ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "w"), "--device", "cpu"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, BridgeError) and "mediapipe.pose.33" in str(result.exception)
