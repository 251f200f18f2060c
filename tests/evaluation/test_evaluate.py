from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from bridge.evaluation.baselines import LastPose, constant_velocity, damped_velocity
from bridge.evaluation.evaluate import evaluate_methods, horizon_rows, mobile_joints
from bridge.evaluation.methods import Method
from bridge.evaluation.report import to_json, to_tables
from bridge.evaluation.windows import EvaluationWindow
from bridge.frames import Window
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.support import TINY_LAYOUT

CONTEXT, HORIZON, RATE_HZ = 16, 30, 30.0
SPREAD_M = 0.05


@dataclass(frozen=True)
class KnowsTheLaw:
    """Samples the law that `_windows` draws its futures from, its spread times ``width`` and shifted by ``bias_m``."""

    name: str
    samples: int = 24
    width: float = 1.0
    bias_m: float = 0.0
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        drawn = [
            _futures(w.pose_m[-1], np.random.default_rng(s), self.samples, self.width)
            for w, s in zip(windows, seeds, strict=True)
        ]
        return np.stack(drawn)[:, :, :horizon_frames] + np.float32(self.bias_m)


def test_the_right_law_beats_every_wrong_one_and_its_spread_equals_its_error() -> None:
    methods: list[Method] = [
        LastPose(),
        KnowsTheLaw("gru_snf"),
        KnowsTheLaw("narrow", width=0.4),
        KnowsTheLaw("wide", width=2.0),
        KnowsTheLaw("biased", bias_m=0.02),
    ]
    report = to_json(evaluate_methods(_windows(), methods, TINY_LAYOUT, rate_hz=RATE_HZ))
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


def test_the_report_has_every_key_and_is_json() -> None:
    methods: list[Method] = [LastPose(), constant_velocity(RATE_HZ), damped_velocity(RATE_HZ), KnowsTheLaw("gru_snf")]
    report = to_json(evaluate_methods(_windows(), methods, TINY_LAYOUT, rate_hz=RATE_HZ))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["windows"] == 60
    assert list(report["methods"]) == ["last_pose", "constant_velocity", "damped_velocity", "gru_snf"]
    keys = {"ade", "fde", "apd", "spread_over_error", "energy_score", "energy_score_ci", "mpjpe_mm"}
    for scores in report["methods"].values():
        assert keys <= set(scores)
        assert list(scores["mpjpe_mm"]) == ["100", "333", "667", "1000"] == list(scores["best_of_20_mpjpe_mm"])
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


def test_diversity_of_the_truth_is_that_of_the_law() -> None:
    report = to_json(evaluate_methods(_windows(), [KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ))
    assert report["apd_true_windows"] == 60
    assert report["apd_true"] == pytest.approx(report["methods"]["gru_snf"]["apd"], rel=0.1)


def test_batches_change_neither_seeds_nor_scores() -> None:
    windows = _windows()
    one, other = (
        to_json(evaluate_methods(windows, [KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ, batch_windows=size))
        for size in (7, 60)
    )
    for report in (one, other):
        report["methods"]["gru_snf"].pop("ms_per_batch")
    assert one.pop("batch_windows") != other.pop("batch_windows")
    assert one == other


def test_another_seed_draws_other_samples() -> None:
    first, other = (
        evaluate_methods(_windows(), [KnowsTheLaw("a")], TINY_LAYOUT, rate_hz=RATE_HZ, seed=seed).methods["a"]
        for seed in (0, 1)
    )
    assert first.mean("ade") != other.mean("ade")


def test_progress_is_told_of_every_window_of_every_method() -> None:
    seen: list[tuple[str, int]] = []
    evaluate_methods(
        _windows(),
        [LastPose(), damped_velocity(RATE_HZ)],
        TINY_LAYOUT,
        rate_hz=RATE_HZ,
        batch_windows=50,
        progress=lambda name, count: seen.append((name, count)),
    )
    assert seen == [("last_pose", 50), ("last_pose", 10), ("damped_velocity", 50), ("damped_velocity", 10)]


def test_best_of_20_looks_at_20_samples_and_ade_at_all() -> None:
    report = to_json(evaluate_methods(_windows(), [KnowsTheLaw("a", samples=64)], TINY_LAYOUT, rate_hz=RATE_HZ))
    assert report["methods"]["a"]["ade"] < report["methods"]["a"]["best_of_20_ade"]


def test_a_shorter_horizon_has_the_landmark_errors_it_reaches() -> None:
    assert horizon_rows(30, 30.0) == {100: 2, 333: 9, 667: 19, 1000: 29}
    assert horizon_rows(15, 30.0) == {100: 2, 333: 9}
    assert horizon_rows(60, 60.0) == {100: 5, 333: 19, 667: 39, 1000: 59}


def test_mobile_joints_are_limbs_without_hips() -> None:
    names = [MEDIAPIPE_POSE_33.names[j] for j in mobile_joints(MEDIAPIPE_POSE_33)]
    assert {"left_knee", "right_ankle", "left_elbow", "right_wrist"} <= set(names)
    assert not {"left_hip", "right_hip", "nose", "left_heel"} & set(names)


def test_the_tables_name_every_method_and_the_paired_interval() -> None:
    result = evaluate_methods(_windows(), [LastPose(), KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ)
    text = io.StringIO()
    Console(file=text, width=100).print(*to_tables(result))
    assert "last_pose" in text.getvalue()
    assert "gru_snf" in text.getvalue()
    low, _ = to_json(result)["paired_energy_score_vs_gru_snf"]["last_pose"]
    assert f"[{low:+.3f}," in text.getvalue()


def _windows() -> list[EvaluationWindow]:
    """Sixty questions of five subjects: a body stands still, then every landmark drifts at random."""
    pose = TINY_LAYOUT.template * np.float32(0.4)
    windows = []
    for n in range(60):
        truth = _futures(pose, np.random.default_rng(1000 + n), 1, 1.0)[0]
        window = Window(
            layout_id=TINY_LAYOUT.id,
            pose_m=np.repeat(pose[None], CONTEXT, axis=0),
            observed=np.ones((CONTEXT, TINY_LAYOUT.joints), bool),
            root_m=None,
            bridged=np.zeros(CONTEXT, bool),
            sequence=n,
            timestamp_us=1,
        )
        windows.append(EvaluationWindow(window, truth, f"clip{n}", f"subject{n % 5}", "recording", "", CONTEXT))
    return windows


def _futures(pose: NDArray[np.float32], random: np.random.Generator, samples: int, width: float) -> NDArray[np.float32]:
    """(samples, H, J, 3): a random walk of every landmark but the hips."""
    steps = random.normal(scale=SPREAD_M * width, size=(samples, HORIZON, TINY_LAYOUT.joints, 3))
    steps[:, :, list(TINY_LAYOUT.hips)] = 0.0
    return (pose + steps.cumsum(axis=1)).astype(np.float32)
