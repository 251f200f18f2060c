from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.engine import EngineInfo, EngineRequest
from bridge.engine.costs import CostModel
from bridge.engine.null import NullEngine
from bridge.engine.warmup import standing_body, warm_up
from bridge.errors import BridgeError, InvalidInput
from bridge.forecaster.results import ForecastResult
from tests.support import TINY_LAYOUT


class _Recording:
    """A null engine that remembers the sizes of its batches, padded if told so; ``faulty`` answers with an error."""

    def __init__(self, *, padded: bool = False, faulty: bool = False) -> None:
        self._null = NullEngine(TINY_LAYOUT)
        self._padded, self._faulty = padded, faulty
        self.sizes: list[int] = []

    @property
    def info(self) -> EngineInfo:
        return replace(self._null.info, padded=self._padded)

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        self.sizes.append(len(batch))
        return [InvalidInput("no")] * len(batch) if self._faulty else self._null.infer(batch, deadline_s)

    def close(self) -> None:
        pass


def test_costs_are_known_afterwards() -> None:
    costs = CostModel()
    warm_up(NullEngine(TINY_LAYOUT), costs)
    assert costs.predict_s(1, 32, 30) > 0
    assert costs.predict_s(64, 32, 30) > 0


def test_every_size_runs_once_before_it_is_timed() -> None:
    engine = _Recording()
    warm_up(engine, CostModel())
    assert sorted(set(engine.sizes)) == [1, 4, 16]
    assert all(engine.sizes.count(size) > 1 for size in engine.sizes)


def test_an_engine_that_records_graphs_records_each_bucket() -> None:
    engine = _Recording(padded=True)
    warm_up(engine, CostModel(padded=True))
    assert sorted(set(engine.sizes)) == [1, 2, 4, 8, 16]


def test_an_engine_that_does_not_compute_is_noticed() -> None:
    with pytest.raises(InvalidInput):
        warm_up(_Recording(faulty=True), CostModel())


def test_the_body_that_stands_makes_a_window_with_a_root() -> None:
    window = standing_body(NullEngine().info).window()
    assert window.observed.all()
    assert not window.bridged.any()
    assert window.root_m is not None
