"""The refinement as its authors published it, on this project's weights: an honest point of comparison.

Written from the description of arXiv 2512.04282 and its code's behaviour (Haque and Das 2025); the network, its
training and the coordinates are ours. After coupling i of K (i = 0..K-1) random-walk Metropolis steps are taken::

    lambda_i = i / (K - 1)
    E_i(y)   = (1 - lambda_i) |y|^2 / 2 + lambda_i |y - g(h)|^2
    y'       = y + eps * xi,   eps = 0.35,   n = 2 steps

with what sets it apart from `bridge.forecaster.refinement`, all of it as published:

- g is a linear layer on the GRU state that was never trained: a fixed random draw, as a fresh layer has it;
- every coordinate is accepted or rejected by itself, although the prior's part of the energy is summed over all of
  them, so the kernel does not leave E_i invariant;
- the MEAN of the samples is fed back and all samples share one GRU state, so samples are spread about one path.

The head, our flow's outermost layer, which the published model does not have, stays outside of it: energies live
between the couplings, where the head's own prediction is zero with unit scale, and the published noise is added in
those units. The defects of the public code that belong to its training (the target leaking into the state) or to
batches (samples of different sequences mixed up) are not imitated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridge.forecaster import Forecaster
from bridge.forecaster.flow import Condition
from bridge.forecaster.jobs import canonical_batch
from bridge.forecaster.model import ContextBatch, GruSnf, Trajectory
from bridge.forecaster.rollout import RolloutNoise, blocks_for, draw_noise
from bridge.frames import Window

STEPS = 2
STEP_SIZE = 0.35
_HEAD_SEED = 20251204


@dataclass(frozen=True, slots=True)
class PublishedRefinement:
    """The method: the flow at temperature 1 with the published refinement and the published way to go on.

    Attributes:
        forecaster: whose weights.
        samples: S.
    """

    forecaster: Forecaster
    samples: int
    name: str = "gru_snf_published"
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, S, H, J, 3) metres, hip-centred."""
        model, device = self.forecaster.model, self.forecaster.device
        batch, frame = canonical_batch(windows, self.forecaster.layout)
        context = self.forecaster.context(batch)
        with torch.inference_mode():
            noise = draw_noise(
                seeds,
                steps=blocks_for(horizon_frames, model.arch.block_frames),
                samples=self.samples,
                dim=model.arch.block_dim,
                root_dim=model.arch.root_dim,
                kicks=STEPS * model.flow.couplings,
                device=device,
            )
            drawn_poses = published_rollout(model, context, noise, seeds)
            self.forecaster.finish_(drawn_poses, context, guide=0.0)
            poses = drawn_poses[:, :, :horizon_frames].cpu().numpy()
        drawn = poses.reshape(len(poses), -1, *batch.pose.shape[2:])
        return frame.pose_to_world(drawn).reshape(len(poses), self.samples, horizon_frames, *batch.pose.shape[2:])


def published_rollout(model: GruSnf, context: ContextBatch, noise: RolloutNoise, seeds: Sequence[int]) -> Tensor:
    """Draw blocks, feed back their mean: canonical poses (B, S, n*F, J*3).

    Args:
        model: in evaluation mode.
        context: B windows.
        noise: for B * S samples (neighbours share a window), two kicks a coupling.
        seeds: of the decisions, one per window.
    """
    at = model.start(context)
    windows, device = len(at.pose), at.pose.device
    samples = noise.base.shape[1] // windows
    generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
    untrained = untrained_head(model.arch.decoder_hidden, model.arch.block_dim).to(device)
    drawn = []
    for n in range(len(noise.base)):
        shape = (noise.kicks.shape[1], samples, noise.base.shape[-1])
        log_uniform = torch.cat([torch.rand(shape, generator=g).log_() for g in generators], dim=1).to(device)
        condition = _repeat(model.flow.condition(at.state), samples)
        aim = (at.state @ untrained).repeat_interleave(samples, dim=0)
        blocks = published_draw(model, condition, aim, noise.base[n], noise.kicks[n], log_uniform)
        blocks = torch.unflatten(blocks, 0, (windows, samples))  # (B, S, D)
        drawn.append(model.codec.decode_block(blocks, at.pose[:, None].expand(-1, samples, -1)))
        at = _feed_back(model, at, blocks.mean(dim=1))
    return torch.cat(drawn, dim=2)


def published_draw(
    model: GruSnf, condition: Condition, aim: Tensor, base: Tensor, kicks: Tensor, log_uniforms: Tensor
) -> Tensor:
    """Blocks (N, D) from ``base`` draws (N, D); ``kicks``, ``log_uniforms`` are (2 K, N, D), ``aim`` is g(h) (N, D)."""
    flow = model.flow

    def between(i: int, y: Tensor) -> Tensor:
        blend = i / (flow.couplings - 1) if flow.couplings > 1 else 1.0
        for step in range(STEPS * i, STEPS * (i + 1)):
            y = published_step(y, blend, aim, kicks[step], log_uniforms[step])
        return y

    return flow.push(base, condition, between)


def published_step(y: Tensor, blend: float, aim: Tensor, normal: Tensor, log_uniform: Tensor) -> Tensor:
    """One step of every coordinate by itself, under the energy of the module's docstring; all tensors (N, D).

    A coordinate is judged by the change of its own distance to ``aim`` and of the WHOLE sample's prior energy.
    """
    proposal = y + STEP_SIZE * normal
    prior = 0.5 * (1.0 - blend) * (proposal.square().sum(dim=-1) - y.square().sum(dim=-1))
    pulled = blend * ((proposal - aim).square() - (y - aim).square())
    return torch.where(log_uniform < -(prior[:, None] + pulled), proposal, y)


def untrained_head(hidden: int, dim: int) -> Tensor:
    """g as a matrix (hidden, D): the values of a fresh linear layer without its bias, always the same."""
    generator = torch.Generator().manual_seed(_HEAD_SEED)
    uniform = torch.rand(hidden, dim, generator=generator)
    return (2.0 * uniform - 1.0) * float(hidden**-0.5)


def _feed_back(model: GruSnf, at: Trajectory, mean_block: Tensor) -> Trajectory:
    """One step of the window's only state, which has read the mean of the samples and the root expected with it."""
    root_block, _ = model.root_head(at.state, mean_block)
    poses = model.codec.decode_block(mean_block, at.pose)
    roots = model.codec.decode_roots(root_block, at.root)
    return model.advance(at, mean_block, root_block, poses, roots)


def _repeat(condition: Condition, times: int) -> Condition:
    return Condition(
        tuple(bias.repeat_interleave(times, dim=0) for bias in condition.coupling_bias),
        condition.mean.repeat_interleave(times, dim=0),
        condition.log_scale.repeat_interleave(times, dim=0),
    )
