"""An engine that computes nothing: canned forecasts at once, to measure the rest of the service and to try clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.engine.protocol import EngineInfo, EngineRequest
from bridge.errors import BridgeError
from bridge.forecaster.results import ForecastResult
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout

_Real = TypeVar("_Real", np.float16, np.float32)

_KEPT = 16
_HEIGHT_M = 1.7
_LEAN = 0.12
"""Sideways, as a share of the height above the hips."""
_SWAY_HZ = 0.4


class _Shape(NamedTuple):
    samples: int
    futures: int
    horizon_frames: int


class NullEngine:
    """Answers every request with a body that stands and sways, whatever its frames show.

    Futures have the shapes that were asked for and roots where the frames have them. Arrays are made once a shape and
    cannot be written to: most answers to equal requests are the same object.
    """

    def __init__(self, layout: Layout = MEDIAPIPE_POSE_33, *, rate_hz: float = 30.0, context_frames: int = 31) -> None:
        self._info = EngineInfo(
            layout=layout,
            rate_hz=rate_hz,
            context_frames=context_frames,
            refinement="none",
            weights_id="0" * 64,
            device="null",
        )
        self._kept: OrderedDict[_Shape, ForecastResult] = OrderedDict()
        self._bare: dict[_Shape, ForecastResult] = {}

    @property
    def info(self) -> EngineInfo:
        """What is pretended to be served."""
        return self._info

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        """Answer at once. A root stays where the newest frame has it."""
        return [self._answer(request) for request in batch]

    def close(self) -> None:
        """Forget the canned arrays."""
        self._kept.clear()
        self._bare.clear()

    def _answer(self, request: EngineRequest) -> ForecastResult:
        shape = _Shape(request.samples, request.futures, request.horizon_frames)
        canned = self._kept.get(shape)
        if canned is None:
            canned = self._kept[shape] = _sway(self._info.layout, self._info.rate_hz, shape)
            self._bare[shape] = canned.without_samples()
            if len(self._kept) > _KEPT:
                del self._bare[self._kept.popitem(last=False)[0]]
        if not request.keep_samples:
            canned = self._bare[shape]
        if not request.snapshot.has_root:
            return canned
        newest = request.snapshot.rows[-1]
        root_m = newest["root_m"] + newest["middle_m"]
        return replace(canned, roots_m=np.broadcast_to(root_m, (shape.futures, shape.horizon_frames, 3)))


def _sway(layout: Layout, rate_hz: float, shape: _Shape) -> ForecastResult:
    """Samples lean to different sides, starting upright; futures are some of them."""
    height = float(np.ptp(layout.template[:, 1]))
    body_m = layout.template * (_HEIGHT_M / height if height > 0 else 1.0)
    above_m = -body_m[:, 1]
    time_s = np.arange(1, shape.horizon_frames + 1) / rate_hz
    side = np.linspace(0.0, 2.0 * np.pi, shape.samples, endpoint=False)
    lean = _LEAN * np.sin(2.0 * np.pi * _SWAY_HZ * time_s)[:, None] * above_m  # (H, J)
    samples_m = np.broadcast_to(body_m, (shape.samples, *lean.shape, 3)).copy()
    samples_m[..., 0] += np.cos(side)[:, None, None] * lean
    samples_m[..., 2] += np.sin(side)[:, None, None] * lean
    share = np.arange(shape.futures, 0, -1, dtype=np.float32)
    futures_m = samples_m[np.arange(shape.futures) * shape.samples // shape.futures]
    return ForecastResult(
        futures_m=_fixed(futures_m),
        roots_m=None,
        probabilities=_fixed(share / share.sum()),
        spread_m=_fixed(np.sqrt(samples_m.var(axis=0).sum(axis=-1))),
        samples_m=_fixed(samples_m),
        acceptance_rate=None,
        unobserved_landmarks=(),
        bridged_share=0.0,
        futures_f16=_fixed(futures_m.astype(np.float16)),
    )


def _fixed(array: NDArray[_Real]) -> NDArray[_Real]:
    array.setflags(write=False)
    return array
