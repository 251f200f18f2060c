from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridge.errors import InvalidInput
from bridge.forecaster import BUNDLED_WEIGHTS, Forecaster, Refinement, pick_device
from bridge.limits import MAX_HORIZON_STEPS, MAX_SAMPLES
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.forecaster.builders import SMALL, rows_of, small_forecaster, window_batch
from tests.support import TINY_LAYOUT, skip_allowed, skip_or_fail, tiny_weights

FORECASTER = small_forecaster()


def _sample(**changes: Any) -> Any:
    given: dict[str, Any] = {"batch": window_batch(2), "horizon_frames": 4, "samples": 3, "seeds": [1, 2]}
    return FORECASTER.sample(**{**given, **changes})


def test_shapes_are_windows_samples_horizon() -> None:
    made = _sample(horizon_frames=7)
    assert made.pose.shape == (2, 3, 7, SMALL.joints, 3) and made.pose.dtype == np.float32
    assert made.root.shape == (2, 3, 7, 3) and made.root.dtype == np.float32
    assert np.isfinite(made.pose).all() and np.isfinite(made.root).all()


def test_default_refinement_is_that_of_the_weights() -> None:
    assert FORECASTER.refinement == Refinement("pcn", 1, 0.3)
    default, named = _sample(), _sample(refinement=FORECASTER.refinement)
    assert np.array_equal(default.pose, named.pose)
    assert not np.array_equal(default.pose, _sample(refinement=Refinement()).pose)


@pytest.mark.parametrize("horizon", [0, -1, MAX_HORIZON_STEPS + 1])
def test_horizon_out_of_range_is_refused(horizon: int) -> None:
    with pytest.raises(InvalidInput, match=f"1 to {MAX_HORIZON_STEPS}") as caught:
        _sample(horizon_frames=horizon)
    assert caught.value.field == "horizon_frames"


@pytest.mark.parametrize("samples", [0, -4, MAX_SAMPLES + 1])
def test_sample_count_out_of_range_is_refused(samples: int) -> None:
    with pytest.raises(InvalidInput, match=f"1 to {MAX_SAMPLES}") as caught:
        _sample(samples=samples)
    assert caught.value.field == "samples"


@pytest.mark.parametrize("seeds", [[], [1], [1, 2, 3]])
def test_seeds_that_do_not_fit_the_windows_are_refused(seeds: list[int]) -> None:
    with pytest.raises(InvalidInput, match="for 2 windows") as caught:
        _sample(seeds=seeds)
    assert caught.value.field == "seeds"


@pytest.mark.parametrize("name", ["pose", "observed", "root", "has_root"])
def test_arrays_of_another_shape_are_refused_by_name(name: str) -> None:
    batch = window_batch(2)
    wrong = np.concatenate([getattr(batch, name)] * 2, axis=min(1, getattr(batch, name).ndim - 1))
    with pytest.raises(InvalidInput, match="expected") as caught:
        _sample(batch=replace(batch, **{name: wrong}))
    assert caught.value.field == f"batch.{name}"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_poses_that_are_not_finite_are_refused(value: float) -> None:
    batch = window_batch(2)
    batch.pose[1, 3, 2, 0] = value
    with pytest.raises(InvalidInput, match="finite") as caught:
        _sample(batch=batch)
    assert caught.value.field == "batch.pose"


def test_no_windows_are_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        _sample(batch=rows_of(window_batch(2), []), seeds=[])


def test_root_of_a_window_without_one_may_be_anything() -> None:
    batch = window_batch(2)
    filled = replace(batch, root=batch.root.copy())
    filled.root[~batch.has_root] = np.nan
    assert np.array_equal(_sample(batch=filled).pose, _sample(batch=batch).pose)


@pytest.mark.parametrize("layout", [TINY_LAYOUT, MEDIAPIPE_POSE_33], ids=lambda layout: layout.id)
def test_loaded_weights_forecast_bodies_of_their_layout(tmp_path: Path, layout: Any) -> None:
    forecaster = Forecaster.load(tiny_weights(tmp_path, layout), device="cpu", threads=1)
    batch = replace(
        window_batch(1),
        pose=np.repeat(layout.template[None, None], forecaster.context_frames, axis=1),
        observed=np.ones((1, forecaster.context_frames, layout.joints), np.bool_),
    )
    made = forecaster.sample(batch, horizon_frames=5, samples=2, seeds=[0])
    assert made.pose.shape == (1, 2, 5, layout.joints, 3)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:x", "", "mps"])
def test_devices_that_are_not_there_are_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(InvalidInput, match="cpu") as caught:
        pick_device(name)
    assert caught.value.field == "device"


def test_auto_takes_a_gpu_if_there_is_one() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == torch.device("cpu")


def test_thread_counts_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1 or more"):
        Forecaster.load(tiny_weights(tmp_path), device="cpu", threads=0)


@pytest.mark.parametrize(
    "refinement", [Refinement(), Refinement("pcn", 1, 0.3), Refinement("metropolis", 2, 0.3)], ids=str
)
def test_a_gpu_draws_what_the_cpu_draws(tmp_path: Path, refinement: Refinement) -> None:
    if not torch.cuda.is_available():
        skip_allowed("no GPU here")
    path = tiny_weights(tmp_path, TINY_LAYOUT)
    batch = window_batch(3)
    poses = [
        Forecaster.load(path, device=device)
        .sample(batch, horizon_frames=9, samples=8, seeds=[1, 2, 3], refinement=refinement)
        .pose
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(poses[0], poses[1], atol=1e-3)


def test_bundled_weights_load_forecast_and_say_where_they_come_from() -> None:
    if not BUNDLED_WEIGHTS.is_file():
        skip_or_fail("no bundled weights")
    assert BUNDLED_WEIGHTS.stat().st_size <= 8_000_000
    forecaster = Forecaster.load(device="cpu")
    assert forecaster.layout == MEDIAPIPE_POSE_33 and forecaster.rate_hz == 30.0
    training = forecaster.metadata.training
    assert training["licences"] and training["subjects"]
    assert forecaster.metadata.validation and forecaster.metadata.controls
    frames = forecaster.context_frames
    batch = replace(
        window_batch(1),
        pose=np.repeat(MEDIAPIPE_POSE_33.template[None, None], frames, axis=1),
        observed=np.ones((1, frames, 33), np.bool_),
        root=np.zeros((1, frames, 3), np.float32),
    )
    made = forecaster.sample(batch, horizon_frames=30, samples=8, seeds=[0])
    # Someone who stood still for a second keeps a body: no landmark leaves it by more than its own size.
    assert float(np.abs(made.pose - MEDIAPIPE_POSE_33.template).max()) < 4.0
