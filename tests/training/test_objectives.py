from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bridge.forecaster import Control, RefinedFlow, Refinement
from bridge.forecaster.model import GruSnf
from bridge.forecaster.rollout import rollout
from bridge.training.batches import TrainingBatch, make_batch
from bridge.training.objectives import fresh_noise, likelihood, rollout_energy_score
from tests.support import TINY_LAYOUT
from tests.training.builders import SMALL, motion_set

HORIZON = 9


def _batch(*, with_root: bool = True) -> TrainingBatch:
    motion = motion_set("a", "b", with_root=with_root)
    starts = motion.window_starts(SMALL.context_frames + HORIZON, stride=9)
    return make_batch(motion, starts, TINY_LAYOUT, context_frames=SMALL.context_frames, horizon_frames=HORIZON)


def _model(batch: TrainingBatch) -> GruSnf:
    torch.manual_seed(0)
    model = GruSnf(SMALL)
    path = torch.cat([batch.context.pose[:, -1:], batch.future], dim=1).unflatten(-1, (-1, 3))
    blocks = torch.cat([path[:, i + 1 : i + 4] - path[:, i, None] for i in range(0, HORIZON, 3)])
    model.codec.fit(blocks.numpy(), path.flatten(0, 1).numpy())
    return model


def test_likelihood_is_the_flows_density_of_what_came_next_given_what_came_before() -> None:
    batch = _batch()
    model = _model(batch)
    terms = likelihood(model, batch, noise_floor=0.0, input_noise=0.0)
    path = torch.cat([batch.context.pose[:, -1:], batch.future], dim=1)
    roots = torch.cat([batch.context.root[:, -1:], batch.future_root], dim=1)
    blocks = model.codec.encode_blocks(path)
    states = model.teacher_forced_states(batch.context, blocks, path[:, 3::3], model.codec.encode_roots(roots))
    condition = model.flow.condition(states.flatten(0, 1))
    expected = -model.flow.log_prob(blocks.flatten(0, 1), condition).mean() / SMALL.block_dim
    torch.testing.assert_close(terms.flow, expected, atol=1e-4, rtol=1e-4)


def test_a_few_steps_lower_every_term() -> None:
    batch = _batch()
    model = _model(batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    first = likelihood(model, batch, noise_floor=0.003, input_noise=0.004)
    for _ in range(40):
        terms = likelihood(model, batch, noise_floor=0.003, input_noise=0.004)
        optimizer.zero_grad()
        torch.autograd.backward(terms.flow + terms.head + terms.root)
        optimizer.step()
    for name in ("flow", "head", "root"):
        assert float(getattr(terms, name).detach()) < float(getattr(first, name).detach()) - 0.1


def test_root_that_was_not_captured_teaches_nothing() -> None:
    batch = _batch(with_root=False)
    terms = likelihood(_model(batch), batch, noise_floor=0.003, input_noise=0.0)
    assert float(terms.root) == 0.0
    known = replace(batch, root_known=torch.tensor([[1.0, 0.0, 1.0]]).expand(len(batch.future), 3))
    shifted = replace(known, future_root=known.future_root + torch.tensor([0.0, 5.0, 0.0]))
    model = _model(batch)
    torch.manual_seed(1)
    plain = likelihood(model, known, noise_floor=0.0, input_noise=0.0)
    torch.manual_seed(1)
    other = likelihood(model, shifted, noise_floor=0.0, input_noise=0.0)
    assert float(plain.root) == pytest.approx(float(other.root), rel=1e-5)


def test_energy_score_of_rollouts_is_its_formula() -> None:
    batch = _batch().map(lambda tensor: tensor[:3])
    model, samples = _model(batch), 4
    torch.manual_seed(7)
    score = rollout_energy_score(model, batch, RefinedFlow(Refinement()), samples)
    torch.manual_seed(7)
    noise = fresh_noise(model, 3 * samples, HORIZON)
    drawn = rollout(model, batch.context, noise, RefinedFlow(Refinement()), horizon_frames=HORIZON).poses

    def fair(x: torch.Tensor, truth: torch.Tensor) -> float:
        """Of samples (S, n) and what came (n,)."""
        pairs = [float((x[i] - x[j]).norm()) for i in range(samples) for j in range(samples) if i != j]
        return float((x - truth).norm(dim=1).mean()) - 0.5 * float(np.mean(pairs))

    for i in range(3):
        whole = fair(drawn[i].flatten(1), batch.future[i].flatten())
        frames = np.mean([fair(drawn[i, :, h], batch.future[i, h]) for h in range(HORIZON)])
        assert float(score[i]) == pytest.approx(0.5 * whole + 0.5 * frames * HORIZON**0.5, rel=1e-3)


@pytest.mark.parametrize(
    "sampler",
    [RefinedFlow(Refinement("pcn", 1, 0.2)), RefinedFlow(Refinement("metropolis", 2, 0.3)), Control(noise=0.2)],
)
def test_any_sampler_can_be_scored_and_gradients_reach_the_flow_and_the_state(sampler: RefinedFlow | Control) -> None:
    batch = _batch().map(lambda tensor: tensor[:4])
    model = _model(batch)
    score = rollout_energy_score(model, batch, sampler, 3)
    assert score.shape == (4,) and bool(torch.isfinite(score).all())
    torch.autograd.backward(score.mean())
    for parameter in (model.flow.first[0].weight, model.encoder.weight_ih_l0, model.from_step.weight):
        assert isinstance(parameter, torch.Tensor) and parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all()) and float(parameter.grad.abs().max()) > 0
