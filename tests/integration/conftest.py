from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_fixtures import Connections, ServeCommand
from tests.support import tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def served(weights: Path, tmp_path: Path) -> Iterator[ServeCommand]:
    """``pose-bridge serve`` in a process of its own, ready."""
    command = ServeCommand(tmp_path, "--weights", str(weights), "--threads", "1")
    command.wait_until_ready()
    yield command
    command.kill()


@pytest.fixture(scope="module")
def shared_server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeCommand]:
    """The same, for all tests of a file that leave it as they found it."""
    command = ServeCommand(tmp_path_factory.mktemp("served"), "--weights", str(weights), "--threads", "1")
    command.wait_until_ready()
    yield command
    command.kill()


@pytest.fixture
def connect() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()
