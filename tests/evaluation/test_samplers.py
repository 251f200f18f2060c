from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.errors import CheckpointError
from bridge.evaluation.residual_mlp import ResidualWeights
from bridge.evaluation.samplers import SampledMethod, controls, kernels, missing_methods, standard_methods
from bridge.evaluation.windows import EvaluationWindow
from bridge.forecaster import Control, Forecaster, ForecastJob, RefinedFlow, Refinement, run_jobs
from bridge.forecaster.residual_mlp import ResidualMlp, ResidualSizes
from bridge.frames import Window
from tests.support import TINY_LAYOUT, tiny_weights

HORIZON, SAMPLES = 7, 6
REFINEMENT = Refinement("pcn", steps=1, step_size=0.3)


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    return Forecaster.load(tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT), device="cpu")


@pytest.fixture(scope="module")
def residual_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("residual") / "residual.safetensors"
    torch.manual_seed(0)
    ResidualWeights(ResidualMlp(ResidualSizes(TINY_LAYOUT.joints, 13, 5, 8, 2)), TINY_LAYOUT.id, 30.0).save(path)
    return path


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


def test_every_method_of_the_table_forecasts_and_only_the_random_ones_vary(
    forecaster: Forecaster, residual_weights: Path
) -> None:
    library = [_answered(forecaster, seed) for seed in range(10, 10 + 2 * SAMPLES)]
    table = standard_methods(forecaster, SAMPLES, REFINEMENT, library=library, residual_weights=residual_weights)
    methods = {method.name: method for method in table}
    assert list(methods) == [
        "last_pose",
        "constant_velocity",
        "damped_velocity",
        "kalman",
        "nearest_neighbour",
        "gru_mean",
        "residual_mlp",
        "gaussian_head",
        "gru_nf",
        "gru_nf_tempered",
        "gru_nf_clamped",
        "gru_nf_noise",
        "gru_nf_shrunk",
        "gru_snf_published",
        "gru_snf_metropolis",
        "gru_snf_langevin",
        "gru_snf",
    ]
    assert missing_methods(forecaster, library=library, residual_weights=residual_weights) == {}
    drawn = {name: method.futures([_window(forecaster, 1)], HORIZON, [9]) for name, method in methods.items()}
    for name, futures in drawn.items():
        random = methods[name].stochastic
        assert futures.shape == (1, SAMPLES if random else 1, HORIZON, TINY_LAYOUT.joints, 3)
        assert futures.dtype == np.float32 and np.isfinite(futures).all()
        assert random == (futures.std(axis=1).max() > 0), name
    assert len({futures.tobytes() for futures in drawn.values()}) == len(drawn)


def test_what_is_left_out_has_a_reason(forecaster: Forecaster) -> None:
    names = [method.name for method in standard_methods(forecaster, SAMPLES, REFINEMENT)]
    missing = missing_methods(forecaster)
    assert set(missing) == {"nearest_neighbour", "residual_mlp"} and not set(missing) & set(names)
    assert "training split" in missing["nearest_neighbour"]
    assert TINY_LAYOUT.id in missing["residual_mlp"]


@pytest.mark.parametrize(
    ("sizes", "layout_id", "rate_hz", "reason"),
    [
        (ResidualSizes(TINY_LAYOUT.joints, 13, 5, 8, 1), "somebody.else", 30.0, "somebody.else"),
        (ResidualSizes(TINY_LAYOUT.joints, 13, 5, 8, 1), TINY_LAYOUT.id, 24.0, "24 Hz"),
        (ResidualSizes(TINY_LAYOUT.joints, 14, 5, 8, 1), TINY_LAYOUT.id, 30.0, "reads 14 frames"),
    ],
)
def test_named_weights_that_do_not_fit_stop_the_table_and_bundled_ones_are_left_out(
    forecaster: Forecaster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: ResidualSizes,
    layout_id: str,
    rate_hz: float,
    reason: str,
) -> None:
    path = tmp_path / "residual.safetensors"
    ResidualWeights(ResidualMlp(sizes), layout_id, rate_hz).save(path)
    with pytest.raises(CheckpointError, match=reason):
        standard_methods(forecaster, SAMPLES, REFINEMENT, residual_weights=path)
    monkeypatch.setattr("bridge.evaluation.samplers.bundled_weights", lambda layout: path)
    assert reason in missing_methods(forecaster)["residual_mlp"]
    assert "residual_mlp" not in [m.name for m in standard_methods(forecaster, SAMPLES, REFINEMENT)]


def test_kernels_take_their_own_settings_or_those_of_the_refinement() -> None:
    own = Refinement("metropolis", steps=2, step_size=0.5, layers="last")
    chosen = kernels({"metropolis": str(own), "pcn": "pcn(step_size=0.9)"}, REFINEMENT)
    assert chosen == {"metropolis": own, "langevin": Refinement("langevin", steps=1, step_size=0.3)}
    plain = kernels({}, Refinement(temperature=0.8))
    assert list(plain) == ["pcn", "metropolis", "langevin"]
    assert all(other.active and other.temperature == 0.8 for other in plain.values())
    assert kernels({}, Refinement("metropolis", 1, 2.5))["pcn"].step_size == 1.0


@pytest.mark.parametrize("text", ["metropolis(loud=1)", "pcn(step_size=0.1)", "metropolis(step_size=9)"])
def test_unreadable_kernel_settings_are_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="metropolis"):
        kernels({"metropolis": text}, REFINEMENT)


def test_settings_of_a_checkpoint_replace_the_untuned_ones(forecaster: Forecaster) -> None:
    tuned = controls({"gaussian_head": {"source": "head", "temperature": 0.7}, "gru_nf_noise": {"noise": 0.1}})
    assert tuned["gaussian_head"] == Control(source="head", temperature=0.7)
    assert tuned["gru_nf_noise"] == Control(noise=0.1)
    assert tuned["gru_nf_clamped"] == controls({})["gru_nf_clamped"]


@pytest.mark.parametrize("settings", [{"gru_nf_boiled": {}}, {"gru_nf_noise": {"loudness": 3}}, {"gru_nf_noise": 3}])
def test_unknown_settings_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="gru_nf_"):
        controls(settings)


def _answered(forecaster: Forecaster, seed: int) -> EvaluationWindow:
    window = _window(forecaster, seed)
    truth_m = np.repeat(_window(forecaster, seed + 1000).pose_m[-1:], HORIZON, axis=0)
    return EvaluationWindow(window, truth_m, f"clip {seed}", "anna", "test", "sway", forecaster.context_frames)


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
