"""What a recording did: the yardstick of everything that is filled in or forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame, seen_landmarks
from bridge.geometry import hip_middle
from bridge.skeleton import Layout

_LONGEST_PERIODS = 1.5


class Truth:
    """Hip-centred poses of a recording at any time, with NaN where it does not show them.

    Args:
        frames: of the recording, in order.
        layout: of the landmarks.
        period_us: of the forecasts; a time between two frames further apart than 1.5 of them is unknown.
    """

    def __init__(self, frames: Sequence[Frame], layout: Layout, period_us: float) -> None:
        poses = [_centred(frame, layout) for frame in frames]
        known = [row for row, pose_m in enumerate(poses) if pose_m is not None]
        self._time_us = np.array([frames[row].timestamp_us for row in known], np.float64)
        self._pose_m = np.array([poses[row] for row in known], np.float64).reshape(len(known), layout.joints, 3)
        steps_us = np.diff([frame.timestamp_us for frame in frames])
        usual_us = float(np.median(steps_us)) if len(steps_us) else period_us
        self._longest_us = _LONGEST_PERIODS * max(period_us, usual_us)
        self._close_us = 0.02 * period_us
        self._layout = layout

    def at(self, time_us: float) -> NDArray[np.float64]:
        """The pose (J, 3) at a time."""
        times_us = self._time_us
        after = int(np.searchsorted(times_us, time_us))
        # Timestamps are whole microseconds: a frame this close is the one meant.
        for row in (after - 1, after):
            if 0 <= row < len(times_us) and abs(times_us[row] - time_us) <= self._close_us:
                pose_m: NDArray[np.float64] = self._pose_m[row]
                return pose_m
        if not 0 < after < len(times_us) or times_us[after] - times_us[after - 1] > self._longest_us:
            return np.full((self._layout.joints, 3), np.nan)
        weight = (time_us - times_us[after - 1]) / (times_us[after] - times_us[after - 1])
        between: NDArray[np.float64] = (1.0 - weight) * self._pose_m[after - 1] + weight * self._pose_m[after]
        return between


def error_mm(pose_m: NDArray[np.floating], truth_m: NDArray[np.floating]) -> float:
    """Mean distance of the landmarks (..., J, 3) that the truth shows, millimetres; NaN if it shows none."""
    apart_m = np.linalg.norm(pose_m - truth_m, axis=-1)
    known = np.isfinite(apart_m)
    return float(apart_m[known].mean() * 1e3) if known.any() else float("nan")


def _centred(frame: Frame, layout: Layout) -> NDArray[np.float64] | None:
    """The pose about the middle of the hips, NaN where unseen; None without both hips."""
    if frame.landmarks is None:
        return None
    seen = seen_landmarks(frame.landmarks, 0.1)
    if not seen[list(layout.hips)].all():
        return None
    pose_m = frame.landmarks[:, :3].astype(np.float64)
    return np.where(seen[:, None], pose_m - hip_middle(pose_m, layout), np.nan)
