"""Clients that vanish, or never read: the others do not notice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bridge.config import Settings
from bridge.session import Session
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from tests.engine.doubles import Gate, HoldingEngine
from tests.service_fixtures import (
    CallFailed,
    Connections,
    GrpcClient,
    Player,
    RunningServer,
    frame_message,
)
from tests.support import TINY_LAYOUT

# The largest forecasts that the tiny layout allows, so that the transport's buffers fill soon: 128 KB each.
LARGE = {
    "samples": 16,
    "futures": 16,
    "horizon_ms": 3000,
    "encoding": pose_pb2.DATA_TYPE_FLOAT32,
    "forecast_rate_hz": 240.0,
    "deadline_ms": 60_000,
}
FILLING_PATIENCE_S = 60.0
"""Frames are sent until the pipe is full: how many that takes depends on the machine's buffers."""


@pytest.fixture
def quick_server() -> Iterator[RunningServer]:
    """A server whose engine takes no time."""
    running = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=HoldingEngine())
    yield running
    running.stop(grace_ms=100)


@pytest.fixture
def bystander(quick_server: RunningServer, transport: str, connect: Connections) -> Iterator[Player]:
    client = connect.over(transport, quick_server.endpoints)
    player = Player(client, TINY_LAYOUT, client_name="bystander")
    player.fill_windows("bystander")
    yield player


def test_client_that_vanishes_is_forgotten_and_others_go_on(
    quick_server: RunningServer, bystander: Player, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, quick_server.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.fill_windows("a")
    player.send_frames(["a"], 30)
    client.vanish()
    bystander.expect_forecast("bystander")
    quick_server.wait_for_sessions(1)
    bystander.expect_forecast("bystander")


def test_client_that_vanishes_while_its_forecast_is_computed_is_forgotten(transport: str, connect: Connections) -> None:
    gate = Gate()
    running = RunningServer(
        Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=HoldingEngine(before=gate)
    )
    client, other = (connect.over(transport, running.endpoints) for _ in range(2))
    player, bystander = Player(client, TINY_LAYOUT), Player(other, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    client.vanish()
    gate.open()
    running.wait_for_sessions(1)
    bystander.fill_windows("bystander")
    running.stop()


def _until_nothing_leaves(session: Session) -> Iterator[int]:
    """Count frames to send, slowly enough that each gets a forecast, until no forecast left for 100 frames in a row."""
    most_sent, stuck, index = 0, 0, 0
    gives_up_s = time.monotonic() + FILLING_PATIENCE_S
    while stuck < 100:
        assert time.monotonic() < gives_up_s, "the pipe never filled"
        yield index
        time.sleep(0.004)
        index += 1
        # A message that the transport would not take is counted while it is tried and put back after.
        stuck = stuck + 1 if 0 < session._sent <= most_sent else 0
        most_sent = max(most_sent, session._sent)


def test_client_that_never_reads_costs_one_forecast_per_avatar_and_others_go_on(
    quick_server: RunningServer, bystander: Player, transport: str, connect: Connections
) -> None:
    client = (
        connect.grpc(quick_server.endpoints)
        if transport == "grpc"
        else connect.zmq(quick_server.endpoints, receive_queue=4)
    )
    Player(client, TINY_LAYOUT, **LARGE)
    if isinstance(client, GrpcClient):
        client.pause_reading()
    (session,) = [one for one in quick_server.sessions if one.config.client_name == "test"]
    index = -1
    for index in _until_nothing_leaves(session):
        frames = [frame_message(TINY_LAYOUT, name, index, fps=240.0) for name in "ab"]
        client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
        assert session.waiting <= 2
        if index % 25 == 0:
            bystander.expect_forecast("bystander")
    # It reads again: what waited in the pipe, then the newest of each avatar.
    if isinstance(client, GrpcClient):
        client.resume_reading()
    newest = {"a": -1, "b": -1}
    while min(newest.values()) < index:
        response = client.receive()
        if response.WhichOneof("payload") == "forecast":
            assert response.forecast.based_on_sequence > newest[response.forecast.avatar_id]
            newest[response.forecast.avatar_id] = response.forecast.based_on_sequence


def test_stop_does_not_wait_for_a_client_that_never_reads(transport: str, connect: Connections) -> None:
    running = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=HoldingEngine())
    client = connect.grpc(running.endpoints) if transport == "grpc" else connect.zmq(running.endpoints, receive_queue=4)
    Player(client, TINY_LAYOUT, **LARGE)
    if isinstance(client, GrpcClient):
        client.pause_reading()
    (session,) = running.sessions
    for index in _until_nothing_leaves(session):
        client.send(forecast_pb2.StreamForecastsRequest(frame=frame_message(TINY_LAYOUT, "a", index, fps=240.0)))
    running.stop(grace_ms=100)
    assert running.sessions == []
    client.vanish()


@pytest.mark.parametrize("transport", ["zmq"], indirect=True)
def test_silent_zmq_session_expires_and_says_so(transport: str, connect: Connections) -> None:
    settings = Settings(ops="", grpc="", zmq="tcp://127.0.0.1:0", session_idle_timeout_s=0.3)
    running = RunningServer(settings, engine=HoldingEngine())
    client = connect.zmq(running.endpoints)
    Player(client, TINY_LAYOUT)
    running.wait_for_sessions(0)
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert caught.value.session_ended
    assert caught.value.detail.field == "session"
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAVAILABLE
    running.stop()
