"""What an engine's process and its parent say to each other: batches in shared memory, short messages beside them.

The parent writes a batch (`write_batch`) and sends an `Order`; the child answers with a `Reply` when the results lie
where both know that they belong (`lay_out`), or with a `Failure`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridge.engine.protocol import EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.engine.shared_memory import Place, SharedMemory
from bridge.errors import BridgeError
from bridge.forecaster.results import ForecastResult, OneStep
from bridge.frame_buffer import FrameBuffer
from bridge.skeleton import Layout
from bridge.timeline import Snapshot

_ALIGNMENT = 64
_HEAD = np.dtype(
    [
        ("rows", np.int64),
        ("grid", np.int64),
        ("has_root", np.bool_),
        ("horizon_frames", np.int64),
        ("samples", np.int64),
        ("keep_samples", np.bool_),
        ("futures", np.int64),
        ("seed", np.uint64),
        ("period_us", np.float64),
        ("initial_heading_rad", np.float64),
        ("scored_samples", np.int64),
        ("scored_steps", np.int64),
        ("wants_likelihood", np.bool_),
    ]
)
"""Of a request, all but its arrays; NaN stands for None."""


def _tail(joints: int) -> np.dtype[Any]:
    """Of a result, all but its arrays; NaN stands for None."""
    return np.dtype(
        [
            ("acceptance_rate", np.float64),
            ("bridged_share", np.float64),
            ("unobserved", np.bool_, (joints,)),
            ("has_scored", np.bool_),
            ("has_step", np.bool_),
            ("log_density", np.float64),
            ("base_square", np.float64),
        ]
    )


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Which engine a child runs: ``kind`` "local" or "null", the rest as in `LocalEngine.load`."""

    kind: str = "local"
    weights: Path | None = None
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The child serves; ``gpus`` is how many CUDA devices it sees."""

    info: EngineInfo
    gpus: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What was asked could not be done at all; ``details`` are for the log."""

    error: BridgeError
    details: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A batch of ``count`` requests lies in the memory, which now has ``size`` bytes."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The results lie in the memory, but for these: errors by position in the batch.

    ``memory_bytes`` is what the engine holds of its GPU by now, None without one.
    """

    errors: dict[int, BridgeError] = field(default_factory=dict)
    memory_bytes: int | None = None


class Places(NamedTuple):
    """Where one request and its result lie."""

    rows: Place
    grid_us: Place
    futures_m: Place
    futures_f16: Place
    probabilities: Place
    spread_m: Place
    samples_m: Place
    roots_m: Place
    scored_m: Place
    outside_m: Place


class BatchPlaces(NamedTuple):
    """Where a batch lies; it takes ``size`` bytes."""

    heads: Place
    tails: Place
    requests: list[Places]
    size: int


def lay_out(heads: NDArray[np.void], joints: int) -> BatchPlaces:
    """The same places for the same heads, in both processes: heads first, then everything else, one after the other."""
    row_dtype = FrameBuffer(joints).copy_of_last(0).dtype
    f2, f4, f8 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
    wanted: list[tuple[tuple[int, ...], np.dtype[Any]]] = [((len(heads),), _HEAD), ((len(heads),), _tail(joints))]
    for head in heads.tolist():
        rows, grid, has_root, horizon, samples, keep_samples, futures, *_, scored, steps, likelihood = head
        wanted += [
            ((rows,), row_dtype),
            ((grid,), f8),
            ((futures, horizon, joints, 3), f4),
            ((futures, horizon, joints, 3), f2),
            ((futures,), f4),
            ((horizon, joints), f4),
            ((samples if keep_samples else 0, horizon, joints, 3), f4),
            ((futures if has_root else 0, horizon, 3), f8),
            ((min(scored, samples), min(steps, horizon), joints, 3), f2),
            ((joints if likelihood else 0,), f4),
        ]
    sizes = [-(-math.prod(shape) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT for shape, dtype in wanted]
    *offsets, size = accumulate(sizes, initial=0)
    places = [Place(offset, *rest) for offset, rest in zip(offsets, wanted, strict=True)]
    width = len(Places._fields)
    requests = [Places(*places[i : i + width]) for i in range(2, len(places), width)]
    return BatchPlaces(places[0], places[1], requests, size)


def write_batch(memory: SharedMemory, batch: Sequence[EngineRequest], joints: int) -> BatchPlaces:
    """Put requests into the memory, which grows as needed, with room for their results.

    Raises:
        OSError: if there is no room.
    """
    heads = np.array([_head_of(request) for request in batch], _HEAD)
    places = lay_out(heads, joints)
    memory.grow(places.size)
    memory.array(places.heads)[:] = heads
    for request, place in zip(batch, places.requests, strict=True):
        memory.array(place.rows)[:] = request.snapshot.rows
        memory.array(place.grid_us)[:] = request.snapshot.grid_us
    return places


def read_batch(memory: SharedMemory, count: int, layout: Layout) -> tuple[list[EngineRequest], BatchPlaces]:
    """The requests that `write_batch` put there, of nobody in particular; their arrays still lie in the memory."""
    heads = memory.array(Place(0, (count,), _HEAD))
    places = lay_out(heads, layout.joints)
    requests = []
    for head, place in zip(heads, places.requests, strict=True):
        heading_rad = float(head["initial_heading_rad"])
        snapshot = Snapshot(
            rows=memory.array(place.rows),
            layout=layout,
            grid_us=memory.array(place.grid_us),
            period_us=float(head["period_us"]),
            initial_heading_rad=None if math.isnan(heading_rad) else heading_rad,
        )
        requests.append(
            EngineRequest(
                key=RequestKey("", ""),
                snapshot=snapshot,
                horizon_frames=int(head["horizon_frames"]),
                samples=int(head["samples"]),
                futures=int(head["futures"]),
                seed=int(head["seed"]),
                arrived_s=0.0,
                deadline_s=math.inf,
                done=_nobody_waits,
                keep_samples=bool(head["keep_samples"]),
                scored_samples=int(head["scored_samples"]),
                scored_steps=int(head["scored_steps"]),
                wants_likelihood=bool(head["wants_likelihood"]),
            )
        )
    return requests, places


def write_results(memory: SharedMemory, places: BatchPlaces, results: Sequence[ForecastResult | BridgeError]) -> Reply:
    """Put results where they belong; what is said of those that are errors."""
    errors: dict[int, BridgeError] = {}
    tails = memory.array(places.tails)
    for i, (result, place) in enumerate(zip(results, places.requests, strict=True)):
        if isinstance(result, BridgeError):
            errors[i] = result
            continue
        memory.array(place.futures_m)[:] = result.futures_m
        memory.array(place.futures_f16)[:] = result.futures_m if result.futures_f16 is None else result.futures_f16
        memory.array(place.probabilities)[:] = result.probabilities
        memory.array(place.spread_m)[:] = result.spread_m
        memory.array(place.samples_m)[:] = result.samples_m
        if result.roots_m is not None:
            memory.array(place.roots_m)[:] = result.roots_m
        tails["acceptance_rate"][i] = math.nan if result.acceptance_rate is None else result.acceptance_rate
        tails["bridged_share"][i] = result.bridged_share
        tails["unobserved"][i] = False
        tails["unobserved"][i, list(result.unobserved_landmarks)] = True
        tails["has_scored"][i] = result.scored_m is not None
        if result.scored_m is not None:
            memory.array(place.scored_m)[:] = result.scored_m
        tails["has_step"][i] = result.one_step is not None
        if result.one_step is not None:
            step = result.one_step
            tails["log_density"][i], tails["base_square"][i] = step.log_density, step.base_square
            memory.array(place.outside_m)[:] = step.outside_m
    return Reply(errors)


def read_results(memory: SharedMemory, places: BatchPlaces, reply: Reply) -> list[ForecastResult | BridgeError]:
    """Results in memory of their own, in the batch's order."""
    tails = memory.array(places.tails)
    results: list[ForecastResult | BridgeError] = []
    for i, place in enumerate(places.requests):
        if i in reply.errors:
            results.append(reply.errors[i])
            continue
        rate = float(tails["acceptance_rate"][i])
        results.append(
            ForecastResult(
                futures_m=memory.array(place.futures_m).copy(),
                roots_m=memory.array(place.roots_m).copy() if place.roots_m.shape[0] else None,
                probabilities=memory.array(place.probabilities).copy(),
                spread_m=memory.array(place.spread_m).copy(),
                samples_m=memory.array(place.samples_m).copy(),
                acceptance_rate=None if math.isnan(rate) else rate,
                unobserved_landmarks=tuple(np.flatnonzero(tails["unobserved"][i]).tolist()),
                bridged_share=float(tails["bridged_share"][i]),
                futures_f16=memory.array(place.futures_f16).copy(),
                scored_m=memory.array(place.scored_m).copy() if tails["has_scored"][i] else None,
                one_step=_step_of(memory, place, tails[i]) if tails["has_step"][i] else None,
            )
        )
    return results


def _step_of(memory: SharedMemory, place: Places, tail: np.void) -> OneStep:
    return OneStep(float(tail["log_density"]), float(tail["base_square"]), memory.array(place.outside_m).copy())


def _head_of(request: EngineRequest) -> tuple[object, ...]:
    snapshot = request.snapshot
    heading_rad = snapshot.initial_heading_rad
    return (
        len(snapshot.rows),
        len(snapshot.grid_us),
        snapshot.has_root,
        request.horizon_frames,
        request.samples,
        request.keep_samples,
        request.futures,
        request.seed,
        snapshot.period_us,
        math.nan if heading_rad is None else heading_rad,
        request.scored_samples,
        request.scored_steps,
        request.wants_likelihood,
    )


def _nobody_waits(request: EngineRequest, outcome: Outcome) -> None:
    """The parent calls the real one."""
