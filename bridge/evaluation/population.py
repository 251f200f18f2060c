"""Scores of whole sets of futures: how far the forecast ones are from the true ones, and how diverse the truth is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.scores import FloatArray

# Windows count as "the same last pose" up to this root mean square distance per landmark. It is the tolerance of the
# literature on Human3.6M, 0.5 m over 16 joints (Yuan and Kitani 2020), carried to any number of landmarks: 0.5 /
# sqrt(16).
SAME_POSE_RMS_M = 0.125
_STRIP_ROWS = 512


class EnergyDistance:
    """Energy distance 2 E‖X - Y‖ - E‖X - X'‖ - E‖Y - Y'‖ between sets of sampled futures and one of true ones, metres.

    The sets are pooled over windows; give displacements from the last seen pose, so that where a body stands and how it
    holds itself does not drown what it does. All three means run over pairs of DIFFERENT windows (a sample and the
    truth of one window share their past): unbiased for independent windows, hence zero on average, and possibly just
    below it, for a forecaster whose samples are distributed like the truth.

    Args:
        truth: (N, ...) true futures, one of each window.
    """

    def __init__(self, truth: NDArray[np.float32]) -> None:
        self._truth = np.ascontiguousarray(truth.reshape(len(truth), -1))
        self._within = _mean_distance_within(self._truth, 1) if len(truth) > 1 else 0.0

    def of(self, samples: NDArray[np.float32]) -> float:
        """Distance of M sampled futures of each of the N windows, (N, M, ...); 0 for fewer than two windows."""
        windows, count = samples.shape[:2]
        if windows < 2:
            return 0.0
        drawn = np.ascontiguousarray(samples.reshape(windows * count, -1))
        across = _mean_distance_across(drawn, self._truth, count)
        return 2.0 * across - _mean_distance_within(drawn, count) - self._within


def energy_distance(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """`EnergyDistance` of M sampled futures (N, M, ...) of each of N windows to the true ones (N, ...)."""
    return EnergyDistance(y).of(x)


def same_pose(
    last_pose: NDArray[np.float32], scale_m: FloatArray, same_pose_rms_m: float = SAME_POSE_RMS_M
) -> NDArray[np.bool_]:
    """Pairs (N, N) of windows whose last poses are the same but for ``same_pose_rms_m`` per landmark; all with itself.

    Args:
        last_pose: (N, J, 3) canonical; the distance is measured at the mean size of the two bodies.
        scale_m: (N,) metres per canonical unit.
        same_pose_rms_m: the tolerance.
    """
    poses = last_pose.reshape(len(last_pose), -1)
    size_m = 0.5 * (scale_m[:, None] + scale_m[None, :])
    near = _distances(poses, poses) * size_m <= same_pose_rms_m * np.sqrt(last_pose.shape[1])
    np.fill_diagonal(near, True)
    return np.asarray(near)


def true_diversity(
    last_pose: NDArray[np.float32],
    futures: NDArray[np.float32],
    scale_m: FloatArray,
    overlapping: NDArray[np.bool_],
    same_pose_rms_m: float = SAME_POSE_RMS_M,
) -> tuple[float | None, int]:
    """APD of the truth: how far apart the futures of bodies in the same pose really turned out to be.

    Futures that start from the same last pose (within ``same_pose_rms_m`` per landmark, the neighbourhood of MMADE)
    stand for several true outcomes of one situation: the value is the mean over windows, of the mean over their
    neighbours, of the distance between the two true futures. Poses and futures are compared in the canonical frame (own
    heading, own size) and measured at the mean size of the two. A last pose says nothing of speed, so this is an upper
    mark for a forecaster that also saw the motion before.

    Args:
        last_pose: (N, J, 3) canonical.
        futures: (N, H, J, 3) canonical, in the frame of the window's last pose.
        scale_m: (N,) metres per canonical unit.
        overlapping: (N, N) pairs that share observed frames and so are not independent outcomes; left out.
        same_pose_rms_m: the neighbourhood.

    Returns:
        The diversity in metres, None if no window has a neighbour, and the number of windows that have one.
    """
    size_m = 0.5 * (scale_m[:, None] + scale_m[None, :])
    near = same_pose(last_pose, scale_m, same_pose_rms_m) & ~overlapping
    np.fill_diagonal(near, False)
    neighbours = near.sum(axis=1)
    has = neighbours > 0
    if not has.any():
        return None, 0
    flat = futures.reshape(len(futures), -1)
    apart_m = np.where(near, _distances(flat, flat) * size_m, 0.0).sum(axis=1)
    return float((apart_m[has] / neighbours[has]).mean()), int(has.sum())


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances (n, m) between the rows of (n, D) and (m, D), by one matrix product in float32."""
    square = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)[None, :] - 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def _mean_distance_across(drawn: NDArray[np.float32], truth: NDArray[np.float32], per_window: int) -> float:
    """Mean distance of drawn rows to the truths of other windows, in strips of rows so that memory stays bounded.

    Args:
        drawn: (N * per_window, D), window by window.
        truth: (N, D).
        per_window: drawn rows of each window.
    """
    total = 0.0
    for start in range(0, len(drawn), _STRIP_ROWS):
        apart = _distances(drawn[start : start + _STRIP_ROWS], truth)
        rows = np.arange(len(apart))
        apart[rows, (start + rows) // per_window] = 0.0
        total += float(apart.sum(dtype=np.float64))
    return total / (len(drawn) * (len(truth) - 1))


def _mean_distance_within(rows: NDArray[np.float32], per_window: int) -> float:
    """Mean distance between rows (N * per_window, D) of different windows; every pair is computed once."""
    strip = max(_STRIP_ROWS // per_window, 1) * per_window
    total = 0.0
    for start in range(0, len(rows), strip):
        apart = _distances(rows[start : start + strip], rows[start:])
        square = apart[:, : len(apart)]
        window = np.arange(len(apart)) // per_window
        square[window[:, None] >= window[None, :]] = 0.0
        total += float(apart.sum(dtype=np.float64))
    windows = len(rows) // per_window
    return total / (per_window**2 * windows * (windows - 1) / 2)
