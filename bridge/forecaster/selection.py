"""From S drawn trajectories to K futures with probabilities: k-medoids, most probable first, ids that last.

k-medoids minimises the expected distance from a drawn trajectory to the nearest returned one, and what it returns are
trajectories that were drawn, not averages of them. Farthest-point seeding, then the best swap until none helps (PAM:
Kaufman and Rousseeuw 1990), for all windows of a batch at once. A cluster's share of the samples is its future's
probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput

_MAX_SWAPS = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen samples: ``index`` (B, K) into the samples, ``probabilities`` (B, K) falling and adding up to 1."""

    index: NDArray[np.intp]
    probabilities: NDArray[np.float32]


def select_futures(samples: NDArray[np.floating], futures: int) -> Selection:
    """Choose K of S trajectories for each of B windows.

    Args:
        samples: (B, S, ...) trajectories; compared by Euclidean distance over everything after the second axis.
        futures: K, 1 to S.

    Raises:
        InvalidInput: if there are fewer samples than futures.
    """
    windows, count = samples.shape[:2]
    if not 1 <= futures <= count:
        raise InvalidInput(f"{futures} futures of {count} samples", field="futures", expected=f"1 to {count}")
    distance = pairwise_distances(samples.reshape(windows, count, -1))
    medoids = _farthest_points(distance, futures)
    for _ in range(_MAX_SWAPS):
        if not _swap(distance, medoids):
            break
    nearest = np.take_along_axis(distance, medoids[:, :, None], axis=1).argmin(axis=1)  # (B, S)
    share = (nearest[:, None, :] == np.arange(futures)[None, :, None]).mean(axis=2)
    order = np.argsort(-share, axis=1, kind="stable")
    probabilities = np.take_along_axis(share, order, axis=1).astype(np.float32)
    return Selection(np.take_along_axis(medoids, order, axis=1), probabilities)


