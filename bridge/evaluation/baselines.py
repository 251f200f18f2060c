"""Forecasts without a model, which any model has to beat: one future each, no spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Window

# Chosen on the training split of the motion data (15 154 windows, every 15 frames, 30 frames ahead), by the mean
# landmark error over all 30 frames, in mm, with the last pose held at 86.0:   decay (s)             0.03  0.05  0.07
# 0.10  0.15  0.20  0.30   mean over 1 frame     84.3  82.8  81.5  80.3  79.7  80.5  83.9   mean over 2 frames    84.5
# 83.2  82.1  81.2  81.0  82.0  85.7   mean over 3 frames    84.7  83.6  82.8  82.1  82.4  83.7  87.7   mean over 5
# frames    85.1  84.4  84.0  83.9  84.8  86.6  91.2 The distance of whole futures has its minimum between 0.10 and 0.15
# as well.
VELOCITY_SPAN_S = 1 / 30
VELOCITY_DECAY_S = 0.125


@dataclass(frozen=True, slots=True)
class LastPose:
    """The last pose, held."""

    name: str = "last_pose"
    stochastic: bool = False

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, 1, H, J, 3) metres, hip-centred."""
        last = _contexts(windows)[:, -1]
        return np.repeat(last[:, None, None], horizon_frames, axis=2)


@dataclass(frozen=True, slots=True)
class Velocity:
    """Every landmark goes on with its present velocity, which dies away exponentially (``decay_s`` None: never).

    Attributes:
        name: of the method.
        rate_hz: of windows and futures.
        span_s: the velocity is the mean over this long (at least one frame).
        decay_s: time in which it falls by 1/e.
    """

    name: str
    rate_hz: float
    span_s: float = VELOCITY_SPAN_S
    decay_s: float | None = None
    stochastic: bool = False

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, 1, H, J, 3) metres, hip-centred."""
        contexts = _contexts(windows)
        span = min(max(round(self.span_s * self.rate_hz), 1), contexts.shape[1] - 1)
        last = contexts[:, -1]
        step = (last - contexts[:, -1 - span]) / span  # metres per frame
        moved = last[:, None] + self._travel(horizon_frames)[:, None, None] * step[:, None]
        return np.asarray(moved[:, None], np.float32)

    def _travel(self, horizon_frames: int) -> NDArray[np.float32]:
        """(H,) how many present steps have been made after each frame: 1, 1 + r, 1 + r + r², ... times r."""
        ratio = 1.0 if self.decay_s is None else np.exp(-1.0 / (self.rate_hz * self.decay_s))
        return np.cumsum(ratio ** np.arange(1, horizon_frames + 1)).astype(np.float32)


def constant_velocity(rate_hz: float) -> Velocity:
    """The present velocity, kept."""
    return Velocity("constant_velocity", rate_hz)


def damped_velocity(rate_hz: float) -> Velocity:
    """The present velocity, dying away."""
    return Velocity("damped_velocity", rate_hz, decay_s=VELOCITY_DECAY_S)


def _contexts(windows: Sequence[Window]) -> NDArray[np.float32]:
    """(B, C, J, 3) of equally long windows."""
    return np.stack([window.pose_m for window in windows])
