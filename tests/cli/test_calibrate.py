"""``pose-bridge calibrate``, run as a user does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.anomaly import Calibration
from bridge.cli.app import app
from bridge.errors import InvalidInput, NotFound
from bridge.recordings import save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.cli.helpers import json_of, run
from tests.service_fixtures import body_landmarks

FPS = 12.0


def make_motion(path: Path, *, seconds: float) -> Path:
    """A body that sways now faster, now slower, with a tracker's noise."""
    count = round(seconds * FPS)
    times_s = np.arange(count) / FPS
    phases = 4.0 * np.sin(times_s / 3.0) + 2.0 * np.sin(times_s / 0.8)
    landmarks = np.stack([body_landmarks(MEDIAPIPE_POSE_33, phase) for phase in phases])
    landmarks[..., :3] += np.random.default_rng(0).normal(0.0, 0.003, (count, MEDIAPIPE_POSE_33.joints, 3))
    save_recording(
        path,
        pose_m=landmarks[..., :3],
        visibility=landmarks[..., 3],
        timestamp_us=np.round(times_s * 1e6).astype(np.int64) + 1,
        fps=FPS,
        layout_id=MEDIAPIPE_POSE_33.id,
        subject=path.stem,
    )
    return path


def test_normal_motion_makes_a_calibration_that_scores_by_it(tmp_path: Path) -> None:
    recordings = tmp_path / "normal"
    recordings.mkdir()
    first = make_motion(recordings / "first.npz", seconds=70.0)
    shutil.copy(first, recordings / "copy.npz")
    out = tmp_path / "normal.npz"
    done = run("calibrate", recordings, first, "--out", out, "--threads", "1", "--json")
    document = json_of(done)

    assert document["tracks"] == document["subjects"] == 1
    assert "2 of 3 tracks are copies" in done.stderr
    assert document["smallest_p_value"] == pytest.approx(1.0 / (document["values"] + 1))
    assert 40 <= document["values"] <= 70.0 / 1.6
    assert document["hours"] == pytest.approx(69.0 / 3600.0, rel=0.05)
    rates = [row["false_alarms_per_hour"] for row in document["thresholds"]]
    thresholds = [row["threshold"] for row in document["thresholds"]]
    assert rates == sorted(rates, reverse=True)
    assert thresholds == sorted(thresholds)
    for said in ("minutes with a verdict", "smallest p-value", "follow the tail", "Few subjects", str(out)):
        assert said in done.stderr.replace("\n", ""), said

    made = Calibration.load(out)
    assert made.threshold(rates[0]) == thresholds[0]
    assert made.identity.weights_id == document["identity"]["weights_id"]
    other = make_motion(tmp_path / "other.npz", seconds=5.0)
    scored = json_of(run("score", other, "--calibration", out, "--threads", "1", "--json"))
    assert scored["verdicts"] > 30
    assert min(p for p in scored["p_values"] if p is not None) >= document["smallest_p_value"]


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    recording = make_motion(tmp_path / "short.npz", seconds=3.0)
    done = CliRunner().invoke(app, ["calibrate", str(recording), "--out", str(tmp_path)])
    assert isinstance(done.exception, InvalidInput)
    assert done.exception.field == "out"


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    pose = np.zeros((5, MEDIAPIPE_POSE_33.joints, 3), np.int16)
    np.savez(
        tmp_path / "cmu999.npz",
        pose=pose,
        root=np.zeros((5, 3), np.float32),
        starts=np.array([0, 5]),
        clip_ids=np.array(["one"]),
        fps=30,
        scale=1e-4,
    )
    (tmp_path / "index.csv").write_text("clip,subject,split,action,licence\none,cmu999,train,sway,none\n")
    done = CliRunner().invoke(app, ["calibrate", str(tmp_path), "--out", str(tmp_path / "out.npz")])
    assert isinstance(done.exception, NotFound)
    assert "train" in str(done.exception)
    assert not (tmp_path / "out.npz").exists()
