"""Scores of one method, gathered batch by batch: memory holds numbers per window, never all futures at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.evaluation import scores, scores_probabilistic, scores_returned
from bridge.evaluation.multimodal import PossibleFutures
from bridge.evaluation.population import EnergyDistance
from bridge.evaluation.scores import FloatArray, Samples
from bridge.evaluation.windows import EvaluationWindow
from bridge.skeleton import Layout

HORIZONS_MS = (100, 200, 333, 500, 667, 1000)
BEST_OF = 20
# The variogram score looks at the frames at these horizons.
_VARIOGRAM_MS = (333, 1000)
# Samples of each window that enter the energy distance between populations, whose cost grows with the square of their
# number.
_POPULATION_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class MethodScores:
    """One method's scores.

    Attributes:
        name: of the method.
        per_window: (N,) by score. In metres, as norms of whole poses or futures: ``ade``, ``fde``, ``mmade``,
            ``mmfde``, ``apd``, ``to_truth``, ``energy_score``, ``best_of_20_ade``; with a probability's error added,
            ``brier_min_fde``. In metres per coordinate: ``crps``. ``variogram_score``, ``limb_stretch`` (a fraction),
            ``missed`` (0 or 1). In millimetres at every horizon: ``mpjpe_mm_<ms>`` of the sample mean,
            ``most_probable_mpjpe_mm_<ms>``, ``best_of_k_mpjpe_mm_<ms>`` of the returned futures and
            ``best_of_20_mpjpe_mm_<ms>``. Best of 20: of the first 20 samples (of all, where there are fewer) the one
            that is nearest to the truth in that very score, so another one at each horizon, as in FDE. For a stochastic
            method also ``log_score`` and ``log_score_uniform`` of the returned futures, in nats.
        mpjpe_by_frame_mm: (H,) mean landmark error of the sample mean.
        energy_distance: between the set of sampled and the set of true displacements from the last pose, metres.
        rank_counts: (H, S + 1) how often the truth had each rank among the samples (`scores.truth_ranks`), over the
            coordinates of mobile joints; None for a method without spread.
        ms_per_batch: mean time of one batch of forecasts.
    """

    name: str
    per_window: Mapping[str, FloatArray]
    mpjpe_by_frame_mm: FloatArray
    energy_distance: float
    rank_counts: NDArray[np.int64] | None
    ms_per_batch: float

    __repr__ = brief_repr

    def mean(self, score: str) -> float:
        """Mean over windows of a score per window."""
        return float(self.per_window[score].mean())

    @property
    def spread_over_error(self) -> float:
        """APD over the mean distance of samples to the truth: 1 when both are equally far away, as they should be."""
        return self.mean("apd") / self.mean("to_truth")

    def coverage(self, share: float) -> FloatArray | None:
        """Share (H,) of true coordinates in the central region that should hold ``share``; None without spread."""
        return None if self.rank_counts is None else scores.coverage(self.rank_counts, share)

    def worst_coverage(self, share: float) -> float | None:
        """Coverage at the frame where it is furthest from ``share``."""
        covered = self.coverage(share)
        return None if covered is None else float(covered[np.argmax(np.abs(covered - share))])


class Answers:
    """The truth of all windows, with what every method's scoring needs of it, prepared once.

    Args:
        windows: N, all with the same context and horizon.
        layout: of the landmarks.
        rate_hz: of windows and futures.
    """

    def __init__(self, windows: Sequence[EvaluationWindow], layout: Layout, rate_hz: float) -> None:
        self.truth_m = np.stack([item.truth_m for item in windows])  # (N, H, J, 3)
        self.last_pose_m = np.stack([item.window.pose_m[-1] for item in windows])
        self.horizons = horizon_rows(self.truth_m.shape[1], rate_hz)
        variogram = [self.horizons[ms] for ms in _VARIOGRAM_MS if ms in self.horizons]
        self.variogram_rows = variogram or [self.truth_m.shape[1] - 1]
        self.mobile_joints = mobile_joints(layout)
        self.limb_bones = np.asarray(layout.limb_bones, np.intp)
        self.limb_lengths_m = scores_probabilistic.context_bone_lengths(
            np.stack([item.window.pose_m for item in windows]),
            np.stack([item.window.observed for item in windows]),
            self.limb_bones,
        )
        self.possible = PossibleFutures(windows, layout)
        self.population = EnergyDistance(self.truth_m - self.last_pose_m[:, None])

    def limb_stretch(self) -> FloatArray:
        """The truth's own limb stretch, (N,)."""
        return scores_probabilistic.bone_stretch(self.truth_m[:, None], self.limb_bones, self.limb_lengths_m)


@dataclass(frozen=True, slots=True)
class _Part:
    """Scores of some windows of a batch."""

    per_window: dict[str, FloatArray]
    mean_mm: FloatArray
    rank_counts: NDArray[np.int64] | None


