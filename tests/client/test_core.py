from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest

from bridge.client.core import ClientCore
from bridge.client.saver import FrameSaver
from bridge.client.stats import ConnectionState
from bridge.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound, Unavailable, VersionMismatch
from bridge.wire.codec import accepted_to_message, forecast_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Encoding, FrameSaving, SessionAccepted, SessionConfig
from tests.client.helpers import CONFIG, forecast, frame, frames
from tests.support import TINY_LAYOUT

ACCEPTED = forecast_pb2.StreamForecastsResponse(
    accepted=accepted_to_message(SessionAccepted(CONFIG, "9.9", "session", 8, 30.0))
)


def connected_core() -> tuple[ClientCore, int]:
    core = ClientCore(CONFIG)
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    return core, connection


def forecast_response(timestamp_us: int) -> forecast_pb2.StreamForecastsResponse:
    return forecast_pb2.StreamForecastsResponse(forecast=forecast_to_message(forecast(timestamp_us), Encoding.FLOAT32))


def sequences(requests: list[forecast_pb2.StreamForecastsRequest] | None) -> list[int]:
    """Of the frames among what is to be sent."""
    assert requests is not None
    found: list[int] = []
    for request in requests:
        found += [request.frame.sequence] if request.HasField("frame") else []
        found += [sent.sequence for sent in request.frames.frames]
    return found


def pings(requests: list[forecast_pb2.StreamForecastsRequest] | None) -> list[int]:
    """Times that are stamped on the clock pings among what is to be sent."""
    return [request.clock_ping.client_time_us for request in requests or () if request.HasField("clock_ping")]


def pong_response(ping_us: int, received_us: int, sent_us: int, **more: Any) -> forecast_pb2.StreamForecastsResponse:
    pong = forecast_pb2.ClockPong(
        client_time_us=ping_us, server_received_us=received_us, server_sent_us=sent_us, **more
    )
    return forecast_pb2.StreamForecastsResponse(clock_pong=pong)


def test_nothing_is_sent_before_the_server_accepted() -> None:
    core = ClientCore(CONFIG)
    connection = core.begin_connection()
    core.send(frame(0))
    assert core.next_requests(connection, 0.0) == []
    core.receive(connection, ACCEPTED)
    assert sequences(core.next_requests(connection, 0.0)) == [0]


def test_a_dead_connection_sends_nothing_and_is_not_heard() -> None:
    core, old = connected_core()
    assert core.end_connection(old, Unavailable("gone"))
    new = core.begin_connection()
    assert core.next_requests(old, 0.0) is None
    core.receive(old, forecast_response(1))
    assert core.latest("a") is None
    core.receive(new, ACCEPTED)
    core.receive(new, forecast_response(1))
    assert core.latest("a") is not None


def test_a_reconnect_sends_the_window_again() -> None:
    core, connection = connected_core()
    for sent in frames(range(5)):
        core.send(sent)
    core.next_requests(connection, 0.0)
    core.end_connection(connection, Unavailable("gone"))
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    assert sequences(core.next_requests(connection, 0.0)) == [0, 1, 2, 3, 4]
    stats = core.stats()
    assert (stats.sessions, stats.frames_sent, stats.frames_resent) == (2, 5, 5)
    assert isinstance(stats.last_error, Unavailable)


@pytest.mark.parametrize("error", [VersionMismatch("1 and 2"), NotFound("layout"), InvalidInput("K > S")])
def test_a_refused_config_is_final_and_every_call_says_why(error: Exception) -> None:
    core = ClientCore(CONFIG)
    assert not core.end_connection(core.begin_connection(), error)  # type: ignore[arg-type]
    assert core.state is ConnectionState.REFUSED
    for call in (lambda: core.send(frame(0)), lambda: core.next_forecast(1.0), lambda: core.wait_connected(1.0)):
        with pytest.raises(type(error)):
            call()


def test_the_same_error_after_acceptance_only_costs_the_connection() -> None:
    core, connection = connected_core()
    assert core.end_connection(connection, InvalidInput("a bad message"))
    assert core.state is ConnectionState.CONNECTING


def test_a_draining_server_gets_no_more_frames_but_is_still_heard() -> None:
    core, connection = connected_core()
    core.receive(connection, forecast_pb2.StreamForecastsResponse(draining=forecast_pb2.Draining(grace_ms=100)))
    core.send(frame(0))
    assert core.next_requests(connection, 0.0) is None
    core.receive(connection, forecast_response(1))
    assert core.latest("a") is not None
    core.end_connection(connection, Unavailable("drained"))
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    assert core.next_requests(connection, 0.0)


def test_waiting_ends_with_a_typed_error_that_names_the_last_attempt() -> None:
    core = ClientCore(CONFIG)
    core.end_connection(core.begin_connection(), Unavailable("connection refused"))
    with pytest.raises(Unavailable, match="connection refused"):
        core.wait_connected(0.01)
    with pytest.raises(DeadlineExceeded):
        core.next_forecast(0.01)


def test_close_releases_whoever_waits() -> None:
    core, _ = connected_core()
    outcome: list[object] = []
    waiter = threading.Thread(target=lambda: outcome.append(core.next_forecast(None)))
    waiter.start()
    core.close()
    waiter.join(10)
    assert outcome == [None]
    with pytest.raises(FailedPrecondition, match="closed"):
        core.send(frame(0))


