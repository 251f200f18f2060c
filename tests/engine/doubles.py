"""Requests and engines whose behaviour a test dictates; the real engine is tested in test_local.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from bridge.engine import EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.errors import BridgeError
from bridge.forecaster.results import ForecastResult
from bridge.frame_buffer import FrameBuffer
from bridge.frames import Window
from bridge.timeline import Snapshot
from tests.support import TINY_LAYOUT

# What `bridge.service.logs` does for a server: structlog's default draws tracebacks for seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


RATE_HZ = 30.0


def snapshot(offset_m: float = 0.0, *, context_frames: int = 8) -> Snapshot:
    """A body that stands still, all of its landmarks seen, ``offset_m`` lower than the layout's template."""
    buffer = FrameBuffer(TINY_LAYOUT.joints)
    for row in range(context_frames):
        buffer.open(row)
    buffer.column("time_us")[:] = 1_000_000 + np.round(np.arange(1 - context_frames, 1) * 1e6 / RATE_HZ)
    buffer.column("sequence")[:] = np.arange(1, context_frames + 1)
    buffer.column("pose_m")[:] = TINY_LAYOUT.template + np.array([0.0, offset_m, 0.0], np.float32)
    buffer.column("seen")[:] = buffer.column("hips_seen")[:] = True
    grid_us = np.arange(1 - context_frames, 1, dtype=np.float64) * 1e6 / RATE_HZ
    return Snapshot(buffer.copy_of_last(context_frames), TINY_LAYOUT, grid_us, 1e6 / RATE_HZ)


def window(offset_m: float = 0.0, *, context_frames: int = 8) -> Window:
    return snapshot(offset_m, context_frames=context_frames).window()


@dataclass
class Outcomes:
    """Collects what became of requests, in order."""

    seen: list[tuple[EngineRequest, Outcome]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, request: EngineRequest, outcome: Outcome) -> None:
        with self._changed:
            self.seen.append((request, outcome))
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Outcome]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, timeout=20)
            return [outcome for _, outcome in self.seen]

    def of(self, request: EngineRequest) -> Outcome:
        (outcome,) = [outcome for seen, outcome in self.seen if seen is request]
        return outcome


_STANDING = snapshot()


def request(
    avatar_id: str = "a",
    *,
    session_id: str = "s",
    deadline_s: float = 1e12,
    arrived_s: float = 0.0,
    done: Callable[[EngineRequest, Outcome], None] = lambda request, outcome: None,
    value_m: float = 0.0,
    samples: int = 4,
    horizon_frames: int = 3,
) -> EngineRequest:
    """``value_m`` tells the bodies of requests apart: see `snapshot`."""
    return EngineRequest(
        key=RequestKey(session_id, avatar_id),
        snapshot=snapshot(value_m) if value_m else _STANDING,
        horizon_frames=horizon_frames,
        samples=samples,
        futures=2,
        seed=1,
        arrived_s=arrived_s,
        deadline_s=deadline_s,
        done=done,
    )


class HoldingEngine:
    """Answers with the last pose held. ``before`` sees every batch first and may wait or raise."""

    def __init__(self, before: Callable[[Sequence[EngineRequest]], None] = lambda requests: None) -> None:
        self._before = before
        self.batches: list[list[EngineRequest]] = []
        self.deadlines_s: list[float] = []
        self.closed = 0

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(TINY_LAYOUT, RATE_HZ, 8, "none", "0" * 64, "cpu")

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        self.batches.append(list(batch))
        self.deadlines_s.append(deadline_s)
        self._before(batch)
        return [self._hold(request) for request in batch]

    def close(self) -> None:
        self.closed += 1

    @staticmethod
    def _hold(request: EngineRequest) -> ForecastResult:
        last_m = request.snapshot.window().pose_m[-1]
        samples_m = np.broadcast_to(last_m, (request.samples, request.horizon_frames, *last_m.shape))
        return ForecastResult(
            futures_m=samples_m[: request.futures].copy(),
            roots_m=None,
            probabilities=np.full(request.futures, 1 / request.futures, np.float32),
            spread_m=np.zeros((request.horizon_frames, last_m.shape[0]), np.float32),
            samples_m=samples_m.copy(),
            acceptance_rate=None,
            unobserved_landmarks=(),
            bridged_share=0.0,
        )


class Gate:
    """Holds an engine's batches until it is opened."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._reached = threading.Event()

    def __call__(self, requests: Sequence[EngineRequest]) -> None:
        self._reached.set()
        assert self._opened.wait(20)

    def wait_until_reached(self) -> None:
        assert self._reached.wait(20)

    def open(self) -> None:
        self._opened.set()
