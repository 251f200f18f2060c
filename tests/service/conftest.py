from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.config import Settings
from bridge.skeleton import Layout
from tests.service_fixtures import TRANSPORTS, Connections, GrpcClient, Player, RunningServer, ZmqClient
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server with a small real network for all tests that leave it as they found it."""
    weights = tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)
    running = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", weights=weights, threads=1))
    yield running
    running.stop()


@pytest.fixture
def layout(server: RunningServer) -> Layout:
    return TINY_LAYOUT


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def connect() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()


@pytest.fixture
def client(server: RunningServer, transport: str, connect: Connections) -> GrpcClient | ZmqClient:
    return connect.over(transport, server.endpoints)


@pytest.fixture
def player(client: GrpcClient | ZmqClient, layout: Layout) -> Player:
    """A session with one avatar, "bystander", that gets forecasts."""
    player = Player(client, layout)
    player.fill_windows("bystander")
    return player


@pytest.fixture
def other_player(server: RunningServer, transport: str, layout: Layout, connect: Connections) -> Player:
    """The same on a connection of its own."""
    player = Player(connect.over(transport, server.endpoints), layout, client_name="other")
    player.fill_windows("bystander")
    return player
