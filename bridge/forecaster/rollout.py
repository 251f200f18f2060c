"""Rollouts: all windows times all samples in one batch, every trajectory with its own state, fed its own frames.

This is the plain form, with gradients, for training and as the reference. `bridge.forecaster.prepared` has
the same computation for inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bridge.forecaster.model import ContextBatch, GruSnf, Trajectory
from bridge.forecaster.random_numbers import log_uniform_numbers, normal_numbers
from bridge.forecaster.refinement import PathRecord, effective_sample_size
from bridge.forecaster.sampling import BlockNoise, BlockSampler, RefinedFlow, path_log_weight

_STREAM_UNIFORMS, _STREAM_BASE, _STREAM_KICKS, _STREAM_ROOT = range(4)


@dataclass(frozen=True, slots=True)
class RolloutNoise:
    """Randomness of a whole rollout, first axis the step."""

    base: Tensor  # (n, N, D)
    kicks: Tensor  # (n, k, N, D)
    log_uniforms: Tensor  # (n, k, N)
    root: Tensor  # (n, N, 6)

    def step(self, n: int) -> BlockNoise:
        """The randomness of block n."""
        return BlockNoise(self.base[n], self.kicks[n], self.log_uniforms[n], self.root[n])


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What refinement did.

    Attributes:
        acceptance_rate: (B,) mean acceptance probability over a window's proposals, None without any.
        log_weight: (n, B, S) path weights per block for the unrefined flow at temperature 1 as target.
        effective_sample_size: (n, B) per block, of S.
    """

    acceptance_rate: Tensor | None
    log_weight: Tensor
    effective_sample_size: Tensor


@dataclass(frozen=True, slots=True)
class Rollout:
    """Canonical trajectories: poses (B, S, H, J*3), roots (B, S, H, 3), acceptance (B,), diagnostics when asked for."""

    poses: Tensor
    roots: Tensor
    acceptance_rate: Tensor | None
    diagnostics: Diagnostics | None = None


