"""A process whose conditional law is known: after the same context a body leans left three times in ten, else right.

A small network is trained on it by the project's own likelihood; what it then samples must have the right shares and
lie within sampling error of the truth, without refinement and with the refinement that the weights ship with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from bridge.forecaster import BUNDLED_WEIGHTS, Forecaster, RefinedFlow, Refinement
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.rollout import draw_noise, rollout
from bridge.training.batches import TrainingBatch
from bridge.training.objectives import likelihood
from tests.support import TINY_LAYOUT

LEFT_SHARE = 0.3
CONTEXT, BLOCK, BLOCKS = 7, 3, 2
FEATURES = TINY_LAYOUT.joints * 3
SIZES = Architecture(
    joints=TINY_LAYOUT.joints,
    context_frames=CONTEXT,
    block_frames=BLOCK,
    block_dim=2,
    pose_dim=4,
    encoder_hidden=8,
    decoder_hidden=16,
    couplings=4,
    coupling_hidden=24,
    head_hidden=16,
    root_hidden=4,
)
SAMPLES = 128
SEEDS = range(8)
BATCH, TRAINING_STEPS, LEARNING_RATE = 1024, 300, 1e-2


def _directions() -> Tensor:
    """(2, 21): how the upper body leans, and how it nods; orthonormal."""
    lean, nod = torch.zeros(2, TINY_LAYOUT.joints, 3)
    lean[:3, 0], nod[0, 2] = 1.0, 1.0
    return torch.stack([lean.flatten() / lean.norm(), nod.flatten()])


def _contexts(windows: int) -> ContextBatch:
    template = torch.from_numpy(TINY_LAYOUT.template).flatten()
    return ContextBatch(
        pose=template + 0.02 * torch.randn(windows, CONTEXT, FEATURES),
        observed=torch.ones(windows, CONTEXT, TINY_LAYOUT.joints),
        root=torch.zeros(windows, CONTEXT, 3),
        has_root=torch.zeros(windows, 1),
    )


def _leaned(windows: int) -> Tensor:
    """Lean and nod (windows, BLOCKS, 2) at the blocks' ends: one side per window, 0.2 a block, and some nodding."""
    side = torch.where(torch.rand(windows, 1) < LEFT_SHARE, -1.0, 1.0)
    lean = side + 0.3 * torch.randn(windows, BLOCKS)
    nod = 0.4 * torch.randn(windows, BLOCKS)
    return 0.2 * torch.stack([lean, nod], dim=-1).cumsum(dim=1)


def _futures(context: ContextBatch, ends: Tensor) -> Tensor:
    """(windows, BLOCKS * BLOCK, 21): straight lines through the poses at the blocks' ends."""
    starts = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], dim=1)
    time = torch.arange(1, BLOCK + 1)[:, None] / BLOCK
    path = (starts[:, :, None] + time * (ends - starts)[:, :, None]).flatten(1, 2)
    return context.pose[:, -1:] + path @ _directions()


def _batch(windows: int) -> TrainingBatch:
    context = _contexts(windows)
    future = _futures(context, _leaned(windows))
    nothing = torch.zeros(windows, BLOCKS * BLOCK, 3)
    return TrainingBatch(context, future, nothing, torch.zeros(windows, 3), torch.ones(windows))


@dataclass(frozen=True)
class _Trained:
    model: GruSnf
    context: ContextBatch  # one window

    def sampled(self, refinement: Refinement, *, seed: int = 0) -> Tensor:
        """Lean and nod (SAMPLES, BLOCKS, 2) at the blocks' ends, as forecast for the one window."""
        sampler = RefinedFlow(refinement)
        noise = draw_noise(
            [seed],
            steps=BLOCKS,
            samples=SAMPLES,
            dim=SIZES.block_dim,
            root_dim=SIZES.root_dim,
            kicks=sampler.kicks(self.model.flow),
            device=torch.device("cpu"),
            persistence=sampler.persistence,
        )
        with torch.inference_mode():
            poses = rollout(self.model, self.context, noise, sampler, horizon_frames=BLOCKS * BLOCK).poses[0]
        return (poses[:, BLOCK - 1 :: BLOCK] - self.context.pose[0, -1]) @ _directions().T


