from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.session import Pacer
from bridge.session.pacer import Thinner


def passed(rate_hz: float, times_us: list[int]) -> int:
    pacer = Pacer(rate_hz)
    return sum(pacer.due(time_us) for time_us in times_us)


@pytest.mark.parametrize(("fps", "expected"), [(30, 300), (24, 240), (60, 300), (120, 300), (240, 300)])
def test_forecasts_come_at_the_asked_rate_or_the_frame_rate_if_that_is_lower(fps: int, expected: int) -> None:
    times_us = [round(index * 1e6 / fps) for index in range(10 * fps)]
    assert passed(30.0, times_us) == pytest.approx(expected, abs=2)


def test_jitter_of_a_camera_of_the_same_rate_costs_no_forecast() -> None:
    jitter = random.Random(3)
    times_us = [round(index * 1e6 / 30 + jitter.uniform(-15_000, 15_000)) for index in range(300)]
    assert passed(30.0, times_us) == 300


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=200), st.floats(1.0, 240.0))
def test_no_stretch_of_time_has_more_forecasts_than_the_rate_allows(gaps_us: list[int], rate_hz: float) -> None:
    pacer, now_us, times_us = Pacer(rate_hz), 0, []
    for gap_us in gaps_us:
        now_us += gap_us
        if pacer.due(now_us):
            times_us.append(now_us)
    for first in range(len(times_us)):
        for last in range(first, len(times_us)):
            seconds = (times_us[last] - times_us[first]) * 1e-6
            # one at the start, and the bucket's one and a half more
            assert last - first + 1 <= seconds * rate_hz + 2.001


def test_first_frame_after_a_restart_is_due_whatever_its_time() -> None:
    pacer = Pacer(1.0)
    assert pacer.due(10_000_000)
    assert pacer.due(10_100_000)  # what the bucket holds at first
    assert not pacer.due(10_200_000)
    pacer.restart()
    assert pacer.due(50)


@given(st.floats(0.0, 0.999), st.floats(0.05, 1.0))
def test_thinner_lets_an_even_share_through(phase: float, share: float) -> None:
    thinner = Thinner(phase)
    passed = [thinner.passes(share) for _ in range(600)]
    for start in range(0, 600, 60):
        assert abs(sum(passed[start : start + 60]) - 60 * share) <= 1.01


@given(st.floats(0.0, 0.999))
def test_thinner_lets_everything_through_when_all_can_be_had(phase: float) -> None:
    thinner = Thinner(phase)
    assert all(thinner.passes(1.0) for _ in range(100))


def test_avatars_of_one_tick_are_spread_over_the_ticks() -> None:
    thinners = [Thinner(index / 30) for index in range(30)]
    counts = [sum(thinner.passes(1 / 3) for thinner in thinners) for _ in range(30)]
    assert set(counts) <= {9, 10, 11}
