"""Path weights of the stochastic flow estimate normalising constants that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from bridge.forecaster import RefinedFlow, Refinement
from bridge.forecaster.flow import Condition, ConditionalFlow, standard_normal_log_prob
from bridge.forecaster.refinement import KERNEL_FUNCTIONS, PathRecord, effective_sample_size
from bridge.forecaster.sampling import BlockNoise, path_log_weight
from tests.forecaster.builders import SMALL, enliven, small_forecaster, window_batch

SAMPLES = 20_000
CONSTANT = 3.7
REFINEMENTS = [
    Refinement(temperature=1.3),
    Refinement("pcn", 2, 0.3, temperature=1.3),
    Refinement("metropolis", 2, 0.5, temperature=1.2),
    Refinement("langevin", 2, 0.4, temperature=1.2, layers="last"),
]


def _flow(seed: int = 0) -> tuple[ConditionalFlow, Condition]:
    """A mildly bent flow, and one state's condition for all samples, with the head's prediction near N(0, 1)."""
    torch.manual_seed(seed)
    flow = ConditionalFlow(SMALL)
    enliven(flow, deviation=0.08)
    flow.requires_grad_(False)
    condition = flow.condition(torch.randn(1, SMALL.decoder_hidden).expand(SAMPLES, -1))
    return flow, condition


def _draw(flow: ConditionalFlow, condition: Condition, refinement: Refinement) -> tuple[Tensor, BlockNoise, PathRecord]:
    kicks = refinement.kicks(flow.couplings)
    noise = BlockNoise(
        base=torch.randn(SAMPLES, flow.dim),
        kicks=torch.randn(kicks, SAMPLES, flow.dim),
        log_uniforms=torch.rand(kicks, SAMPLES).log(),
        root=torch.randn(SAMPLES, 6),
    )
    record = PathRecord(torch.zeros(SAMPLES))
    return RefinedFlow(refinement).draw(flow, condition, noise, record), noise, record


def _log_mixture(x: Tensor, condition: Condition) -> Tensor:
    """CONSTANT times the density of two Gaussians, 30 to 70, beside the head's mean."""
    scale = condition.log_scale.exp()
    log_norm = condition.log_scale.sum(dim=1)
    parts = []
    for share, shift, width in ((0.3, -0.7, 0.8), (0.7, 0.5, 0.9)):
        middle = condition.mean.clone()
        middle[:, 0] += shift * scale[:, 0]
        z = (x - middle) / (width * scale)
        parts.append(math.log(share) + standard_normal_log_prob(z) - log_norm - x.shape[1] * math.log(width))
    return math.log(CONSTANT) + torch.logsumexp(torch.stack(parts), dim=0)


def _mixture_log_weight(
    condition: Condition, x: Tensor, noise: BlockNoise, change: Tensor | None, temperature: float
) -> Tensor:
    assert change is not None
    log_base = standard_normal_log_prob(noise.base) - x.shape[1] * math.log(temperature)
    return _log_mixture(x, condition) - log_base + change


def _assert_estimates(log_weight: Tensor, constant: float) -> None:
    weight = log_weight.double().exp()
    error = float(weight.std()) / len(weight) ** 0.5
    assert error < 0.05 * constant, "too uncertain to tell anything"
    assert abs(float(weight.mean()) - constant) < 4 * error


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=str)
def test_weights_estimate_the_constant_of_a_mixture(refinement: Refinement) -> None:
    flow, condition = _flow()
    x, noise, record = _draw(flow, condition, refinement)
    log_weight = _mixture_log_weight(condition, x, noise, record.log_weight, refinement.temperature)
    _assert_estimates(log_weight, CONSTANT)


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=str)
def test_weights_for_the_flow_itself_average_to_one(refinement: Refinement) -> None:
    flow, condition = _flow(seed=1)
    x, noise, record = _draw(flow, condition, refinement)
    _assert_estimates(path_log_weight(flow, condition, x, noise, record, refinement), 1.0)


def test_weighted_samples_have_the_targets_shares_and_unweighted_ones_do_not() -> None:
    flow, condition = _flow()
    refinement = REFINEMENTS[1]
    x, noise, record = _draw(flow, condition, refinement)
    weight = _mixture_log_weight(condition, x, noise, record.log_weight, refinement.temperature).softmax(dim=0)
    z = (x[:, 0] - condition.mean[:, 0]) / condition.log_scale[:, 0].exp()
    left = (z < 0).float()
    normal = torch.distributions.Normal(0.0, 1.0)
    exact = 0.3 * float(normal.cdf(torch.tensor(0.7 / 0.8))) + 0.7 * float(normal.cdf(torch.tensor(-0.5 / 0.9)))
    error = float(((weight * (left - exact)) ** 2).sum().sqrt())
    assert abs(float((weight * left).sum()) - exact) < 4 * error
    assert abs(float(left.mean()) - exact) > 5 * (0.25 / SAMPLES) ** 0.5


