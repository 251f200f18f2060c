from __future__ import annotations

import pytest

from bridge.viewer import Readouts
from bridge.viewer.rates import Durations, RateMeter


def test_a_rate_is_that_of_the_last_seconds() -> None:
    now = [0.0]
    meter = RateMeter(window_s=2.0, clock_s=lambda: now[0])
    assert meter.per_second() == 0.0
    for _ in range(120):
        meter.mark()
        now[0] += 1 / 30
    assert meter.per_second() == pytest.approx(30.0, rel=0.05)
    assert meter.total == 120
    now[0] += 1.0
    assert meter.per_second() == pytest.approx(15.0, rel=0.1)
    now[0] += 1.1
    assert meter.per_second() == 0.0


def test_the_first_second_is_not_diluted_and_many_events_are_not_lost() -> None:
    now = [0.0]
    meter = RateMeter(window_s=3.0, clock_s=lambda: now[0])
    for _ in range(10):
        meter.mark()
        now[0] += 0.05
    assert meter.per_second() == pytest.approx(20.0)
    busy = RateMeter(window_s=3.0, clock_s=lambda: now[0])
    for _ in range(20_000):
        busy.mark()
        now[0] += 1 / 5000
    assert busy.per_second() == pytest.approx(5000.0, rel=0.01)


def test_percentiles_are_of_the_newest() -> None:
    durations = Durations(kept=100)
    assert durations.percentile(50) is None
    for value in range(1000):
        durations.add(float(value))
    assert durations.percentile(50) == pytest.approx(949.5)


def test_the_readouts_say_rates_and_latencies() -> None:
    readouts = Readouts(note="127.0.0.1: connected")
    for _ in range(4):
        readouts.updates.mark()
        readouts.frames.mark()
    readouts.latency_ms.add(18.0)
    readouts.compute_ms.add(13.0)
    text = readouts.to_markdown(avatars=2, browsers=1)
    for said in ("**2** avatars", "frames/s", "18 ms", "13 ms", "1 page open", "connected"):
        assert said in text
    quiet = Readouts().to_markdown(avatars=1, browsers=0)
    assert "ms" not in quiet and "0 pages open" in quiet and " frames/s" not in quiet
