"""SIGTERM's inner half: announce, answer what came in before, refuse what is new, leave nothing behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bridge.config import Settings
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.engine.doubles import Gate, HoldingEngine
from tests.service_fixtures import (
    CallFailed,
    Connections,
    Player,
    RunningServer,
    StreamEnded,
    config_message,
    frame_message,
)
from tests.support import TINY_LAYOUT

SETTINGS = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def running(gate: Gate) -> Iterator[RunningServer]:
    running = RunningServer(SETTINGS, engine=HoldingEngine(before=gate))
    yield running
    gate.open()
    running.stop(grace_ms=0)


def test_draining_is_announced_what_is_under_way_is_answered_and_the_stream_ends(
    running: RunningServer, gate: Gate, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, running.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    stopping = running.stop_in_background(grace_ms=20_000)
    response = client.receive()
    assert response.WhichOneof("payload") == "draining"
    assert response.draining.grace_ms == 20_000
    gate.open()
    assert player.forecast_after("a", 0).based_on_sequence == player.accepted.context_frames - 1
    if transport == "grpc":
        with pytest.raises(StreamEnded):
            client.receive()
    else:
        with pytest.raises(CallFailed) as caught:
            client.receive()
        assert caught.value.session_ended
        assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAVAILABLE
    stopping.join()


def test_new_work_is_refused_while_draining(
    running: RunningServer, gate: Gate, transport: str, connect: Connections
) -> None:
    old, new = (connect.over(transport, running.endpoints) for _ in range(2))
    player = Player(old, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    stopping = running.stop_in_background(grace_ms=20_000)
    assert old.receive().WhichOneof("payload") == "draining"
    with pytest.raises(CallFailed) as caught:
        Player(new, TINY_LAYOUT)
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAVAILABLE
    frames = [frame_message(TINY_LAYOUT, "a", index) for index in range(20)]
    with pytest.raises(CallFailed) as caught:
        new.forecast(forecast_pb2.ForecastRequest(config=config_message(TINY_LAYOUT), frames=frames))
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAVAILABLE
    gate.open()
    stopping.join()


def test_health_says_not_serving_before_the_streams_end(
    running: RunningServer, gate: Gate, connect: Connections
) -> None:
    client = connect.over("grpc", running.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    with grpc.insecure_channel(running.endpoints.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        service = health_pb2.HealthCheckRequest(service="posebridge.v1.ForecastService")
        assert health.Check(service).status == health_pb2.HealthCheckResponse.SERVING
        stopping = running.stop_in_background(grace_ms=20_000)
        assert client.receive().WhichOneof("payload") == "draining"
        assert health.Check(service).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    gate.open()
    stopping.join()


def test_grace_bounds_the_wait_for_a_forecast_that_does_not_come(
    running: RunningServer, gate: Gate, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, running.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    stopping = running.stop_in_background(grace_ms=50)
    running.wait_for_sessions(0)  # cut off although the engine still computes
    gate.open()
    stopping.join()


def test_server_leaves_no_thread_and_no_open_file_behind(connect: Connections) -> None:
    def live_through() -> None:
        running = RunningServer(SETTINGS, engine=HoldingEngine())
        for transport in ("grpc", "zmq"):
            client = connect.over(transport, running.endpoints)
            player = Player(client, TINY_LAYOUT)
            player.fill_windows("a")
            client.close()
        left_open = connect.over("zmq", running.endpoints)
        Player(left_open, TINY_LAYOUT)
        running.stop(grace_ms=100)
        left_open.close()

    live_through()  # what grpc's core keeps for the life of the process comes with the first
    threads, files = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        live_through()
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= files