def test_wrong_frames_are_refused_where_they_are_handed_over() -> None:
    core, connection = connected_core()
    broken = frame(0)
    assert broken.landmarks is not None
    with pytest.raises(InvalidInput, match="shape"):
        core.send(dataclasses.replace(broken, landmarks=broken.landmarks[:-1]))
    nan = broken.landmarks.copy()
    nan[2, 0] = np.nan
    with pytest.raises(InvalidInput) as refused:
        core.send(dataclasses.replace(broken, landmarks=nan))
    assert refused.value.field == "frame.landmarks[2]"
    assert sequences(core.next_requests(connection, 0.0)) == []


def test_a_config_that_fits_no_message_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="config"):
        ClientCore(SessionConfig(samples=-1))


def test_latency_counts_from_send_to_arrival() -> None:
    now = [0.0]
    core = ClientCore(CONFIG, clock=lambda: now[0])
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    sent = frame(0)
    core.send(sent)
    now[0] = 0.025
    core.receive(connection, forecast_response(sent.timestamp_us))
    assert core.stats().latencies_ms == pytest.approx((25.0,))
    assert core.stats().latency_ms(50) == pytest.approx(25.0)


def test_the_servers_clock_is_asked_five_times_quickly_then_every_two_seconds() -> None:
    now = [100.0]
    core = ClientCore(CONFIG, clock=lambda: now[0], clock_us=lambda: round(now[0] * 1e6) + 7)
    connection = core.begin_connection()
    assert core.next_requests(connection, 0.0) == []
    core.receive(connection, ACCEPTED)
    asked_s = []
    for tenth in range(80):
        now[0] = 100.0 + tenth * 0.100001
        stamps = pings(core.next_requests(connection, 0.0))
        assert stamps in ([], [round(now[0] * 1e6) + 7])
        asked_s += [tenth / 10] * len(stamps)
    assert asked_s == [0.0, 0.2, 0.4, 0.6, 0.8, 2.8, 4.8, 6.8]


def test_a_ping_goes_before_frames_that_wait() -> None:
    core, connection = connected_core()
    core.send(frame(0))
    requests = core.next_requests(connection, 0.0)
    assert requests is not None and requests[0].HasField("clock_ping") and requests[1].frame.sequence == 0


def test_pongs_tell_both_sides_view_of_the_clocks() -> None:
    now_us = [5_000_000]
    core = ClientCore(CONFIG, clock_us=lambda: now_us[0])
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    unknown = core.stats()
    assert (unknown.clock_offset_us, unknown.round_trip_ms, unknown.capture_offset_us) == (None, None, None)
    for _ in range(8):
        sent_us = now_us[0]
        now_us[0] += 900
        core.receive(connection, pong_response(sent_us, sent_us + 70_000_400, sent_us + 70_000_500))
        now_us[0] += 2_000_000
    stats = core.stats()
    assert stats.clock_offset_us == pytest.approx(70_000_000, abs=1)
    assert stats.clock_drift_ppm == pytest.approx(0, abs=1e-3)
    assert stats.round_trip_ms == pytest.approx(0.8)
    assert stats.capture_offset_us is None
    more = {"capture_offset_us": -123, "capture_drift_ppm": 12.5}
    core.receive(connection, pong_response(now_us[0], now_us[0] + 70_000_000, now_us[0] + 70_000_000, **more))
    assert (core.stats().capture_offset_us, core.stats().capture_drift_ppm) == (-123, 12.5)


def test_another_session_may_be_another_servers_with_another_clock() -> None:
    core, connection = connected_core()
    core.receive(connection, pong_response(0, 10**9, 10**9))
    assert core.stats().clock_offset_us is not None
    core.end_connection(connection, Unavailable("gone"))
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    assert core.stats().clock_offset_us is None
    assert len(pings(core.next_requests(connection, 0.0))) == 1


def test_with_a_saver_only_what_is_needed_is_sent_and_the_server_is_told() -> None:
    config = dataclasses.replace(CONFIG, horizon_ms=1000)
    core = ClientCore(config, saver=FrameSaver(every_nth=3, max_silence_ms=400, layout=TINY_LAYOUT))
    assert core.config.frame_saving == FrameSaving(400)
    assert core.config_message.frame_saving.max_silence_ms == 400
    connection = core.begin_connection()
    core.receive(connection, ACCEPTED)
    assert core.send(frame(0))
    told = dataclasses.replace(forecast(frame(0).timestamp_us), futures_m=np.zeros((2, 30, 7, 3), np.float32))
    told = dataclasses.replace(told, spread_m=np.zeros((30, 7), np.float32))
    message = forecast_to_message(told, Encoding.FLOAT16)
    core.receive(connection, forecast_pb2.StreamForecastsResponse(forecast=message))
    assert [core.send(frame(index)) for index in range(1, 7)] == [False, False, True] * 2
    assert sequences(core.next_requests(connection, 0.0)) == [0, 3, 6]
    stats = core.stats()
    assert (stats.frames_sent, stats.frames_saved) == (3, 4)
    assert stats.bytes_saved > 4 * TINY_LAYOUT.joints * 16


def test_a_saver_for_another_layout_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        ClientCore(CONFIG, saver=FrameSaver(every_nth=3))
    assert refused.value.field == "saver.layout"
