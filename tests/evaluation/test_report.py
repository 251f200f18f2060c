from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from bridge.evaluation.baselines import LastPose, constant_velocity, damped_velocity
from bridge.evaluation.evaluate import Evaluation, evaluate_methods
from bridge.evaluation.methods import Method
from bridge.evaluation.report import to_json
from bridge.evaluation.tables import to_tables
from tests.evaluation.known_law import RATE_HZ, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT

HORIZONS = ["100", "200", "333", "500", "667", "1000"]
NUMBERS = {
    *("ade", "fde", "mmade", "mmfde", "apd", "best_of_20_ade", "spread_over_error", "energy_score", "energy_distance"),
    *("crps", "variogram_score", "miss_rate", "brier_min_fde", "limb_stretch", "ms_per_batch"),
}
OF_DISTRIBUTIONS = {"coverage_50_worst", "coverage_90_worst", "log_score", "log_score_uniform"}
BY_HORIZON = {"mpjpe_mm", "most_probable_mpjpe_mm", "best_of_k_mpjpe_mm", "best_of_20_mpjpe_mm"}


@pytest.fixture(scope="module")
def result() -> Evaluation:
    methods: list[Method] = [LastPose(), constant_velocity(RATE_HZ), damped_velocity(RATE_HZ), KnowsTheLaw("gru_snf")]
    return evaluate_methods(known_windows(), methods, TINY_LAYOUT, rate_hz=RATE_HZ)


def test_the_report_has_every_key_and_is_json(result: Evaluation) -> None:
    report = to_json(result)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["windows"] == 60
    assert list(report["methods"]) == ["last_pose", "constant_velocity", "damped_velocity", "gru_snf"]
    for name, scores in report["methods"].items():
        for key in NUMBERS:
            assert isinstance(scores[key], float), key
        for key in OF_DISTRIBUTIONS:
            assert isinstance(scores[key], float if name == "gru_snf" else type(None)), key
        for key in BY_HORIZON:
            assert list(scores[key]) == HORIZONS
        low, high = scores["energy_score_ci"]
        assert low < scores["energy_score"] < high
    assert report["truth_limb_stretch"] > 0
    assert set(report["paired_energy_score_vs_gru_snf"]) == {"last_pose", "constant_velocity", "damped_velocity"}


def test_ratios_are_of_the_numbers_beside_them(result: Evaluation) -> None:
    report = to_json(result)
    ratios = report["ratio_to_last_pose"]
    assert set(ratios) == set(report["methods"])
    assert ratios["last_pose"]["energy_score"] == 1.0
    last, ours = report["methods"]["last_pose"], report["methods"]["gru_snf"]
    assert ratios["gru_snf"]["mpjpe"]["333"] == pytest.approx(
        ours["mpjpe_mm"]["333"] / last["mpjpe_mm"]["333"], abs=1e-4
    )
    assert ratios["gru_snf"]["energy_score"] == pytest.approx(ours["energy_score"] / last["energy_score"], abs=1e-4)
    best = ours["best_of_20_ade"] / last["best_of_20_ade"]
    assert ratios["gru_snf"]["best_of_20_ade"] == pytest.approx(best, abs=1e-4)


def test_rank_histograms_are_shares_of_all_ranks(result: Evaluation) -> None:
    report = to_json(result)
    histogram = report["methods"]["gru_snf"]["rank_histogram"]
    assert list(histogram) == HORIZONS
    for shares in histogram.values():
        assert len(shares) == 24 + 1
        assert sum(shares) == pytest.approx(1.0, abs=1e-3)
    assert report["methods"]["last_pose"]["rank_histogram"] is None


def test_parts_of_the_windows_add_up_to_the_whole(result: Evaluation) -> None:
    report = to_json(result)
    families = report["balanced_by_family"]
    assert families["windows"] == {"cmu": 36, "recording": 24}
    actions = report["per_action"]
    assert {name: part["windows"] for name, part in actions.items()} == {"walking": 30, "other": 30}
    for part in actions.values():
        assert part["clips"] == 30
        low, high = part["paired_energy_score_vs_gru_snf"]["last_pose"]
        means = {name: values["energy_score"] for name, values in part["methods"].items()}
        assert low < means["last_pose"] - means["gru_snf"] < high
    for name, scores in report["methods"].items():
        halves = [part["methods"][name]["energy_score"] for part in actions.values()]
        assert np.mean(halves) == pytest.approx(scores["energy_score"], abs=2e-5)
        by_family = [
            result.methods[name].per_window["energy_score"][np.array(result.families) == family].mean()
            for family in ("cmu", "recording")
        ]
        assert families["methods"][name]["energy_score"] == pytest.approx(np.mean(by_family), abs=2e-5)


def test_a_single_clip_has_no_intervals() -> None:
    report = to_json(
        evaluate_methods(known_windows(1), [LastPose(), KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ)
    )
    assert report["methods"]["gru_snf"]["energy_score_ci"] is None
    assert report["paired_energy_score_vs_gru_snf"] == {"last_pose": None}


def test_the_tables_name_every_method_and_the_paired_interval_within_120_columns(result: Evaluation) -> None:
    text = io.StringIO()
    Console(file=text, width=120).print(*to_tables(result))
    for name in result.methods:
        assert text.getvalue().count(name) >= len(to_tables(result)) - 1
    low, _ = to_json(result)["paired_energy_score_vs_gru_snf"]["last_pose"]
    assert f"[{low:+.3f}," in text.getvalue()
    assert "…" not in text.getvalue()
    for scores in result.methods.values():
        for row in (2, 29):
            assert f"{scores.mpjpe_by_frame_mm[row]:.1f}" in text.getvalue()


def test_a_future_too_short_for_any_horizon_still_has_tables_and_json() -> None:
    windows = known_windows(3)
    short = [replace(item, truth_m=item.truth_m[:2]) for item in windows]
    result = evaluate_methods(short, [LastPose(), KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ)
    assert to_json(result)["methods"]["gru_snf"]["mpjpe_mm"] == {}
    text = io.StringIO()
    Console(file=text, width=120).print(*to_tables(result))
    assert "gru_snf" in text.getvalue()
