"""Tracks, references and calibrations made of known laws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.calibration import Calibration, CalibrationIdentity
from bridge.anomaly.scored import SCORE_NAMES, ScoredTrack
from bridge.anomaly.track import SCORED_SAMPLES, Reference
from bridge.forecaster.results import ForecastResult
from bridge.frames import Frame
from bridge.skeleton import MEDIAPIPE_POSE_33

LAYOUT = MEDIAPIPE_POSE_33
PERIOD_US = 33_333
STEPS = 20
IDENTITY = CalibrationIdentity(weights_id="w" * 64, refinement="none", layout_id=LAYOUT.id, rate_hz=30.0)


def body(lean_m: float = 0.0) -> NDArray[np.float32]:
    """A standing body (J, 3), hip-centred, metres, leaning to its left."""
    pose_m = 0.4 * LAYOUT.template
    pose_m[:, 0] += lean_m * -pose_m[:, 1]
    left, right = LAYOUT.hips
    return (pose_m - 0.5 * (pose_m[left] + pose_m[right])).astype(np.float32)


def swaying(timestamp_us: int, rng: np.random.Generator | None = None, noise_m: float = 0.002) -> NDArray[np.float32]:
    """A body that sways, with a tracker's noise."""
    pose_m = body(0.15 * np.sin(2 * np.pi * 0.5 * timestamp_us * 1e-6))
    return pose_m if rng is None else (pose_m + rng.normal(0.0, noise_m, pose_m.shape)).astype(np.float32)


def reference(
    timestamp_us: int, rng: np.random.Generator, *, spread_m: float = 0.02, samples: int = SCORED_SAMPLES
) -> Reference:
    """Samples around what a swaying body will do."""
    times_us = timestamp_us + PERIOD_US * np.arange(1, STEPS + 1)
    truth = np.stack([swaying(int(t)) for t in times_us])  # (H, J, 3)
    drawn = truth + rng.normal(0.0, spread_m, (samples, 1, *truth.shape[1:]))
    return Reference(timestamp_us, PERIOD_US, drawn.astype(np.float16), swaying(timestamp_us))


def result_of(made: Reference) -> ForecastResult:
    """A forecast that brings these samples."""
    joints = LAYOUT.joints
    return ForecastResult(
        futures_m=np.zeros((1, STEPS, joints, 3), np.float32),
        roots_m=None,
        probabilities=np.ones(1, np.float32),
        spread_m=np.zeros((STEPS, joints), np.float32),
        samples_m=np.zeros((0, STEPS, joints, 3), np.float32),
        acceptance_rate=None,
        unobserved_landmarks=(),
        bridged_share=0.0,
        scored_m=made.samples_m,
    )


def frame(timestamp_us: int, pose_m: NDArray[np.float32] | None, sequence: int = 0, visibility: float = 1.0) -> Frame:
    """A frame of avatar "a"; None for nobody."""
    if pose_m is None:
        return Frame("a", sequence, timestamp_us, None, None)
    landmarks = np.concatenate([pose_m, np.full((len(pose_m), 1), visibility)], axis=1).astype(np.float32)
    return Frame("a", sequence, timestamp_us, landmarks, None)


def normal_track(seed: int, frames: int = 1800, *, shift: float = 0.0, memory: float = 0.9) -> ScoredTrack:
    """Scores of a known law: each a normal variable that follows from itself, all of them shifted alike."""
    rng = np.random.default_rng(seed)
    scores = np.empty((frames, len(SCORE_NAMES)))
    at = rng.normal(size=len(SCORE_NAMES))
    for row in range(frames):
        at = memory * at + np.sqrt(1.0 - memory**2) * rng.normal(size=at.shape)
        scores[row] = at + shift
    return ScoredTrack(
        track_id=f"t{seed}",
        subject=f"s{seed % 5}",
        family="made",
        timestamps_us=np.arange(frames) * PERIOD_US + 1,
        scores=scores.astype(np.float32),
        log_speed=rng.normal(-1.0, 0.5, frames).astype(np.float32),
    )


def calibration(tracks: int = 12) -> Calibration:
    """A calibration on tracks of `normal_track`."""
    return Calibration.fit([normal_track(seed) for seed in range(tracks)], IDENTITY)
