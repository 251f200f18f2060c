from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from bridge.client.core import ClientCore
from bridge.client.stats import ConnectionState
from bridge.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound, Unavailable, VersionMismatch
from bridge.wire.codec import accepted_to_message, forecast_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Encoding, SessionAccepted, SessionConfig
from tests.client.helpers import CONFIG, forecast, frame, frames

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


def test_nothing_is_sent_before_the_server_accepted() -> None:
    core = ClientCore(CONFIG)
    connection = core.begin_connection()
    core.send(frame(0))
    assert core.next_requests(connection, 0.0) == []
    core.receive(connection, ACCEPTED)
    requests = core.next_requests(connection, 0.0)
    assert requests is not None and requests[0].frame.sequence == 0


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
    requests = core.next_requests(connection, 0.0)
    assert requests is not None
    assert [sent.sequence for sent in requests[0].frames.frames] == [0, 1, 2, 3, 4]
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
    assert core.next_requests(connection, 0.0) == []


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
