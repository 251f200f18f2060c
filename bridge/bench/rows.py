"""One row of the bench: a workload, timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.bench.ceiling import GemmCeiling
from bridge.bench.clock import Effort, median, p95, repeat, time_ms
from bridge.bench.gemms import total_gflop
from bridge.bench.workload import Workload
from bridge.forecaster import select_futures

FUTURES = 5

DEFINITIONS = {
    "median_ms": "one rollout of the whole batch with refinement, random numbers and copies included, over the repeats",
    "forecast_ms": f"the same and the selection of {FUTURES} futures, median; forecast_p95_ms its 95th percentile",
    "cpu_ms": "processor time of the whole process in one rollout, all threads, median: other work on the machine shows"
    " in it less than in median_ms",
    "gflop": "matrix products of one rollout, counted from the layer sizes (see formula)",
    "gflops": "gflop over median_ms",
    "gemm_gflops": "the same products alone, best time of each shape in this run at this number of threads",
    "fraction_of_gemm": "gflops / gemm_gflops",
    "cpu_fraction_of_gemm": "the same by processor time, gemm_ms x threads / cpu_ms: what a busy machine hides least",
    "loop_ms": "samples drawn one by one, without refinement, once; of loop_share of them, scaled up",
    "speedup_over_loop": "loop_ms / median_ms, refinement in median_ms only",
    "refinement_share": "what refinement adds to the time of the rollout without it, of medians taken in turn",
    "selection_share": "what the selection of futures adds to the time of the rollout without refinement",
    "shares": "parts of a profiled rollout: default by the products' sizes, what follows a product with it, on one"
    " thread; paper by a stopwatch between the parts",
    "peak_mb": "tensors held at most during one rollout beyond the weights, 10^6 bytes, by torch's profiler",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured; `DEFINITIONS` says how. Times in milliseconds of a whole batch."""

    preset: str
    batch: int
    samples: int
    horizon: int
    refinement: str
    repeats: int
    median_ms: float
    p95_ms: float
    best_ms: float
    cpu_ms: float
    plain_ms: float
    selection_ms: float
    forecast_ms: float
    forecast_p95_ms: float
    gflop: float
    gflops: float
    gemm_gflops: float
    gemm_ms: float
    fraction_of_gemm: float
    cpu_fraction_of_gemm: float | None
    loop_ms: float
    loop_share: float
    speedup_over_loop: float
    refinement_share: float
    selection_share: float
    shares: dict[str, float]
    peak_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded to what was measured."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _by_processor(gemm_ms: float, cpu_ms: float) -> float | None:
    return gemm_ms * torch.get_num_threads() / cpu_ms if cpu_ms > 0 else None


def measure(workload: Workload, effort: Effort, *, progress: Callable[[str], None] = lambda what: None) -> Row:
    """Time a workload: ceiling, rollouts with and without refinement in turn, loop, anatomy, ceiling again."""
    device = workload.device
    ceiling = GemmCeiling(workload.gemms, device)
    progress("matrix products")
    ceiling.measure(effort)
    progress("rollouts")
    workload.warm()
    refined_ms: list[float] = []
    cpu_ms: list[float] = []
    plain_ms: list[float] = []
    selection_ms: list[float] = []
    futures = min(FUTURES, workload.samples)

    def once() -> None:
        drawn: list[NDArray[np.floating]] = []
        cpu_before = time.process_time()
        refined_ms.append(time_ms(lambda: drawn.append(workload.refined()), device))
        cpu_ms.append(1e3 * (time.process_time() - cpu_before))
        selection_ms.append(time_ms(lambda: select_futures(drawn[0], futures), device))
        drawn.clear()
        plain_ms.append(time_ms(workload.plain, device))

    repeats = repeat(once, effort)
    progress("loop")
    loop_ms = workload.loop_ms(effort.loop_share)
    progress("anatomy")
    anatomy = workload.dissect()
    progress("matrix products")
    ceiling.measure(effort)

    gflop = total_gflop(workload.gemms)
    middle_ms, middle_plain_ms = median(refined_ms), median(plain_ms)
    gflops = 1e3 * gflop / middle_ms
    both_ms = [drawing + choosing for drawing, choosing in zip(refined_ms, selection_ms, strict=True)]
    return Row(
        preset=workload.preset,
        batch=workload.batch,
        samples=workload.samples,
        horizon=workload.horizon,
        refinement=workload.refinement,
        repeats=repeats,
        median_ms=middle_ms,
        p95_ms=p95(refined_ms),
        best_ms=min(refined_ms),
        cpu_ms=median(cpu_ms),
        plain_ms=middle_plain_ms,
        selection_ms=median(selection_ms),
        forecast_ms=median(both_ms),
        forecast_p95_ms=p95(both_ms),
        gflop=gflop,
        gflops=gflops,
        gemm_gflops=ceiling.gflops,
        gemm_ms=ceiling.total_ms,
        fraction_of_gemm=gflops / ceiling.gflops,
        cpu_fraction_of_gemm=None if device.type != "cpu" else _by_processor(ceiling.total_ms, median(cpu_ms)),
        loop_ms=loop_ms,
        loop_share=effort.loop_share,
        speedup_over_loop=loop_ms / middle_ms,
        refinement_share=middle_ms / middle_plain_ms - 1.0,
        selection_share=median(selection_ms) / middle_plain_ms,
        shares=anatomy.shares,
        peak_mb=anatomy.peak_mb,
    )
