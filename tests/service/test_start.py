"""What keeps a server from starting is said clearly, and leaves nothing running."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.config import Settings
from bridge.errors import BridgeError, CheckpointError, InvalidInput, Unavailable
from bridge.service.zmq_front import ZmqFront
from bridge.session import SessionRegistry
from tests.engine.doubles import HoldingEngine
from tests.service_fixtures import Connections, Player, RunningServer
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("posebridge")]


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_grpc_port_in_use_is_named(busy_port: int) -> None:
    with pytest.raises(Unavailable, match="in use") as caught:
        RunningServer(Settings(ops="", grpc=f"127.0.0.1:{busy_port}", zmq=""), engine=HoldingEngine())
    assert str(busy_port) in caught.value.problem
    assert caught.value.field == "grpc"


def test_zmq_port_in_use_is_named_and_the_grpc_front_is_taken_down_again(busy_port: int) -> None:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq=f"tcp://127.0.0.1:{busy_port}")
    with pytest.raises(Unavailable, match="in use") as caught:
        RunningServer(settings, engine=HoldingEngine())
    assert str(busy_port) in caught.value.problem
    assert caught.value.field == "zmq"


def test_second_server_on_the_ports_of_the_first_is_refused_and_the_first_goes_on(
    tmp_path: Path, connect: Connections
) -> None:
    first = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq=f"ipc://{tmp_path}/socket"), engine=HoldingEngine())
    for again in (
        Settings(ops="", grpc=first.endpoints.grpc, zmq=""),
        Settings(ops="", grpc="", zmq=first.endpoints.zmq),
    ):
        with pytest.raises(Unavailable, match="in use"):
            RunningServer(again, engine=HoldingEngine())
    for client in (connect.grpc(first.endpoints), connect.zmq(first.endpoints)):
        Player(client, TINY_LAYOUT).fill_windows("a")
        client.close()
    first.stop()


def test_socket_file_left_by_a_server_that_is_gone_does_no_harm(tmp_path: Path, connect: Connections) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    running = RunningServer(Settings(ops="", grpc="", zmq=f"ipc://{path}"), engine=HoldingEngine())
    client = connect.zmq(running.endpoints)
    Player(client, TINY_LAYOUT).fill_windows("a")
    running.stop()


@pytest.mark.parametrize("address", ["inproc://x", "tcp://", "nonsense", "tcp://no such host:5"])
def test_zmq_front_refuses_what_is_no_address(address: str) -> None:
    registry = SessionRegistry.__new__(SessionRegistry)
    with pytest.raises(BridgeError) as caught:
        ZmqFront(registry, idle_timeout_s=1.0).start(address)
    assert caught.value.field == "zmq"
    assert isinstance(caught.value, InvalidInput | Unavailable)


def test_only_the_fronts_asked_for_listen() -> None:
    running = RunningServer(Settings(ops="", grpc="", zmq="tcp://127.0.0.1:0"), engine=HoldingEngine())
    assert running.endpoints.grpc == ""
    assert running.endpoints.zmq.startswith("tcp://127.0.0.1:")
    running.stop()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere") as caught:
        RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="", weights=tmp_path / "nowhere.safetensors"))
    assert caught.value.field == "weights"


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_corrupt_weights_are_named(tmp_path: Path, damage: str) -> None:
    whole = tiny_weights(tmp_path, TINY_LAYOUT).read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "garbage": b"\x80\x04pickle" * 100, "empty": b""}[damage]
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"broken\.safetensors") as caught:
        RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="", weights=path))
    assert caught.value.field == "weights"
