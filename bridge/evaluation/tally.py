"""Scores of one method, gathered batch by batch: memory holds numbers per window, never all futures at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation import population, scores
from bridge.evaluation.scores import FloatArray, Samples

HORIZONS_MS = (100, 333, 667, 1000)
BEST_OF = 20
# Samples of each window that enter the energy distance between populations, whose cost grows with the square of their
# number.
_POPULATION_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class MethodScores:
    """One method's scores.

    Attributes:
        name: of the method.
        per_window: (N,) by score: ``ade``, ``fde``, ``apd``, ``to_truth``, ``energy_score``, ``best_of_20_ade`` in
            metres (norms of whole poses or futures), ``mpjpe_mm_<ms>`` of the sample mean and
            ``best_of_20_mpjpe_mm_<ms>`` in millimetres. Best of 20: of the first 20 samples (of all, where there are
            fewer) the one that is nearest to the truth in that very score, so another one at each horizon, as in FDE.
        energy_distance: between the set of sampled and the set of true displacements from the last pose, metres.
        coverage_90: (H,) share of true coordinates of mobile joints in the central 90 % region, per frame; None for a
            method without spread.
        ms_per_batch: mean time of one batch of forecasts.
    """

    name: str
    per_window: Mapping[str, FloatArray]
    energy_distance: float
    coverage_90: FloatArray | None
    ms_per_batch: float

    def mean(self, score: str) -> float:
        """Mean over windows of a score per window."""
        return float(self.per_window[score].mean())

    @property
    def spread_over_error(self) -> float:
        """APD over the mean distance of samples to the truth: 1 when both are equally far away, as they should be."""
        return self.mean("apd") / self.mean("to_truth")

    @property
    def coverage_90_worst(self) -> float | None:
        """Coverage at the frame where it is furthest from 90 %."""
        if self.coverage_90 is None:
            return None
        return float(self.coverage_90[np.argmax(np.abs(self.coverage_90 - 0.9))])


class ScoreTally:
    """Adds up the batches of one method.

    Args:
        name: of the method.
        stochastic: whether its samples stand for a distribution.
        horizons: horizon in ms and the frame (0-based) it falls on.
        mobile_joints: landmarks that coverage looks at.
    """

    def __init__(
        self, name: str, stochastic: bool, horizons: Mapping[int, int], mobile_joints: NDArray[np.intp]
    ) -> None:
        self._name = name
        self._stochastic = stochastic
        self._horizons = horizons
        self._mobile_joints = mobile_joints
        self._parts: list[dict[str, FloatArray]] = []
        self._displacements: list[Samples] = []
        self._true_displacements: list[Samples] = []
        self._rank_counts: NDArray[np.int64] | None = None
        self._elapsed_s: list[float] = []

    def add(self, samples_m: Samples, truth_m: Samples, last_pose_m: Samples, elapsed_s: float) -> None:
        """Score a batch.

        Args:
            samples_m: (B, S, H, J, 3). truth_m: (B, H, J, 3). last_pose_m: (B, J, 3).
            elapsed_s: what forecasting took.
        """
        errors_m = scores.landmark_errors(samples_m, truth_m)
        distances = scores.pose_distances(errors_m)
        to_truth = scores.distance_to_truth(distances)
        apd = scores.average_pairwise_distance(scores.pairwise_distances(samples_m))
        part = {
            "ade": scores.average_displacement(distances),
            "fde": scores.final_displacement(distances),
            "apd": apd,
            "to_truth": to_truth,
            "energy_score": scores.energy_score(to_truth, apd),
            f"best_of_{BEST_OF}_ade": scores.average_displacement(distances[:, :BEST_OF]),
        }
        frames = list(self._horizons.values())
        mean_errors = scores.landmark_errors(samples_m[:, :, frames].mean(axis=1)[:, None], truth_m[:, frames])
        of_mean = scores.mean_landmark_errors_mm(mean_errors)[:, 0]
        best = scores.mean_landmark_errors_mm(errors_m[:, :BEST_OF, frames]).min(axis=1)
        for column, ms in enumerate(self._horizons):
            part[f"mpjpe_mm_{ms}"] = of_mean[:, column]
            part[f"best_of_{BEST_OF}_mpjpe_mm_{ms}"] = best[:, column]
        self._parts.append(part)
        self._displacements.append(samples_m[:, :_POPULATION_SAMPLES] - last_pose_m[:, None, None])
        self._true_displacements.append(truth_m - last_pose_m[:, None])
        if self._stochastic:
            counts = scores.truth_ranks(samples_m, truth_m, self._mobile_joints)
            self._rank_counts = counts if self._rank_counts is None else self._rank_counts + counts
        self._elapsed_s.append(elapsed_s)

    def result(self) -> MethodScores:
        """The scores of everything added."""
        return MethodScores(
            name=self._name,
            per_window={key: np.concatenate([part[key] for part in self._parts]) for key in self._parts[0]},
            energy_distance=population.energy_distance(
                np.concatenate(self._displacements), np.concatenate(self._true_displacements)
            ),
            coverage_90=None if self._rank_counts is None else scores.coverage(self._rank_counts, 0.9),
            ms_per_batch=1e3 * float(np.mean(self._elapsed_s)),
        )