def test_weights_that_forget_the_kernels_energy_change_are_caught() -> None:
    flow, condition = _flow()
    refinement = Refinement("pcn", 2, 0.5, temperature=1.4)
    x, noise, _ = _draw(flow, condition, refinement)
    deterministic_only = torch.zeros(SAMPLES)
    y = noise.base * refinement.temperature
    for i in range(flow.couplings):
        y, log_det = flow.coupling(i, y, condition)
        deterministic_only += log_det
    deterministic_only += condition.log_scale.sum(dim=1)
    with pytest.raises(AssertionError):
        _assert_estimates(_mixture_log_weight(condition, x, noise, deterministic_only, 1.4), CONSTANT)


def test_without_refinement_and_at_temperature_one_every_weight_is_one() -> None:
    flow, condition = _flow()
    x, noise, record = _draw(flow, condition, Refinement())
    log_weight = path_log_weight(flow, condition, x, noise, record, Refinement())
    torch.testing.assert_close(log_weight, torch.zeros(SAMPLES), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kernel", KERNEL_FUNCTIONS)
def test_recording_does_not_change_what_is_drawn(kernel: str) -> None:
    flow, condition = _flow()
    torch.manual_seed(3)
    refinement = Refinement(kernel, 2, 0.4)
    x, noise, record = _draw(flow, condition, refinement)
    assert torch.equal(RefinedFlow(refinement).draw(flow, condition, noise), x)
    assert len(record.accepted) == refinement.kicks(flow.couplings)


def test_effective_sample_size_runs_from_one_to_all() -> None:
    assert float(effective_sample_size(torch.full((40,), -3.0))) == pytest.approx(40.0)
    lonely = torch.full((40,), -200.0)
    lonely[7] = 0.0
    assert float(effective_sample_size(lonely)) == pytest.approx(1.0)
    half = torch.cat([torch.zeros(20), torch.full((20,), -200.0)])
    assert float(effective_sample_size(half)) == pytest.approx(20.0)
    some = torch.randn(6, 40)
    sizes = effective_sample_size(some)
    assert sizes.shape == (6,) and bool(((sizes > 1) & (sizes < 40)).all())
    torch.testing.assert_close(effective_sample_size(some + 5.0), sizes)


@pytest.mark.parametrize("refinement", [Refinement("metropolis", 2, 0.5), Refinement("pcn", 1, 0.2)], ids=str)
def test_a_forecast_reports_its_diagnostics_when_asked(refinement: Refinement) -> None:
    forecaster, batch = small_forecaster(), window_batch(2)
    made = forecaster.sample(batch, horizon_frames=7, samples=32, seeds=[1, 2], refinement=refinement, diagnostics=True)
    report = made.diagnostics
    assert report is not None
    assert report.log_weight.shape == (3, 2, 32)
    assert report.effective_sample_size.shape == (3, 2)
    assert bool(((report.effective_sample_size >= 1) & (report.effective_sample_size <= 32.001)).all())
    rates = made.acceptance_rate
    assert rates is not None and rates.shape == (2,)
    if refinement.kernel == "pcn":
        assert (rates == 1.0).all()
    else:
        assert ((rates > 0.3) & (rates < 1.0)).all()
    unasked = forecaster.sample(batch, horizon_frames=7, samples=32, seeds=[1, 2], refinement=refinement)
    assert unasked.diagnostics is None
    # Windows drawn in one part or in several are the same to float rounding, which differs from processor to processor.
    np.testing.assert_allclose(unasked.pose, made.pose, rtol=0.0, atol=1e-6)


def test_plain_flow_has_no_acceptance_and_weights_of_one() -> None:
    made = small_forecaster().sample(
        window_batch(1), horizon_frames=3, samples=8, seeds=[1], refinement=Refinement(), diagnostics=True
    )
    assert made.acceptance_rate is None
    assert made.diagnostics is not None
    assert float(made.diagnostics.effective_sample_size[0, 0]) == pytest.approx(8.0, rel=1e-3)
