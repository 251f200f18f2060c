"""The guide pulls the samples' mean, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.errors import InvalidInput
from bridge.forecaster import Control, Forecaster, RefinedFlow, Refinement, WindowBatch
from bridge.forecaster.checkpoint import load_checkpoint, save_checkpoint
from bridge.forecaster.guide import Guide, pull_
from bridge.forecaster.model import GruSnf
from tests.support import TINY_LAYOUT, tiny_weights


@pytest.fixture
def guided(tmp_path: Path) -> Forecaster:
    """A small forecaster with an (untrained) guide of two networks."""
    plain, metadata, _ = load_checkpoint(tiny_weights(tmp_path, TINY_LAYOUT))
    arch = replace(metadata.architecture, guide_nets=2, guide_frames=5, guide_width=8, guide_blocks=2)
    torch.manual_seed(0)
    model = GruSnf(arch)
    model.load_state_dict(plain.state_dict(), strict=False)
    assert model.guide is not None
    for parameter in model.guide.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save_checkpoint(tmp_path / "guided.safetensors", model, replace(metadata, architecture=arch))
    return Forecaster.load(tmp_path / "guided.safetensors", device="cpu")


def windows(forecaster: Forecaster, count: int) -> WindowBatch:
    """Noisy template poses."""
    shape = (count, forecaster.context_frames, forecaster.layout.joints)
    noise = np.random.default_rng(0).normal(size=(*shape, 3)) * 0.1
    return WindowBatch(
        pose=(forecaster.layout.template + noise).astype(np.float32),
        observed=np.ones(shape, np.bool_),
        root=np.zeros((*shape[:2], 3), np.float32),
        has_root=np.zeros(count, np.bool_),
    )


def drawn(forecaster: Forecaster, guide: float, *, samples: int = 6, horizon: int = 9) -> np.ndarray:
    return forecaster.sample(
        windows(forecaster, 3),
        horizon_frames=horizon,
        samples=samples,
        seeds=[1, 2, 3],
        sampler=Control(guide=guide),
    ).pose


def test_the_mean_goes_its_share_of_the_way_and_deviations_stay() -> None:
    poses = torch.randn(2, 4, 5, 6)
    before = poses.clone()
    prediction = torch.randn(2, 5, 6)
    pull_(poses, prediction, 0.4)
    share = 0.4 * (1 - 1 / 4)
    mean = before.mean(dim=1)
    assert torch.allclose(poses.mean(dim=1), mean + share * (prediction - mean), atol=1e-6)
    assert torch.allclose(poses - poses.mean(dim=1, keepdim=True), before - mean[:, None], atol=1e-6)


def test_frames_beyond_the_prediction_move_like_its_last() -> None:
    poses = torch.zeros(1, 2, 5, 3)
    pull_(poses, torch.ones(1, 3, 3), 1.0)
    assert torch.allclose(poses, torch.full_like(poses, 0.5))


def test_a_single_sample_is_left_as_it_is(guided: Forecaster) -> None:
    assert np.array_equal(drawn(guided, 0.7, samples=1), drawn(guided, 0.0, samples=1))


def test_strength_moves_forecasts_of_the_guided_and_nothing_moves_at_zero(guided: Forecaster) -> None:
    plain = drawn(guided, 0.0)
    assert np.abs(drawn(guided, 0.5) - plain).max() > 1e-3
    none = RefinedFlow(Refinement("pcn", steps=0, guide=0.5))
    batch = windows(guided, 3)
    inactive = guided.sample(batch, horizon_frames=9, samples=6, seeds=[1, 2, 3], sampler=none).pose
    assert np.array_equal(inactive, plain)


def test_a_batch_of_guided_windows_equals_single_ones(guided: Forecaster) -> None:
    batch = windows(guided, 3)
    refinement = Refinement("pcn", 1, 0.3, guide=0.5)
    together = guided.sample(batch, horizon_frames=9, samples=4, seeds=[5, 6, 7], refinement=refinement).pose
    for i in range(3):
        one = WindowBatch(*(getattr(batch, n)[i : i + 1] for n in ("pose", "observed", "root", "has_root")))
        alone = guided.sample(one, horizon_frames=9, samples=4, seeds=[5 + i], refinement=refinement).pose
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


def test_diagnostics_leave_guided_forecasts_alone(guided: Forecaster) -> None:
    batch, refinement = windows(guided, 2), Refinement("pcn", 1, 0.3, guide=0.5)
    made = [
        guided.sample(batch, horizon_frames=9, samples=4, seeds=[1, 2], refinement=refinement, diagnostics=diagnostics)
        for diagnostics in (False, True)
    ]
    np.testing.assert_allclose(made[0].pose, made[1].pose, atol=1e-5)


def test_weights_without_a_guide_refuse_to_be_guided(tmp_path: Path) -> None:
    forecaster = Forecaster.load(tiny_weights(tmp_path), device="cpu")
    with pytest.raises(InvalidInput, match="no guide") as caught:
        drawn(forecaster, 0.5)
    assert caught.value.field == "refinement.guide"


def test_a_guide_is_the_mean_of_its_networks_and_survives_the_file(guided: Forecaster, tmp_path: Path) -> None:
    guide = guided.model.guide
    assert isinstance(guide, Guide)
    pose = torch.randn(2, guided.context_frames, guided.layout.joints * 3)
    each = [net(pose) for net in guide.nets]
    assert not torch.allclose(each[0], each[1])
    assert torch.allclose(guide(pose), (each[0] + each[1]) / 2, atol=1e-6)
    save_checkpoint(tmp_path / "again.safetensors", guided.model, guided.metadata)
    again, _, _ = load_checkpoint(tmp_path / "again.safetensors")
    assert again.guide is not None
    assert torch.equal(again.guide(pose), guide(pose))


def test_refinement_text_carries_the_guide() -> None:
    refinement = Refinement("pcn", 1, 0.3, 1.05, "last", 0.9, 0.4)
    assert "guide=0.4" in str(refinement)
    assert Refinement.parse(str(refinement)) == refinement
    with pytest.raises(InvalidInput) as caught:
        Refinement.parse("pcn(guide=1.5)")
    assert caught.value.field == "refinement.guide"
