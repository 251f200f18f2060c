from __future__ import annotations

from pathlib import Path

import pytest

from bridge.engine import opening
from bridge.engine.local import LocalEngine
from bridge.engine.null import NullEngine
from bridge.engine.opening import open_engines
from bridge.engine.process import ProcessEngine
from bridge.errors import CheckpointError, FailedPrecondition
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)


def test_placement_says_where_the_engine_runs(weights: Path) -> None:
    (in_thread,) = open_engines(weights=weights, device="cpu", threads=1, placement="thread")
    (in_process,) = open_engines(weights=weights, device="cpu", threads=1, placement="process")
    try:
        assert isinstance(in_thread, LocalEngine)
        assert isinstance(in_process, ProcessEngine)
        assert in_thread.info == in_process.info
    finally:
        in_process.close()


def test_null_engine_needs_no_weights(tmp_path: Path) -> None:
    (engine,) = open_engines(engine="null", weights=tmp_path / "nowhere", placement="process")
    assert isinstance(engine, NullEngine)


@pytest.mark.parametrize("placement", ["thread", "process"])
def test_weights_that_are_not_there_are_named_wherever_they_are_loaded(tmp_path: Path, placement: str) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        open_engines(weights=tmp_path / "nowhere.safetensors", placement=placement)


def test_where_there_can_be_no_child_process_only_who_insists_is_refused(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise FailedPrecondition("needs POSIX")

    monkeypatch.setattr(opening, "ProcessEngine", refuse)
    (engine,) = open_engines(weights=weights, device="cpu", threads=1)
    assert isinstance(engine, LocalEngine)
    with pytest.raises(FailedPrecondition):
        open_engines(weights=weights, device="cpu", threads=1, placement="process")


class _OfSeveralGpus:
    """Stands in for a child on a machine with three GPUs; the last one does not load."""

    opened: list[_OfSeveralGpus]

    def __init__(self, weights: Path | None, *, device: str, threads: int | None, telemetry: object) -> None:
        if device in self.broken:
            raise CheckpointError("does not load")
        self.gpus, self.device, self.closed = 3, device, False
        self.opened.append(self)

    broken: tuple[str, ...] = ()

    def close(self) -> None:
        self.closed = True


def test_auto_takes_one_process_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_OfSeveralGpus, "opened", [], raising=False)
    monkeypatch.setattr(opening, "ProcessEngine", _OfSeveralGpus)
    open_engines(placement="process")
    assert sorted(engine.device for engine in _OfSeveralGpus.opened) == ["auto", "cuda:1", "cuda:2"]
    open_engines(device="cuda:1", placement="process")
    assert [engine.device for engine in _OfSeveralGpus.opened[3:]] == ["cuda:1"]


def test_if_one_of_several_does_not_start_none_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_OfSeveralGpus, "opened", [], raising=False)
    monkeypatch.setattr(_OfSeveralGpus, "broken", ("cuda:1",))
    monkeypatch.setattr(opening, "ProcessEngine", _OfSeveralGpus)
    with pytest.raises(CheckpointError):
        open_engines(placement="process")
    assert len(_OfSeveralGpus.opened) == 2
    assert all(engine.closed for engine in _OfSeveralGpus.opened)
