"""Where the time and the memory of one rollout go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from bridge.bench.clock import synchronize
from bridge.bench.gemms import Gemm, Part, parts_by_size

# The profiler's library tells when it starts and stops, on stderr, unless told not to before its first use.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
_PRODUCTS = tuple(f"aten::{name}" for name in ("mm", "addmm", "addmm_", "bmm", "baddbmm", "baddbmm_"))
_PROFILED_S, _MOST_RUNS = 0.5, 10


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Of one rollout with refinement.

    Attributes:
        shares: part to its share of the time; they add up to 1. Empty where it cannot be told.
        peak_mb: most memory held at a time beyond weights and what was there before, 10^6 bytes; tensors only. None
            where it cannot be told.
    """

    shares: dict[str, float]
    peak_mb: float | None


class Laps:
    """A stopwatch for code that says which part of it just ended."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._spent: dict[str, float] = {}
        self._last = 0.0

    def start(self) -> None:
        """Start the clock."""
        synchronize(self._device)
        self._last = time.perf_counter()

    def __call__(self, part: str) -> None:
        """Count the time since the last call for ``part``."""
        synchronize(self._device)
        now = time.perf_counter()
        self._spent[part] = self._spent.get(part, 0.0) + now - self._last
        self._last = now

    @property
    def shares(self) -> dict[str, float]:
        """Part to share of the time."""
        return _shares(self._spent)


def _shares(spent: dict[str, float]) -> dict[str, float]:
    total = sum(spent.values())
    return {part: value / total for part, value in spent.items()} if total > 0 else {}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on the caller's thread alone: the profiler sees no other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def dissect(call: Callable[[], object], gemms: Sequence[Gemm], device: torch.device) -> Anatomy:
    """Run, a few times if it is quick, and see what every operation of torch cost.

    On the CPU torch's profiler records time, shapes and memory of every operation. A matrix product belongs to the part
    that `gemms` give for its size, and what follows it, until the next product, to the same part: activations follow
    their layer. What comes before the first product is ``other`` (random numbers above all); refinement follows the
    flow's layers and is counted with them. Profiling makes small operations dearer, so the shares are approximate.

    On a GPU, where operations run later than they are called, only the memory is told (CUDA).
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return Anatomy({}, (torch.cuda.max_memory_allocated(device) - before) / 1e6)
    if device.type != "cpu":
        return Anatomy({}, None)
    sizes = parts_by_size(gemms)
    spent: dict[str, float] = {}
    peak_mb = 0.0
    until = time.perf_counter() + _PROFILED_S
    for run in range(_MOST_RUNS):
        if run and time.perf_counter() > until:
            break
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True, profile_memory=True
        ) as profile:
            call()
        for part, time_us in _attribute(profile.events(), sizes).items():
            spent[part] = spent.get(part, 0.0) + time_us
        peak_mb = max(peak_mb, _peak_mb(profile))
    return Anatomy(_shares(spent), peak_mb)


def _attribute(events: Iterable[Any], sizes: Mapping[tuple[int, int], Mapping[Part, float]]) -> dict[str, float]:
    """Microseconds by part; empty if most products are not the formula's: no answer is better than a wrong one."""
    spent: dict[str, float] = {}
    known = unknown = 0
    part = "other"
    for event in sorted(events, key=lambda event: event.time_range.start):
        time_us = event.self_cpu_time_total
        shape = product_shape(event.input_shapes) if event.name in _PRODUCTS else None
        shares = sizes.get(shape[1:]) if shape else None
        known, unknown = known + (shares is not None), unknown + (shape is not None and shares is None)
        if shares is None:
            spent[part] = spent.get(part, 0.0) + time_us
            continue
        part = next(iter(shares))
        total = sum(shares.values())
        for name, share in shares.items():
            spent[name] = spent.get(name, 0.0) + time_us * share / total
    return spent if known > unknown else {}


def _peak_mb(profile: torch.profiler.profile) -> float:
    """The most that tensors held at a time, by the profiler's record of every time memory was taken or given back."""
    held = peak = 0
    recorded: Any = profile.profiler
    for event in recorded.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak / 1e6


def product_shape(inputs: Sequence[Sequence[int]]) -> tuple[int, int, int] | None:
    """(rows, inner, columns) of a product by the shapes of an operation's inputs; None if they make none."""
    matrices = [shape[-2:] for shape in inputs if len(shape) >= 2]
    if len(matrices) < 2 or matrices[-2][1] != matrices[-1][0]:
        return None
    return matrices[-2][0], matrices[-2][1], matrices[-1][1]
