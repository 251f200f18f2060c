from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from bridge.errors import InvalidInput
from bridge.evaluation.baselines import LastPose, damped_velocity
from bridge.evaluation.evaluate import Evaluation, evaluate_methods
from bridge.evaluation.figure import check_figure_path, save_figure
from bridge.evaluation.methods import Method
from bridge.evaluation.robustness import ConditionResult, ConditionScores, Robustness
from tests.evaluation.known_law import RATE_HZ, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT


@pytest.fixture(scope="module")
def result() -> Evaluation:
    methods: list[Method] = [
        LastPose(),
        damped_velocity(RATE_HZ),
        KnowsTheLaw("gru_nf", width=1.4),
        KnowsTheLaw("gru_snf"),
    ]
    return evaluate_methods(known_windows(20), methods, TINY_LAYOUT, rate_hz=RATE_HZ)


def test_the_picture_is_as_wide_as_a_readme_wants_it(result: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "scores.png"
    save_figure(path, result)
    height, width = imread(path).shape[:2]
    assert width == 1600
    assert 800 < height < 1300


def test_a_vector_picture_names_methods_and_conditions(result: Evaluation, tmp_path: Path) -> None:
    scores = ConditionScores(1.0, 0.5, {1000: 90.0}, None, 1.1, None)
    worse = Robustness({"gap_200_ms": ConditionResult("", 4, 0, {"last_pose": scores})}, (1000,), {})
    path = tmp_path / "scores.svg"
    save_figure(path, result, worse)
    text = path.read_text(encoding="utf-8")
    assert "<svg" in text
    for words in ("gap_200_ms", "gru_nf", "damped_velocity"):
        assert words in text  # kept beside the drawn letters


def test_methods_without_baselines_or_spread_can_be_drawn(tmp_path: Path) -> None:
    alone = evaluate_methods(known_windows(2), [LastPose()], TINY_LAYOUT, rate_hz=RATE_HZ)
    other = evaluate_methods(known_windows(1), [KnowsTheLaw("gru_snf")], TINY_LAYOUT, rate_hz=RATE_HZ)
    for name, evaluation in {"alone": alone, "other": other}.items():
        save_figure(tmp_path / f"{name}.png", evaluation)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["scores.txt", "scores", "no/scores.png"])
def test_a_path_that_no_picture_can_be_written_to_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_figure_path(tmp_path / name)
    assert caught.value.field == "figure"
