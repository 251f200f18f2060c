from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.errors import CheckpointError
from bridge.evaluation.samplers import SampledMethod, controls, standard_methods
from bridge.forecaster import Control, Forecaster, ForecastJob, RefinedFlow, Refinement, run_jobs
from bridge.frames import Window
from tests.support import TINY_LAYOUT, tiny_weights

HORIZON, SAMPLES = 7, 6
REFINEMENT = Refinement("pcn", steps=1, step_size=0.3)


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    return Forecaster.load(tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT), device="cpu")


def test_samples_are_those_that_the_live_service_draws(forecaster: Forecaster) -> None:
    windows = [_window(forecaster, seed) for seed in (1, 2)]
    method = SampledMethod("gru_snf", forecaster, RefinedFlow(REFINEMENT), SAMPLES)
    live = run_jobs(
        forecaster, [ForecastJob(w, HORIZON, SAMPLES, 2, seed) for w, seed in zip(windows, (5, 6), strict=True)]
    )
    assert forecaster.refinement == REFINEMENT
    np.testing.assert_allclose(
        method.futures(windows, HORIZON, [5, 6]), np.stack([result.samples_m for result in live]), atol=1e-5
    )


def test_futures_are_in_metres_in_the_persons_own_size_and_heading(forecaster: Forecaster) -> None:
    method = SampledMethod("gru_nf", forecaster, Control(), SAMPLES)
    window = _window(forecaster, 1)
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)  # a quarter turn about the vertical
    other = Window(
        window.layout_id,
        (2.0 * window.pose_m @ turn.T).astype(np.float32),
        window.observed,
        None,
        window.bridged,
        window.sequence,
        window.timestamp_us,
    )
    here, there = method.futures([window, other], HORIZON, [3, 3])
    np.testing.assert_allclose(there, 2.0 * here @ turn.T, atol=1e-4)
    assert not np.allclose(here, there, atol=0.05)


def test_every_method_of_the_table_forecasts_and_only_the_random_ones_vary(forecaster: Forecaster) -> None:
    methods = {method.name: method for method in standard_methods(forecaster, SAMPLES, REFINEMENT)}
    assert list(methods) == [
        "last_pose",
        "constant_velocity",
        "damped_velocity",
        "gru_mean",
        "gru_nf",
        "gaussian_head",
        "gru_nf_tempered",
        "gru_nf_clamped",
        "gru_nf_noise",
        "gru_nf_shrunk",
        "gru_snf",
    ]
    drawn = {name: method.futures([_window(forecaster, 1)], HORIZON, [9]) for name, method in methods.items()}
    for name, futures in drawn.items():
        random = methods[name].stochastic
        assert futures.shape == (1, SAMPLES if random else 1, HORIZON, TINY_LAYOUT.joints, 3)
        assert np.isfinite(futures).all()
        assert random == (futures.std(axis=1).max() > 0), name
    assert len({futures.tobytes() for futures in drawn.values()}) == len(drawn)


def test_settings_of_a_checkpoint_replace_the_untuned_ones(forecaster: Forecaster) -> None:
    tuned = controls({"gaussian_head": {"source": "head", "temperature": 0.7}, "gru_nf_noise": {"noise": 0.1}})
    assert tuned["gaussian_head"] == Control(source="head", temperature=0.7)
    assert tuned["gru_nf_noise"] == Control(noise=0.1)
    assert tuned["gru_nf_clamped"] == controls({})["gru_nf_clamped"]


@pytest.mark.parametrize("settings", [{"gru_nf_boiled": {}}, {"gru_nf_noise": {"loudness": 3}}, {"gru_nf_noise": 3}])
def test_unknown_settings_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="gru_nf_"):
        controls(settings)


def _window(forecaster: Forecaster, seed: int) -> Window:
    random = np.random.default_rng(seed)
    frames = forecaster.context_frames
    pose_m = 0.4 * TINY_LAYOUT.template + 0.01 * random.standard_normal((frames, TINY_LAYOUT.joints, 3))
    pose_m -= pose_m[:, list(TINY_LAYOUT.hips)].mean(axis=1, keepdims=True)
    return Window(
        layout_id=TINY_LAYOUT.id,
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, TINY_LAYOUT.joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames,
        timestamp_us=frames * 33_333,
    )


def test_unreadable_control_settings_stop_the_table(tmp_path: Path) -> None:
    from bridge.forecaster.checkpoint import rewrite_metadata

    path = tiny_weights(tmp_path, TINY_LAYOUT)
    rewrite_metadata(path, controls={"gru_nf_clamped": {"clamps": 2.0}})
    with pytest.raises(CheckpointError, match="gru_nf_clamped"):
        standard_methods(Forecaster.load(path, device="cpu"), SAMPLES, REFINEMENT)
