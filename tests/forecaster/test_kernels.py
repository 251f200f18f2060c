"""Each kernel leaves its energy's Gaussian invariant, by a check that condemns kernels which do not."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from bridge.forecaster.refinement import (
    KERNEL_FUNCTIONS,
    BlendedEnergy,
    Kernel,
    PathRecord,
    Refinement,
    langevin,
    metropolis,
    pcn,
    refine,
)

CHAINS = 3000
DIMENSIONS = (1, 2, 5, 16)
KERNELS = tuple(KERNEL_FUNCTIONS.values())


def _energy(dim: int) -> BlendedEnergy:
    """A Gaussian with a mean far from zero and standard deviations from 0.4 to 2.5."""
    deviations = torch.logspace(-0.4, 0.4, dim) if dim > 1 else torch.tensor([0.7])
    return BlendedEnergy(torch.linspace(-3.0, 2.0, dim), deviations**-2)


def _deviation(energy: BlendedEnergy) -> Tensor:
    return torch.as_tensor(energy.precision).rsqrt()


def _exact(energy: BlendedEnergy, dim: int) -> Tensor:
    return energy.mean + torch.randn(CHAINS, dim) * _deviation(energy)


def _run(kernel: Kernel, y: Tensor, energy: BlendedEnergy, step_size: float, steps: int) -> Tensor:
    for _ in range(steps):
        y, _ = kernel(y, energy, step_size, torch.randn_like(y), torch.rand(len(y)).log())
    return y


def _assert_drawn_from(energy: BlendedEnergy, y: Tensor) -> None:
    """Means, variances and correlations within 5 standard errors, and the distributions by Kolmogorov and Smirnov.

    Coordinates are scaled to standard normals; the energy itself, twice, must be chi-squared: that sees coordinates
    which are right one by one and wrong together.
    """
    z = (y - energy.mean) / _deviation(energy)
    count, dim = z.shape
    assert float(z.mean(dim=0).abs().max()) < 5 / count**0.5, "means"
    assert float((z.var(dim=0) - 1).abs().max()) < 5 * (2 / count) ** 0.5, "variances"
    correlation = z.T @ z / count - torch.eye(dim)
    correlation.fill_diagonal_(0.0)
    assert float(correlation.abs().max()) < 5 / count**0.5, "correlations"
    for coordinate in z.T.numpy():
        assert stats.kstest(coordinate, "norm").pvalue > 1e-5, "distribution of a coordinate"
    assert stats.kstest((z**2).sum(dim=1).numpy(), "chi2", args=(dim,)).pvalue > 1e-5, "distribution of the energy"


def _per_coordinate(
    y: Tensor, energy: BlendedEnergy, step_size: float, normal: Tensor, log_uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """The impostor, as published: half of the energy summed over coordinates, half not, and a decision each."""
    proposal = y + step_size * normal * _deviation(energy)
    summed = (energy(y) - energy(proposal))[:, None]
    own = 0.5 * energy.precision * ((y - energy.mean) ** 2 - (proposal - energy.mean) ** 2)
    accepted = torch.rand_like(y).log() < 0.5 * summed + 0.5 * own
    return torch.where(accepted, proposal, y), summed[:, 0].clamp(max=0.0).exp()


def _unadjusted(
    y: Tensor, energy: BlendedEnergy, step_size: float, normal: Tensor, log_uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Another impostor: Langevin's proposal, always accepted."""
    return langevin(y, energy, step_size, normal, torch.full_like(log_uniform, -torch.inf))


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("step_size", [0.2, 0.8])
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_leaves_its_gaussian_invariant(kernel: Kernel, step_size: float, dim: int) -> None:
    torch.manual_seed(dim)
    energy = _energy(dim)
    _assert_drawn_from(energy, _run(kernel, _exact(energy, dim), energy, step_size, steps=120))


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize(("kernel", "scale", "steps"), [(pcn, 0.5, 80), (metropolis, 2.38, 300), (langevin, 0.9, 80)])
def test_kernel_finds_its_gaussian_from_far_away(kernel: Kernel, scale: float, steps: int, dim: int) -> None:
    torch.manual_seed(10 + dim)
    energy = _energy(dim)
    start = energy.mean + 5.0 * _deviation(energy) + 0.1 * torch.randn(CHAINS, dim)
    with pytest.raises(AssertionError):
        _assert_drawn_from(energy, start)
    step_size = scale / dim**0.5 if kernel is metropolis else scale
    _assert_drawn_from(energy, _run(kernel, start, energy, step_size, steps))


