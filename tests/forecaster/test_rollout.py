"""Rollouts: zero steps are GRU-NF, batches change nothing, every trajectory is its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from bridge.forecaster import Control, RefinedFlow, Refinement, SampleBatch, WindowBatch
from bridge.forecaster.flow import Condition, ConditionalFlow
from bridge.forecaster.model import ContextBatch, GruSnf, Trajectory
from bridge.forecaster.refinement import PathRecord
from bridge.forecaster.rollout import RolloutNoise, blocks_for, draw_noise, rollout
from bridge.forecaster.sampling import BlockNoise
from tests.forecaster.builders import SMALL, contexts, rows_of, small_forecaster, small_model, window_batch

FORECASTER = small_forecaster()
KERNELS = [
    Refinement(),
    Refinement("pcn", 2, 0.3),
    Refinement("metropolis", 2, 0.4, temperature=0.9),
    Refinement("langevin", 1, 0.5, layers="last"),
    Refinement("pcn", 1, 0.4, persistence=0.8),
]


def _sample(
    batch: WindowBatch,
    seeds: Sequence[int],
    refinement: Refinement | None = None,
    *,
    horizon_frames: int = 8,
    samples: int = 5,
) -> SampleBatch:
    return FORECASTER.sample(batch, horizon_frames=horizon_frames, samples=samples, seeds=seeds, refinement=refinement)


def _noise(model: GruSnf, seeds: Sequence[int], *, samples: int, steps: int, kicks: int = 0) -> RolloutNoise:
    sizes = {"dim": model.arch.block_dim, "root_dim": model.arch.root_dim}
    return draw_noise(seeds, steps=steps, samples=samples, kicks=kicks, device=torch.device("cpu"), **sizes)


def test_zero_steps_are_gru_nf_bit_for_bit() -> None:
    batch = window_batch(2)
    plain = _sample(batch, [3, 4], Refinement())
    for nothing in (
        Refinement("none", steps=4, step_size=0.5),
        Refinement("pcn", steps=0, step_size=0.4),
        Refinement("metropolis", steps=0, step_size=0.4, layers="last"),
        Refinement("pcn", steps=3, step_size=0.0),
        Refinement("langevin", steps=3, step_size=0.0),
        Refinement("metropolis", steps=3, step_size=0.0),
    ):
        refined = _sample(batch, [3, 4], nothing)
        assert np.array_equal(refined.pose, plain.pose)
        assert np.array_equal(refined.root, plain.root)
    control = FORECASTER.sample(batch, horizon_frames=8, samples=5, seeds=[3, 4], sampler=Control())
    assert np.array_equal(control.pose, plain.pose)


@pytest.mark.parametrize("kernel", ["pcn", "metropolis", "langevin"])
def test_vanishing_steps_approach_gru_nf_and_real_ones_leave_it(kernel: str) -> None:
    batch = window_batch(2)
    plain = _sample(batch, [3, 4], Refinement()).pose
    tiny = _sample(batch, [3, 4], Refinement(kernel, 2, 1e-6)).pose
    real = _sample(batch, [3, 4], Refinement(kernel, 2, 0.3)).pose
    assert float(np.abs(tiny - plain).max()) < 1e-4
    assert float(np.abs(real - plain).max()) > 1e-2


@pytest.mark.parametrize("refinement", KERNELS, ids=str)
def test_batch_equals_singles(refinement: Refinement) -> None:
    batch, seeds = window_batch(4), [11, 7, 11, 2**63]
    assert batch.has_root.tolist() == [True, False, True, False]
    together = _sample(batch, seeds, refinement)
    for i, seed in enumerate(seeds):
        alone = _sample(rows_of(batch, [i]), [seed], refinement)
        np.testing.assert_allclose(together.pose[i], alone.pose[0], atol=2e-5)
        np.testing.assert_allclose(together.root[i], alone.root[0], atol=2e-5)


@pytest.mark.parametrize("refinement", KERNELS, ids=str)
def test_order_and_company_in_a_batch_never_change_an_answer(refinement: Refinement) -> None:
    batch, seeds = window_batch(4), [1, 2, 3, 4]
    together = _sample(batch, seeds, refinement)
    order = [2, 0, 3, 1, 2]
    shuffled = _sample(rows_of(batch, order), [seeds[i] for i in order], refinement)
    np.testing.assert_allclose(shuffled.pose, together.pose[order], atol=2e-5)
    np.testing.assert_allclose(shuffled.root, together.root[order], atol=2e-5)


def test_same_seed_same_samples_and_another_seed_others() -> None:
    batch = window_batch(1)
    first, again, other = (_sample(batch, [seed]).pose for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert float(np.abs(first - other).max()) > 1e-2
    assert len({first[0, s].tobytes() for s in range(5)}) == 5


@pytest.mark.parametrize("refinement", KERNELS, ids=str)
@pytest.mark.parametrize("samples", [1, 3, 5, 16])
def test_longer_horizon_begins_like_a_shorter_one(refinement: Refinement, samples: int) -> None:
    batch = window_batch(2)
    longest = _sample(batch, [8, 9], refinement, horizon_frames=20, samples=samples)
    for horizon in (1, 3, 4, 11):
        shorter = _sample(batch, [8, 9], refinement, horizon_frames=horizon, samples=samples)
        assert shorter.pose.shape == (2, samples, horizon, SMALL.joints, 3)
        np.testing.assert_allclose(shorter.pose, longest.pose[:, :, :horizon], atol=1e-5)
        np.testing.assert_allclose(shorter.root, longest.root[:, :, :horizon], atol=1e-5)


@pytest.mark.parametrize(("frames", "blocks"), [(1, 1), (3, 1), (4, 2), (90, 30)])
def test_blocks_cover_the_horizon(frames: int, blocks: int) -> None:
    assert blocks_for(frames, 3) == blocks


def test_base_noise_does_not_depend_on_the_kernel() -> None:
    model = small_model()
    plain, refined = (_noise(model, [1, 2], samples=3, steps=2, kicks=kicks) for kicks in (0, 4))
    assert torch.equal(plain.base, refined.base)
    assert torch.equal(plain.root, refined.root)
    assert refined.kicks.shape == (2, 4, 6, SMALL.block_dim)
    assert refined.log_uniforms.shape == (2, 4, 6)


def test_noise_of_neighbouring_seeds_is_unrelated_and_normal() -> None:
    model = small_model()
    noise = _noise(model, range(-20, 20), samples=16, steps=10, kicks=2)
    rows = noise.base.unflatten(1, (40, 16)).transpose(0, 1).flatten(1)  # (40, n)
    correlation = torch.corrcoef(rows) - torch.eye(40)
    assert float(correlation.abs().max()) < 5 / rows.shape[1] ** 0.5
    for numbers in (noise.base, noise.kicks, noise.root):
        assert abs(float(numbers.mean())) < 5 / numbers.numel() ** 0.5
        assert abs(float(numbers.var()) - 1) < 5 * (2 / numbers.numel()) ** 0.5
    assert float(noise.log_uniforms.exp().mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.95])
def test_persistent_proposals_stay_normal_and_are_correlated_from_block_to_block(persistence: float) -> None:
    noise = draw_noise(
        range(40),
        steps=5,
        samples=16,
        dim=6,
        root_dim=6,
        kicks=2,
        device=torch.device("cpu"),
        persistence=persistence,
    )
    count = noise.kicks[0].numel()
    for n in range(5):
        assert abs(float(noise.kicks[n].var()) - 1) < 5 * (2 / count) ** 0.5
    lag_one = float((noise.kicks[1:] * noise.kicks[:-1]).mean())
    assert lag_one == pytest.approx(persistence, abs=5 / count**0.5)
    assert abs(float((noise.base[1:] * noise.base[:-1]).mean())) < 5 / count**0.5


class _Echo:
    """Draws the base noise itself: what comes out of a rollout is what went in, at its place or at another's."""

    root_temperature = 1.0
    persistence = 0.0
    guide = 0.0

    def kicks(self, flow: ConditionalFlow) -> int:
        return 0

    def draw(
        self, flow: ConditionalFlow, condition: Condition, noise: BlockNoise, record: PathRecord | None = None
    ) -> Tensor:
        return noise.base


