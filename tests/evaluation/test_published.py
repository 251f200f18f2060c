from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.evaluation.published import (
    STEPS,
    PublishedRefinement,
    published_draw,
    published_rollout,
    published_step,
    untrained_head,
)
from bridge.forecaster.checkpoint import load_checkpoint
from bridge.forecaster.forecaster import Forecaster
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.rollout import RolloutNoise, draw_noise
from bridge.frames import Window
from tests.support import TINY_LAYOUT, tiny_weights

HORIZON, SAMPLES = 7, 6


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)


@pytest.fixture(scope="module")
def model(weights: Path) -> GruSnf:
    return load_checkpoint(weights)[0]


@pytest.mark.parametrize(("blend", "reported_variance"), [(0.25, 0.592), (0.5, 0.457), (0.75, 0.408)])
def test_coordinates_judged_one_by_one_shrink_the_target_as_reported(blend: float, reported_variance: float) -> None:
    """600 steps from the exact target, N(0, 1 / (1 + lambda)), end where the public code's were seen to end.

    The report does not name the number of coordinates; about two dozen give its three values.
    """
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(400, 24, generator=generator) / (1 + blend) ** 0.5
    aim = torch.zeros_like(y)
    for _ in range(600):
        normal = torch.randn(y.shape, generator=generator)
        y = published_step(y, blend, aim, normal, torch.rand(y.shape, generator=generator).log_())
    assert float(y.var()) == pytest.approx(reported_variance, abs=0.02)


def test_at_the_last_layer_coordinates_are_independent_and_the_step_is_exact() -> None:
    """Without the prior's sum (lambda = 1) there is nothing wrong with one decision per coordinate."""
    generator = torch.Generator().manual_seed(1)
    aim = torch.full((4000, 2), 0.3)
    y = aim + torch.randn(aim.shape, generator=generator) * 0.5**0.5
    for _ in range(50):
        normal = torch.randn(y.shape, generator=generator)
        y = published_step(y, 1.0, aim, normal, torch.rand(y.shape, generator=generator).log_())
    assert float(y.mean()) == pytest.approx(0.3, abs=0.03)
    assert float(y.var()) == pytest.approx(0.5, abs=0.04)


def test_with_nothing_accepted_a_block_is_that_of_the_plain_flow(model: GruSnf) -> None:
    noise = _noise(model, [3], steps=1)
    condition = model.flow.condition(torch.randn(SAMPLES, model.arch.decoder_hidden))
    aim = torch.zeros(SAMPLES, model.arch.block_dim)
    never = torch.full_like(noise.kicks[0], 1e9)
    block = published_draw(model, condition, aim, noise.base[0], noise.kicks[0], never)
    torch.testing.assert_close(block, model.flow.push(noise.base[0], condition))


def test_what_is_fed_back_is_the_mean_of_the_samples(model: GruSnf) -> None:
    """All samples of a window go on from one pose and one state: the mean of the block drawn before."""
    frames, seeds = model.arch.block_frames, [5, 6]
    context, noise = _context(model, 2), _noise(model, [5, 6], steps=2)
    with torch.inference_mode():
        poses = published_rollout(model, context, noise, seeds)  # (B, S, 2F, J*3)
        start = model.start(context)
        reached = poses[:, :, frames - 1].mean(dim=1)
        block = model.codec.encode_blocks(torch.cat([start.pose[:, None], poses[:, :, :frames].mean(dim=1)], dim=1))
        root_block, _ = model.root_head(start.state, block[:, 0])
        mean_poses = poses[:, :, :frames].mean(dim=1)
        roots = model.codec.decode_roots(root_block, start.root)
        at = model.advance(start, block[:, 0], root_block, mean_poses, roots)
        # The second block alone, from that state, with the same randomness and the decisions that come second.
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (noise.kicks.shape[1], SAMPLES, model.arch.block_dim)
        for _ in range(2):
            decisions = torch.cat([torch.rand(shape, generator=g).log_() for g in generators], dim=1)
        untrained = untrained_head(model.arch.decoder_hidden, model.arch.block_dim)
        condition = model.flow.condition(at.state.repeat_interleave(SAMPLES, dim=0))
        aim = (at.state @ untrained).repeat_interleave(SAMPLES, dim=0)
        second = published_draw(model, condition, aim, noise.base[1], noise.kicks[1], decisions)
        expected = model.codec.decode_block(second, reached.repeat_interleave(SAMPLES, dim=0))
    torch.testing.assert_close(poses[:, :, frames:].flatten(0, 1), expected, rtol=1e-3, atol=1e-4)


