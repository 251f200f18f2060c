from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.bench.serve.capacity import Trial, find_capacity, what_is_wrong
from bridge.bench.serve.figures import Figures, Spread


def trial(avatars: int, why: str = "") -> Trial:
    return Trial(avatars, why, 10.0, 30.0 * avatars)


@given(limit=st.integers(0, 600), first=st.integers(1, 300))
def test_the_search_ends_within_a_twentieth_of_the_limit(limit: int, first: int) -> None:
    found, trials = find_capacity(lambda avatars: trial(avatars, "" if avatars <= limit else "slow"), first=first)
    assert found <= limit
    assert limit - found <= max(1, 0.05 * found)
    assert len(trials) <= 40
    assert found == max((one.avatars for one in trials if one.passed), default=0)


def test_the_search_stops_at_the_most_it_may_try() -> None:
    found, trials = find_capacity(trial, first=60, most=100)
    assert found == 100 and [one.avatars for one in trials] == [60, 100]


def test_one_spoiled_try_costs_nothing_but_time() -> None:
    spoiled = iter([True])
    found, _ = find_capacity(lambda avatars: trial(avatars, "noise" if next(spoiled, False) else ""), first=8, most=8)
    assert found == 8


QUIET = Figures(
    from_s=0.0,
    until_s=1.0,
    frames_due=1000,
    frames_sent=1000,
    forecasts=1000,
    frames_refused=0,
    shed=0,
    frames_lost=0,
    refused=0,
    errors=0,
    degraded=0,
    latency_ms=Spread(5.0, 9.0, 33.0, 200.0),
    age_ms=Spread(),
    late_ms=Spread(),
    windows_per_batch=1.0,
    samples=32.0,
)


def test_full_service_has_nothing_wrong_with_it() -> None:
    assert what_is_wrong(QUIET, 30.0) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"latency_ms": Spread(5.0, 9.0, 33.4, 40.0)}, "p99 33.4 ms"),
        ({"latency_ms": Spread()}, "p99"),
        ({"refused": 1}, "1 refusals"),
        ({"frames_refused": 1}, "refusals"),
        ({"forecasts": 994, "shed": 6}, "6 of 1000 frames"),
        ({"forecasts": 994, "frames_lost": 6}, "6 of 1000 frames"),
        ({"degraded": 6}, "6 forecasts degraded"),
    ],
)
def test_less_than_full_service_is_named(changed: dict[str, object], said: str) -> None:
    assert said in what_is_wrong(replace(QUIET, **changed), 30.0)  # type: ignore[arg-type]


def test_a_twohundredth_of_the_frames_may_be_shed() -> None:
    assert what_is_wrong(replace(QUIET, forecasts=995, shed=5, degraded=5), 30.0) == ""


def test_the_bound_is_one_frame_of_the_rate() -> None:
    assert "a frame has 16.7" in what_is_wrong(QUIET, 60.0)
