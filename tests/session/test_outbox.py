from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.session import Outbox, ReadyForecast
from bridge.session.outbox import MAX_WAITING_ERRORS
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Forecast, Timing

FORECAST = Forecast(
    avatar_id="a",
    based_on_sequence=0,
    based_on_timestamp_us=1,
    step_us=33_333,
    futures_m=np.zeros((1, 1, 1, 3), np.float32),
    roots_m=None,
    probabilities=np.ones(1, np.float32),
    spread_m=np.zeros((1, 1), np.float32),
    mode_ids=(0,),
    unobserved_landmarks=(),
    bridged_share=0.0,
    samples=2,
    acceptance_rate=None,
    timing=Timing(),
)


def ready(avatar_id: str, sequence: int = 0, *, deadline_s: float = 1e12) -> ReadyForecast:
    forecast = replace(FORECAST, avatar_id=avatar_id, based_on_sequence=sequence)
    return ReadyForecast(forecast, arrived_s=0.0, deadline_s=deadline_s)


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
            assert item.forecast.based_on_sequence > newest_popped[item.forecast.avatar_id]
            newest_popped[item.forecast.avatar_id] = item.forecast.based_on_sequence