@pytest.mark.parametrize(("dim", "step_size"), [(2, 2.4), (5, 0.8), (16, 0.8)])
def test_decisions_per_coordinate_on_a_summed_energy_are_caught(dim: int, step_size: float) -> None:
    torch.manual_seed(dim)
    energy = _energy(dim)
    with pytest.raises(AssertionError):
        _assert_drawn_from(energy, _run(_per_coordinate, _exact(energy, dim), energy, step_size, steps=120))
    _assert_drawn_from(energy, _run(metropolis, _exact(energy, dim), energy, step_size, steps=120))


def test_with_one_coordinate_a_decision_per_coordinate_is_a_joint_one() -> None:
    torch.manual_seed(1)
    energy = _energy(1)
    _assert_drawn_from(energy, _run(_per_coordinate, _exact(energy, 1), energy, 0.8, steps=120))


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_langevin_without_its_acceptance_is_caught(dim: int) -> None:
    torch.manual_seed(dim)
    energy = _energy(dim)
    with pytest.raises(AssertionError):
        _assert_drawn_from(energy, _run(_unadjusted, _exact(energy, dim), energy, 0.8, steps=120))


def test_pcn_of_full_step_draws_afresh() -> None:
    energy = _energy(5)
    normal = torch.randn(7, 5)
    moved, _ = pcn(torch.full((7, 5), 99.0), energy, 1.0, normal, torch.zeros(7))
    torch.testing.assert_close(moved, energy.mean + normal * _deviation(energy))


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_decision_moves_a_whole_sample_or_none_of_it(kernel: Kernel) -> None:
    torch.manual_seed(4)
    energy = _energy(16)
    y = _exact(energy, 16)
    moved, acceptance = kernel(y, energy, 0.9, torch.randn_like(y), torch.rand(CHAINS).log())
    changed = moved != y
    assert torch.equal(changed.any(dim=1), changed.all(dim=1))
    share = float(changed.any(dim=1).float().mean())
    assert share == pytest.approx(float(acceptance.mean()), abs=5 * 0.5 / CHAINS**0.5)
    assert bool(((acceptance >= 0) & (acceptance <= 1)).all())


def test_acceptance_is_what_theory_says() -> None:
    torch.manual_seed(5)
    energy = _energy(16)
    y = _exact(energy, 16)
    rates = {}
    for name, step_size in (("pcn", 0.9), ("metropolis", 2.38 / 16**0.5), ("langevin", 0.05)):
        _, acceptance = KERNEL_FUNCTIONS[name](y, energy, step_size, torch.randn_like(y), torch.rand(CHAINS).log())
        rates[name] = float(acceptance.mean())
    assert rates["pcn"] == 1.0
    assert 0.2 < rates["metropolis"] < 0.32  # 0.234 for many dimensions, a little more for few
    assert rates["langevin"] > 0.999


@pytest.mark.parametrize("kernel", KERNELS)
def test_vanishing_steps_change_vanishingly_little(kernel: Kernel) -> None:
    torch.manual_seed(6)
    energy = _energy(5)
    y = _exact(energy, 5)
    moved = _run(kernel, y, energy, 1e-5, steps=3)
    assert 0 < float((moved - y).abs().max()) < 1e-3


@pytest.mark.parametrize("name", KERNEL_FUNCTIONS)
def test_record_holds_the_energy_gained_and_the_acceptance_of_every_step(name: str) -> None:
    torch.manual_seed(7)
    energy = _energy(5)
    y = _exact(energy, 5)
    record = PathRecord(torch.zeros(CHAINS))
    settings = Refinement(name, steps=3, step_size=0.4)
    end = refine(y, energy, settings, 3, torch.randn(3, CHAINS, 5), torch.rand(3, CHAINS).log(), record)
    torch.testing.assert_close(record.log_weight, energy(end) - energy(y), atol=1e-4, rtol=1e-4)
    assert len(record.accepted) == 3
    assert all(0.3 < float(acceptance.mean()) <= 1.0 for acceptance in record.accepted)


@pytest.mark.parametrize("kernel", KERNELS)
def test_plain_numbers_and_tensors_make_the_same_energy(kernel: Kernel) -> None:
    torch.manual_seed(8)
    y, normal, log_uniform = torch.randn(50, 5), torch.randn(50, 5), torch.rand(50).log()
    for mean, precision in ((0.0, 1.0), (0.7, 2.5)):
        plain = BlendedEnergy(mean, precision)
        wide = BlendedEnergy(torch.full((5,), mean), torch.full((5,), precision))
        torch.testing.assert_close(plain(y), wide(y))
        for mine, theirs in zip(
            kernel(y, plain, 0.4, normal, log_uniform), kernel(y, wide, 0.4, normal, log_uniform), strict=True
        ):
            torch.testing.assert_close(mine.expand(theirs.shape), theirs, atol=1e-5, rtol=1e-5)
