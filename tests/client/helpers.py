"""Frames to send and things to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from bridge.frames import Frame
from bridge.skeleton import Layout
from bridge.wire.values import Forecast, SessionConfig, Timing
from tests.service_fixtures import PATIENCE_S, body_landmarks
from tests.support import TINY_LAYOUT

CONFIG = SessionConfig(client_name="test", layout_id=TINY_LAYOUT.id, horizon_ms=200, samples=4, futures=2)


def frame(index: int, avatar_id: str = "a", *, layout: Layout = TINY_LAYOUT, start_us: int = 1_000_000) -> Frame:
    """Frame number ``index`` at 30 Hz."""
    return Frame(avatar_id, index, start_us + round(index * 1e6 / 30), body_landmarks(layout, index / 10))


def frames(indices: Iterable[int], avatar_id: str = "a") -> list[Frame]:
    return [frame(index, avatar_id) for index in indices]


def forecast(timestamp_us: int, avatar_id: str = "a", *, sequence: int = 0) -> Forecast:
    """A small forecast, as if it had come from a server."""
    return Forecast(
        avatar_id=avatar_id,
        based_on_sequence=sequence,
        based_on_timestamp_us=timestamp_us,
        step_us=33_333,
        futures_m=np.zeros((2, 3, TINY_LAYOUT.joints, 3), np.float32),
        roots_m=None,
        probabilities=np.array([0.75, 0.25], np.float32),
        spread_m=np.zeros((3, TINY_LAYOUT.joints), np.float32),
        mode_ids=(0, 1),
        unobserved_landmarks=(),
        bridged_share=0.0,
        samples=4,
        acceptance_rate=None,
        timing=Timing(),
    )


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.01)
