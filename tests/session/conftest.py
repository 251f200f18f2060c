from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.engine import Batcher, Dispatcher
from bridge.engine.local import LocalEngine
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    weights = tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)
    return LocalEngine.load(weights, device="cpu", threads=1)


@pytest.fixture
def dispatcher(engine: LocalEngine) -> Iterator[Dispatcher]:
    """A small real network behind a running dispatcher."""
    dispatcher = Dispatcher([engine], Batcher(max_wait_ms=0.0))
    dispatcher.start()
    yield dispatcher
    assert dispatcher.stop()
