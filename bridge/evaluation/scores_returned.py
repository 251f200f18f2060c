"""Scores of the K futures that a client gets, with their probabilities, out of the S samples that were drawn.

The scores of trajectory forecasting (Argoverse, nuScenes) carried to bodies: K futures chosen by the same
`bridge.forecaster.selection.select_futures` as in service, most probable first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.scores import FloatArray, Samples
from bridge.forecaster.selection import Selection, select_futures

RETURNED_FUTURES = 5
"""K, or all samples where there are fewer."""
MISS_MM = 200.0
"""A window is missed when no returned future ends within this mean landmark distance of the truth."""


@dataclass(frozen=True, slots=True)
class ReturnedScores:
    """Scores of each window (N,).

    Attributes:
        most_probable_mm: (N, H) mean landmark error of the most probable future.
        best_mm: (N, H) of the future that is nearest in that very frame.
        missed: 1 where every future's mean landmark error in the last frame is `MISS_MM` or more, else 0.
        brier_min_fde: ‖x_H - y_H‖ of the future that ends nearest (metres, whole pose) plus (1 - p)² with its
            probability p.
        log_score: -log p of the future nearest to the truth over the whole vector (the distance by which samples are
            counted for a future). A future that no sample counted for (all samples alike) has p = ½ / S here, not 0.
        log_score_uniform: log K, what equal probabilities would get.
    """

    most_probable_mm: FloatArray
    best_mm: FloatArray
    missed: FloatArray
    brier_min_fde: FloatArray
    log_score: FloatArray
    log_score_uniform: FloatArray


def choose_futures(x: Samples, futures: int = RETURNED_FUTURES) -> Selection:
    """K of the samples (N, S, ...) of each window; all of them where there are fewer."""
    if x.shape[1] == 1:
        return Selection(np.zeros((len(x), 1), np.intp), np.ones((len(x), 1), np.float32))
    return select_futures(x, min(futures, x.shape[1]))


def returned_scores(distances_m: FloatArray, errors_mm: FloatArray, chosen: Selection) -> ReturnedScores:
    """Score the chosen futures.

    Args:
        distances_m: (N, S, H) of whole poses, from `scores.pose_distances`.
        errors_mm: (N, S, H) from `scores.mean_landmark_errors_mm`.
        chosen: K of the S samples.
    """
    samples, index = distances_m.shape[1], chosen.index[:, :, None]
    distance = np.take_along_axis(distances_m, index, axis=1)  # (N, K, H)
    error_mm = np.take_along_axis(errors_mm, index, axis=1)
    probability = chosen.probabilities.astype(np.float64)
    last = distance[:, :, -1]
    futures = probability.shape[1]
    nearest = np.square(distance).sum(axis=2).argmin(axis=1)
    return ReturnedScores(
        most_probable_mm=error_mm[:, 0],
        best_mm=error_mm.min(axis=1),
        missed=(error_mm[:, :, -1].min(axis=1) >= MISS_MM).astype(np.float64),
        brier_min_fde=last.min(axis=1) + np.square(1.0 - _pick(probability, last.argmin(axis=1))),
        log_score=-np.log(np.maximum(_pick(probability, nearest), 0.5 / samples)),
        log_score_uniform=np.full(len(probability), np.log(futures)),
    )


def _pick(values: NDArray[np.float64], column: NDArray[np.intp]) -> FloatArray:
    """Value (N,) of one column per row of (N, K)."""
    return np.asarray(np.take_along_axis(values, column[:, None], axis=1)[:, 0])