def test_tags_of_windows_samples_and_blocks_survive_every_reshape() -> None:
    model, windows, samples, steps = small_model(), 3, 4, 2
    context = contexts(windows)
    noise = _noise(model, range(windows), samples=samples, steps=steps)
    drawn = rollout(model, context, noise, _Echo(), horizon_frames=steps * SMALL.block_frames)
    assert drawn.poses.shape == (windows, samples, steps * SMALL.block_frames, SMALL.joints * 3)
    for b in range(windows):
        for s in range(samples):
            path = torch.cat([context.pose[b, -1:], drawn.poses[b, s]])
            mine = noise.base[:, b * samples + s]
            torch.testing.assert_close(model.codec.encode_blocks(path), mine, atol=1e-3, rtol=1e-3)


def _lag_one_correlation(poses: Tensor) -> float:
    """Of the deviations from the sample mean, between the ends of neighbouring blocks; poses (B, S, H, features)."""
    ends = poses[:, :, SMALL.block_frames - 1 :: SMALL.block_frames]
    deviations = ends - ends.mean(dim=1, keepdim=True)
    before, after = deviations[:, :, :-1].flatten(), deviations[:, :, 1:].flatten()
    return float((before * after).sum() / (before.norm() * after.norm()))


def _mean_fed_back(model: GruSnf, context: ContextBatch, noise: RolloutNoise, steps: int) -> Tensor:
    """The impostor: one state per window, fed the mean of the samples; "trajectories" are independent draws."""
    windows = len(context.pose)
    samples = noise.base.shape[1] // windows
    at, poses = model.start(context), []
    for n in range(steps):
        every = at.repeat(samples)
        block = model.flow.push(noise.base[n], model.flow.condition(every.state))
        decoded = model.codec.decode_block(block, every.pose)
        poses.append(decoded)
        mean_block, mean_poses = (t.unflatten(0, (windows, samples)).mean(dim=1) for t in (block, decoded))
        roots = at.root[:, None].expand(-1, SMALL.block_frames, -1)
        at = model.advance(at, mean_block, mean_block.new_zeros(windows, SMALL.root_dim), mean_poses, roots)
    return torch.cat(poses, dim=1).unflatten(0, (windows, samples))


