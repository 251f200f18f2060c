from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scoringrules
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from bridge.errors import InvalidInput
from bridge.evaluation import scores

N, S, H, J = 4, 6, 5, 3
Drawn = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture
def drawn() -> Drawn:
    random = np.random.default_rng(1)
    x = random.normal(size=(N, S, H, J, 3)).astype(np.float32)
    return x, random.normal(size=(N, H, J, 3)).astype(np.float32)


def test_pairwise_distances_equal_those_taken_one_by_one(drawn: Drawn) -> None:
    x, _ = drawn
    expected = np.stack([squareform(pdist(window.reshape(S, -1).astype(np.float64))) for window in x])
    np.testing.assert_allclose(scores.pairwise_distances(x), expected, atol=1e-6)


def test_samples_far_from_the_origin_keep_their_small_distances() -> None:
    x = np.zeros((1, 2, H, J, 3), np.float32)
    x[:, 1, 0, 0, 0] = 2.0**-10
    assert scores.pairwise_distances(x + np.float32(64.0))[0, 0, 1] == pytest.approx(2.0**-10)


def test_ade_fde_and_apd_follow_their_formulas(drawn: Drawn) -> None:
    x, y = drawn
    distances = scores.pose_distances(scores.landmark_errors(x, y))
    for n in range(N):
        by_pose = [[np.linalg.norm(x[n, k, t] - y[n, t]) for t in range(H)] for k in range(S)]
        assert scores.average_displacement(distances)[n] == pytest.approx(
            min(np.mean(row) for row in by_pose), rel=1e-5
        )
        assert scores.final_displacement(distances)[n] == pytest.approx(min(row[-1] for row in by_pose), rel=1e-5)
        pairs = [np.linalg.norm(x[n, k] - x[n, other]) for k, other in combinations(range(S), 2)]
        apd = scores.average_pairwise_distance(scores.pairwise_distances(x))[n]
        assert apd == pytest.approx(np.mean(pairs), rel=1e-5)


def test_landmark_error_of_a_shift_is_its_length_in_millimetres() -> None:
    y = np.zeros((1, H, J, 3), np.float32)
    x = y[:, None] + np.array([0.03, 0.0, 0.04], np.float32)
    np.testing.assert_allclose(scores.mean_landmark_errors_mm(scores.landmark_errors(x, y)), 50.0, rtol=1e-5)


def test_energy_score_equals_that_of_scoringrules(drawn: Drawn) -> None:
    x, y = drawn
    expected = scoringrules.es_ensemble(y.reshape(N, -1), x.reshape(N, S, -1), estimator="fair", backend="numpy")
    np.testing.assert_allclose(_energy_score(x, y), expected, rtol=1e-5)


def test_energy_score_of_one_sample_is_its_distance_to_the_truth(
    drawn: Drawn,
) -> None:
    x, y = drawn
    expected = np.linalg.norm((x[:, 0] - y).reshape(N, -1), axis=1)
    np.testing.assert_allclose(_energy_score(x[:, :1], y), expected, rtol=1e-5)


def test_fair_energy_score_does_not_depend_on_the_number_of_samples() -> None:
    random = np.random.default_rng(2)
    few, many = (
        np.mean(_energy_score(*(random.normal(size=shape).astype(np.float32) for shape in shapes)))
        for shapes in [((20_000, 2, 1, 1, 3), (20_000, 1, 1, 3)), ((20_000, 16, 1, 1, 3), (20_000, 1, 1, 3))]
    )
    assert few == pytest.approx(many, abs=0.03)


def test_energy_score_prefers_the_true_distribution_to_a_narrow_and_a_wide_one() -> None:
    random = np.random.default_rng(3)
    y = random.normal(size=(20_000, 1, 1, 3)).astype(np.float32)
    noise = random.normal(size=(20_000, 8, 1, 1, 3)).astype(np.float32)
    narrow, right, wide = (float(np.mean(_energy_score(noise * np.float32(scale), y))) for scale in (0.6, 1.0, 1.5))
    assert right < narrow
    assert right < wide


@pytest.mark.parametrize("samples", [7, 32])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_calibrated_samples_cover_exactly_the_share_they_should(samples: int, share: float) -> None:
    equally_often = np.full((H, samples + 1), 100, np.int64)
    np.testing.assert_allclose(scores.coverage(equally_often, share), share)
    random = np.random.default_rng(4)
    x = random.normal(size=(3000, samples, 2, 3, 3)).astype(np.float32)
    y = random.normal(size=(3000, 2, 3, 3)).astype(np.float32)
    covered = scores.coverage(scores.truth_ranks(x, y, np.arange(3)), share)
    np.testing.assert_allclose(covered, share, atol=0.015)


def test_too_narrow_samples_cover_too_little_and_too_wide_ones_too_much() -> None:
    random = np.random.default_rng(5)
    y = random.normal(size=(2000, 1, 2, 3)).astype(np.float32)
    noise = random.normal(size=(2000, 32, 1, 2, 3)).astype(np.float32)
    narrow, wide = (
        float(scores.coverage(scores.truth_ranks(noise * np.float32(size), y, np.arange(2)), 0.9)[0])
        for size in (0.5, 2.0)
    )
    assert narrow < 0.75
    assert wide > 0.97


def test_rank_counts_only_the_landmarks_asked_for() -> None:
    y = np.zeros((1, 1, 2, 3), np.float32)
    x = np.zeros((1, 3, 1, 2, 3), np.float32)
    x[:, :, :, 0] = [[[-1.0]], [[-2.0]], [[3.0]]]
    x[:, :, :, 1] = 5.0
    counts = scores.truth_ranks(x, y, np.array([0]))
    np.testing.assert_array_equal(counts, [[0, 0, 3, 0]])


def test_samples_that_do_not_fit_the_truth_are_refused() -> None:
    with pytest.raises(InvalidInput, match="do not fit"):
        scores.landmark_errors(np.zeros((2, 4, H, J, 3), np.float32), np.zeros((2, 1, J, 3), np.float32))


def _energy_score(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    to_truth = scores.distance_to_truth(scores.pose_distances(scores.landmark_errors(x, y)))
    return scores.energy_score(to_truth, scores.average_pairwise_distance(scores.pairwise_distances(x)))
