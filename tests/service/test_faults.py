"""Clients killed, stalled, slow or in crowds, a full disk, a lost engine: the others go on and nothing leaks."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import limits
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from tests.service.stage import LAYOUT, Stage
from tests.service.streaming_child import start_streaming_child
from tests.service.vitals import is_alive
from tests.service_fixtures import (
    PATIENCE_S,
    TRANSPORTS,
    GrpcClient,
    Player,
    ServeCommand,
    frame_message,
    wait_until,
)
from tests.support import tiny_weights

PORTS = ("grpc", "zmq", "ops")
# The largest forecasts there are, so that the transport's buffers fill soon: 570 KB each.
LARGE = {
    "samples": 16,
    "futures": 16,
    "horizon_ms": 3000,
    "encoding": pose_pb2.DATA_TYPE_FLOAT32,
    "forecast_rate_hz": 240.0,
    "deadline_ms": 60_000,
}


@pytest.fixture(scope="module")
def null_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all faults that it survives."""
    stage = Stage(tmp_path_factory.mktemp("stage"), "--engine", "null")
    yield stage
    stage.stop()


@pytest.fixture
def stage(null_stage: Stage) -> Iterator[Stage]:
    with null_stage.fault():
        yield null_stage


def connect_to(stage: Stage, port: str) -> socket.socket:
    host, _, number = getattr(stage.endpoints, port).removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(number)), timeout=PATIENCE_S)


# -- peers that die


def test_client_killed_mid_stream(stage: Stage, transport: str) -> None:
    children = [start_streaming_child(transport, stage.endpoints) for _ in range(2)]
    stage.expect_forecasts(3)
    for child in children:
        child.kill()
        child.wait()
        stage.expect_forecasts(3)


def test_peer_of_the_ops_port_killed_in_the_middle_of_answers(stage: Stage) -> None:
    host, _, port = stage.endpoints.ops.rpartition(":")
    greedy = (
        "import socket, time\n"
        f"peers = [socket.create_connection(({host!r}, {port})) for _ in range(20)]\n"
        "for peer in peers: peer.sendall(b'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' * 50)\n"
        "print('asked', flush=True)\n"
        "time.sleep(3600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", greedy], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "asked\n"
    stage.expect_forecasts(3)
    child.kill()
    child.communicate()
    stage.expect_forecasts(3)


# -- peers that are slow


def test_reader_that_stalls(stage: Stage, transport: str) -> None:
    client = (
        stage.connections.grpc(stage.endpoints)
        if transport == "grpc"
        else stage.connections.zmq(stage.endpoints, receive_queue=4)
    )
    Player(client, LAYOUT, client_name="stalled", **LARGE)
    if isinstance(client, GrpcClient):
        client.pause_reading()

    def send(first: int, count: int) -> None:
        for index in range(first, first + count):
            frames = [frame_message(LAYOUT, name, index, fps=240.0) for name in "abcd"]
            client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
            if index % 50 == 0:
                stage.expect_forecasts(1)

    send(0, 400)
    filled_bytes = stage.vitals.rss_bytes()
    send(400, 500)  # 1.1 GB of forecasts, if they were kept
    assert stage.vitals.rss_bytes() < filled_bytes + 64 * 2**20
    client.vanish()


BEGINNINGS = {
    "grpc": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4),
    "zmq": b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31),
    "ops": b"GET /metrics HTTP/1.1\r\nHost: somewhere\r\nX-Slow: " + b"z" * 4000,
}


class SlowTalkers:
    """Connections on which bytes of what a protocol begins with drip, for ever short of its end."""

    def __init__(self, stage: Stage, port: str, count: int) -> None:
        self._beginning = BEGINNINGS[port]
        self._said = 0
        self._open = [connect_to(stage, port) for _ in range(count)]
        for connection in self._open:
            connection.setblocking(False)

    def drip(self) -> int:
        """Say one more byte everywhere; return how many connections the server has not yet closed."""
        for connection in list(self._open):
            try:
                if self._said < len(self._beginning) - 1:
                    connection.send(self._beginning[self._said : self._said + 1])
                if connection.recv(4096) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            except OSError:
                connection.close()
                self._open.remove(connection)
        self._said += 1
        return len(self._open)

    def close(self) -> None:
        for connection in self._open:
            connection.close()


@pytest.mark.parametrize("port", PORTS)
def test_slow_loris(stage: Stage, port: str) -> None:
    talkers = SlowTalkers(stage, port, 200)
    for _ in range(10):
        talkers.drip()
        stage.expect_forecasts(1)
    stage.expect_welcome()
    assert json.loads(stage.vitals.get("/healthz")) == {"status": "ok"}
    talkers.close()


def test_slow_loris_is_hung_up_on_by_every_port(stage: Stage) -> None:
    talkers = [SlowTalkers(stage, port, 20) for port in PORTS]
    while sum(each.drip() for each in talkers) > 0:
        stage.expect_forecasts(1)
        time.sleep(0.2)


# -- peers that come in crowds


