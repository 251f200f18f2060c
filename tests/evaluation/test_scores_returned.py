from __future__ import annotations

import numpy as np
import pytest

from bridge.evaluation.scores_returned import MISS_MM, choose_futures, returned_scores
from bridge.forecaster.selection import Selection, select_futures

# One window, three samples, two frames: the first sample stays nearest, the second ends nearest.
DISTANCES_M = np.array([[[0.1, 0.4], [0.6, 0.2], [2.0, 2.0]]])
ERRORS_MM = np.array([[[30.0, 150.0], [200.0, 90.0], [900.0, 900.0]]])
CHOSEN = Selection(np.array([[2, 0, 1]]), np.array([[0.5, 0.375, 0.125]], np.float32))


def test_scores_of_returned_futures_follow_their_formulas() -> None:
    scores = returned_scores(DISTANCES_M, ERRORS_MM, CHOSEN)
    np.testing.assert_allclose(scores.most_probable_mm, [[900.0, 900.0]])
    np.testing.assert_allclose(scores.best_mm, [[30.0, 90.0]])
    assert scores.brier_min_fde == pytest.approx([0.2 + (1 - 0.125) ** 2])
    assert scores.log_score == pytest.approx([-np.log(0.375)])
    assert scores.log_score_uniform == pytest.approx([np.log(3)])
    assert scores.missed == pytest.approx([0.0])


def test_only_futures_that_are_returned_count() -> None:
    scores = returned_scores(DISTANCES_M, ERRORS_MM, Selection(np.array([[2]]), np.ones((1, 1), np.float32)))
    np.testing.assert_allclose(scores.best_mm, [[900.0, 900.0]])
    assert scores.log_score == pytest.approx([0.0])


@pytest.mark.parametrize(("off_mm", "missed"), [(MISS_MM - 1.0, 0.0), (MISS_MM, 1.0)])
def test_a_window_is_missed_when_every_future_ends_too_far_away(off_mm: float, missed: float) -> None:
    errors_mm = np.array([[[0.0, off_mm], [0.0, 500.0], [0.0, 900.0]]])
    assert returned_scores(DISTANCES_M, errors_mm, CHOSEN).missed == pytest.approx([missed])


def test_a_future_that_no_sample_counts_for_has_a_finite_log_score() -> None:
    nobody = Selection(np.array([[2, 0]]), np.array([[1.0, 0.0]], np.float32))
    assert returned_scores(DISTANCES_M, ERRORS_MM, nobody).log_score == pytest.approx([-np.log(0.5 / 3)])


def test_futures_are_chosen_as_in_service_and_all_where_there_are_few() -> None:
    x = np.random.default_rng(0).normal(size=(3, 12, 2, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(choose_futures(x).index, select_futures(x, 5).index)
    assert choose_futures(x[:, :4]).index.shape == (3, 4)
    assert choose_futures(x[:, :1]).probabilities.tolist() == [[1.0]] * 3


def test_probabilities_of_a_forecaster_that_knows_the_odds_beat_equal_ones() -> None:
    random = np.random.default_rng(5)

    def draw(windows: int, samples: int) -> np.ndarray:
        # Two outcomes, nine to one.
        side = np.where(random.random((windows, samples)) < 0.9, 1.0, -1.0)
        return np.asarray(side[..., None, None, None] + 0.01 * random.normal(size=(windows, samples, 1, 1, 3)))

    x, y = draw(300, 32), draw(300, 1)
    distances = np.linalg.norm((x - y).reshape(300, 32, 1, 3), axis=-1)
    scores = returned_scores(distances, 1000 * distances, choose_futures(x, 2))
    assert scores.log_score.mean() < 0.7 * scores.log_score_uniform.mean()
