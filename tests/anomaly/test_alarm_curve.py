"""Thresholds for a rate of false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.anomaly.alarm_curve import AlarmCurve
from bridge.anomaly.rule import DEFAULT_RULE, AlertRule, Thresholds, run_rule
from bridge.errors import InvalidInput
from bridge.wire.alerts import AlertState

PERIOD_US = 33_333
Track = tuple[list[int], list[float]]


def track(seed: int, frames: int = 5400, *, mean_nats: float = 1.0) -> Track:
    """Surprises whose tail is exponential and that last for some frames."""
    rng = np.random.default_rng(seed)
    surprises = np.repeat(rng.exponential(mean_nats, -(-frames // 6)), 6)[:frames]
    return (1 + PERIOD_US * np.arange(frames)).tolist(), surprises.tolist()


def hours(tracks: list[Track]) -> float:
    return sum(len(times_us) for times_us, _ in tracks) * PERIOD_US * 1e-6 / 3600.0


def alarms(tracks: list[Track], threshold: float) -> int:
    rules = ((AlertRule(Thresholds(threshold, math.inf, math.inf)), t) for t in tracks)
    return sum(c.state is AlertState.RAISED for rule, (us, nats) in rules for c in run_rule(rule, us, nats, nats))


TRACKS = [track(seed) for seed in range(6)]
CURVE = AlarmCurve.fit(TRACKS, hours(TRACKS), DEFAULT_RULE)


@pytest.mark.parametrize("rate", [300.0, 60.0, 12.0])
def test_other_tracks_of_the_same_law_alarm_at_most_as_often_and_not_far_less(rate: float) -> None:
    others = [track(seed) for seed in range(100, 130)]
    realised = alarms(others, CURVE.threshold(rate)) / hours(others)
    assert realised <= 1.3 * rate
    assert realised >= 0.2 * rate


def test_the_curve_counts_what_the_rule_does() -> None:
    for threshold, count in CURVE.alarms.tolist():
        assert count == alarms(TRACKS, threshold)


@given(st.floats(0.01, 1000.0), st.floats(1.0, 100.0))
def test_a_rarer_rate_never_needs_less_evidence(rate: float, rarer: float) -> None:
    assert CURVE.threshold(rate / rarer) >= CURVE.threshold(rate)


def test_beyond_what_was_seen_every_factor_costs_the_same_evidence() -> None:
    rates = (1.0, 0.1, 0.01)
    steps = np.diff([CURVE.threshold(rate) for rate in rates])
    np.testing.assert_allclose(steps, CURVE.excess * math.log(10.0))


def test_alarms_that_never_clear_do_not_make_a_low_threshold_a_quiet_one() -> None:
    # At 8 nats everything is one long alarm; above it they come apart.
    wild = AlarmCurve(np.array([[8.0, 1.0], [16.0, 40.0], [32.0, 25.0], [64.0, 10.0]]), 5.0, 1.0)
    assert wild.threshold(35.0) == 32.0
    assert wild.threshold(20.0) == 64.0


def test_motion_that_never_surprises_still_gives_thresholds_for_every_rate() -> None:
    calm = [(times_us, [0.5] * len(times_us)) for times_us, _ in TRACKS]
    curve = AlarmCurve.fit(calm, hours(calm), DEFAULT_RULE)
    found = [curve.threshold(rate) for rate in (1000.0, 12.0, 1.0, 0.01)]
    assert found == sorted(found)
    assert found[0] >= 2.0 * DEFAULT_RULE.drift
    assert math.isfinite(found[-1])


def test_less_motion_makes_more_careful_thresholds() -> None:
    few = AlarmCurve.fit(TRACKS[:1], hours(TRACKS[:1]), DEFAULT_RULE)
    assert few.threshold(1.0) > CURVE.threshold(1.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="false_alarms_per_hour"):
        CURVE.threshold(rate)
