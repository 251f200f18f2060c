"""Bodies that sway, with futures, p-values and an alert: a history to look at without a forecaster."""

from __future__ import annotations

import numpy as np

from bridge.frames import Frame
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.viewer import AlertMark, History, ShownForecast
from bridge.wire.values import Forecast, Timing

LAYOUT = MEDIAPIPE_POSE_33
FRAME_US = 33_333


def swaying(phase: float) -> np.ndarray:
    """A body (J, 4) in metres and visibility, MediaPipe's axes, its hips at the origin: it waves and strides."""
    pose = 0.36 * np.asarray(LAYOUT.template, np.float64)
    left = np.array([name.startswith("left") for name in LAYOUT.names])
    side = np.where(left, 1.0, -1.0)
    share = np.clip(pose[:, 1], 0, None) + 0.5 * np.clip(-pose[:, 1], 0, None)
    pose[:, 2] += 0.7 * share * side * np.sin(phase)
    pose[:, 0] += 0.3 * share * np.cos(phase)
    return np.concatenate([pose, np.ones((LAYOUT.joints, 1))], axis=1).astype(np.float32)


def forecast_of(avatar: str, row: int, *, futures: int = 5, steps: int = 30) -> Forecast:
    """K futures that go on at different paces."""
    paces = np.linspace(0.5, 1.5, futures)
    futures_m = np.stack(
        [[swaying((row + pace * (step + 1)) / 6)[:, :3] for step in range(steps)] for pace in paces]
    ).astype(np.float32)
    probabilities = np.arange(futures, 0, -1, dtype=np.float32)
    return Forecast(
        avatar_id=avatar,
        based_on_sequence=row,
        based_on_timestamp_us=1 + row * FRAME_US,
        step_us=FRAME_US,
        futures_m=futures_m,
        roots_m=None,
        probabilities=probabilities / probabilities.sum(),
        spread_m=np.zeros((steps, LAYOUT.joints), np.float32),
        mode_ids=tuple(range(futures)),
        unobserved_landmarks=(),
        bridged_share=0.0,
        samples=32,
        acceptance_rate=None,
        timing=Timing(),
    )


def swaying_history(avatars: int = 1, *, seconds: float = 6.0, futures: int = 5) -> History:
    """Avatars with frames, forecasts from every third frame, p-values, and one alert from 4 to 4.8 s."""
    history = History()
    for number in range(avatars):
        name = f"avatar{number + 1}"
        for row in range(round(seconds * 30)):
            at_us = 1 + row * FRAME_US
            history.add_frame(name, at_us, Frame(name, row, at_us, swaying(row / 6 + number)))
            history.add_p_value(name, at_us, 0.5 + 0.4 * np.sin(row / 9))
            if row % 3 == 0 and row >= 10:
                history.add_forecast(name, at_us, ShownForecast.of(forecast_of(name, row, futures=futures, steps=8)))
    history.add_alert(AlertMark("a1", "avatar1", 3_900_000, 4_000_000, 4_800_000, "high", 0.001, ("left_knee",)))
    return history
