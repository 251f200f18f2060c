from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.forecaster import match_modes, select_futures
from bridge.forecaster.selection import pairwise_distances

HORIZON, JOINTS = 12, 4


def _clusters(shares: list[int], *, seed: int = 0, width: float = 0.05) -> NDArray[np.float32]:
    """Trajectories (S, H, J, 3) around as many far-apart ones as there are shares, in random order."""
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((len(shares), HORIZON, JOINTS, 3))
    members = np.repeat(np.arange(len(shares)), shares)
    rng.shuffle(members)
    noise = width * rng.standard_normal((len(members), HORIZON, JOINTS, 3))
    return (middles[members] + noise).astype(np.float32)


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 99))
def test_probabilities_fall_and_add_up_to_one_and_futures_are_drawn_samples(k: int, extra: int, seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal((3, k + extra - 1, 5, 2, 3)).astype(np.float32)
    chosen = select_futures(samples, k)
    assert chosen.index.shape == chosen.probabilities.shape == (3, k)
    np.testing.assert_allclose(chosen.probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert (np.diff(chosen.probabilities, axis=1) <= 0).all()
    assert (chosen.probabilities > 0).all()
    for row in chosen.index:
        assert len(set(row.tolist())) == k
        assert ((row >= 0) & (row < samples.shape[1])).all()


def test_well_separated_clusters_are_found_with_their_shares() -> None:
    batch = np.stack([_clusters([12, 6, 2], seed=seed) for seed in range(4)])
    chosen = select_futures(batch, 3)
    np.testing.assert_allclose(chosen.probabilities, [[0.6, 0.3, 0.1]] * 4)
    for samples, row in zip(batch, chosen.index, strict=True):
        apart = pairwise_distances(samples[row].reshape(1, 3, -1))[0]
        assert apart[~np.eye(3, dtype=bool)].min() > 5.0


def test_windows_of_a_batch_are_chosen_from_independently() -> None:
    batch = np.stack([_clusters([7, 3], seed=1), _clusters([5, 5], seed=2)])
    together = select_futures(batch, 2)
    for i in range(2):
        alone = select_futures(batch[i : i + 1], 2)
        assert np.array_equal(alone.index[0], together.index[i])
        assert np.array_equal(alone.probabilities[0], together.probabilities[i])


def test_asking_for_all_samples_returns_each_once() -> None:
    samples = _clusters([3, 3])[None]
    chosen = select_futures(samples, 6)
    assert sorted(chosen.index[0].tolist()) == list(range(6))
    np.testing.assert_allclose(chosen.probabilities, 1 / 6)


def test_one_future_is_the_most_central_sample() -> None:
    samples = np.random.default_rng(0).standard_normal((2, 9, 4)).astype(np.float32)
    chosen = select_futures(samples, 1)
    central = pairwise_distances(samples).sum(axis=2).argmin(axis=1)
    assert np.array_equal(chosen.index[:, 0], central)
    np.testing.assert_allclose(chosen.probabilities, 1.0)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_samples_that_all_coincide_give_distinct_samples_and_valid_probabilities(k: int) -> None:
    chosen = select_futures(np.ones((2, 5, 3, 2), np.float32), k)
    np.testing.assert_allclose(chosen.probabilities.sum(axis=1), 1.0)
    assert all(len(set(row.tolist())) == k for row in chosen.index)


def test_no_single_swap_would_bring_the_samples_closer_to_the_futures() -> None:
    samples = np.random.default_rng(3).standard_normal((6, 14, 5)).astype(np.float32)
    distances = pairwise_distances(samples)
    chosen = select_futures(samples, 3)
    best_found = 0
    for distance, row in zip(distances, chosen.index, strict=True):
        cost = distance[row].min(axis=0).sum()
        for out in range(3):
            for candidate in range(14):
                swapped = [*np.delete(row, out).tolist(), candidate]
                assert distance[swapped].min(axis=0).sum() >= cost * (1 - 1e-6)
        optimum = min(distance[list(trio)].min(axis=0).sum() for trio in combinations(range(14), 3))
        assert cost <= 1.1 * optimum
        best_found += cost <= optimum * (1 + 1e-6)
    assert best_found >= 3


@pytest.mark.parametrize("futures", [0, -1, 6])
def test_impossible_numbers_of_futures_are_refused(futures: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 5") as caught:
        select_futures(np.zeros((1, 5, 3), np.float32), futures)
    assert caught.value.field == "futures"


def test_distances_are_euclidean_far_from_the_origin_too() -> None:
    vectors = (1000.0 + np.random.default_rng(0).standard_normal((2, 6, 30))).astype(np.float32)
    exact = np.linalg.norm(vectors[:, :, None].astype(np.float64) - vectors[:, None], axis=-1)
    np.testing.assert_allclose(pairwise_distances(vectors), exact, atol=2e-3)


def _futures(seed: int = 0) -> NDArray[np.float64]:
    """Four futures (4, H, J, 3) that drift apart, smooth in time."""
    rng = np.random.default_rng(seed)
    time = np.arange(1, HORIZON + 1)[None, :, None, None] / HORIZON
    return np.asarray(rng.standard_normal((4, 1, JOINTS, 3)) * time + 0.3 * np.sin(3 * time))


@given(st.permutations(range(4)))
def test_ids_follow_their_futures_whatever_the_order(order: list[int]) -> None:
    futures = _futures()
    ids, next_id = match_modes(futures, (10, 11, 12, 13), 14, 0.0, futures[order])
    assert ids == tuple(10 + i for i in order)
    assert next_id == 14


def test_futures_that_move_on_keep_their_ids() -> None:
    futures = _futures()
    later = np.concatenate([futures[:, 3:], futures[:, -1:].repeat(3, axis=1)], axis=1)
    noisy = later + 0.01 * np.random.default_rng(1).standard_normal(later.shape)
    assert match_modes(futures, (3, 1, 2, 7), 9, 3.0, noisy[[1, 0, 3, 2]])[0] == (1, 3, 7, 2)


@pytest.mark.parametrize("steps", [0.25, 1.5, 2.75])
def test_fractions_of_a_step_are_interpolated(steps: float) -> None:
    """Two futures so close together in time that rounding to whole steps would confuse them."""
    time = np.arange(20.0)[:, None, None]
    ramp = np.broadcast_to(time, (20, 1, 3))
    previous = np.stack([ramp, ramp + 0.4])
    continued = previous[:, :15] + steps
    assert match_modes(previous, (1, 2), 3, steps, continued) == ((1, 2), 3)
    assert match_modes(previous, (1, 2), 3, steps, continued[::-1]) == ((2, 1), 3)


def test_a_new_future_gets_a_fresh_id_and_the_rest_keep_theirs() -> None:
    futures = _futures()
    changed = futures.copy()
    changed[2] += 50.0
    assert match_modes(futures, (5, 6, 7, 8), 20, 0.0, changed) == ((5, 6, 20, 8), 21)


def test_more_futures_than_before_and_fewer() -> None:
    futures = _futures()
    ids, next_id = match_modes(futures[:2], (0, 1), 2, 0.0, futures[[2, 1, 3, 0]])
    assert (ids[1], ids[3]) == (1, 0)
    assert sorted((ids[0], ids[2])) == [2, 3] and next_id == 4
    assert match_modes(futures, (0, 1, 2, 3), 4, 0.0, futures[2:]) == ((2, 3), 4)


def test_no_id_is_ever_given_twice() -> None:
    rng = np.random.default_rng(0)
    ids: tuple[int, ...] = (0, 1, 2)
    next_id, previous = 3, rng.standard_normal((3, HORIZON, JOINTS, 3))
    ever = set(ids)
    for _ in range(20):
        futures = rng.standard_normal((3, HORIZON, JOINTS, 3))
        new, next_id = match_modes(previous, ids, next_id, 1.0, futures)
        assert len(set(new)) == 3
        assert all(i in ids or i not in ever for i in new)
        assert max(new) < next_id
        ever |= set(new)
        ids, previous = new, futures


@pytest.mark.parametrize("steps", [HORIZON, HORIZON + 7.5, 1e6])
def test_forecasts_that_do_not_overlap_in_time_share_no_ids(steps: float) -> None:
    futures = _futures()
    assert match_modes(futures, (0, 1, 2, 3), 4, steps, futures) == ((4, 5, 6, 7), 8)


def test_another_layout_shares_no_ids() -> None:
    assert match_modes(_futures(), (0, 1, 2, 3), 4, 0.0, np.zeros((2, HORIZON, JOINTS + 1, 3))) == ((4, 5), 6)


def test_a_single_future_continues_itself() -> None:
    futures = _futures()[:1]
    assert match_modes(futures, (4,), 5, 1.0, futures) == ((4,), 5)