@pytest.mark.parametrize("port", PORTS)
def test_thousand_connection_attempts_a_second(stage: Stage, port: str) -> None:
    kept: list[socket.socket] = []

    def flood() -> None:
        due_s = time.monotonic()
        for number in range(1000):
            connection = connect_to(stage, port)
            if number % 3 == 0:  # reset at once
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 10 == 1:
                kept.append(connection)
            else:
                connection.close()
            due_s += 0.001
            time.sleep(max(0.0, due_s - time.monotonic()))

    flooding = threading.Thread(target=flood)
    flooding.start()
    while flooding.is_alive():
        stage.expect_forecasts(1)
    flooding.join()
    assert len(kept) == 100
    stage.expect_forecasts()
    for connection in kept:
        connection.close()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_sender_that_is_faster_than_the_server_must_wait(stage: Stage, transport: str) -> None:
    client = stage.connections.over(transport, stage.endpoints)
    Player(client, LAYOUT, client_name="flood")
    frames = [frame_message(LAYOUT, f"avatar-{number}", 0) for number in range(limits.MAX_AVATARS_PER_SESSION)]
    before_bytes = stage.vitals.rss_bytes()
    for index in range(1000):  # 560 MB
        for frame in frames:
            frame.sequence = index
            frame.timestamp_us = 1_000_000 + index * 33_333
        client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
        if index % 50 == 0:
            stage.expect_forecasts(1)
            assert stage.vitals.rss_bytes() < before_bytes + 300 * 2**20
    client.vanish()


# -- the end


def test_sigterm_under_load(tmp_path: Path) -> None:
    grace_ms = 1000
    stage = Stage(tmp_path, "--engine", "null", "--grace-ms", str(grace_ms))
    children = [start_streaming_child(transport, stage.endpoints) for transport in TRANSPORTS]
    stalled = stage.connections.grpc(stage.endpoints)
    Player(stalled, LAYOUT, client_name="stalled")
    stalled.pause_reading()
    stage.expect_forecasts(1)
    stage.command.process.terminate()
    for bystander in stage.bystanders:
        wait_until(lambda one=bystander: one.failure is not None)  # type: ignore[misc]
        assert bystander.draining is not None
        assert bystander.draining.grace_ms == grace_ms
    assert stage.command.process.wait(grace_ms / 1000 + PATIENCE_S) == 0
    for child in children:
        child.kill()
        child.communicate()
    stage.stop()


def test_sigterm_with_a_crowd_of_half_open_connections(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "--engine", "null", "--grace-ms", "0")
    talkers = [SlowTalkers(stage, port, 20) for port in PORTS]
    for _ in range(5):
        for each in talkers:
            each.drip()
    stage.command.process.terminate()
    assert stage.command.process.wait(PATIENCE_S) == 0
    for each in talkers:
        each.close()
    stage.stop()


# -- what the server itself needs


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_disk_full_for_the_log(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "--engine", "null", log_file=Path("/dev/full"))
    for _ in range(5):
        stage.expect_welcome()
        stage.expect_forecasts(1)
    assert stage.vitals.metrics()["posebridge_log_records_lost_total"] > 0
    stage.vitals.expect_no_more_than(stage.before)
    stage.command.process.terminate()
    assert stage.command.process.wait(PATIENCE_S) == 0
    assert Path("/dev/full").is_char_device()
    stage.stop()


@pytest.fixture
def engine_stage(tmp_path: Path) -> Iterator[Stage]:
    """A server whose engine is a real one, in a process of its own."""
    stage = Stage(tmp_path, "--engine-placement", "process", "--weights", str(tiny_weights(tmp_path)), "--threads", "1")
    yield stage
    stage.stop()


def test_engine_process_killed_comes_back_and_ends_with_the_server(engine_stage: Stage) -> None:
    stage = engine_stage
    for _ in range(2):
        (engine,) = stage.vitals.children()
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda gone=engine: not is_alive(gone))  # type: ignore[misc]
        stage.expect_forecasts(3)
        # Who had a forecast under way was told, unless it could wait for the next process.
        for fault in [fault for bystander in stage.bystanders for fault in bystander.frame_errors]:
            assert fault.error.code == forecast_pb2.ERROR_CODE_UNAVAILABLE
            assert fault.error.retry_after_ms > 0
            assert fault.frame_kept
    assert stage.vitals.metrics()["posebridge_engine_restarts_total"] == 2
    stage.vitals.expect_no_more_than(stage.before)
    (engine,) = stage.vitals.children()
    stage.command.process.terminate()
    assert stage.command.process.wait(PATIENCE_S) == 0
    assert not is_alive(engine)


def test_engine_process_ends_with_a_server_that_is_killed(engine_stage: Stage) -> None:
    (engine,) = engine_stage.vitals.children()
    engine_stage.command.process.kill()
    wait_until(lambda: not is_alive(engine))


def test_second_server_on_ports_in_use_leaves_the_first_alone(stage: Stage, tmp_path: Path) -> None:
    second = ServeCommand(tmp_path, "--engine", "null", "--ops", stage.endpoints.ops)
    assert second.process.wait(PATIENCE_S) != 0
    second.kill()
