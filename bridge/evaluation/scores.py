"""Scores of sampled futures against what then happened, as pure functions on arrays.

Throughout: samples ``x`` (N, S, H, J, 3) and truth ``y`` (N, H, J, 3) in metres, hip-centred, in the person's own size
and heading; N windows, S samples, H frames, J landmarks. ``‖·‖`` is the Euclidean norm of everything that is left when
the averaged axes are taken away, as in the literature on stochastic motion prediction (DLow, GSPS, BeLFusion): of a
whole pose (3J numbers) for ADE and FDE, of a whole future (3HJ numbers) for APD and the energy score. Every function
returns one value per window; averaging over windows is the caller's. Scores of marginal distributions and of pairs of
coordinates are in `scores_probabilistic`, those of the few futures that are returned in `scores_returned`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.forecaster.selection import pairwise_distances as vector_distances

FloatArray = NDArray[np.float64]
Samples = NDArray[np.float32]

MM_PER_M = 1000.0


def pairwise_distances(x: Samples) -> FloatArray:
    """Distances ‖vec(x^k) - vec(x^l)‖ between the samples of each window, (N, S, S), metres."""
    return vector_distances(x.reshape(*x.shape[:2], -1))


def landmark_errors(x: Samples, y: Samples) -> Samples:
    """Distances between corresponding landmarks, (N, S, H, J), metres.

    Raises:
        InvalidInput: if the shapes do not fit.
    """
    _check(x, y)
    difference = x - y[:, None]
    return np.asarray(np.sqrt(np.einsum("nkhjd,nkhjd->nkhj", difference, difference)))


def pose_distances(errors_m: Samples) -> FloatArray:
    """Distances ‖x_t^k - y_t‖ of whole poses, (N, S, H), metres, from `landmark_errors`."""
    return np.asarray(np.sqrt(np.einsum("nkhj,nkhj->nkh", errors_m, errors_m)), np.float64)


def mean_landmark_errors_mm(errors_m: Samples) -> FloatArray:
    """MPJPE of every sample and frame, (N, S, H), millimetres, from `landmark_errors`."""
    return np.asarray(errors_m.mean(axis=-1), np.float64) * MM_PER_M


def average_displacement(distances: FloatArray) -> FloatArray:
    """ADE: min over k of mean over t of ‖x_t^k - y_t‖, (N,), from `pose_distances`."""
    return np.asarray(distances.mean(axis=2).min(axis=1))


def final_displacement(distances: FloatArray) -> FloatArray:
    """FDE: min over k of ‖x_H^k - y_H‖, (N,), from `pose_distances`."""
    return np.asarray(distances[:, :, -1].min(axis=1))


def average_pairwise_distance(pairs: FloatArray) -> FloatArray:
    """APD: mean over pairs k < l of ‖vec(x^k) - vec(x^l)‖, (N,), from `pairwise_distances`; 0 for a single sample."""
    samples = pairs.shape[1]
    if samples == 1:
        return np.zeros(len(pairs))
    return np.asarray(pairs.sum(axis=(1, 2)) / (samples * (samples - 1)))


def distance_to_truth(distances: FloatArray) -> FloatArray:
    """Mean over k of ‖vec(x^k) - vec(y)‖, (N,), from `pose_distances`."""
    return np.asarray(np.sqrt(np.square(distances).sum(axis=2)).mean(axis=1))


def energy_score(to_truth: FloatArray, diversity: FloatArray) -> FloatArray:
    """Fair energy score mean‖x^k - y‖ - ½ mean over k != l of ‖x^k - x^l‖, (N,): lower is better, and proper.

    The second mean runs over S(S-1) pairs, so the expected score does not depend on S (Ferro 2014); it equals
    ``scoringrules.es_ensemble(..., estimator="fair")``. For one sample (a deterministic method) it is the distance
    itself.

    Args:
        to_truth: (N,) from `distance_to_truth`.
        diversity: (N,) from `average_pairwise_distance`.
    """
    return to_truth - 0.5 * diversity


def truth_ranks(x: Samples, y: Samples, joints: NDArray[np.intp]) -> NDArray[np.int64]:
    """How often the truth had each rank among the samples, per frame: counts (H, S + 1) over windows, joints and axes.

    Rank r means that r of the S samples lie below the truth in that coordinate; ties count half below (rounded down).

    Args:
        x: (N, S, H, J, 3) samples.
        y: (N, H, J, 3) truth.
        joints: indices of the landmarks to look at.
    """
    _check(x, y)
    samples, horizon = x.shape[1], x.shape[2]
    drawn, seen = np.take(x, joints, axis=3), np.take(y, joints, axis=2)[:, None]
    below = (drawn < seen).sum(axis=1, dtype=np.int16)
    below += (drawn == seen).sum(axis=1, dtype=np.int16) // 2
    counts = [np.bincount(below[:, t].ravel(), minlength=samples + 1) for t in range(horizon)]
    return np.stack(counts).astype(np.int64)


def coverage(rank_counts: NDArray[np.int64], share: float) -> FloatArray:
    """Part of the truths inside the central region that should hold ``share`` of them, per frame (H,).

    With S + 1 equally likely ranks, rank r stands for the stretch [r, r + 1] / (S + 1) of the forecast's distribution;
    it counts with the part of that stretch inside the central region, so a calibrated forecast has exactly ``share`` at
    any S.

    Args:
        rank_counts: (H, S + 1) from `truth_ranks`.
        share: of the central region, 0 to 1.
    """
    ranks = rank_counts.shape[1]
    edges = np.arange(ranks + 1) / ranks
    low, high = 0.5 * (1.0 - share), 0.5 * (1.0 + share)
    inside = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None) * ranks
    return np.asarray(rank_counts @ inside / rank_counts.sum(axis=1))


def _check(x: Samples, y: Samples) -> None:
    """Refuse arrays that would broadcast into nonsense."""
    if x.ndim != 5 or y.shape != (x.shape[0], *x.shape[2:]):
        raise InvalidInput(
            f"samples {x.shape} do not fit truth {y.shape}",
            field="samples",
            expected="(N, S, H, J, 3) for truth (N, H, J, 3)",
        )
