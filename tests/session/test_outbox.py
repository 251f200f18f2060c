from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine import Completed, EngineInfo
from bridge.session import Outbox, ReadyForecast
from bridge.session.avatar import Avatar
from bridge.session.outbox import MAX_WAITING_ERRORS
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import SessionConfig
from tests.engine.doubles import HoldingEngine, request
from tests.support import TINY_LAYOUT

INFO = EngineInfo(TINY_LAYOUT, 30.0, 8, "none", "0" * 64, "cpu")


class Ready(ReadyForecast):
    """Equal to another of the same avatar and frame."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ready) and self._tells() == other._tells()

    def _tells(self) -> tuple[str, int]:
        return self.avatar.avatar_id, self.request.seed


def ready(avatar_id: str, number: int = 0, *, deadline_s: float = 1e12) -> ReadyForecast:
    """The forecast of an avatar's frame ``number``."""
    asked = replace(request(avatar_id, deadline_s=deadline_s), seed=number)
    (result,) = HoldingEngine().infer([asked], deadline_s)
    assert not isinstance(result, Exception)
    avatar = Avatar(avatar_id, "s", SessionConfig(layout_id=TINY_LAYOUT.id), INFO)
    return Ready(avatar, asked, Completed(result, 0.0, 0.0, 1), 1.0)


def error(sequence: int = 0) -> forecast_pb2.StreamForecastsResponse:
    return forecast_pb2.StreamForecastsResponse(frame_error=forecast_pb2.FrameError(sequence=sequence))


def notice() -> forecast_pb2.StreamForecastsResponse:
    return forecast_pb2.StreamForecastsResponse(draining=forecast_pb2.Draining(grace_ms=1))


def test_stalled_reader_finds_the_newest_forecast_of_every_avatar_and_no_other() -> None:
    outbox = Outbox()
    for sequence in range(100):
        outbox.put_forecast(ready("a", sequence))
        outbox.put_forecast(ready("b", sequence))
    assert len(outbox) == 2
    assert outbox.pop(0.0) == ready("a", 99)
    assert outbox.pop(0.0) == ready("b", 99)
    assert outbox.pop(0.0) is None
    assert outbox.forecasts_replaced == 198


def test_notices_go_before_errors_and_errors_before_forecasts() -> None:
    outbox = Outbox()
    outbox.put_forecast(ready("a"))
    outbox.put_error(error())
    outbox.put_notice(notice())
    assert [outbox.pop(0.0) for _ in range(4)] == [notice(), error(), ready("a"), None]


def test_forecast_past_its_deadline_is_not_sent() -> None:
    outbox = Outbox()
    outbox.put_forecast(ready("old", deadline_s=1.0))
    outbox.put_forecast(ready("new", deadline_s=3.0))
    assert outbox.pop(2.0) == ready("new", deadline_s=3.0)
    assert outbox.forecasts_expired == 1


def test_errors_are_bounded_and_the_newest_stay() -> None:
    outbox = Outbox()
    for sequence in range(MAX_WAITING_ERRORS + 10):
        outbox.put_error(error(sequence))
    assert len(outbox) == MAX_WAITING_ERRORS
    assert outbox.pop(0.0) == error(10)
    assert outbox.errors_forgotten == 10


def test_reader_is_woken_once_until_it_has_seen_the_outbox_empty() -> None:
    outbox = Outbox()
    assert outbox.put_forecast(ready("a"))
    assert not outbox.put_forecast(ready("b"))
    assert not outbox.put_error(error())
    while outbox.pop(0.0) is not None:
        pass
    assert outbox.put_error(error())


def test_forecast_that_is_put_back_goes_first_next_time() -> None:
    outbox = Outbox()
    for name in "ab":
        outbox.put_forecast(ready(name))
    first = outbox.pop(0.0)
    assert first is not None
    outbox.put_back(first)
    assert outbox.pop(0.0) == ready("a")


def test_forecast_that_is_put_back_does_not_replace_a_newer_one() -> None:
    outbox = Outbox()
    outbox.put_forecast(ready("a", 1))
    older = outbox.pop(0.0)
    assert older is not None
    outbox.put_forecast(ready("a", 2))
    outbox.put_back(older)
    assert outbox.pop(0.0) == ready("a", 2)
    assert outbox.pop(0.0) is None


@pytest.mark.parametrize("message", [notice(), error()])
def test_other_messages_that_are_put_back_keep_their_place(message: forecast_pb2.StreamForecastsResponse) -> None:
    outbox = Outbox()
    outbox.put_notice(message) if message == notice() else outbox.put_error(message)
    outbox.put_error(error(7))
    first = outbox.pop(0.0)
    assert first is not None
    outbox.put_back(first)
    assert outbox.pop(0.0) == message


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans())))
def test_whatever_happens_there_is_at_most_one_forecast_per_avatar_and_sequences_rise(
    steps: list[tuple[int, bool]],
) -> None:
    outbox, newest_popped = Outbox(), dict.fromkeys("0123", -1)
    for sequence, (avatar, reads) in enumerate(steps):
        outbox.put_forecast(ready(str(avatar), sequence))
        assert len(outbox) <= 4
        if reads:
            item = outbox.pop(0.0)
            assert isinstance(item, ReadyForecast)
            assert item.request.seed > newest_popped[item.avatar.avatar_id]
            newest_popped[item.avatar.avatar_id] = item.request.seed
