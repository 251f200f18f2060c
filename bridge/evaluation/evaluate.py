"""The evaluation itself: every method on the same windows with the same seeds, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bridge.evaluation.bootstrap import ClusteredBootstrap
from bridge.evaluation.methods import Method
from bridge.evaluation.scores import FloatArray, Samples
from bridge.evaluation.tally import Answers, MethodScores, ScoreTally, horizon_rows, mobile_joints
from bridge.evaluation.windows import EvaluationWindow
from bridge.skeleton import Layout

__all__ = ["BATCH_WINDOWS", "Evaluation", "SampleSink", "evaluate_methods", "horizon_rows", "mobile_joints"]

BATCH_WINDOWS = 32

Progress = Callable[[str, int], None]


class SampleSink(Protocol):
    """Whatever wants the futures themselves."""

    def add(self, name: str, samples_m: Samples) -> None:
        """Take the next batch (B, S, H, J, 3) of a method; methods come one after another, windows in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        windows: N.
        families: of every window: the source its subject belongs to.
        actions: of every window.
        apd_true: diversity of the true futures (`population.true_diversity`), None when no window has a neighbour.
        apd_true_windows: windows that have one.
        possible_futures: mean number of true futures that MMADE and MMFDE hold a window's samples against.
        truth_limb_stretch: (N,) of the recordings themselves, a fraction.
        batch_windows: windows forecast at once, at most.
        horizons: horizon in ms at which landmark errors are given, and the row of the future that it is.
        rate_hz: of futures.
        methods: scores by name, in the order they were given.
        bootstrap: the replicates behind every interval.
    """

    windows: int
    families: tuple[str, ...]
    actions: tuple[str, ...]
    apd_true: float | None
    apd_true_windows: int
    possible_futures: float
    truth_limb_stretch: FloatArray
    batch_windows: int
    horizons: dict[int, int]
    rate_hz: float
    methods: dict[str, MethodScores]
    bootstrap: ClusteredBootstrap


def evaluate_methods(
    windows: Sequence[EvaluationWindow],
    methods: Sequence[Method],
    layout: Layout,
    *,
    rate_hz: float,
    seed: int = 0,
    batch_windows: int = BATCH_WINDOWS,
    threads: int = 1,
    keep: SampleSink | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score methods on windows.

    Args:
        windows: at least one, all with the same context and horizon.
        methods: what to compare.
        layout: of the landmarks.
        rate_hz: of windows and futures.
        seed: of all sampling and of the bootstrap; window n has the same seed for every method, whatever the batches.
        batch_windows: windows forecast at once.
        threads: that score a batch; the numbers are the same for any number of them.
        keep: is given every batch of every method.
        progress: called with a method's name and the number of windows just scored.
    """
    horizon_frames = len(windows[0].truth_m)
    answers = Answers(windows, layout, rate_hz)
    seeds = [int(s) for s in np.random.default_rng(seed).integers(2**62, size=len(windows))]
    results: dict[str, MethodScores] = {}
    with ThreadPoolExecutor(threads) as executor:
        for method in methods:
            tally = ScoreTally(method.name, method.stochastic, answers)
            for start in range(0, len(windows), batch_windows):
                batch = windows[start : start + batch_windows]
                began = time.perf_counter()
                samples_m = method.futures(
                    [item.window for item in batch], horizon_frames, seeds[start : start + batch_windows]
                )
                elapsed_s = time.perf_counter() - began
                tally.add(start, samples_m, elapsed_s, executor, threads)
                if keep is not None:
                    keep.add(method.name, samples_m)
                if progress is not None:
                    progress(method.name, len(batch))
            results[method.name] = tally.result()
    apd_true, with_neighbours = answers.possible.diversity()
    return Evaluation(
        windows=len(windows),
        families=tuple(item.family for item in windows),
        actions=tuple(item.action for item in windows),
        apd_true=apd_true,
        apd_true_windows=with_neighbours,
        possible_futures=float(answers.possible.neighbours.mean()),
        truth_limb_stretch=answers.limb_stretch(),
        batch_windows=batch_windows,
        horizons=answers.horizons,
        rate_hz=rate_hz,
        methods=results,
        bootstrap=ClusteredBootstrap([item.subject for item in windows], [item.clip_id for item in windows], seed=seed),
    )
