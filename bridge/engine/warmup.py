"""The first forecasts of an engine, made before anyone waits for them."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from bridge.engine.costs import CostModel
from bridge.engine.protocol import Engine, EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.errors import BridgeError
from bridge.timeline import Frame, Snapshot, Timeline

_SAMPLES = 32
_FEWER_SAMPLES = (16, 8)
"""What is drawn under load; measured at one size only."""
_FEWER_WINDOWS = 4
_FUTURES = 5
_HORIZON_S = 1.0
_SIZES = (1, 4, 16)
_SIZES_IF_PADDED = (1, 2, 4, 8, 16)
_TIMED = 2
_UNIT_M = 0.37


def warm_up(engine: Engine, costs: CostModel) -> None:
    """Run batches of several sizes, so that recorded graphs exist, and tell ``costs`` what each takes.

    Raises:
        BridgeError: if the engine does not compute.
    """
    info = engine.info
    horizon_frames = max(1, round(_HORIZON_S * info.rate_hz))
    one = EngineRequest(
        key=RequestKey("", ""),
        snapshot=standing_body(info),
        horizon_frames=horizon_frames,
        samples=_SAMPLES,
        futures=_FUTURES,
        seed=0,
        arrived_s=0.0,
        deadline_s=math.inf,
        done=_nobody_waits,
        keep_samples=False,
    )
    plan = [(windows, _SAMPLES) for windows in (_SIZES_IF_PADDED if info.padded else _SIZES)]
    plan += [(_FEWER_WINDOWS, samples) for samples in _FEWER_SAMPLES]
    for windows, samples in plan:
        batch = [replace(one, seed=seed, samples=samples) for seed in range(windows)]
        for result in engine.infer(batch, math.inf):
            if isinstance(result, BridgeError):
                raise result
        for _ in range(_TIMED):
            started_s = time.perf_counter()
            engine.infer(batch, math.inf)
            costs.observe(windows, samples, horizon_frames, time.perf_counter() - started_s)


def standing_body(info: EngineInfo) -> Snapshot:
    """Frames of a body of usual size that stands still at the origin of a world."""
    timeline = Timeline(info.layout, context_frames=info.context_frames, rate_hz=info.rate_hz)
    landmarks = np.ones((info.layout.joints, 4), np.float32)
    landmarks[:, :3] = _UNIT_M * info.layout.template
    for i in range(info.context_frames):
        timestamp_us = round(i * 1e6 / info.rate_hz)
        timeline.add(Frame("", i, timestamp_us, landmarks, np.zeros(3, np.float32)))
    snapshot = timeline.snapshot()
    assert snapshot is not None
    return snapshot


def _nobody_waits(request: EngineRequest, outcome: Outcome) -> None:
    """Nobody asked for these."""