class ScoreTally:
    """Adds up the batches of one method.

    Args:
        name: of the method.
        stochastic: whether its samples stand for a distribution.
        answers: the truth of all windows.
    """

    def __init__(self, name: str, stochastic: bool, answers: Answers) -> None:
        self._name = name
        self._stochastic = stochastic
        self._answers = answers
        self._parts: list[_Part] = []
        self._displacements: list[Samples] = []
        self._elapsed_s: list[float] = []

    def add(
        self, first: int, samples_m: Samples, elapsed_s: float, executor: Executor | None = None, workers: int = 1
    ) -> None:
        """Score the next batch; batches come in the order of the windows.

        Args:
            first: index of the batch's first window.
            samples_m: (B, S, H, J, 3).
            elapsed_s: what forecasting took.
            executor: where to score shares of the batch at the same time; None: here.
            workers: number of shares.
        """
        bounds = np.linspace(0, len(samples_m), min(workers, len(samples_m)) + 1).astype(int).tolist()
        shares = [(first + low, samples_m[low:high]) for low, high in pairwise(bounds)]
        score = map if executor is None else executor.map
        self._parts.extend(score(self._score, *zip(*shares, strict=True)))
        last_pose_m = self._answers.last_pose_m[first : first + len(samples_m)]
        self._displacements.append(samples_m[:, :_POPULATION_SAMPLES] - last_pose_m[:, None, None])
        self._elapsed_s.append(elapsed_s)

    def result(self) -> MethodScores:
        """The scores of everything added."""
        counts = [part.rank_counts for part in self._parts if part.rank_counts is not None]
        first = self._parts[0].per_window
        return MethodScores(
            name=self._name,
            per_window={key: np.concatenate([part.per_window[key] for part in self._parts]) for key in first},
            mpjpe_by_frame_mm=np.concatenate([part.mean_mm for part in self._parts]).mean(axis=0),
            energy_distance=self._answers.population.of(np.concatenate(self._displacements)),
            rank_counts=np.sum(counts, axis=0) if counts else None,
            ms_per_batch=1e3 * float(np.mean(self._elapsed_s)),
        )

    def _score(self, first: int, samples_m: Samples) -> _Part:
        answers, rows = self._answers, slice(first, first + len(samples_m))
        truth_m = answers.truth_m[rows]
        errors_m = scores.landmark_errors(samples_m, truth_m)
        distances = scores.pose_distances(errors_m)
        errors_mm = scores.mean_landmark_errors_mm(errors_m)
        to_truth = scores.distance_to_truth(distances)
        apd = scores.average_pairwise_distance(scores.pairwise_distances(samples_m))
        mmade, mmfde = answers.possible.scores(rows, samples_m)
        returned = scores_returned.returned_scores(distances, errors_mm, scores_returned.choose_futures(samples_m))
        mean_m = (np.einsum("nkhjd->nhjd", samples_m) / np.float32(samples_m.shape[1]))[:, None]
        mean_mm = scores.mean_landmark_errors_mm(scores.landmark_errors(mean_m, truth_m))[:, 0]
        part = {
            "ade": scores.average_displacement(distances),
            "fde": scores.final_displacement(distances),
            "mmade": mmade,
            "mmfde": mmfde,
            "apd": apd,
            "to_truth": to_truth,
            "energy_score": scores.energy_score(to_truth, apd),
            "crps": scores_probabilistic.crps(samples_m, truth_m),
            "variogram_score": scores_probabilistic.variogram_score(
                samples_m, truth_m, answers.mobile_joints, answers.variogram_rows
            ),
            "limb_stretch": scores_probabilistic.bone_stretch(
                samples_m, answers.limb_bones, answers.limb_lengths_m[rows]
            ),
            f"best_of_{BEST_OF}_ade": scores.average_displacement(distances[:, :BEST_OF]),
            "missed": returned.missed,
            "brier_min_fde": returned.brier_min_fde,
        }
        if self._stochastic:
            part |= {"log_score": returned.log_score, "log_score_uniform": returned.log_score_uniform}
        by_kind = {
            "mpjpe_mm": mean_mm,
            "most_probable_mpjpe_mm": returned.most_probable_mm,
            "best_of_k_mpjpe_mm": returned.best_mm,
            f"best_of_{BEST_OF}_mpjpe_mm": errors_mm[:, :BEST_OF].min(axis=1),
        }
        part |= {f"{kind}_{ms}": mm[:, row] for kind, mm in by_kind.items() for ms, row in answers.horizons.items()}
        counts = scores.truth_ranks(samples_m, truth_m, answers.mobile_joints) if self._stochastic else None
        return _Part(part, mean_mm, counts)


def horizon_rows(horizon_frames: int, rate_hz: float) -> dict[int, int]:
    """The standard horizons in ms that a future reaches, each with its nearest row."""
    rows = {ms: round(ms * rate_hz / 1000.0) - 1 for ms in HORIZONS_MS}
    return {ms: row for ms, row in rows.items() if 0 <= row < horizon_frames}


def mobile_joints(layout: Layout) -> NDArray[np.intp]:
    """Landmarks that move by themselves: the ends of the limb bones, without the hips (whose middle is the origin)."""
    ends = {joint for bone in layout.limb_bones for joint in bone} - set(layout.hips)
    return np.array(sorted(ends), np.intp)
