from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.evaluation.baselines import LastPose, damped_velocity
from bridge.evaluation.evaluate import evaluate_methods
from bridge.evaluation.methods import Method
from bridge.evaluation.report import to_json
from tests.evaluation.known_law import HORIZON, RATE_HZ, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT


def test_the_right_law_beats_every_wrong_one_and_its_spread_equals_its_error() -> None:
    methods: list[Method] = [
        LastPose(),
        KnowsTheLaw("gru_snf"),
        KnowsTheLaw("narrow", width=0.4),
        KnowsTheLaw("wide", width=2.0),
        KnowsTheLaw("biased", bias_m=0.02),
    ]
    report = to_json(evaluate_methods(known_windows(), methods, TINY_LAYOUT, rate_hz=RATE_HZ))
    scores = report["methods"]
    for name in ("last_pose", "narrow", "wide", "biased"):
        assert scores["gru_snf"]["energy_score"] < scores[name]["energy_score"]
        low, high = report["paired_energy_score_vs_gru_snf"][name]
        assert 0 < low < scores[name]["energy_score"] - scores["gru_snf"]["energy_score"] < high
        assert scores["gru_snf"]["energy_distance"] < scores[name]["energy_distance"]
    assert scores["gru_snf"]["spread_over_error"] == pytest.approx(1.0, abs=0.05)
    assert scores["gru_snf"]["coverage_90_worst"] == pytest.approx(0.9, abs=0.04)
    assert scores["narrow"]["coverage_90_worst"] < 0.7
    assert scores["last_pose"]["coverage_90_worst"] is None
    assert scores["last_pose"]["apd"] == 0.0
    low, high = scores["gru_snf"]["energy_score_ci"]
    assert low < scores["gru_snf"]["energy_score"] < high
    for name in ("narrow", "wide", "biased"):
        assert scores["gru_snf"]["crps"] < scores[name]["crps"]
    assert scores["gru_snf"]["variogram_score"] < scores["narrow"]["variogram_score"]
    assert scores["gru_snf"]["coverage_50_worst"] == pytest.approx(0.5, abs=0.07)


def test_diversity_of_the_truth_is_that_of_the_law() -> None:
    report = to_json(evaluate_methods(known_windows(), [KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ))
    assert report["apd_true_windows"] == 60
    assert report["apd_true"] == pytest.approx(report["methods"]["gru_snf"]["apd"], rel=0.1)


def test_batches_change_neither_seeds_nor_scores() -> None:
    windows = known_windows()
    one, other = (
        to_json(evaluate_methods(windows, [KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ, batch_windows=size))
        for size in (7, 60)
    )
    for report in (one, other):
        report["methods"]["gru_snf"].pop("ms_per_batch")
    assert one.pop("batch_windows") != other.pop("batch_windows")
    assert one == other


def test_scoring_a_batch_in_several_threads_changes_nothing() -> None:
    windows = known_windows(20)
    one, other = (
        evaluate_methods(windows, [KnowsTheLaw("a")], TINY_LAYOUT, rate_hz=RATE_HZ, threads=threads).methods["a"]
        for threads in (1, 3)
    )
    assert one.per_window.keys() == other.per_window.keys()
    for score, values in one.per_window.items():
        np.testing.assert_allclose(values, other.per_window[score], rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(one.rank_counts, other.rank_counts)


def test_another_seed_draws_other_samples() -> None:
    first, other = (
        evaluate_methods(known_windows(), [KnowsTheLaw("a")], TINY_LAYOUT, rate_hz=RATE_HZ, seed=seed).methods["a"]
        for seed in (0, 1)
    )
    assert first.mean("ade") != other.mean("ade")


def test_progress_is_told_of_every_window_of_every_method() -> None:
    seen: list[tuple[str, int]] = []
    evaluate_methods(
        known_windows(),
        [LastPose(), damped_velocity(RATE_HZ)],
        TINY_LAYOUT,
        rate_hz=RATE_HZ,
        batch_windows=50,
        progress=lambda name, count: seen.append((name, count)),
    )
    assert seen == [("last_pose", 50), ("last_pose", 10), ("damped_velocity", 50), ("damped_velocity", 10)]


def test_best_of_20_looks_at_20_samples_and_ade_at_all() -> None:
    report = to_json(evaluate_methods(known_windows(), [KnowsTheLaw("a", samples=64)], TINY_LAYOUT, rate_hz=RATE_HZ))
    assert report["methods"]["a"]["ade"] < report["methods"]["a"]["best_of_20_ade"]


def test_every_batch_of_every_method_is_offered_to_the_keeper() -> None:
    kept: list[tuple[str, tuple[int, ...]]] = []

    class Keeper:
        def add(self, name: str, samples_m: NDArray[np.float32]) -> None:
            kept.append((name, samples_m.shape))

    methods: list[Method] = [LastPose(), KnowsTheLaw("gru_snf", samples=3)]
    evaluate_methods(known_windows(5), methods, TINY_LAYOUT, rate_hz=RATE_HZ, batch_windows=3, keep=Keeper())
    shape = (HORIZON, TINY_LAYOUT.joints, 3)
    assert kept == [
        ("last_pose", (3, 1, *shape)),
        ("last_pose", (2, 1, *shape)),
        ("gru_snf", (3, 3, *shape)),
        ("gru_snf", (2, 3, *shape)),
    ]
