from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.features import Affine
from bridge.forecaster.flow import Condition, ConditionalFlow
from tests.forecaster.builders import SMALL, enliven


def _flow(arch: Architecture, rows: int, *, seed: int = 0) -> tuple[ConditionalFlow, Condition]:
    """A lively flow and what ``rows`` random states say to it, in double precision for exact comparisons."""
    torch.manual_seed(seed)
    flow = ConditionalFlow(arch)
    enliven(flow)
    flow = flow.double().requires_grad_(False)
    return flow, flow.condition(torch.randn(rows, arch.decoder_hidden, dtype=torch.float64))


def _row(condition: Condition, row: int) -> Condition:
    keep = slice(row, row + 1)
    return Condition(tuple(b[keep] for b in condition.coupling_bias), condition.mean[keep], condition.log_scale[keep])


@pytest.mark.parametrize("dim", [2, 6, 48])
@pytest.mark.parametrize("couplings", [1, 2, 5])
def test_pulling_back_what_was_pushed_gives_the_base_draw(dim: int, couplings: int) -> None:
    arch = replace(SMALL, block_dim=dim, couplings=couplings)
    flow, condition = _flow(arch, 256)
    base = torch.randn(256, dim, dtype=torch.float64)
    pulled, _ = flow.pull(flow.push(base, condition), condition)
    assert float((pulled - base).abs().max()) < 1e-9

    single = flow.float()
    as_single = Condition(
        tuple(b.float() for b in condition.coupling_bias), condition.mean.float(), condition.log_scale.float()
    )
    pulled, _ = single.pull(single.push(base.float(), as_single), as_single)
    assert float((pulled - base).abs().max()) < 1e-4


def test_pushing_really_changes_the_draws() -> None:
    flow, condition = _flow(SMALL, 256)
    base = torch.randn(256, SMALL.block_dim, dtype=torch.float64)
    affine = condition.mean + torch.exp(condition.log_scale) * base
    assert float((flow.push(base, condition) - affine).abs().mean()) > 0.1


def test_log_determinant_is_that_of_the_jacobian() -> None:
    flow, condition = _flow(SMALL, 4)
    base = torch.randn(4, SMALL.block_dim, dtype=torch.float64)
    x = flow.push(base, condition)
    _, log_det = flow.pull(x, condition)
    for row in range(4):
        mine = _row(condition, row)

        def pull(point: Tensor, mine: Condition = mine) -> Tensor:
            return flow.pull(point[None], mine)[0][0]

        jacobian = torch.autograd.functional.jacobian(pull, x[row])
        assert isinstance(jacobian, Tensor)
        torch.testing.assert_close(log_det[row], torch.linalg.slogdet(jacobian).logabsdet)


@pytest.mark.parametrize("i", range(SMALL.couplings))
def test_each_coupling_reports_its_own_determinant_and_inverts_itself(i: int) -> None:
    flow, condition = _flow(SMALL, 3)
    y = torch.randn(3, SMALL.block_dim, dtype=torch.float64)
    pushed, log_det = flow.coupling(i, y, condition)
    back, log_det_back = flow.coupling_inverse(i, pushed, condition)
    torch.testing.assert_close(back, y)
    torch.testing.assert_close(log_det_back, -log_det)
    for row in range(3):
        mine = _row(condition, row)

        def push(point: Tensor, mine: Condition = mine) -> Tensor:
            return flow.coupling(i, point[None], mine)[0][0]

        jacobian = torch.autograd.functional.jacobian(push, y[row])
        assert isinstance(jacobian, Tensor)
        torch.testing.assert_close(log_det[row], torch.linalg.slogdet(jacobian).logabsdet)
    kept = slice(0, 3) if i % 2 == 0 else slice(3, 6)
    assert torch.equal(pushed[:, kept], y[:, kept])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_density_integrates_to_one(seed: int) -> None:
    arch = replace(SMALL, block_dim=2, couplings=4)
    flow, condition = _flow(arch, 1, seed=seed)
    draws = flow.push(torch.randn(4000, 2, dtype=torch.float64), condition)
    middle, reach = draws.mean(dim=0), 8.0 * draws.std(dim=0) + (draws - draws.mean(dim=0)).abs().amax(dim=0)
    axes = [
        torch.linspace(float(m - r), float(m + r), 300, dtype=torch.float64) for m, r in zip(middle, reach, strict=True)
    ]
    grid = torch.cartesian_prod(*axes)
    cell = float((axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0]))
    assert float(flow.log_prob(grid, condition).exp().sum()) * cell == pytest.approx(1.0, abs=0.01)


def test_log_density_is_that_of_the_base_draw_plus_the_log_determinant() -> None:
    flow, condition = _flow(SMALL, 1)
    base = torch.randn(4000, SMALL.block_dim, dtype=torch.float64)
    x = flow.push(base, condition)
    _, log_det = flow.pull(x, condition)
    base_log_prob = torch.distributions.Normal(0.0, 1.0).log_prob(base).sum(dim=1)
    torch.testing.assert_close(flow.log_prob(x, condition), base_log_prob + log_det)


def test_head_alone_is_the_gaussian_of_its_mean_and_scale() -> None:
    flow, condition = _flow(SMALL, 8)
    x = torch.randn(8, SMALL.block_dim, dtype=torch.float64)
    gaussian = torch.distributions.Normal(condition.mean, condition.log_scale.exp())
    torch.testing.assert_close(flow.head_log_prob(x, condition), gaussian.log_prob(x).sum(dim=1))


def test_couplings_that_do_nothing_leave_the_heads_gaussian() -> None:
    flow, condition = _flow(SMALL, 8)
    for layer in flow.third:
        assert isinstance(layer, Affine)
        assert layer.bias is not None
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    x = torch.randn(8, SMALL.block_dim, dtype=torch.float64)
    torch.testing.assert_close(flow.log_prob(x, condition), flow.head_log_prob(x, condition))


def test_no_coupling_stretches_beyond_its_bound() -> None:
    arch = replace(SMALL, max_log_scale=0.7)
    flow, condition = _flow(arch, 64)
    enliven(flow, deviation=50.0)
    y = torch.randn(64, arch.block_dim, dtype=torch.float64)
    for i in range(arch.couplings):
        _, log_det = flow.coupling(i, y, condition)
        assert float(log_det.abs().max()) <= 0.7 * arch.block_dim / 2
        assert float(log_det.abs().max()) > 0.35 * arch.block_dim / 2


def test_hook_between_couplings_sees_every_layer_and_may_change_it() -> None:
    flow, condition = _flow(SMALL, 5)
    base = torch.randn(5, SMALL.block_dim, dtype=torch.float64)
    layers: list[int] = []

    def between(i: int, y: Tensor) -> Tensor:
        layers.append(i)
        return torch.zeros_like(y) if i == SMALL.couplings - 1 else y

    assert torch.equal(flow.push(base, condition, between), condition.mean)
    assert layers == list(range(SMALL.couplings))
    assert np.isfinite(flow.push(base, condition).numpy()).all()
