"""When evidence becomes an alert, and when that is over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.anomaly.rule import AlertRule, RuleChange, Thresholds, excursion_peaks, run_rule
from bridge.wire.alerts import AlertState, Severity

PERIOD_US = 33_333
THRESHOLDS = Thresholds(20.0, 40.0, 60.0)
CALM, LOUD = 1.0, 14.0


def changes_of(surprises: Sequence[float | None], period_us: int = PERIOD_US, start_us: int = 1) -> list[RuleChange]:
    rule = AlertRule(THRESHOLDS)
    found = [rule.step(start_us + i * period_us, x, 0.01) for i, x in enumerate(surprises)]
    return [change for change in found if change is not None]


def test_lasting_surprise_raises_one_alert_that_clears_when_it_is_over() -> None:
    changes = changes_of([CALM] * 30 + [LOUD] * 30 + [CALM] * 90)
    assert [c.state for c in changes if c.state is not AlertState.UPDATED] == [AlertState.RAISED, AlertState.CLEARED]
    raised, cleared = changes[0], changes[-1]
    assert raised.started_us == 1 + 30 * PERIOD_US
    assert raised.raised_us == 1 + 31 * PERIOD_US or raised.raised_us == 1 + 32 * PERIOD_US
    assert cleared.ended_us == 1 + 59 * PERIOD_US
    assert cleared.p_value == 0.01


def test_ordinary_frames_never_add_up() -> None:
    assert changes_of([3.9] * 5000) == []


def test_a_glitch_of_one_frame_raises_nothing_however_large() -> None:
    assert changes_of([CALM] * 10 + [1e9] + [CALM] * 60) == []


def test_evidence_that_wavers_about_the_threshold_is_one_alert() -> None:
    changes = changes_of([CALM] * 10 + ([LOUD] * 3 + [CALM] * 5) * 12 + [CALM] * 60)
    assert sum(c.state is AlertState.RAISED for c in changes) == 1


def test_after_an_alert_none_is_raised_for_a_while() -> None:
    loud, calm = [LOUD] * 6, [CALM] * 60
    changes = changes_of([CALM] * 10 + loud + calm + loud + [CALM] * 120 + loud + calm)
    raised = [c.raised_us for c in changes if c.state is AlertState.RAISED]
    cleared = [c for c in changes if c.state is AlertState.CLEARED]
    assert len(raised) == len(cleared) == 2


def test_severity_rises_with_evidence_and_each_rise_is_told_once() -> None:
    changes = changes_of([CALM] * 10 + [LOUD] * 30)
    assert [c.severity for c in changes] == [Severity.LOW, Severity.MEDIUM, Severity.HIGH]
    assert [c.state for c in changes] == [AlertState.RAISED, AlertState.UPDATED, AlertState.UPDATED]
    assert all(a.score < b.score for a, b in pairwise(changes))


@pytest.mark.parametrize("rate_hz", [10.0, 15.0, 60.0, 120.0])
def test_a_glitch_of_one_frame_raises_nothing_at_any_frame_rate(rate_hz: float) -> None:
    assert changes_of([CALM] * 10 + [1e9] + [CALM] * 60, period_us=round(1e6 / rate_hz)) == []


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60), st.integers(2, 5))
def test_a_frame_that_comes_several_times_counts_once(surprises: list[float], times: int) -> None:
    once, often = AlertRule(THRESHOLDS), AlertRule(THRESHOLDS)
    for i, surprise in enumerate(surprises):
        once.step(1 + i * PERIOD_US, surprise)
        for _ in range(times):
            often.step(1 + i * PERIOD_US, surprise)
    assert often.statistic == pytest.approx(once.statistic)
    assert often.active == once.active


@pytest.mark.parametrize("rate_hz", [15.0, 60.0, 120.0])
def test_the_frame_rate_does_not_matter(rate_hz: float) -> None:
    def raised_after_s(hertz: float) -> float:
        calm, loud = round(hertz), round(2 * hertz)
        changes = changes_of([CALM] * calm + [6.0] * loud, period_us=round(1e6 / hertz))
        return (changes[0].raised_us - changes[0].started_us) * 1e-6

    assert raised_after_s(rate_hz) == pytest.approx(raised_after_s(30.0), abs=0.1)


def test_frames_without_a_verdict_neither_raise_nor_clear() -> None:
    rule = AlertRule(THRESHOLDS)
    for i in range(40):
        rule.step(1 + i * PERIOD_US, LOUD if i >= 30 else CALM)
    assert rule.active
    before = rule.evidence
    for i in range(40, 400):
        assert rule.step(1 + i * PERIOD_US, None) is None
    assert rule.active
    assert rule.evidence == before


def test_a_gap_or_a_clock_that_jumps_begins_anew_and_raises_nothing() -> None:
    for jump_us in (5_000_000, -3_000_000):
        rule = AlertRule(THRESHOLDS)
        for i in range(30):
            rule.step(10_000_000 + i * PERIOD_US, CALM)
        rule.step(10_000_000 + 30 * PERIOD_US, LOUD)
        assert rule.evidence > 0
        assert rule.step(10_000_000 + 30 * PERIOD_US + jump_us, LOUD) is None
        assert not rule.active


@given(
    st.lists(
        st.tuples(
            st.integers(-2_000_000, 2_000_000) | st.sampled_from([0, PERIOD_US]),
            st.none() | st.floats(0.0, 1e9) | st.just(LOUD),
        ),
        max_size=200,
    )
)
def test_whatever_the_clock_does_alerts_are_in_order_and_end_after_they_were_raised(
    steps: list[tuple[int, float | None]],
) -> None:
    rule = AlertRule(THRESHOLDS)
    now_us, on = 1_000_000_000, False
    for step_us, surprise in steps:
        now_us += step_us
        jumped = step_us < 0 or step_us > 500_000
        change = rule.step(now_us, surprise, 0.01)
        assert 0.0 <= rule.evidence <= 1.25
        if change is None:
            continue
        assert (change.state is AlertState.RAISED) is not on
        assert not (jumped and change.state is AlertState.RAISED)
        on = change.state is not AlertState.CLEARED
        assert rule.active is on
        assert (change.ended_us is None) is on
        assert change.score >= THRESHOLDS.low
        assert change.started_us <= change.raised_us
        assert change.ended_us is None or change.ended_us >= change.raised_us


def test_an_alert_outlives_a_clock_that_is_set_back_and_then_clears() -> None:
    rule = AlertRule(THRESHOLDS)
    for i in range(40):
        rule.step(10_000_000 + i * PERIOD_US, LOUD if i >= 30 else CALM)
    assert rule.active
    stamps = [3_000_000 + i * PERIOD_US for i in range(100)]
    changes = [rule.step(stamp, LOUD if i < 5 else CALM, 0.5) for i, stamp in enumerate(stamps)]
    (cleared,) = [c for c in changes if c is not None and c.state is AlertState.CLEARED]
    assert cleared.ended_us == cleared.raised_us > 10_000_000


def test_an_alert_from_before_a_restart_goes_on_and_clears() -> None:
    rule = AlertRule(THRESHOLDS)
    rule.adopt(5, 70, 0.002, 33.0, Severity.MEDIUM)
    assert rule.active
    changes = [rule.step(1_000_000 + i * PERIOD_US, CALM, 0.5) for i in range(120)]
    (cleared,) = [c for c in changes if c is not None]
    assert (cleared.state, cleared.started_us, cleared.p_value) == (AlertState.CLEARED, 5, 0.002)
    assert cleared.score == 33.0
    assert (cleared.raised_us, cleared.ended_us) == (70, 70)


def test_what_is_on_at_the_end_of_a_track_is_cleared_there() -> None:
    stamps = [1 + i * PERIOD_US for i in range(40)]
    surprises = [CALM] * 20 + [LOUD] * 20
    changes = run_rule(AlertRule(THRESHOLDS), stamps, surprises, surprises)
    assert changes[-1].state is AlertState.CLEARED
    assert AlertRule(THRESHOLDS).end() is None


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=400))
def test_raised_and_cleared_take_turns(surprises: list[float]) -> None:
    kept = [c.state for c in changes_of(list(surprises)) if c.state is not AlertState.UPDATED]
    assert all(a is not b for a, b in pairwise(kept))
    assert not kept or kept[0] is AlertState.RAISED


def test_peaks_are_the_highest_evidence_of_each_stretch() -> None:
    surprises = [CALM] * 30 + [LOUD] * 3 + [CALM] * 200 + [9.0] * 4 + [CALM] * 30 + [LOUD] * 2 + [CALM] * 100
    peaks = excursion_peaks([1 + i * PERIOD_US for i in range(len(surprises))], surprises)
    assert peaks == pytest.approx([30.0, 20.0], rel=1e-3)