def blocks_for(horizon_frames: int, block_frames: int) -> int:
    """Blocks that cover a horizon."""
    return -(-horizon_frames // block_frames)


def draw_noise(
    seeds: Sequence[int],
    *,
    steps: int,
    samples: int,
    dim: int,
    root_dim: int,
    kicks: int,
    device: torch.device,
    persistence: float = 0.0,
) -> RolloutNoise:
    """Draw each window's noise from its own seed, so that neither batch nor kernel changes another draw.

    The base draws of a window depend on its seed alone, not on the kernel (GRU-NF and GRU-SNF start from the same
    numbers), and those of the first steps not on how many follow. They are drawn on the CPU, so that every device sees
    the same.

    With ``persistence`` r the kicks of a trajectory are a stationary autoregressive process over its blocks,
    k_n = r k_{n-1} + sqrt(1 - r^2) xi_n: refinement keeps pushing a trajectory the way it did before. Each kick is
    standard normal by itself, but no longer independent of the trajectory's past. Only with r = 0 do the kernels leave
    their energy invariant given that past, and only then are path weights exact.

    Args:
        seeds: one per window (B); any integers.
        persistence: r, [0, 1).
    """
    base = normal_numbers(seeds, _STREAM_BASE, steps, samples * dim)
    root = normal_numbers(seeds, _STREAM_ROOT, steps, samples * root_dim)
    kick = normal_numbers(seeds, _STREAM_KICKS, steps * kicks, samples * dim)
    uniform = log_uniform_numbers(seeds, _STREAM_UNIFORMS, steps * kicks, samples)
    count = len(seeds) * samples
    return RolloutNoise(
        base=base.reshape(steps, count, dim).to(device),
        kicks=_persist(kick.reshape(steps, kicks, count, dim), persistence).to(device),
        log_uniforms=uniform.reshape(steps, kicks, count).to(device),
        root=root.reshape(steps, count, root_dim).to(device),
    )


def _persist(fresh: Tensor, persistence: float) -> Tensor:
    """Correlate standard normal numbers along the first axis, in place."""
    if persistence > 0.0:
        for n in range(1, len(fresh)):
            fresh[n].mul_((1.0 - persistence**2) ** 0.5).add_(fresh[n - 1], alpha=persistence)
    return fresh


@dataclass(frozen=True, slots=True)
class Step:
    """One block of N trajectories: poses (N, F, J*3), roots (N, F, 3), where they then stand, and what was done.

    ``acceptance`` is (N,) or one for all, None without refinement; ``log_weight`` (N,) only when asked for.
    """

    poses: Tensor
    roots: Tensor
    at: Trajectory
    acceptance: Tensor | None
    log_weight: Tensor | None


def take_step(
    model: GruSnf,
    sampler: BlockSampler,
    at: Trajectory,
    noise: BlockNoise,
    last: bool,
    *,
    log_weights: bool = False,
) -> Step:
    """Draw the next block of every trajectory and, unless it is the ``last``, feed it to the trajectory's own state."""
    condition = model.flow.condition(at.state)
    record = PathRecord(torch.zeros_like(at.root[:, 0]) if log_weights else None)
    block = sampler.draw(model.flow, condition, noise, record)
    root_mean, root_log_scale = model.root_head(at.state, block)
    root_block = root_mean + sampler.root_temperature * torch.exp(root_log_scale) * noise.root
    poses = model.codec.decode_block(block, at.pose)
    roots = model.codec.decode_roots(root_block, at.root)
    log_weight = None
    if log_weights and isinstance(sampler, RefinedFlow):
        log_weight = path_log_weight(model.flow, condition, block, noise, record, sampler.refinement)
    return Step(
        poses,
        roots,
        at if last else model.advance(at, block, root_block, poses, roots),
        torch.stack(record.accepted).mean(dim=0) if record.accepted else None,
        log_weight,
    )


def rollout(
    model: GruSnf,
    context: ContextBatch,
    noise: RolloutNoise,
    sampler: BlockSampler,
    *,
    horizon_frames: int,
    diagnostics: bool = False,
) -> Rollout:
    """Draw S trajectories for each of B windows, block after block.

    Args:
        model: in evaluation mode for inference; gradients flow through for training.
        context: B windows.
        noise: for N = B * S trajectories (neighbours share a window) and at least ceil(horizon_frames / F) steps.
        sampler: how a block is drawn.
        horizon_frames: H, at least 1.
        diagnostics: also compute path weights, which costs an inverse pass of the flow per block.

    Returns:
        Poses (B, S, H, J*3) and roots (B, S, H, 3), canonical.
    """
    windows = context.pose.shape[0]
    samples = noise.base.shape[1] // windows
    count = blocks_for(horizon_frames, model.arch.block_frames)
    at = model.start(context).repeat(samples)
    steps: list[Step] = []
    for n in range(count):
        steps.append(take_step(model, sampler, at, noise.step(n), n + 1 == count, log_weights=diagnostics))
        at = steps[-1].at
    shape = (windows, samples)
    accepted = [step.acceptance for step in steps if step.acceptance is not None]
    rate = None
    if accepted:
        rate = torch.stack([a.expand(windows * samples) for a in accepted]).mean(dim=0).reshape(shape).mean(dim=1)
    report = None
    weights = [step.log_weight for step in steps if step.log_weight is not None]
    if weights:
        log_weight = torch.unflatten(torch.stack(weights), 1, shape)
        report = Diagnostics(rate, log_weight, effective_sample_size(log_weight))
    return Rollout(
        torch.unflatten(torch.cat([step.poses for step in steps], dim=1)[:, :horizon_frames], 0, shape),
        torch.unflatten(torch.cat([step.roots for step in steps], dim=1)[:, :horizon_frames], 0, shape),
        rate,
        report,
    )