def test_trajectories_hang_together_in_time_and_those_of_an_impostor_do_not() -> None:
    model, context, steps = small_model(), contexts(4), 6
    noise = _noise(model, range(4), samples=64, steps=steps)
    own = rollout(model, context, noise, RefinedFlow(Refinement()), horizon_frames=steps * SMALL.block_frames).poses
    assert _lag_one_correlation(own) > 0.5
    assert abs(_lag_one_correlation(_mean_fed_back(model, context, noise, steps))) < 0.05


def test_every_trajectory_carries_its_own_state() -> None:
    """Where two samples of a window went different ways, their next blocks are conditioned differently."""
    model, context = small_model(), contexts(2)
    seen: list[Tensor] = []
    model.flow.from_state.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].clone()))
    rollout(model, context, _noise(model, [0, 1], samples=3, steps=2), RefinedFlow(Refinement()), horizon_frames=6)
    first, second = seen
    assert first.shape == second.shape == (6, SMALL.decoder_hidden)
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[3])
    assert len({row.numpy().tobytes() for row in second}) == 6


def test_repeating_keeps_neighbours_together() -> None:
    model, context = small_model(), contexts(3)
    at = model.start(context)
    repeated: Trajectory = at.repeat(2)
    for once, twice in zip(
        (at.state, at.gates, at.pose, at.root, at.has_root),
        (repeated.state, repeated.gates, repeated.pose, repeated.root, repeated.has_root),
        strict=True,
    ):
        assert torch.equal(twice[0::2], once) and torch.equal(twice[1::2], once)


def test_controls_do_what_they_say() -> None:
    batch = window_batch(1)

    def draw(control: Control) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return FORECASTER.sample(batch, horizon_frames=3, samples=64, seeds=[0], sampler=control).pose[0]

    def spread(poses: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        return float((poses - poses.mean(axis=0)).std())

    plain = spread(draw(Control()))
    mean = draw(Control(source="mean"))
    assert spread(mean) < 1e-5
    assert spread(draw(Control(temperature=0.5))) < plain
    assert spread(draw(Control(shrink=0.5))) == pytest.approx(0.5 * plain, rel=1e-3)
    assert spread(draw(Control(noise=0.5))) > plain
    assert spread(draw(Control(clamp=0.2))) < plain
    head = draw(Control(source="head"))
    np.testing.assert_allclose(head.mean(axis=0), mean[0], atol=5 * spread(head) / 64**0.5)