@pytest.fixture(scope="module")
def trained() -> _Trained:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = GruSnf(SIZES)
        some = _batch(2048)
        path = torch.cat([some.context.pose[:, -1:], some.future], dim=1).unflatten(-1, (-1, 3))
        blocks = torch.cat([path[:, i + 1 : i + 1 + BLOCK] - path[:, i, None] for i in range(0, BLOCKS * BLOCK, BLOCK)])
        model.codec.fit(blocks.numpy(), path.flatten(0, 1).numpy())
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, TRAINING_STEPS)
        for _ in range(TRAINING_STEPS):
            terms = likelihood(model, _batch(BATCH), noise_floor=0.003, input_noise=0.0)
            optimizer.zero_grad()
            torch.autograd.backward(terms.flow + 0.5 * terms.head)
            optimizer.step()
            schedule.step()
        return _Trained(model.eval().requires_grad_(False), _contexts(1))


def _shipped() -> Refinement:
    if BUNDLED_WEIGHTS.is_file():
        return Forecaster.load(device="cpu").refinement
    return Refinement("pcn", steps=1, step_size=0.2)


def _left_share(ends: Tensor) -> float:
    return float((ends[:, -1, 0] < 0).float().mean())


def _energy_distance(first: Tensor, second: Tensor) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| between two sets of numbers (n,), without bias."""
    x, y = first[:, None].double(), second[:, None].double()

    def within(rows: Tensor) -> float:
        return float(torch.cdist(rows, rows).sum()) / (len(rows) * (len(rows) - 1))

    return 2 * float(torch.cdist(x, y).mean()) - within(x) - within(y)


def _distances(trained: _Trained, refinement: Refinement, truth: Tensor) -> list[float]:
    """Of where the body leans after the first block, where the branches part."""
    return [_energy_distance(trained.sampled(refinement, seed=seed)[:, 0, 0], truth[:, 0, 0]) for seed in SEEDS]


@pytest.fixture(scope="module")
def truth() -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return _leaned(1000)


@pytest.fixture(scope="module")
def sampling_error(truth: Tensor) -> float:
    """Energy distance from the truth that one set in a hundred of SAMPLES true draws exceeds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return float(
            np.quantile([_energy_distance(_leaned(SAMPLES)[:, 0, 0], truth[:, 0, 0]) for _ in range(300)], 0.99)
        )


@pytest.mark.parametrize("refinement", [Refinement(), _shipped()], ids=["none", "shipped"])
def test_branches_are_taken_as_often_as_in_truth(trained: _Trained, refinement: Refinement) -> None:
    shares = [_left_share(trained.sampled(refinement, seed=seed)) for seed in SEEDS]
    error = (LEFT_SHARE * (1 - LEFT_SHARE) / SAMPLES) ** 0.5
    assert abs(float(np.mean(shares)) - LEFT_SHARE) < 2 * error
    assert max(abs(share - LEFT_SHARE) for share in shares) < 4 * error


def test_unrefined_samples_lie_within_sampling_error_of_the_truth(
    trained: _Trained, truth: Tensor, sampling_error: float
) -> None:
    assert float(np.median(_distances(trained, Refinement(), truth))) < sampling_error


def test_the_shipped_refinement_is_no_worse_within_sampling_error(
    trained: _Trained, truth: Tensor, sampling_error: float
) -> None:
    """The margin: the energy distance that true draws themselves exceed once in a hundred times."""
    plain = float(np.mean(_distances(trained, Refinement(), truth)))
    refined = float(np.mean(_distances(trained, _shipped(), truth)))
    assert refined < plain + sampling_error


def test_refinement_that_forgets_the_branches_is_caught(
    trained: _Trained, truth: Tensor, sampling_error: float
) -> None:
    """A full pCN step draws from the head's Gaussian afresh: right mean and variance, no branches."""
    forgetful = Refinement("pcn", steps=1, step_size=1.0)
    assert float(np.median(_distances(trained, forgetful, truth))) > 1.5 * sampling_error


def test_a_trajectory_keeps_to_its_branch(trained: _Trained) -> None:
    for refinement in (Refinement(), _shipped()):
        ends = trained.sampled(refinement)
        first, second = ends[:, 0, 0], ends[:, 1, 0] - ends[:, 0, 0]
        same_side = float(((first < 0) == (second < 0)).float().mean())
        assert same_side > 0.9
