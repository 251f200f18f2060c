from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.config import Settings
from tests.engine.doubles import HoldingEngine
from tests.service_fixtures import TRANSPORTS, RunningServer


@pytest.fixture
def server() -> Iterator[RunningServer]:
    """A real server with both fronts, in this process; its engine holds the last pose."""
    running = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=HoldingEngine())
    yield running
    running.stop(grace_ms=0)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def address(server: RunningServer, transport: str) -> str:
    """Where the server listens, by both transports in turn."""
    where: str = getattr(server.endpoints, transport)
    return where
