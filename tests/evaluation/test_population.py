from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from bridge.evaluation.population import SAME_POSE_RMS_M, EnergyDistance, energy_distance, same_pose, true_diversity


def test_energy_distance_follows_its_formula_over_pairs_of_different_windows() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(700, 2, 4)).astype(np.float32)
    y = random.normal(1.0, 2.0, size=(700, 4)).astype(np.float32)
    owner = np.repeat(np.arange(700), 2)
    across = cdist(x.reshape(-1, 4), y)[owner[:, None] != np.arange(700)].mean()
    within_x = cdist(x.reshape(-1, 4), x.reshape(-1, 4))[owner[:, None] != owner].mean()
    within_y = cdist(y, y)[~np.eye(700, dtype=bool)].mean()
    assert energy_distance(x, y) == pytest.approx(2 * across - within_x - within_y, abs=1e-4)


def test_energy_distance_of_the_truth_to_itself_is_zero() -> None:
    y = np.random.default_rng(1).normal(size=(300, 5, 3)).astype(np.float32)
    assert energy_distance(y[:, None], y) == pytest.approx(0.0, abs=1e-5)


def test_energy_distance_of_the_right_distribution_is_zero_up_to_sampling_and_grows_with_the_error() -> None:
    random = np.random.default_rng(2)
    y = random.normal(size=(1500, 6)).astype(np.float32)
    right = random.normal(size=(1500, 2, 6)).astype(np.float32)
    distances = [energy_distance(right + np.float32(shift), y) for shift in (0.0, 0.2, 0.6)]
    assert abs(distances[0]) < 0.01
    assert 0.02 < distances[1] < distances[2]


def test_energy_distance_sees_a_lack_of_diversity_that_means_hide() -> None:
    random = np.random.default_rng(3)
    y = random.normal(size=(1500, 6)).astype(np.float32)
    assert energy_distance(0.3 * random.normal(size=(1500, 2, 6)).astype(np.float32), y) > 0.2


def test_a_single_window_has_no_energy_distance() -> None:
    assert energy_distance(np.ones((1, 3, 4), np.float32), np.zeros((1, 4), np.float32)) == 0.0


def test_diversity_of_the_truth_is_the_distance_of_futures_that_start_alike() -> None:
    last_pose = np.zeros((3, 2, 3), np.float32)
    last_pose[2] += 10.0  # somebody in another pose altogether
    futures = np.zeros((3, 4, 2, 3), np.float32)
    futures[1, :, 0, 0] = 0.5  # four frames off by 0.5: distance 1
    futures[2] = 99.0
    apart, windows = true_diversity(last_pose, futures, np.ones(3), np.zeros((3, 3), bool))
    assert windows == 2
    assert apart == pytest.approx(1.0)


def test_diversity_of_the_truth_is_measured_at_the_bodies_own_size() -> None:
    futures = np.zeros((2, 1, 1, 3), np.float32)
    futures[1, 0, 0, 0] = 1.0
    apart, _ = true_diversity(np.zeros((2, 1, 3), np.float32), futures, np.array([0.2, 0.4]), np.zeros((2, 2), bool))
    assert apart == pytest.approx(0.3)


@pytest.mark.parametrize(("offset_m", "neighbours"), [(0.99 * SAME_POSE_RMS_M, 2), (1.01 * SAME_POSE_RMS_M, 0)])
def test_the_neighbourhood_is_a_root_mean_square_per_landmark(offset_m: float, neighbours: int) -> None:
    last_pose = np.zeros((2, 5, 3), np.float32)
    last_pose[1, :, 1] = offset_m
    futures = np.zeros((2, 1, 5, 3), np.float32)
    assert true_diversity(last_pose, futures, np.ones(2), np.zeros((2, 2), bool))[1] == neighbours


def test_windows_that_share_frames_are_no_neighbours_and_none_left_gives_no_value() -> None:
    same = np.zeros((2, 1, 1, 3), np.float32)
    assert true_diversity(same[:, 0], same, np.ones(2), np.ones((2, 2), bool)) == (None, 0)


def test_one_truth_serves_many_methods() -> None:
    random = np.random.default_rng(4)
    y = random.normal(size=(600, 5)).astype(np.float32)
    truth = EnergyDistance(y)
    for samples in (1, 3):
        x = random.normal(0.5, 1.0, size=(600, samples, 5)).astype(np.float32)
        assert truth.of(x) == energy_distance(x, y)


def test_every_window_is_in_the_same_pose_as_itself_and_as_those_nearby() -> None:
    last_pose = np.zeros((3, 4, 3), np.float32)
    last_pose[1] += 0.9 * SAME_POSE_RMS_M / np.sqrt(3)
    last_pose[2] += 9.0
    expected = np.eye(3, dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(same_pose(last_pose, np.ones(3)), expected)
