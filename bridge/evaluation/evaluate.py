"""The evaluation itself: every method on the same windows with the same seeds, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.bootstrap import ClusteredBootstrap
from bridge.evaluation.methods import Method
from bridge.evaluation.population import true_diversity
from bridge.evaluation.tally import HORIZONS_MS, MethodScores, ScoreTally
from bridge.evaluation.windows import EvaluationWindow
from bridge.forecaster.jobs import canonical_batch
from bridge.skeleton import Layout

BATCH_WINDOWS = 32

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        windows: N.
        apd_true: diversity of the true futures (`population.true_diversity`), None when no window has a neighbour.
        apd_true_windows: windows that have one.
        batch_windows: windows forecast at once, at most.
        horizons_ms: at which landmark errors are given.
        methods: scores by name, in the order they were given.
        bootstrap: the replicates behind every interval.
    """

    windows: int
    apd_true: float | None
    apd_true_windows: int
    batch_windows: int
    horizons_ms: tuple[int, ...]
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
        progress: called with a method's name and the number of windows just scored.
    """
    horizon_frames = len(windows[0].truth_m)
    horizons = horizon_rows(horizon_frames, rate_hz)
    mobile = mobile_joints(layout)
    seeds = [int(s) for s in np.random.default_rng(seed).integers(2**62, size=len(windows))]
    results: dict[str, MethodScores] = {}
    for method in methods:
        tally = ScoreTally(method.name, method.stochastic, horizons, mobile)
        for start in range(0, len(windows), batch_windows):
            batch = windows[start : start + batch_windows]
            began = time.perf_counter()
            samples_m = method.futures(
                [item.window for item in batch], horizon_frames, seeds[start : start + batch_windows]
            )
            elapsed_s = time.perf_counter() - began
            truth_m = np.stack([item.truth_m for item in batch])
            last_pose_m = np.stack([item.window.pose_m[-1] for item in batch])
            tally.add(samples_m, truth_m, last_pose_m, elapsed_s)
            if progress is not None:
                progress(method.name, len(batch))
        results[method.name] = tally.result()
    apd_true, with_neighbours = _true_diversity(windows, layout)
    return Evaluation(
        windows=len(windows),
        apd_true=apd_true,
        apd_true_windows=with_neighbours,
        batch_windows=batch_windows,
        horizons_ms=tuple(horizons),
        methods=results,
        bootstrap=ClusteredBootstrap([item.subject for item in windows], [item.clip_id for item in windows], seed=seed),
    )


def horizon_rows(horizon_frames: int, rate_hz: float) -> dict[int, int]:
    """The standard horizons in ms that a future reaches, each with its nearest row."""
    rows = {ms: round(ms * rate_hz / 1000.0) - 1 for ms in HORIZONS_MS}
    return {ms: row for ms, row in rows.items() if 0 <= row < horizon_frames}


def mobile_joints(layout: Layout) -> NDArray[np.intp]:
    """Landmarks that move by themselves: the ends of the limb bones, without the hips (whose middle is the origin)."""
    ends = {joint for bone in layout.limb_bones for joint in bone} - set(layout.hips)
    return np.array(sorted(ends), np.intp)


def _true_diversity(windows: Sequence[EvaluationWindow], layout: Layout) -> tuple[float | None, int]:
    batch, frame = canonical_batch([item.window for item in windows], layout)
    truth_m = np.stack([item.truth_m for item in windows])
    context_frames, horizon_frames = batch.pose.shape[1], truth_m.shape[1]
    clip = np.unique([f"{item.subject}/{item.clip_id}" for item in windows], return_inverse=True)[1]
    first = np.array([item.first_future_frame for item in windows])
    overlapping = (clip[:, None] == clip[None, :]) & (
        np.abs(first[:, None] - first[None, :]) < context_frames + horizon_frames
    )
    return true_diversity(batch.pose[:, -1], frame.pose_to_canonical(truth_m), frame.scale_m, overlapping)