def pairwise_distances(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean distances (B, S, S) between the vectors (B, S, n) of each window.

    By inner products about the mean, in the vectors' own precision, window by window: what is worked on stays in a
    core's cache.
    """
    windows, count = vectors.shape[:2]
    means = np.einsum("bsn->bn", vectors) / vectors.dtype.type(count)
    centred = np.empty(vectors.shape[1:], vectors.dtype)
    products = np.empty((windows, count, count))
    for window, mean, product in zip(vectors, means, products, strict=True):
        np.subtract(window, mean, out=centred)
        product[:] = centred @ centred.T
    squares = np.diagonal(products, axis1=1, axis2=2)
    distance: NDArray[np.float64] = np.sqrt(np.maximum(squares[:, :, None] + squares[:, None, :] - 2 * products, 0.0))
    diagonal = np.arange(distance.shape[1])
    distance[:, diagonal, diagonal] = 0.0
    return distance


def _farthest_points(distance: NDArray[np.float64], futures: int) -> NDArray[np.intp]:
    """Seeds (B, K): the most central sample, then each time the one farthest from those chosen."""
    windows = np.arange(len(distance))
    chosen = [distance.sum(axis=2).argmin(axis=1)]
    nearest = distance[windows, chosen[0]].copy()
    for _ in range(futures - 1):
        # A chosen sample is at distance 0; -1 keeps it from being chosen again when all samples coincide.
        for taken in chosen:
            nearest[windows, taken] = -1.0
        chosen.append(nearest.argmax(axis=1))
        nearest = np.minimum(nearest, distance[windows, chosen[-1]])
    return np.stack(chosen, axis=1)


def _swap(distance: NDArray[np.float64], medoids: NDArray[np.intp]) -> bool:
    """Make, in every window, the swap of a medoid for another sample that helps most; False if none helps anywhere."""
    rows, slots = np.arange(len(medoids)), np.arange(medoids.shape[1])
    to_medoid = np.take_along_axis(distance, medoids[:, :, None], axis=1)  # (B, K, S)
    nearest = to_medoid.argmin(axis=1)[:, None]  # (B, 1, S)
    first = to_medoid.min(axis=1, keepdims=True)
    np.put_along_axis(to_medoid, nearest, np.inf, axis=1)
    second = to_medoid.min(axis=1, keepdims=True)
    # Distance to the nearest medoid when the one in a slot is gone.
    without = np.where(nearest == slots[:, None], second, first)  # (B, K, S)
    cost = np.minimum(without[:, :, None], distance[:, None]).sum(axis=3)  # (B, K, S candidates)
    best = cost.reshape(len(medoids), -1).argmin(axis=1)
    slot, candidate = np.divmod(best, distance.shape[1])
    now = first.sum(axis=(1, 2))
    helps = cost[rows, slot, candidate] < now * (1 - 1e-9) - 1e-12
    medoids[rows[helps], slot[helps]] = candidate[helps]
    return bool(helps.any())


def match_modes(
    previous_futures_m: NDArray[np.floating],
    previous_ids: Sequence[int],
    next_id: int,
    steps_between: float,
    futures_m: NDArray[np.floating],
) -> tuple[tuple[int, ...], int]:
    """Carry ids over from one forecast of an avatar to its next.

    Futures are compared where they overlap in time. Closest pairs are matched first; a future that is farther from a
    previous one than that one's nearest sibling does not continue it, and one that continues none gets a fresh id.

    Args:
        previous_futures_m: (K', H', J, 3). previous_ids: their K' ids. next_id: the first id never used so far.
        steps_between: time from the previous forecast's last frame to this one's, in steps; may be fractional.
        futures_m: (K, H, J, 3).

    Returns:
        The K ids and the new first unused id.
    """
    count = len(futures_m)
    expected = _continue(previous_futures_m, max(float(steps_between), 0.0))[:, : futures_m.shape[1]]
    overlap = expected.shape[1]
    if overlap == 0 or expected.shape[2:] != futures_m.shape[2:]:
        return tuple(range(next_id, next_id + count)), next_id + count
    old = len(expected)
    vectors = np.empty((old + count, expected[0].size), np.result_type(expected, futures_m))
    vectors[:old] = expected.reshape(old, -1)
    vectors[old:] = futures_m[:, :overlap].reshape(count, -1)
    squared = _squared_distances_to(vectors, old)
    gaps, between = squared[old:], squared[:old]
    between.flat[:: old + 1] = np.inf
    near = (gaps <= between.min(axis=1)).ravel().tolist()
    ids: list[int | None] = [None] * count
    free = set(range(len(expected)))
    for pair in gaps.ravel().argsort(kind="stable").tolist():
        new, previous = divmod(pair, old)
        if ids[new] is None and previous in free and near[pair]:
            ids[new] = previous_ids[previous]
            free.remove(previous)
    settled = []
    for known in ids:
        settled.append(next_id if known is None else known)
        next_id += known is None
    return tuple(settled), next_id


def _squared_distances_to(vectors: NDArray[np.floating], first: int) -> NDArray[np.floating]:
    """Squared Euclidean distances (N, first) of vectors (N, n) to the first of them, by inner products about one."""
    centred = vectors - vectors[0]
    products = centred @ centred[:first].T
    squares = np.einsum("in,in->i", centred, centred)
    squared: NDArray[np.floating] = squares[:, None] + squares[:first] - 2 * products
    np.maximum(squared, 0.0, out=squared)
    return squared


def _continue(futures_m: NDArray[np.floating], steps: float) -> NDArray[np.floating]:
    """The rest (K, H - ceil(steps), ...) of futures (K, H, ...), ``steps`` later, by linear interpolation."""
    whole, share = int(steps), steps - int(steps)
    if share == 0.0:
        return futures_m[:, whole:]
    return (1 - share) * futures_m[:, whole:-1] + share * futures_m[:, whole + 1 :]
