"""Clocks that run apart, seen through networks that delay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.clock_sync import OneWayClock, TwoWayClock

S = 1_000_000
PERIOD_US = 33_333


class Sender:
    """Sends at 30 Hz by its own clock; ``delay_us`` of the time and the generator is what the network adds."""

    def __init__(self, *, offset_us: int = 0, drift_ppm: float = 0.0, start_us: int = 5 * S, seed: int = 0) -> None:
        self.offset_us, self.drift_ppm, self.start_us = offset_us, drift_ppm, start_us
        self.random = np.random.default_rng(seed)

    def offset_at(self, local_us: float) -> float:
        """Local minus sender's clock."""
        return self.offset_us + self.drift_ppm * 1e-6 * (local_us - self.start_us)

    def feed(
        self, clock: OneWayClock, seconds: float, delay_us: Callable[[float, np.random.Generator], float]
    ) -> float:
        """Return the local time of the last arrival."""
        steps = round(seconds * S / PERIOD_US)
        local_us = float(self.start_us)
        for step in range(steps):
            sent_local_us = self.start_us + step * PERIOD_US
            local_us = sent_local_us + delay_us(sent_local_us, self.random)
            clock.add(round(sent_local_us - self.offset_at(sent_local_us)), round(local_us))
        self.offset_us, self.start_us = round(self.offset_at(local_us)), self.start_us + steps * PERIOD_US
        return local_us


def jitter(mean_us: float, least_us: float = 0.0) -> Callable[[float, np.random.Generator], float]:
    return lambda _, random: least_us + random.exponential(mean_us)


@settings(max_examples=40, deadline=None)
@given(
    offset_us=st.integers(-(2**50), 2**50),
    drift_ppm=st.floats(-100, 100),
    seed=st.integers(0, 2**16),
    mean_us=st.sampled_from((50.0, 500.0, 3000.0)),
)
def test_one_way_offset_and_drift_are_found_under_jitter(
    offset_us: int, drift_ppm: float, seed: int, mean_us: float
) -> None:
    sender, clock = Sender(offset_us=offset_us, drift_ppm=drift_ppm, seed=seed), OneWayClock()
    now_us = sender.feed(clock, 60, jitter(mean_us))
    assert clock.offset_us is not None and clock.drift_ppm is not None
    # The quickest of 30 messages a second takes a thirtieth of the mean delay.
    assert clock.offset_us == pytest.approx(sender.offset_at(now_us), abs=20 + 0.2 * mean_us)
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=1 + mean_us / 300)
    assert clock.restarts == 0


def test_one_way_spikes_of_any_size_and_seconds_of_congestion_do_not_count() -> None:
    def spiky(time_us: float, random: np.random.Generator) -> float:
        congested = 20 * S < time_us < 24 * S or 40 * S < time_us < 43 * S
        spike_us = random.exponential(5e5) if random.random() < 0.2 else 0.0
        return random.exponential(300) + (80_000 if congested else 0) + spike_us

    sender, clock = Sender(offset_us=-3 * S, drift_ppm=50.0), OneWayClock()
    now_us = sender.feed(clock, 60, spiky)
    assert clock.offset_us == pytest.approx(sender.offset_at(now_us), abs=150)
    assert clock.drift_ppm == pytest.approx(50.0, abs=3)
    assert clock.restarts == 0


def test_the_smallest_delay_counts_as_none() -> None:
    sender, clock = Sender(offset_us=1000), OneWayClock()
    sender.feed(clock, 20, jitter(100, least_us=20_000))
    assert clock.offset_us == pytest.approx(21_000, abs=100)


def test_one_way_says_nothing_before_it_knows() -> None:
    clock = OneWayClock()
    assert (clock.offset_us, clock.drift_ppm) == (None, None)
    for k in range(9):
        clock.add(k, k)
    assert clock.offset_us is None
    clock.add(9, 9)
    assert clock.offset_us == 0
    assert clock.drift_ppm is None
    clock.add(11 * S, 11 * S)
    assert clock.drift_ppm == 0


@pytest.mark.parametrize("jump_us", [-3600 * S, -300_000, 300_000, 10 * S, 2**55])
def test_one_way_starts_anew_when_the_senders_clock_was_set(jump_us: int) -> None:
    sender, clock = Sender(drift_ppm=30.0), OneWayClock()
    sender.feed(clock, 30, jitter(200))
    sender.offset_us -= jump_us
    now_us = sender.feed(clock, 20, jitter(200))
    assert clock.restarts == 1
    assert clock.offset_us == pytest.approx(sender.offset_at(now_us), abs=1000)


def test_a_few_messages_with_a_wrong_time_change_nothing() -> None:
    sender, clock = Sender(), OneWayClock()
    for wrong_us in (3600 * S, -3600 * S, 2**60):
        sender.feed(clock, 5, jitter(100))
        for _ in range(4):
            clock.add(sender.start_us + wrong_us, sender.start_us)
    assert clock.restarts == 0
    assert clock.offset_us == pytest.approx(0, abs=50)


def test_a_window_that_was_sent_again_at_once_does_not_spoil_the_start() -> None:
    clock = OneWayClock()
    for k in range(45):
        clock.add(k * PERIOD_US, 45 * PERIOD_US)
    Sender(start_us=45 * PERIOD_US).feed(clock, 5, jitter(100))
    assert clock.offset_us == pytest.approx(0, abs=50)


