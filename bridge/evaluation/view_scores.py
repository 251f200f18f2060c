"""Scores of one method on windows of which some may be missing, and ratios of such scores over the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation import scores
from bridge.evaluation.bootstrap import CONFIDENCE, ClusteredBootstrap
from bridge.evaluation.evaluate import Progress
from bridge.evaluation.methods import Method
from bridge.evaluation.windows import EvaluationWindow

MPJPE = "mpjpe_mm_"
"""Begins the keys of landmark errors of the sample mean; the horizon in ms follows."""

Views = Sequence[EvaluationWindow | None]
"""The same windows in the same order under every condition; None where a condition left none."""


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Scores (N,) of one method by window, NaN where there was none."""

    values: dict[str, scores.FloatArray]
    coverage_90_worst: float | None


@dataclass(frozen=True, slots=True)
class ViewScorer:
    """Scores a method on windows, batch by batch.

    Attributes:
        horizons: row of a future by horizon in ms, for landmark errors.
        mobile: landmarks whose coverage counts.
        horizon_frames: H.
        seed: of all sampling; the window at a place has the same seed in every list of views, whatever is missing.
        batch_windows: windows forecast at once.
        progress: called with a condition's name and the number of windows just scored.
    """

    horizons: Mapping[int, int]
    mobile: NDArray[np.intp]
    horizon_frames: int
    seed: int
    batch_windows: int
    progress: Progress | None

    def score(self, condition: str, method: Method, views: Views) -> WindowScores:
        """Scores of a method under a condition, which is named for the sake of progress."""
        seeds = [int(s) for s in np.random.default_rng(self.seed).integers(2**62, size=len(views))]
        seen = [(row, item) for row, item in enumerate(views) if item is not None]
        values: dict[str, scores.FloatArray] = {}
        ranks: list[NDArray[np.int64]] = []
        for start in range(0, len(seen), self.batch_windows):
            batch = seen[start : start + self.batch_windows]
            rows = [row for row, _ in batch]
            samples_m = method.futures(
                [item.window for _, item in batch], self.horizon_frames, [seeds[row] for row in rows]
            )
            truth_m = np.stack([item.truth_m for _, item in batch])
            for key, column in self._columns(samples_m, truth_m).items():
                values.setdefault(key, np.full(len(views), np.nan))[rows] = column
            if method.stochastic:
                ranks.append(scores.truth_ranks(samples_m, truth_m, self.mobile))
            if self.progress is not None:
                self.progress(condition, len(batch))
        if not ranks:
            return WindowScores(values, None)
        covered = scores.coverage(np.sum(ranks, axis=0), 0.9)
        return WindowScores(values, float(covered[np.abs(covered - 0.9).argmax()]))

    def _columns(self, samples_m: scores.Samples, truth_m: scores.Samples) -> dict[str, scores.FloatArray]:
        distances = scores.pose_distances(scores.landmark_errors(samples_m, truth_m))
        apart = scores.average_pairwise_distance(scores.pairwise_distances(samples_m))
        frames = list(self.horizons.values())
        mean_m = samples_m[:, :, frames].mean(axis=1, keepdims=True)
        of_mean = scores.mean_landmark_errors_mm(scores.landmark_errors(mean_m, truth_m[:, frames]))[:, 0]
        return {
            "energy_score": scores.energy_score(scores.distance_to_truth(distances), apart),
            "ade": scores.average_displacement(distances),
            **{f"{MPJPE}{ms}": of_mean[:, column] for column, ms in enumerate(self.horizons)},
        }


def paired_ratio(
    before: scores.FloatArray, after: scores.FloatArray, bootstrap: ClusteredBootstrap
) -> tuple[float | None, tuple[float, float] | None]:
    """Ratio of two means over the same windows, and its interval: both means come from the same replicates."""
    if not before.mean() > 0:
        return None, None
    ratio = float(after.mean() / before.mean())
    if bootstrap.clusters < 2:
        return ratio, None
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(bootstrap.means(after) / bootstrap.means(before), [tail, 100.0 - tail])
    return ratio, (float(low), float(high))
