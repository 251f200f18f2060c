from __future__ import annotations

import numpy as np
import pytest

from bridge.evaluation.scores_returned import choose_futures
from bridge.evaluation.tally import Answers, MethodScores, ScoreTally, horizon_rows, mobile_joints
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.evaluation.known_law import HORIZON, RATE_HZ, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT


def test_a_shorter_horizon_has_the_landmark_errors_it_reaches() -> None:
    assert horizon_rows(30, 30.0) == {100: 2, 200: 5, 333: 9, 500: 14, 667: 19, 1000: 29}
    assert horizon_rows(15, 30.0) == {100: 2, 200: 5, 333: 9, 500: 14}
    assert horizon_rows(60, 60.0) == {100: 5, 200: 11, 333: 19, 500: 29, 667: 39, 1000: 59}


def test_mobile_joints_are_limbs_without_hips() -> None:
    names = [MEDIAPIPE_POSE_33.names[j] for j in mobile_joints(MEDIAPIPE_POSE_33)]
    assert {"left_knee", "right_ankle", "left_elbow", "right_wrist"} <= set(names)
    assert not {"left_hip", "right_hip", "nose", "left_heel"} & set(names)


def test_landmark_errors_are_of_the_future_they_are_named_after() -> None:
    windows = known_windows(4)
    samples_m = KnowsTheLaw("a").futures([item.window for item in windows], HORIZON, range(4))
    scores = _scores(samples_m)
    chosen = choose_futures(samples_m).index
    for n, item in enumerate(windows):
        errors_mm = 1000 * np.linalg.norm(samples_m[n] - item.truth_m, axis=-1).mean(axis=-1)  # (S, H)
        mean_mm = 1000 * np.linalg.norm(samples_m[n].mean(axis=0) - item.truth_m, axis=-1).mean(axis=-1)
        got = {kind: scores.per_window[f"{kind}_mpjpe_mm_500"][n] for kind in ("most_probable", "best_of_k")}
        assert scores.per_window["mpjpe_mm_500"][n] == pytest.approx(mean_mm[14], rel=1e-4)
        assert got["most_probable"] == pytest.approx(errors_mm[chosen[n, 0], 14], rel=1e-4)
        assert got["best_of_k"] == pytest.approx(errors_mm[chosen[n], 14].min(), rel=1e-4)
        assert scores.per_window["best_of_20_mpjpe_mm_500"][n] == pytest.approx(errors_mm[:20, 14].min(), rel=1e-4)


def test_a_method_without_spread_has_neither_coverage_nor_a_log_score() -> None:
    windows = known_windows(3)
    future_m = np.stack([item.truth_m for item in windows])[:, None]
    scores = _scores(future_m, stochastic=False)
    assert scores.rank_counts is None
    assert scores.worst_coverage(0.9) is None
    assert "log_score" not in scores.per_window
    for perfect in ("ade", "fde", "energy_score", "crps", "variogram_score", "missed", "brier_min_fde"):
        np.testing.assert_allclose(scores.per_window[perfect], 0.0, atol=1e-6)


def test_the_worst_coverage_is_the_one_furthest_away_above_or_below() -> None:
    counts = np.array([[2, 8, 8, 2], [5, 5, 5, 5], [10, 0, 0, 10]])
    scores = MethodScores("a", {}, np.zeros(3), 0.0, counts, 1.0)
    assert scores.worst_coverage(0.5) == pytest.approx(0.0)
    assert scores.worst_coverage(0.9) == pytest.approx(0.8)


def test_the_truth_stretches_its_limbs_against_the_context() -> None:
    windows = known_windows(3)
    left_hip, left_foot = TINY_LAYOUT.limb_bones[0]
    stretch = Answers(windows, TINY_LAYOUT, RATE_HZ).limb_stretch()
    for n, item in enumerate(windows):
        rigid = [np.linalg.norm(item.window.pose_m[0, b] - item.window.pose_m[0, a]) for a, b in TINY_LAYOUT.limb_bones]
        moved = [np.linalg.norm(item.truth_m[:, b] - item.truth_m[:, a], axis=-1) for a, b in TINY_LAYOUT.limb_bones]
        expected = np.mean([np.abs(now / length - 1) for now, length in zip(moved, rigid, strict=True)])
        assert stretch[n] == pytest.approx(expected, rel=1e-4)
    assert (left_hip, left_foot) == (3, 5)


def _scores(samples_m: np.ndarray, *, stochastic: bool = True) -> MethodScores:
    tally = ScoreTally("a", stochastic, Answers(known_windows(len(samples_m)), TINY_LAYOUT, RATE_HZ))
    tally.add(0, samples_m, 0.1)
    return tally.result()
