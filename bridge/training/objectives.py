"""What training minimises: the likelihood of what came next, and the energy score of sampled rollouts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bridge.forecaster.model import GruSnf
from bridge.forecaster.rollout import RolloutNoise, blocks_for, rollout
from bridge.forecaster.sampling import BlockSampler
from bridge.training.batches import TrainingBatch


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Negative log-likelihoods in nats per coordinate, averaged over blocks and windows."""

    flow: Tensor
    head: Tensor
    root: Tensor


def likelihood(model: GruSnf, batch: TrainingBatch, *, noise_floor: float, input_noise: float) -> Likelihood:
    """Teacher-forced likelihood of the blocks after the context.

    Args:
        noise_floor: standard deviation, canonical units per coordinate, of the noise added to the targets: below it
            motion is rounding, and a flow that may model it spends itself on that.
        input_noise: the same for the poses fed back, so that the model has seen imperfect ones before it meets its own.
    """
    arch = model.arch
    steps = batch.future.shape[1] // arch.block_frames
    frames = steps * arch.block_frames
    path = torch.cat([batch.context.pose[:, -1:], batch.future[:, :frames]], dim=1)
    roots = torch.cat([batch.context.root.new_zeros(len(path), 1, 3), batch.future_root[:, :frames]], dim=1)
    root_blocks = model.codec.encode_roots(roots)
    fed = path + input_noise * torch.randn_like(path)
    fed[:, 0] = path[:, 0]
    states = model.teacher_forced_states(
        batch.context, model.codec.encode_blocks(fed), fed[:, arch.block_frames :: arch.block_frames], root_blocks
    )
    # The target starts where the (noisy) input stood, so that the model learns to come back from its own errors.
    starts = fed[:, : -1 : arch.block_frames].unsqueeze(2)
    after = torch.unflatten(path[:, 1:], 1, (steps, arch.block_frames))
    blocks = ((after - starts).flatten(2) @ model.codec.block_encode).flatten(0, 1)
    deviation = model.codec.block_decode.norm(dim=1)
    blocks = blocks + torch.randn_like(blocks) * noise_floor / deviation
    flat_states = states.flatten(0, 1)
    condition = model.flow.condition(flat_states)
    mean, log_scale = model.root_head(flat_states, blocks)
    target = root_blocks.flatten(0, 1)
    known = batch.root_known.repeat_interleave(steps, dim=0).repeat_interleave(2, dim=1)
    deviations = (target + 0.003 * torch.randn_like(target) - mean) * torch.exp(-log_scale)
    root_nll = (0.5 * deviations**2 + log_scale) * known
    return Likelihood(
        flow=-model.flow.log_prob(blocks, condition).mean() / arch.block_dim,
        head=-model.flow.head_log_prob(blocks, condition).mean() / arch.block_dim,
        root=root_nll.sum() / known.sum().clamp(min=1.0),
    )


def fresh_noise(model: GruSnf, trajectories: int, horizon_frames: int, kicks: int = 0) -> RolloutNoise:
    """Noise for training rollouts, from torch's global generator of the CPU, on the model's device."""
    steps = blocks_for(horizon_frames, model.arch.block_frames)
    device = model.codec.pose_mean.device
    return RolloutNoise(
        base=torch.randn(steps, trajectories, model.arch.block_dim).to(device),
        kicks=torch.randn(steps, kicks, trajectories, model.arch.block_dim).to(device),
        log_uniforms=torch.rand(steps, kicks, trajectories).log().to(device),
        root=torch.randn(steps, trajectories, model.arch.root_dim).to(device),
    )


def rollout_energy_score(model: GruSnf, batch: TrainingBatch, sampler: BlockSampler, samples: int) -> Tensor:
    """Energy score (B,) of sampled rollouts against what came, canonical units; differentiable.

    The mean of two: of the whole trajectory as one vector, and of each frame (scaled to the same size), which punishes
    errors at every horizon instead of the last ones alone.
    """
    horizon = batch.future.shape[1]
    noise = fresh_noise(model, len(batch.future) * samples, horizon, sampler.kicks(model.flow))
    drawn = rollout(model, batch.context, noise, sampler, horizon_frames=horizon).poses  # (B, S, H, J*3)
    per_frame_error = squared_norm(drawn - batch.future[:, None])  # (B, S, H)
    first, second = torch.triu_indices(samples, samples, 1)
    per_frame_spread = squared_norm(drawn[:, first] - drawn[:, second])  # (B, pairs, H)
    whole = root(per_frame_error.sum(-1)).mean(1) - 0.5 * root(per_frame_spread.sum(-1)).mean(1)
    frames = root(per_frame_error).mean(1) - 0.5 * root(per_frame_spread).mean(1)
    return 0.5 * whole + 0.5 * frames.mean(-1) * math.sqrt(horizon)


def squared_norm(vectors: Tensor) -> Tensor:
    """Sum of squares over the last axis."""
    return (vectors * vectors).sum(dim=-1)


def root(values: Tensor) -> Tensor:
    """Square root with a finite slope at zero."""
    return (values + 1e-8).sqrt()
