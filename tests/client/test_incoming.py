from __future__ import annotations

from bridge import limits
from bridge.client.incoming import Incoming
from bridge.errors import InvalidInput
from bridge.wire.values import FrameFault
from tests.client.helpers import forecast


def add(incoming: Incoming, timestamp_us: int, avatar_id: str = "a", *, newest_sent_us: int = 10**9) -> bool:
    return incoming.add(forecast(timestamp_us, avatar_id), newest_sent_us=newest_sent_us, latency_ms=1.0)


def test_a_slow_reader_gets_the_newest_of_every_avatar_once() -> None:
    incoming = Incoming()
    for timestamp_us in (1, 2, 3):
        add(incoming, timestamp_us, "a")
        add(incoming, timestamp_us, "b")
    taken = [incoming.take(), incoming.take()]
    assert [(f.avatar_id, f.based_on_timestamp_us) for f in taken if f] == [("a", 3), ("b", 3)]
    assert incoming.take() is None
    assert (incoming.received, incoming.replaced) == (6, 4)


def test_reading_does_not_take_the_latest_away() -> None:
    incoming = Incoming()
    add(incoming, 5)
    incoming.take()
    latest = incoming.latest("a")
    assert latest is not None and latest.based_on_timestamp_us == 5
    assert incoming.latest("b") is None


def test_a_forecast_of_the_resent_window_does_not_replace_a_newer_one() -> None:
    incoming = Incoming()
    add(incoming, 100)
    incoming.take()
    assert not add(incoming, 90)
    assert incoming.take() is None
    assert incoming.outdated == 1


def test_when_the_senders_clock_goes_back_forecasts_go_on() -> None:
    incoming = Incoming()
    add(incoming, 1_000_000, newest_sent_us=1_000_000)
    assert add(incoming, 10, newest_sent_us=20)
    latest = incoming.latest("a")
    assert latest is not None and latest.based_on_timestamp_us == 10


def test_memory_is_bounded_by_the_number_of_avatars() -> None:
    incoming = Incoming()
    for number in range(limits.MAX_AVATARS_PER_SESSION + 10):
        add(incoming, 1, f"a{number}")
    assert incoming.latest("a0") is None
    assert incoming.latest(f"a{limits.MAX_AVATARS_PER_SESSION + 9}") is not None
    taken = 0
    while incoming.take():
        taken += 1
    assert taken == limits.MAX_AVATARS_PER_SESSION


def test_faults_are_handed_out_once_oldest_first() -> None:
    incoming = Incoming()
    for sequence in (1, 2):
        incoming.add_fault(FrameFault("a", sequence, InvalidInput("wrong")))
    assert [fault.sequence for fault in incoming.take_faults()] == [1, 2]
    assert incoming.take_faults() == ()
    assert incoming.faults == 2