def test_noise_moves_samples_but_not_their_path(model: GruSnf) -> None:
    """Deviations from the mean of one block tell nothing of those of the next: trajectories do not hold together."""
    frames, samples = model.arch.block_frames, 2000
    noise = draw_noise(
        [1],
        steps=3,
        samples=samples,
        dim=model.arch.block_dim,
        root_dim=model.arch.root_dim,
        kicks=STEPS * model.flow.couplings,
        device=torch.device("cpu"),
    )
    with torch.inference_mode():
        poses = published_rollout(model, _context(model, 1), noise, [1])[0]
    ends = poses[:, frames - 1 :: frames]  # (S, 3, J*3)
    deviation = (ends - ends.mean(dim=0)).double()
    deviation = deviation[..., deviation.std(dim=(0, 1)) > 1e-6]
    first, second = deviation[:, 0].flatten(), deviation[:, 1].flatten()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.06


def test_a_window_gets_the_same_samples_in_any_batch(weights: Path) -> None:
    method = PublishedRefinement(Forecaster.load(weights, device="cpu"), SAMPLES)
    windows = [_window(method.forecaster, seed) for seed in (1, 2)]
    both = method.futures(windows, HORIZON, [2**62 - 1, 9])
    assert both.shape == (2, SAMPLES, HORIZON, TINY_LAYOUT.joints, 3) and both.dtype == np.float32
    np.testing.assert_allclose(method.futures(windows[1:], HORIZON, [9])[0], both[1], atol=1e-5)
    assert not np.allclose(method.futures(windows[1:], HORIZON, [8])[0], both[1], atol=1e-3)
    assert both.std(axis=1).max() > 0


def test_futures_are_in_metres_in_the_persons_own_size(weights: Path) -> None:
    method = PublishedRefinement(Forecaster.load(weights, device="cpu"), SAMPLES)
    window = _window(method.forecaster, 1)
    taller = replace(window, pose_m=2 * window.pose_m)
    here, there = method.futures([window, taller], HORIZON, [3, 3])
    np.testing.assert_allclose(there, 2 * here, atol=1e-4)


def test_the_untrained_head_is_small_and_always_the_same() -> None:
    first = untrained_head(64, 12)
    assert first.shape == (64, 12) and float(first.abs().max()) <= 64**-0.5
    torch.testing.assert_close(first, untrained_head(64, 12))


def _noise(model: GruSnf, seeds: list[int], *, steps: int) -> RolloutNoise:
    return draw_noise(
        seeds,
        steps=steps,
        samples=SAMPLES,
        dim=model.arch.block_dim,
        root_dim=model.arch.root_dim,
        kicks=STEPS * model.flow.couplings,
        device=torch.device("cpu"),
    )


def _context(model: GruSnf, windows: int) -> ContextBatch:
    random = torch.Generator().manual_seed(4)
    frames, joints = model.arch.context_frames, model.arch.joints
    pose = torch.from_numpy(TINY_LAYOUT.template).flatten() + 0.02 * torch.randn(
        windows, frames, joints * 3, generator=random
    )
    return ContextBatch(
        pose=pose,
        observed=torch.ones(windows, frames, joints),
        root=torch.zeros(windows, frames, 3),
        has_root=torch.zeros(windows, 1),
    )


def _window(forecaster: Forecaster, seed: int) -> Window:
    frames = forecaster.context_frames
    noise: NDArray[np.floating] = np.random.default_rng(seed).standard_normal((frames, TINY_LAYOUT.joints, 3))
    pose_m = 0.4 * TINY_LAYOUT.template + 0.01 * noise
    pose_m -= pose_m[:, list(TINY_LAYOUT.hips)].mean(axis=1, keepdims=True)
    return Window(
        layout_id=TINY_LAYOUT.id,
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, TINY_LAYOUT.joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames,
        timestamp_us=frames * 33_333,
    )
