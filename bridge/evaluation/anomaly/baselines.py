"""Simpler ways to say how unusual a frame is, in the same table as the calibrated scores.

Each gives one number a frame, causal, higher is more unusual. How long it is smoothed over is chosen for each one by
its own result (`bridge.evaluation.anomaly.run.SMOOTHINGS_S`), which flatters the baselines a little and ours not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly import ReplayedTrack
from bridge.geometry import body_scale, hip_middle, track_heading
from bridge.recordings import Clip
from bridge.skeleton import get_layout

FloatArray = NDArray[np.float64]

BASELINES: tuple[str, ...] = ("velocity", "mahalanobis", "flow_nll", "nearest_sample", "last_pose")
_LAG_S = 0.5
_WINDOW_S = 0.33
_PIECE_FRAMES = 4000
_SHRINKAGE = 1e-3
_MAX_FIT_FRAMES = 40_000


@dataclass(frozen=True, slots=True, eq=False)
class PoseGaussian:
    """Mean and inverse covariance of normal poses and velocities (2*J*3 numbers a frame), for Mahalanobis distances."""

    mean: FloatArray
    precision: FloatArray

    @classmethod
    def fit(cls, clips: Sequence[Clip]) -> PoseGaussian:
        """Fit to normal motion; the covariance is shrunk a little towards its diagonal's mean."""
        rows = np.concatenate([_features(clip) for clip in clips if clip.frames > 1])
        rows = rows[np.isfinite(rows).all(axis=1)]
        rows = rows[:: max(1, len(rows) // _MAX_FIT_FRAMES)]
        mean = np.asarray(rows.mean(axis=0), np.float64)
        covariance = np.cov(rows, rowvar=False)
        size = float(np.trace(covariance)) / len(covariance)
        return cls(
            mean, np.asarray(np.linalg.inv(covariance + _SHRINKAGE * size * np.eye(len(covariance))), np.float64)
        )

    def distance(self, clip: Clip) -> FloatArray:
        """Mahalanobis distance of every frame (T,); NaN where something is missing."""
        off = _features(clip) - self.mean
        squares = np.einsum("ti,ij,tj->t", off, self.precision, off, optimize=True)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)), np.float64)


def baseline_scores(track: ReplayedTrack, normal: PoseGaussian) -> dict[str, FloatArray]:
    """Scores of every judged frame of a track (T,), by name of the baseline; NaN where there is none."""
    clip = track.clip
    rows = _rows_of(track)
    centred = _centred(clip)
    per_clip = {
        "velocity": _speed(clip, centred),
        "mahalanobis": normal.distance(clip),
        "last_pose": _against_last(clip, centred),
    }
    scores = {name: values[rows] for name, values in per_clip.items()}
    frames = max(1, round(_WINDOW_S * clip.fps))
    scores["flow_nll"] = _running_mean(-track.log_density.astype(np.float64), frames)
    scores["nearest_sample"] = track.nearest_m.astype(np.float64)
    return {name: scores[name] for name in BASELINES}


def _rows_of(track: ReplayedTrack) -> NDArray[np.intp]:
    """Rows of the clip that were judged."""
    first_us = int(track.clip.timestamp_us[0]) - 1
    return np.searchsorted(track.clip.timestamp_us, track.scored.timestamps_us + first_us)


def _centred(clip: Clip) -> FloatArray:
    layout = get_layout(clip.layout_id)
    pose_m = clip.pose_m.astype(np.float64)
    return np.asarray(pose_m - hip_middle(pose_m, layout)[:, None])


def _speed(clip: Clip, centred: FloatArray) -> FloatArray:
    """Mean speed of the landmarks, m/s."""
    step_s = np.diff(clip.timestamp_us) * 1e-6
    speed = np.linalg.norm(np.diff(centred, axis=0), axis=-1).mean(axis=1) / step_s
    return np.concatenate([[np.nan], speed])


def _against_last(clip: Clip, centred: FloatArray) -> FloatArray:
    """Mean distance of the landmarks from where they were half a second before, metres."""
    lag = max(1, round(_LAG_S * clip.fps))
    scores = np.full(len(centred), np.nan)
    scores[lag:] = np.linalg.norm(centred[lag:] - centred[:-lag], axis=-1).mean(axis=1)
    return scores


def _features(clip: Clip) -> FloatArray:
    """Canonical pose and velocity of every frame, (T, 2*J*3)."""
    layout = get_layout(clip.layout_id)
    centred = _centred(clip)
    whole = np.asarray(np.isfinite(centred).all(axis=(1, 2)))
    filled = np.where(whole[:, None, None], centred, 0.4 * layout.template)
    heading = np.concatenate(
        [track_heading(filled[i : i + _PIECE_FRAMES], layout) for i in range(0, len(filled), _PIECE_FRAMES)]
    )
    scale_m = float(body_scale(filled[whole] if whole.any() else filled, layout))
    cos, sin = np.cos(-heading)[:, None], np.sin(-heading)[:, None]
    turned = np.stack(
        [
            cos * filled[..., 0] - sin * filled[..., 2],
            filled[..., 1],
            sin * filled[..., 0] + cos * filled[..., 2],
        ],
        axis=-1,
    )
    turned /= scale_m
    turned[~whole] = np.nan
    velocity = np.full_like(turned, np.nan)
    velocity[1:] = np.diff(turned, axis=0) * clip.fps
    return np.concatenate([turned, velocity], axis=1).reshape(len(turned), -1)


def _running_mean(values: FloatArray, frames: int) -> FloatArray:
    """Mean over the last ``frames`` values that are known; NaN where the newest is not."""
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0.0))
    count = np.cumsum(known)
    total[frames:] -= total[:-frames].copy()
    count[frames:] = count[frames:] - count[:-frames].copy()
    return np.where(known, total / np.maximum(count, 1), np.nan)
