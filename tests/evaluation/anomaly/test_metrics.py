"""Frames, events and rates."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.evaluation.anomaly.metrics import (
    Event,
    Trace,
    alarm_times,
    auroc,
    average_precision,
    delay_s,
    poisson_interval,
    smoothed,
    threshold_at,
)


def trace(values: list[float], fps: float = 10.0) -> Trace:
    return Trace(np.arange(len(values)) / fps, np.array(values, np.float64))


def test_perfect_and_useless_scores() -> None:
    low, high = np.zeros(50), np.ones(50)
    assert auroc(low, high) == 1.0
    assert auroc(high, low) == 0.0
    assert auroc(low, low) == 0.5
    assert average_precision(low, high) == 1.0
    assert auroc(low, np.array([np.nan])) is None


def test_frames_without_a_score_count_neither_way() -> None:
    low, high = np.array([0.0, np.nan, 0.0]), np.array([1.0, np.nan])
    assert auroc(low, high) == 1.0


def test_an_event_is_found_when_its_score_first_reaches_the_threshold() -> None:
    scores = trace([0.0] * 20 + [0.5, 0.9, 2.0, 2.0] + [0.0] * 20)
    event = Event(start_s=2.0, end_s=2.4, deadline_s=1.0)
    assert delay_s(scores, event, 0.9) == pytest.approx(0.1)
    assert delay_s(scores, event, 1.5) == pytest.approx(0.2)
    assert delay_s(scores, event, 3.0) == np.inf


def test_a_late_find_and_an_alarm_from_before_are_misses() -> None:
    late = trace([0.0] * 35 + [2.0] * 5)
    assert delay_s(late, Event(2.0, 2.4, 1.0), 1.0) == np.inf
    before = trace([2.0] * 40)
    assert delay_s(before, Event(2.0, 2.4, 1.0), 1.0) == np.inf


def test_alarms_close_together_are_one() -> None:
    values = [0.0] * 200
    for at in (10, 12, 30, 100):
        values[at] = 1.0
    assert alarm_times(trace(values), 1.0) == pytest.approx([1.0, 10.0])


def test_the_threshold_allows_so_many_alarms_and_no_more() -> None:
    rng = np.random.default_rng(0)
    traces = [trace(rng.normal(size=2000).tolist()) for _ in range(5)]
    hours = 5 * 200 / 3600
    threshold = threshold_at(traces, 12.0, hours)
    count = sum(len(alarm_times(t, threshold)) for t in traces)
    assert count <= 12.0 * hours
    assert count >= 1


def test_smoothing_looks_back_only() -> None:
    raw = trace([0.0] * 10 + [1.0] * 10)
    out = smoothed(raw, 0.3)
    assert (out.values[:10] == 0).all()
    assert 0 < out.values[10] < out.values[19] < 1
    assert smoothed(raw, 0.0) is raw
    changed = trace([0.0] * 10 + [5.0] * 10)
    np.testing.assert_array_equal(out.values[:10], smoothed(changed, 0.3).values[:10])


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 2.996), (7, 3.285, 13.148)])
def test_intervals_are_the_exact_ones(count: int, low: float, high: float) -> None:
    assert poisson_interval(count, 1.0) == pytest.approx((low, high), abs=2e-3)
    assert poisson_interval(count, 2.0) == pytest.approx((low / 2, high / 2), abs=2e-3)
