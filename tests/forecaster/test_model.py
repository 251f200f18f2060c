"""Causality: what conditions a block has read the context and earlier blocks, once each, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bridge.errors import CheckpointError
from bridge.forecaster import RefinedFlow, Refinement
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.rollout import RolloutNoise, draw_noise, rollout
from bridge.forecaster.sampling import BlockNoise
from tests.forecaster.builders import SMALL, contexts, small_model

BLOCKS = 4


def _inputs(windows: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    blocks = torch.randn(windows, BLOCKS, SMALL.block_dim, requires_grad=True)
    poses = torch.randn(windows, BLOCKS, SMALL.joints * 3, requires_grad=True)
    roots = torch.randn(windows, BLOCKS, SMALL.root_dim, requires_grad=True)
    return blocks, poses, roots


@pytest.mark.parametrize("n", range(BLOCKS))
def test_state_of_a_block_has_exactly_no_gradient_from_that_block_and_later_ones(n: int) -> None:
    model, context = small_model(), contexts(2)
    inputs = _inputs(2)
    states = model.teacher_forced_states(context, *inputs)
    assert states.shape == (2, BLOCKS, SMALL.decoder_hidden)
    weights = torch.randn(2, SMALL.decoder_hidden)
    gradients = torch.autograd.grad((states[:, n] * weights).sum(), inputs, allow_unused=True)
    for tensor, found in zip(inputs, gradients, strict=True):
        gradient = torch.zeros_like(tensor) if found is None else found
        assert torch.equal(gradient[:, n:], torch.zeros_like(gradient[:, n:]))
        for earlier in range(n):
            assert float(gradient[0, earlier].abs().max()) > 0


def test_root_of_a_window_without_one_is_not_read() -> None:
    model, context = small_model(), contexts(2)
    inputs = _inputs(2)
    states = model.teacher_forced_states(context, *inputs)
    (gradient,) = torch.autograd.grad(states[:, -1].sum(), inputs[2])
    with_root, without = 0, 1
    assert [float(flag) for flag in context.has_root[:, 0]] == [1.0, 0.0]
    assert float(gradient[with_root].abs().max()) > 0
    assert torch.equal(gradient[without], torch.zeros_like(gradient[without]))


def test_first_state_is_that_of_the_context_alone() -> None:
    model, context = small_model(), contexts(3)
    states = model.teacher_forced_states(context, *_inputs(3))
    assert torch.equal(states[:, 0], model.start(context).state)


def test_context_is_read_once_block_by_block() -> None:
    model, context = small_model(), contexts(3)
    read: list[Tensor] = []
    model.encoder.register_forward_hook(lambda _module, inputs, _output: read.append(inputs[0]))
    noise = _noise(3, samples=2, steps=3)
    rollout(model, context, noise, RefinedFlow(Refinement()), horizon_frames=3 * SMALL.block_frames)
    assert len(read) == 1
    assert read[0].shape[:2] == (3, SMALL.context_blocks)


@pytest.mark.parametrize("frame", range(SMALL.context_frames))
def test_every_context_frame_matters_to_the_first_state(frame: int) -> None:
    model, context = small_model(), contexts(2)
    pose = context.pose.clone().requires_grad_(True)
    state = model.start(ContextBatch(pose, context.observed, context.root, context.has_root)).state
    (gradient,) = torch.autograd.grad(state.sum(), pose)
    assert float(gradient[:, frame].abs().max()) > 0


def test_unobserved_landmarks_are_told_apart() -> None:
    model, context = small_model(), contexts(2)
    hidden = ContextBatch(context.pose, torch.zeros_like(context.observed), context.root, context.has_root)
    assert float((model.start(context).state - model.start(hidden).state).abs().max()) > 1e-3


def test_rollout_and_training_see_the_same_conditions() -> None:
    """Teacher-forced on a rollout's own blocks, the flow pulls them back to the very noise they were drawn from."""
    model, context = small_model(), contexts(4)
    steps, size = 3, SMALL.block_frames
    noise = _noise(4, samples=1, steps=steps)
    drawn = rollout(model, context, noise, RefinedFlow(Refinement()), horizon_frames=steps * size)
    path = torch.cat([context.pose[:, -1:], drawn.poses[:, 0]], dim=1)
    roots = torch.cat([context.root[:, -1:], drawn.roots[:, 0]], dim=1)
    blocks = model.codec.encode_blocks(path)
    states = model.teacher_forced_states(context, blocks, path[:, size::size], model.codec.encode_roots(roots))
    for n in range(steps):
        pulled, _ = model.flow.pull(blocks[:, n], model.flow.condition(states[:, n]))
        torch.testing.assert_close(pulled, noise.base[n], atol=2e-3, rtol=1e-3)


