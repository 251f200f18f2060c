"""Requests whose windows are made of real frames, for engines that really compute."""

from __future__ import annotations

import numpy as np

from bridge.engine import EngineRequest, Outcome, RequestKey
from bridge.skeleton import Layout
from bridge.timeline import Frame, Snapshot, Timeline
from tests.support import TINY_LAYOUT


def moving_snapshot(
    seed: int = 0,
    *,
    layout: Layout = TINY_LAYOUT,
    context_frames: int = 13,
    root: bool = False,
    unseen: tuple[int, ...] = (),
) -> Snapshot:
    """A body of random movements, at 30 Hz with jitter, so that its window is resampled."""
    rng = np.random.default_rng(seed)
    timeline = Timeline(layout, context_frames=context_frames)
    landmarks = np.ones((layout.joints, 4), np.float32)
    landmarks[list(unseen), 3] = 0.0
    for i in range(context_frames + 3):
        landmarks[:, :3] = 0.4 * layout.template + rng.normal(scale=0.01, size=(layout.joints, 3))
        timestamp_us = round((i + rng.uniform(-0.2, 0.2)) * 1e6 / 30)
        root_m = np.array([0.01 * i, 0.0, 2.0], np.float32) if root else None
        timeline.add(Frame("a", i, timestamp_us, landmarks.copy(), root_m))
    snapshot = timeline.snapshot()
    assert snapshot is not None
    return snapshot


def body_without_extent() -> Snapshot:
    """All landmarks of all frames in one point: there is no window of it."""
    timeline = Timeline(TINY_LAYOUT, context_frames=13)
    for i in range(16):
        landmarks = np.zeros((TINY_LAYOUT.joints, 4), np.float32)
        landmarks[:, 3] = 1.0
        timeline.add(Frame("a", i, round(i * 1e6 / 30), landmarks))
    snapshot = timeline.snapshot()
    assert snapshot is not None
    return snapshot


def request_for(
    snapshot: Snapshot, *, seed: int = 0, horizon_frames: int = 3, samples: int = 4, futures: int = 2
) -> EngineRequest:
    return EngineRequest(
        key=RequestKey("s", str(seed)),
        snapshot=snapshot,
        horizon_frames=horizon_frames,
        samples=samples,
        futures=futures,
        seed=seed,
        arrived_s=0.0,
        deadline_s=1e12,
        done=_nobody_waits,
    )


def moving_request(seed: int = 0) -> EngineRequest:
    return request_for(moving_snapshot(seed), seed=seed)


def _nobody_waits(request: EngineRequest, outcome: Outcome) -> None:
    pass
