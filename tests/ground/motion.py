"""Made-up motion whose true pose is known at every instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame, Window
from bridge.geometry import hip_middle
from bridge.skeleton import Layout

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearMotion:
    """Every landmark moves at its own constant velocity, and so does the origin of the sender's coordinates."""

    layout: Layout
    start_m: Array
    velocity_m_s: Array
    root_velocity_m_s: Array

    @classmethod
    def random(cls, layout: Layout, seed: int) -> LinearMotion:
        rng = np.random.default_rng(seed)
        start_m = layout.template * 0.33 + rng.normal(0, 1, 3)
        return cls(layout, start_m, rng.normal(0, 0.3, (layout.joints, 3)), rng.normal(0, 1, 3))

    def pose_m(self, time_us: NDArray[np.int64] | Array | float) -> Array:
        """World positions (..., J, 3) in the sender's coordinates."""
        return self.start_m + self.velocity_m_s * (np.asarray(time_us) * 1e-6)[..., None, None]

    def root_m(self, time_us: NDArray[np.int64] | Array | float) -> Array:
        """Where the origin of those coordinates is (..., 3)."""
        return self.root_velocity_m_s * (np.asarray(time_us) * 1e-6)[..., None]

    def frame(self, time_us: int, *, sequence: int = 0, unseen: tuple[int, ...] = (), root: bool = False) -> Frame:
        """What a tracker reports at a time; unseen landmarks carry rubbish."""
        landmarks = np.ones((self.layout.joints, 4), np.float32)
        landmarks[:, :3] = self.pose_m(time_us)
        landmarks[list(unseen)] = (55.0, -55.0, 55.0, 0.0)
        root_m = self.root_m(time_us).astype(np.float32) if root else None
        return Frame("someone", sequence, time_us, landmarks, root_m)

    def expected_m(self, window: Window, rate_hz: float) -> Array:
        """Hip-centred truth (C, J, 3) at the instants of a window's rows."""
        pose_m = self.pose_m(row_times_us(window, rate_hz))
        return np.asarray(pose_m - hip_middle(pose_m, self.layout)[:, None])


def row_times_us(window: Window, rate_hz: float) -> Array:
    """Times of a window's rows."""
    rows = len(window.pose_m)
    return np.asarray(window.timestamp_us - np.arange(rows - 1, -1, -1) * 1e6 / rate_hz)


def undetected(time_us: int, sequence: int = 0) -> Frame:
    """A frame in which nobody was detected."""
    return Frame("someone", sequence, time_us, None)


def steady_times_us(duration_s: float, rate_hz: float, start_us: int = 1_000_000) -> list[int]:
    """Evenly spaced times of capture."""
    return [start_us + round(index * 1e6 / rate_hz) for index in range(int(duration_s * rate_hz) + 1)]
