"""Requests and engines whose behaviour a test dictates; the real engine is tested in test_local.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from bridge.engine import EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.forecaster import ForecastResult
from bridge.frames import Window
from tests.support import TINY_LAYOUT

# What `bridge.service.logs` does for a server: structlog's default draws tracebacks for seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def window(value_m: float = 0.0, *, context_frames: int = 8) -> Window:
    return Window(
        layout_id=TINY_LAYOUT.id,
        pose_m=np.full((context_frames, TINY_LAYOUT.joints, 3), value_m, np.float32),
        observed=np.ones((context_frames, TINY_LAYOUT.joints), np.bool_),
        root_m=None,
        bridged=np.zeros(context_frames, np.bool_),
        sequence=1,
        timestamp_us=1_000_000,
    )


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


def request(
    avatar_id: str = "a",
    *,
    session_id: str = "s",
    deadline_s: float = 1e12,
    arrived_s: float = 0.0,
    done: Callable[[EngineRequest, Outcome], None] = lambda request, outcome: None,
    value_m: float = 0.0,
) -> EngineRequest:
    return EngineRequest(
        key=RequestKey(session_id, avatar_id),
        window=window(value_m),
        horizon_frames=3,
        samples=4,
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

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(TINY_LAYOUT, 30.0, 8, "none", "0" * 64, "cpu")

    def infer(self, requests: Sequence[EngineRequest]) -> list[ForecastResult]:
        self.batches.append(list(requests))
        self._before(requests)
        return [self._hold(request) for request in requests]

    @staticmethod
    def _hold(request: EngineRequest) -> ForecastResult:
        last_m = request.window.pose_m[-1]
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
