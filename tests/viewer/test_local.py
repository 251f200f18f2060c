"""Forecasts of the moment that is shown, by a small untrained network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bridge.forecaster import Forecaster
from bridge.frames import Frame
from bridge.viewer import History, LocalForecasts, Readouts
from tests.service_fixtures import wait_until
from tests.support import tiny_weights
from tests.viewer.motion import FRAME_US, swaying

ROWS = 60


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    return Forecaster.load(tiny_weights(tmp_path_factory.mktemp("weights")), device="cpu", threads=1)


def frames_of(name: str, lost: tuple[int, ...] = ()) -> list[Frame]:
    return [Frame(name, row, 1 + row * FRAME_US, None if row in lost else swaying(row / 6)) for row in range(ROWS)]


def at(row: int) -> int:
    return 1 + row * FRAME_US


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def forecasts(forecaster: Forecaster, history: History) -> Iterator[LocalForecasts]:
    performances = {"a": frames_of("a"), "b": frames_of("b", lost=(40, 41))}
    local = LocalForecasts(forecaster, performances, history, Readouts(), samples=6, futures=3, horizon_ms=300)
    local.start()
    yield local
    local.stop()
    assert local.error is None


def test_the_moment_that_is_shown_is_forecast_for_every_avatar(forecasts: LocalForecasts, history: History) -> None:
    forecasts.want(at(30) + 5_000)
    wait_until(lambda: history.has_forecast("a", at(30)) and history.has_forecast("b", at(30)))
    found = history.moment("a", at(30)).forecast
    assert found is not None
    assert found[1].futures_m.shape == (3, 4, 33, 3)
    np.testing.assert_allclose(found[1].probabilities.sum(), 1.0, atol=1e-5)
    assert not history.has_forecast("a", at(29))


def test_there_is_none_before_a_full_window_and_where_nobody_was_seen(
    forecasts: LocalForecasts, history: History
) -> None:
    forecasts.want(at(5))
    forecasts.want(at(40))
    wait_until(lambda: history.has_forecast("a", at(40)))
    assert not history.has_forecast("a", at(5))
    assert not history.has_forecast("b", at(40))


def test_seeking_back_and_forth_gives_what_playing_gives(
    forecasts: LocalForecasts, history: History, forecaster: Forecaster
) -> None:
    for row in (50, 20, 21, 55, 20):
        forecasts.want(at(row))
        wait_until(lambda row=row: history.has_forecast("a", at(row)))  # type: ignore[misc]
    played = History()
    other = LocalForecasts(forecaster, {"a": frames_of("a")}, played, Readouts(), samples=6, futures=3, horizon_ms=300)
    other.start()
    for row in range(10, 56):
        other.want(at(row))
        if row in (20, 21, 50, 55):
            wait_until(lambda row=row: played.has_forecast("a", at(row)))  # type: ignore[misc]
    other.stop()
    for row in (20, 21, 50, 55):
        one, two = history.moment("a", at(row)).forecast, played.moment("a", at(row)).forecast
        assert one is not None and two is not None
        np.testing.assert_allclose(one[1].futures_m, two[1].futures_m, atol=2e-3)


def test_all_that_was_drawn_can_be_had_on_demand(forecasts: LocalForecasts, history: History) -> None:
    forecasts.want(at(30))
    wait_until(lambda: history.has_forecast("a", at(30)))
    assert forecasts.samples_at("a", at(30), 200) is None
    forecasts.want(at(30), keep_samples=True)
    wait_until(lambda: forecasts.samples_at("a", at(30), 200) is not None)
    samples = forecasts.samples_at("a", at(30), 200)
    assert samples is not None and samples.shape == (6, 33, 3)
    assert forecasts.samples_at("a", at(50), 200) is None
    assert forecasts.samples_at("nobody", at(30), 200) is None
