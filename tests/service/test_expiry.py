"""Sessions that are silent end, those that say something now and then do not: by the clock, which is the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bridge.config import Settings
from bridge.engine import Dispatcher
from bridge.service import grpc_front, server, zmq_front
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2
from tests.engine.doubles import HoldingEngine
from tests.service_fixtures import (
    CallFailed,
    Connections,
    GrpcClient,
    Player,
    RunningServer,
    ZmqClient,
    config_message,
    frame_message,
    stream_frame,
    wait_until,
)
from tests.support import TINY_LAYOUT

IDLE_S = 3600.0
Client = GrpcClient | ZmqClient


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1e6

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server that lives by the clock and looks at its sessions all the time."""
    monkeypatch.setattr(server, "Dispatcher", partial(Dispatcher, clock_s=clock))
    for front in (grpc_front, zmq_front):
        monkeypatch.setattr(front, "_CHECK_S", 0.02)
    settings = Settings(grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", ops="", session_idle_timeout_s=IDLE_S)
    running = RunningServer(settings, engine=HoldingEngine())
    yield running
    running.stop(grace_ms=0)


def ping(client: Client, number: int) -> None:
    """Ask for the time and wait for the answer."""
    request = forecast_pb2.ClockPing(client_time_us=number)
    client.send(forecast_pb2.StreamForecastsRequest(clock_ping=request))
    while client.receive().clock_pong.client_time_us != number:
        pass


def say_frame(client: Client) -> None:
    client.send(stream_frame(frame_message(TINY_LAYOUT, "a", 0)))


def say_settings(client: Client) -> None:
    config = forecast_pb2.AvatarConfig(avatar_id="a", samples=4)
    client.send(forecast_pb2.StreamForecastsRequest(avatar_config=config))


def say_ping(client: Client) -> None:
    client.send(forecast_pb2.StreamForecastsRequest(clock_ping=forecast_pb2.ClockPing(client_time_us=1)))


def say_heartbeat(client: Client) -> None:
    assert isinstance(client, ZmqClient)
    client.send_envelope(envelope_pb2.ClientEnvelope(heartbeat=envelope_pb2.Heartbeat()))


SIGNS_OF_LIFE: dict[str, tuple[str, Callable[[Client], None]]] = {
    "grpc frame": ("grpc", say_frame),
    "grpc settings": ("grpc", say_settings),
    "grpc ping": ("grpc", say_ping),
    "zmq frame": ("zmq", say_frame),
    "zmq settings": ("zmq", say_settings),
    "zmq ping": ("zmq", say_ping),
    "zmq heartbeat": ("zmq", say_heartbeat),
}


@pytest.mark.parametrize("sign", SIGNS_OF_LIFE)
def test_silent_session_ends_and_one_that_gives_a_sign_of_life_does_not(
    running: RunningServer, clock: Clock, connect: Connections, sign: str
) -> None:
    transport, give_sign = SIGNS_OF_LIFE[sign]
    silent, lively = (connect.over(transport, running.endpoints) for _ in range(2))
    Player(silent, TINY_LAYOUT, client_name="silent")
    Player(lively, TINY_LAYOUT, client_name="lively")
    (session,) = [one for one in running.sessions if one.config.client_name == "lively"]
    clock.now_s += 0.9 * IDLE_S
    give_sign(lively)
    wait_until(lambda: session.idle_s() == 0.0)
    clock.now_s += 0.2 * IDLE_S
    assert ended_for_silence(silent)
    running.wait_for_sessions(1)
    ping(lively, 7)
    clock.now_s += 1.1 * IDLE_S
    assert ended_for_silence(lively)
    running.wait_for_sessions(0)


def ended_for_silence(client: Client) -> bool:
    """Whether the next that is heard is the end, told with its reason."""
    while True:
        try:
            client.receive()
        except CallFailed as error:
            assert error.session_ended
            assert error.detail.field == "session"
            return error.detail.code == forecast_pb2.ERROR_CODE_UNAVAILABLE


def test_a_connection_whose_session_has_ended_may_open_another(
    running: RunningServer, clock: Clock, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, running.endpoints)
    first = Player(client, TINY_LAYOUT).accepted
    clock.now_s += 1.1 * IDLE_S
    assert ended_for_silence(client)
    again = connect.grpc(running.endpoints) if transport == "grpc" else client
    second = Player(again, TINY_LAYOUT).accepted
    assert second.session_id != first.session_id


def test_single_forecasts_need_no_session_and_never_expire(
    running: RunningServer, clock: Clock, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, running.endpoints)
    assert client.model_info().layout_id == TINY_LAYOUT.id
    clock.now_s += 10 * IDLE_S
    assert client.model_info().layout_id == TINY_LAYOUT.id


def test_silent_zmq_client_is_asked_whether_it_is_there(
    running: RunningServer, clock: Clock, connect: Connections
) -> None:
    client = connect.zmq(running.endpoints)
    config = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT))
    client.send(config)
    assert client.receive_envelope().stream.HasField("accepted")
    clock.now_s += 10.0
    answer = client.receive_envelope()
    assert answer.HasField("heartbeat")
    assert answer.request_id == 0
