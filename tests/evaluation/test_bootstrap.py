from __future__ import annotations

import numpy as np
import pytest

from bridge.evaluation.bootstrap import ClusteredBootstrap


def test_interval_of_independent_windows_is_that_of_the_normal_law() -> None:
    random = np.random.default_rng(0)
    values = random.normal(3.0, 1.0, size=900)
    names = [str(n) for n in range(900)]
    interval = ClusteredBootstrap(["one"] * 900, names, replicates=4000).interval(values)
    assert interval is not None
    half = 1.96 * values.std() / 30
    assert interval[0] == pytest.approx(values.mean() - half, abs=0.01)
    assert interval[1] == pytest.approx(values.mean() + half, abs=0.01)


def test_repeating_every_window_of_a_clip_does_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).normal(size=30)
    clips = [str(n) for n in range(30)]
    once = ClusteredBootstrap(["s"] * 30, clips, seed=2).interval(values)
    often = ClusteredBootstrap(["s"] * 300, np.repeat(clips, 10).tolist(), seed=2).interval(np.repeat(values, 10))
    assert once == pytest.approx(often)


def test_differences_between_subjects_widen_the_interval_more_than_differences_between_clips() -> None:
    random = np.random.default_rng(3)
    subjects = np.repeat([f"s{n}" for n in range(8)], 40).tolist()
    clips = [f"c{n}" for n in range(320)]
    offsets = random.normal(size=8)
    by_subject = np.repeat(offsets, 40)
    shuffled = random.permutation(by_subject)
    bootstrap = ClusteredBootstrap(subjects, clips)
    assert _width(bootstrap, by_subject) > 3 * _width(bootstrap, shuffled)


def test_a_constant_difference_is_certain_however_much_the_scores_vary() -> None:
    random = np.random.default_rng(4)
    scores = random.normal(size=200)
    bootstrap = ClusteredBootstrap([f"s{n % 5}" for n in range(200)], [f"c{n % 20}" for n in range(200)])
    assert bootstrap.interval(scores + 0.25 - scores) == pytest.approx((0.25, 0.25))
    assert _width(bootstrap, scores) > 0.1


def test_clips_of_different_subjects_with_the_same_name_stay_apart() -> None:
    assert ClusteredBootstrap(["a", "b"], ["walk", "walk"]).clusters == 2


def test_the_bootstrap_of_some_windows_is_the_one_they_would_have_alone() -> None:
    random = np.random.default_rng(6)
    values, subjects = random.normal(size=40), [f"s{n % 4}" for n in range(40)]
    clips, rows = [f"c{n % 10}" for n in range(40)], np.arange(3, 31)
    some = ClusteredBootstrap(subjects, clips, seed=3).of(rows)
    alone = ClusteredBootstrap(subjects[3:31], clips[3:31], seed=3)
    assert some.interval(values[rows]) == alone.interval(values[rows])


def test_a_single_clip_gives_no_interval() -> None:
    assert ClusteredBootstrap(["a"] * 5, ["walk"] * 5).interval(np.arange(5.0)) is None


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(5).normal(size=50)
    subjects, clips = [f"s{n % 3}" for n in range(50)], [f"c{n % 12}" for n in range(50)]
    first, again = (ClusteredBootstrap(subjects, clips, seed=7).interval(values) for _ in range(2))
    assert first == again
    assert first != ClusteredBootstrap(subjects, clips, seed=8).interval(values)


def _width(bootstrap: ClusteredBootstrap, values: np.ndarray) -> float:
    interval = bootstrap.interval(values)
    assert interval is not None
    return interval[1] - interval[0]
