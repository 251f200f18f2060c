"""What the machine could do at most: the same matrix products with nothing around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from bridge.bench.clock import Effort, time_ms
from bridge.bench.gemms import Gemm

_LEAST, _MOST = 3, 400
# Long enough that setting threads going does not count.
_SIDE_BY_SIDE_MS = 4.0


class GemmCeiling:
    """Best time of every distinct shape, float32, at the number of threads that torch has.

    Each product is called again and again on the same operands, so that weights are as close as caches allow, writes to
    memory that it already has, and has the weights stored both ways, (inner, columns) and (columns, inner). With
    several threads they share each product, or each thread does its part of the rows by itself. The best of all these
    counts; on the CPU, of threads by themselves, in processor time, so that other work on the machine does not lower
    the ceiling. A rollout, which walks through all its weights at every step, cannot reach it quite.
    """

    def __init__(self, gemms: Sequence[Gemm], device: torch.device) -> None:
        self._gemms = tuple(gemms)
        self._device = device
        self._best_ms: dict[tuple[int, int, int], float] = {}

    def measure(self, effort: Effort) -> None:
        """Time every shape; called again, the better of both times stays. Nothing else should be running."""
        threads = torch.get_num_threads() if self._device.type == "cpu" else 1
        with torch.inference_mode():
            for shape in dict.fromkeys(gemm.shape for gemm in self._gemms):
                found = self._best_of(shape, threads, effort.ceiling_s)
                self._best_ms[shape] = min(found, self._best_ms.get(shape, found))

    def _best_of(self, shape: tuple[int, int, int], threads: int, seconds: float) -> float:
        rows, inner, columns = shape
        left = torch.randn(rows, inner, device=self._device)
        straight = torch.randn(inner, columns, device=self._device)
        out = torch.empty(rows, columns, device=self._device)
        ways: list[Callable[[], float]] = []
        for right in (straight, straight.t().contiguous().t()):
            ways.append(partial(time_ms, partial(torch.mm, left, right, out=out), self._device))
            if self._device.type == "cpu" and threads <= rows:
                ways.append(partial(_side_by_side_ms, left, right, out, threads))
        best = float("inf")
        for way in ways:
            until = time.perf_counter() + seconds / len(ways)
            for done in range(_MOST):
                if done >= _LEAST and time.perf_counter() > until:
                    break
                best = min(best, way())
        return best

    @property
    def total_ms(self) -> float:
        """Least time in which this machine could do all products of the rollout."""
        return sum(self._best_ms[gemm.shape] * gemm.share * gemm.times for gemm in self._gemms)

    @property
    def gflops(self) -> float:
        """All work over `total_ms`: GFLOP per second."""
        return sum(gemm.flop for gemm in self._gemms) / 1e6 / self.total_ms


def _side_by_side_ms(left: Tensor, right: Tensor, out: Tensor, threads: int) -> float:
    """Milliseconds of a product whose rows are shared out: every thread does its own, many times, all at once.

    Processor time of the slowest thread: on a quiet machine, the time that passed.
    """
    once_ms = time_ms(lambda: torch.mm(left, right, out=out), left.device)
    times = max(1, round(_SIDE_BY_SIDE_MS / once_ms))
    gate = threading.Barrier(threads)
    spent_ms: list[float] = []

    def work(part: Tensor, into: Tensor) -> None:
        with torch.inference_mode():
            # Asked first: a thread takes everyone's number the first time it needs one, unless it already has.
            torch.get_num_threads()
            torch.set_num_threads(1)
            torch.mm(part, right, out=into)
            gate.wait()
            began = time.thread_time()
            for _ in range(times):
                torch.mm(part, right, out=into)
            spent_ms.append(1e3 * (time.thread_time() - began))

    parts = zip(left.tensor_split(threads), out.tensor_split(threads), strict=True)
    workers = [threading.Thread(target=work, args=pair) for pair in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    torch.set_num_threads(threads)
    return max(spent_ms) / times
