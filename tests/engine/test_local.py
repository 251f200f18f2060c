"""The engine that really computes, with a small network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.engine import EngineRequest
from bridge.engine.local import LocalEngine
from bridge.errors import CheckpointError, InvalidInput
from tests.engine.doubles import request
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
    assert "pcn" in info.refinement
    assert len(info.weights_id) == 64


def test_every_window_of_a_batch_gets_the_forecast_it_would_get_alone(weights: Path) -> None:
    engine = LocalEngine.load(weights, device="cpu", threads=1)
    requests = [moving_request(seed) for seed in range(3)]
    together = engine.infer(requests)
    for one, result in zip(requests, together, strict=True):
        (alone,) = engine.infer([one])
        assert result.futures_m.shape == (one.futures, one.horizon_frames, TINY_LAYOUT.joints, 3)
        np.testing.assert_allclose(result.samples_m, alone.samples_m, atol=1e-5)
    assert not np.allclose(together[0].samples_m, together[1].samples_m)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        LocalEngine.load(tmp_path / "nowhere.safetensors")


def test_device_that_is_not_there_is_named(weights: Path) -> None:
    with pytest.raises(InvalidInput, match="cuda:99"):
        LocalEngine.load(weights, device="cuda:99")


def moving_request(seed: int) -> EngineRequest:
    one = request(str(seed))
    rng = np.random.default_rng(seed)
    pose_m = TINY_LAYOUT.template + rng.normal(scale=0.05, size=(13, TINY_LAYOUT.joints, 3)).cumsum(axis=0) * 0.2
    observed = np.ones(pose_m.shape[:2], np.bool_)
    moved = replace(one.window, pose_m=pose_m.astype(np.float32), observed=observed, bridged=np.zeros(13, np.bool_))
    return replace(one, window=moved, seed=seed)
