"""The engine that really computes, with a small network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.engine.local import LocalEngine
from bridge.errors import CheckpointError, InvalidInput
from bridge.forecaster.results import ForecastResult
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.engine.bodies import body_without_extent, moving_request, moving_snapshot, request_for
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)


def test_engine_says_what_its_weights_serve(weights: Path) -> None:
    info = LocalEngine.load(weights, device="cpu").info
    assert info.layout == TINY_LAYOUT
    assert info.rate_hz == 30.0
    assert info.context_frames == 13
    assert info.device == "cpu"
    assert not info.padded
    assert "pcn" in info.refinement
    assert len(info.weights_id) == 64


def test_every_window_of_a_batch_gets_the_forecast_it_would_get_alone(weights: Path) -> None:
    engine = LocalEngine.load(weights, device="cpu", threads=1)
    requests = [moving_request(seed) for seed in range(3)]
    together = engine.infer(requests, 1e12)
    for one, result in zip(requests, together, strict=True):
        (alone,) = engine.infer([one], 1e12)
        assert isinstance(result, ForecastResult)
        assert isinstance(alone, ForecastResult)
        assert result.futures_m.shape == (one.futures, one.horizon_frames, TINY_LAYOUT.joints, 3)
        np.testing.assert_allclose(result.samples_m, alone.samples_m, atol=1e-5)
    first, second, _ = together
    assert isinstance(first, ForecastResult)
    assert isinstance(second, ForecastResult)
    assert not np.allclose(first.samples_m, second.samples_m)


def test_a_snapshot_that_makes_no_window_spoils_only_its_own_request(weights: Path) -> None:
    engine = LocalEngine.load(weights, device="cpu", threads=1)
    foreign = moving_snapshot(layout=MEDIAPIPE_POSE_33)
    batch = [moving_request(0), request_for(body_without_extent()), request_for(foreign), moving_request(1)]
    first, without_extent, of_another_layout, last = engine.infer(batch, 1e12)
    assert isinstance(first, ForecastResult)
    assert isinstance(last, ForecastResult)
    assert isinstance(without_extent, InvalidInput)
    assert isinstance(of_another_layout, InvalidInput)
    assert of_another_layout.field == "layout_id"


def test_a_batch_of_nothing_but_faulty_requests_is_answered(weights: Path) -> None:
    (only,) = LocalEngine.load(weights, device="cpu").infer([request_for(body_without_extent())], 1e12)
    assert isinstance(only, InvalidInput)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        LocalEngine.load(tmp_path / "nowhere.safetensors")


def test_device_that_is_not_there_is_named(weights: Path) -> None:
    with pytest.raises(InvalidInput, match="cuda:99"):
        LocalEngine.load(weights, device="cuda:99")


def test_scores_get_the_first_samples_and_the_likelihood_only_where_they_are_wanted(weights: Path) -> None:
    engine = LocalEngine.load(weights, device="cpu", threads=1)
    plain = request_for(moving_snapshot(0), samples=6)
    scored = replace(plain, scored_samples=4, scored_steps=2, wants_likelihood=True, keep_samples=True)
    without, wanted = engine.infer([plain, scored], 1e12)
    assert isinstance(without, ForecastResult)
    assert isinstance(wanted, ForecastResult)
    assert without.scored_m is None
    assert without.one_step is None
    assert wanted.scored_m is not None
    assert wanted.scored_m.shape == (4, 2, TINY_LAYOUT.joints, 3)
    np.testing.assert_allclose(wanted.scored_m, wanted.samples_m[:4, :2], atol=2e-3)
    assert wanted.one_step is not None
    assert np.isfinite(wanted.one_step.log_density)
    np.testing.assert_allclose(without.futures_m, wanted.futures_m, atol=1e-5)
