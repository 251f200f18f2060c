from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bridge.bench import PaperNet, PaperRollout
from bridge.bench.paper import Coupling
from tests.bench.builders import TINY, tiny_net

_ORDER = [*range(0, TINY.dim, 2), *range(1, TINY.dim, 2)]
_BACK = torch.argsort(torch.tensor(_ORDER))


def _plainly(net: PaperNet, context: Tensor, samples: int, horizon: int, seed: int, refined: bool) -> Tensor:
    """The same rollout with the network's own modules, by the formulas: (B, S, H, D)."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(context) * samples
    output, state = net.gru(context.repeat_interleave(samples, dim=0))
    frames = []
    for _ in range(horizon):
        condition = output[:, -1]
        y = torch.randn(rows, TINY.dim, generator=generator)[:, _BACK]
        kicks = torch.randn(TINY.couplings, rows, TINY.dim, generator=generator)[:, :, _BACK] if refined else None
        for i, coupling in enumerate(net.couplings):
            y = coupling(y, condition)
            if kicks is not None:
                blend = i / (TINY.couplings - 1)
                mean = 2 * blend * net.head(condition) / (1 + blend)
                stay = (1 - TINY.step_size**2) ** (TINY.mcmc_steps / 2)
                y = mean + stay * (y - mean) + (1 - stay**2) ** 0.5 * kicks[i] / (1 + blend) ** 0.5
        frames.append(y)
        output, state = net.gru(y[:, None], state)
    return torch.unflatten(torch.stack(frames, dim=1), 0, (len(context), samples))


@pytest.mark.parametrize("refined", [False, True])
def test_the_fast_rollout_draws_what_the_plain_network_would(refined: bool) -> None:
    net = tiny_net()
    context = torch.rand(2, TINY.context_frames, TINY.dim)
    samples, horizon = 5, 4
    with torch.inference_mode():
        expected = _plainly(net, context, samples, horizon, 7, refined)
    generator = torch.Generator().manual_seed(7)
    drawn = PaperRollout(net, refined=refined)(context, samples=samples, horizon_frames=horizon, generator=generator)
    assert drawn.shape == (2, samples, horizon, TINY.dim)
    torch.testing.assert_close(drawn, expected, rtol=1e-4, atol=1e-5)


def test_a_rollout_leaves_the_one_before_it_alone() -> None:
    rollout = PaperRollout(tiny_net(), refined=True)
    context = torch.rand(1, TINY.context_frames, TINY.dim)
    generator = torch.Generator().manual_seed(0)
    first = rollout(context, samples=4, horizon_frames=3, generator=generator)
    kept = first.clone()
    second = rollout(context, samples=4, horizon_frames=3, generator=generator)
    assert torch.equal(first, kept)
    assert not torch.equal(second, kept)


def test_refinement_of_the_published_kind_keeps_the_exact_kernels_variance() -> None:
    # After the last coupling the energy is |y - g|^2: both ways of refining must pull a wide flow in.
    net = tiny_net()
    context = torch.rand(1, TINY.context_frames, TINY.dim)
    spread = {}
    for refined in (False, True):
        generator = torch.Generator().manual_seed(0)
        rollout = PaperRollout(net, refined=refined)
        spread[refined] = rollout(context, samples=400, horizon_frames=1, generator=generator).std(dim=1).mean()
    assert spread[True] < spread[False]


def test_the_loop_draws_every_sample_of_every_window() -> None:
    drawn = tiny_net().loop(torch.rand(2, TINY.context_frames, TINY.dim), samples=3, horizon_frames=4, refined=True)
    assert drawn.shape == (2, 3, 4, TINY.dim)
    assert torch.isfinite(drawn).all()
    assert len(torch.unique(drawn[:, :, :, 0])) == 2 * 3 * 4


def test_an_inverse_batch_norm_is_a_factor_and_an_offset() -> None:
    coupling = tiny_net().couplings[1]
    assert isinstance(coupling, Coupling)
    factor, offset = coupling.normalization()
    y = torch.randn(6, TINY.dim)
    # A coupling that keeps a coordinate gives its normalization away.
    kept = coupling.mask.bool()
    moved = coupling(y, torch.zeros(6, TINY.hidden))
    torch.testing.assert_close(moved[:, kept], (y * factor + offset)[:, kept])