def test_first_block_is_drawn_from_the_contexts_state_and_each_trajectory_goes_on_from_its_own_block() -> None:
    model, context = small_model(), contexts(1)
    noise, sampler = _noise(1, samples=2, steps=2), RefinedFlow(Refinement())
    drawn = rollout(model, context, noise, sampler, horizon_frames=2 * SMALL.block_frames)
    for s in range(2):
        at = model.start(context)
        poses = []
        for n in range(2):
            step = noise.step(n)
            mine = BlockNoise(step.base[s : s + 1], step.kicks[:, s : s + 1], step.log_uniforms, step.root[s : s + 1])
            block = sampler.draw(model.flow, model.flow.condition(at.state), mine)
            mean, log_scale = model.root_head(at.state, block)
            root_block = mean + torch.exp(log_scale) * mine.root
            decoded = model.codec.decode_block(block, at.pose)
            at = model.advance(at, block, root_block, decoded, model.codec.decode_roots(root_block, at.root))
            poses.append(decoded[0])
        torch.testing.assert_close(drawn.poses[0, s], torch.cat(poses), atol=1e-5, rtol=1e-5)


def _noise(windows: int, *, samples: int, steps: int) -> RolloutNoise:
    return draw_noise(
        range(windows),
        steps=steps,
        samples=samples,
        dim=SMALL.block_dim,
        root_dim=SMALL.root_dim,
        kicks=0,
        device=torch.device("cpu"),
    )


def test_codec_gives_back_what_its_directions_hold() -> None:
    """Blocks that move along the fitted directions come back exactly; the root comes back as drift and bend."""
    rng = np.random.default_rng(0)
    model = GruSnf(SMALL)
    directions = rng.standard_normal((SMALL.block_dim, SMALL.block_frames, SMALL.joints, 3))
    blocks = np.einsum("nd,dfjc->nfjc", rng.standard_normal((400, SMALL.block_dim)), directions).astype(np.float32)
    model.codec.fit(blocks, rng.standard_normal((400, SMALL.joints, 3)).astype(np.float32))
    start = torch.randn(SMALL.joints * 3)
    path = torch.cat([start[None], start + torch.from_numpy(blocks[0]).flatten(1)])
    coordinates = model.codec.encode_blocks(path)
    assert coordinates.shape == (1, SMALL.block_dim)
    torch.testing.assert_close(model.codec.decode_block(coordinates[0], start), path[1:], atol=1e-3, rtol=1e-3)
    everything = model.codec.encode_blocks(
        torch.cat([torch.zeros(400, 1, SMALL.joints * 3), torch.from_numpy(blocks).flatten(2)], dim=1)
    )
    torch.testing.assert_close(everything.square().mean(dim=(0, 1)), torch.ones(SMALL.block_dim), atol=1e-3, rtol=0)

    time = torch.arange(SMALL.block_frames + 1)[:, None] / SMALL.block_frames
    root = torch.randn(3) + time * torch.randn(3) + time**2 * torch.randn(3)
    encoded = model.codec.encode_roots(root)
    torch.testing.assert_close(model.codec.decode_roots(encoded[0], root[0]), root[1:])


@pytest.mark.parametrize(
    "wrong",
    [{"context_frames": 12}, {"context_frames": 3}, {"block_dim": 5}, {"block_dim": 0}, {"block_frames": 1}],
    ids=str,
)
def test_sizes_that_do_not_fit_together_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(CheckpointError, match="expected"):
        replace(SMALL, **wrong)


@pytest.mark.parametrize("joints", [2, 3, 7, 17, 33])
def test_default_sizes_never_exceed_what_a_body_can_do(joints: int) -> None:
    arch = Architecture.for_joints(joints)
    assert arch.pose_dim <= 3 * (joints - 1)
    assert arch.block_dim <= 3 * (joints - 1) * arch.block_frames
    assert arch.block_dim % 2 == 0
    if joints == 33:
        assert arch == Architecture(joints=33)