def test_one_way_follows_a_drift_that_changes() -> None:
    sender, clock = Sender(drift_ppm=50.0), OneWayClock()
    sender.feed(clock, 300, jitter(200))
    sender.drift_ppm = -20.0
    now_us = sender.feed(clock, 90, jitter(200))
    assert clock.drift_ppm == pytest.approx(-20.0, abs=3)
    assert clock.offset_us == pytest.approx(sender.offset_at(now_us), abs=100)


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=200))
def test_no_input_breaks_one_way(points: list[tuple[int, int]]) -> None:
    clock = OneWayClock()
    for sender_us, local_us in points:
        clock.add(sender_us, local_us)
        assert clock.offset_us is None or isinstance(clock.offset_us, int)
        assert clock.drift_ppm is None or abs(clock.drift_ppm) <= 500


def pings(
    seconds: float,
    *,
    offset_us: int,
    drift_ppm: float = 0.0,
    delays_us: Callable[[float, np.random.Generator], tuple[float, float]],
    start_us: int = 9 * S,
    seed: int = 0,
) -> Iterator[tuple[int, int, int, int]]:
    """Round trips every two seconds."""
    random = np.random.default_rng(seed)
    for sent_us in range(start_us, start_us + round(seconds * S), 2 * S):
        there_us, back_us = delays_us(sent_us, random)
        held_us = random.integers(0, 500)

        def server_us(time_us: float) -> int:
            return round(time_us + offset_us + drift_ppm * 1e-6 * (time_us - start_us))

        arrived_us = sent_us + there_us
        yield sent_us, server_us(arrived_us), server_us(arrived_us + held_us), round(arrived_us + held_us + back_us)


def both_ways(mean_us: float, least_us: float = 200.0) -> Callable[[float, np.random.Generator], tuple[float, float]]:
    return lambda _, random: (least_us + random.exponential(mean_us), least_us + random.exponential(mean_us))


@settings(max_examples=40, deadline=None)
@given(
    offset_us=st.integers(-(2**50), 2**50),
    drift_ppm=st.floats(-100, 100),
    seed=st.integers(0, 2**16),
    mean_us=st.sampled_from((50.0, 500.0, 3000.0)),
)
def test_two_way_offset_and_drift_are_found_under_jitter(
    offset_us: int, drift_ppm: float, seed: int, mean_us: float
) -> None:
    clock = TwoWayClock()
    newest_us = 0
    for trip in pings(120, offset_us=offset_us, drift_ppm=drift_ppm, delays_us=both_ways(mean_us), seed=seed):
        clock.add(*trip)
        newest_us = trip[3]
    assert clock.offset_us is not None and clock.drift_ppm is not None and clock.round_trip_us is not None
    truth_us = offset_us + drift_ppm * 1e-6 * (newest_us - 9 * S)
    assert clock.offset_us == pytest.approx(truth_us, abs=100 + mean_us)
    assert clock.drift_ppm == pytest.approx(drift_ppm, abs=3 + mean_us / 50)
    later_us = newest_us + 1 * S
    assert clock.to_server_us(later_us) == pytest.approx(later_us + truth_us + drift_ppm, abs=200 + mean_us)
    assert clock.restarts == 0


def test_two_way_spikes_in_one_direction_do_not_count() -> None:
    def spiky(_: float, random: np.random.Generator) -> tuple[float, float]:
        return 300 + (random.random() < 0.6) * random.exponential(2e5), 300 + random.exponential(50)

    clock = TwoWayClock()
    for trip in pings(120, offset_us=7 * S, drift_ppm=50.0, delays_us=spiky):
        clock.add(*trip)
    assert clock.offset_us == pytest.approx(7 * S + 50 * 118, abs=500)
    assert clock.restarts == 0


def test_two_way_is_off_by_no_more_than_half_the_round_trip_from_the_first_on() -> None:
    clock = TwoWayClock()
    assert (clock.offset_us, clock.drift_ppm, clock.round_trip_us, clock.to_server_us(5)) == (None, None, None, None)
    clock.add(0, 1_000_900, 1_000_900, 1_000)
    assert clock.round_trip_us == 1_000
    assert clock.offset_us == pytest.approx(1_000_000, abs=500)
    assert clock.drift_ppm is None


@pytest.mark.parametrize("jump_us", [-3600 * S, -20_000, 20_000, 3600 * S])
def test_two_way_starts_anew_when_a_clock_was_set(jump_us: int) -> None:
    clock = TwoWayClock()
    for trip in pings(60, offset_us=S, delays_us=both_ways(100)):
        clock.add(*trip)
    for trip in pings(20, offset_us=S + jump_us, delays_us=both_ways(100), start_us=69 * S):
        clock.add(*trip)
    assert clock.restarts == 1
    assert clock.offset_us == pytest.approx(S + jump_us, abs=300)


def test_round_trips_that_make_no_sense_are_ignored() -> None:
    clock = TwoWayClock()
    clock.add(10, 5, 5, 9)
    clock.add(10, 5, 50, 20)
    clock.add(10, 50, 5, 20)
    assert clock.offset_us is None


@given(st.lists(st.tuples(*[st.integers(0, 2**62)] * 4), max_size=60))
def test_no_input_breaks_two_way(trips: list[tuple[int, int, int, int]]) -> None:
    clock = TwoWayClock()
    for trip in trips:
        clock.add(*trip)
        assert clock.offset_us is None or isinstance(clock.offset_us, int)
