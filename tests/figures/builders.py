"""A body that moves in a way that is known, and forecasts of it."""

from __future__ import annotations

import numpy as np

from bridge.frames import Frame
from bridge.wire.values import Forecast, Timing
from tests.support import TINY_LAYOUT

STEP_US = 33_333
JOINTS = TINY_LAYOUT.joints
BASE_US = 1_000_000


def moving_frames(count: int = 60, *, speed_m_per_frame: float = 0.01, hidden: tuple[int, ...] = ()) -> list[Frame]:
    """The head moves along x at a constant speed, the rest stands; the whole body also drifts, which must not count."""
    frames = []
    for row in range(count):
        landmarks = np.concatenate([TINY_LAYOUT.template, np.ones((JOINTS, 1), np.float32)], axis=1)
        landmarks[0, 0] += speed_m_per_frame * row
        landmarks[:, 2] += 0.5 * row
        landmarks[list(hidden), 3] = 0.0
        frames.append(Frame("a", row, BASE_US + row * STEP_US, landmarks.astype(np.float32)))
    return frames


def head_forecast(row: int, head_speeds_m: list[float], *, steps: int = 30) -> Forecast:
    """A forecast from frame ``row`` in which the head of future k moves at a speed of its own, metres a step."""
    now = TINY_LAYOUT.template.copy()
    now[0, 0] += 0.01 * row
    futures = np.broadcast_to(now, (len(head_speeds_m), steps, JOINTS, 3)).copy()
    for k, speed_m in enumerate(head_speeds_m):
        futures[k, :, 0, 0] += speed_m * np.arange(1, steps + 1)
    count = len(head_speeds_m)
    return Forecast(
        avatar_id="a",
        based_on_sequence=row,
        based_on_timestamp_us=BASE_US + row * STEP_US,
        step_us=STEP_US,
        futures_m=futures.astype(np.float32),
        roots_m=None,
        probabilities=np.full(count, 1 / count, np.float32),
        spread_m=np.zeros((steps, JOINTS), np.float32),
        mode_ids=tuple(range(count)),
        unobserved_landmarks=(),
        bridged_share=0.0,
        samples=4,
        acceptance_rate=None,
        timing=Timing(),
    )
