"""The prepared network draws what the plain rollout draws, however it is called."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from bridge.forecaster import BlockSampler, Control, RefinedFlow, Refinement
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.model import GruSnf
from bridge.forecaster.prepared import Paths, PreparedModel, Step
from bridge.forecaster.rollout import RolloutNoise, draw_noise, rollout
from bridge.forecaster.tracing import TracedSteps
from tests.forecaster.builders import SMALL, contexts, small_forecaster, small_model, window_batch

SAMPLERS: list[BlockSampler] = [
    RefinedFlow(Refinement()),
    RefinedFlow(Refinement("pcn", 2, 0.3, temperature=1.1, persistence=0.5)),
    RefinedFlow(Refinement("metropolis", 2, 0.4)),
    RefinedFlow(Refinement("langevin", 1, 0.5, layers="last")),
    Control(source="mean"),
    Control(source="head", temperature=0.8),
    Control(clamp=0.7),
    Control(noise=0.5, shrink=0.3, persistence=0.8),
]
SIZES = [SMALL, replace(SMALL, block_frames=2, block_dim=4, pose_dim=5, couplings=1, root_hidden=3, head_hidden=9)]


def _noise(model: GruSnf, sampler: BlockSampler, windows: int, samples: int, steps: int) -> RolloutNoise:
    return draw_noise(
        range(windows),
        steps=steps,
        samples=samples,
        dim=model.arch.block_dim,
        root_dim=model.arch.root_dim,
        kicks=sampler.kicks(model.flow),
        device=torch.device("cpu"),
        persistence=sampler.persistence,
    )


def _steps(prepared: PreparedModel, sampler: BlockSampler) -> dict[str, Step]:
    return {"called": partial(prepared.step, sampler), "recorded": TracedSteps(prepared).step(sampler)}


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
@pytest.mark.parametrize("arch", SIZES, ids=["small", "other"])
def test_prepared_and_plain_rollouts_agree(arch: Architecture, sampler: BlockSampler) -> None:
    model, windows, samples, steps = small_model(arch), 3, 4, 5
    context, noise = contexts(windows, arch), _noise(model, sampler, windows, samples, steps)
    plain = rollout(model, context, noise, sampler, horizon_frames=steps * arch.block_frames)
    prepared = PreparedModel(model)
    for step in _steps(prepared, sampler).values():
        paths = prepared.new_paths(windows, samples, steps)
        acceptance = prepared.run(context, noise, steps, step, paths)
        torch.testing.assert_close(paths.poses, plain.poses, atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(paths.roots, plain.roots, atol=2e-5, rtol=1e-5)
        assert (acceptance is None) == (plain.acceptance_rate is None)
        if acceptance is not None:
            torch.testing.assert_close(acceptance, plain.acceptance_rate)


def test_a_recorded_step_serves_any_number_of_windows_and_samples() -> None:
    model, sampler = small_model(), SAMPLERS[1]
    prepared = PreparedModel(model)
    step = TracedSteps(prepared).step(sampler)
    for windows, samples in ((1, 1), (1, 7), (5, 1), (4, 3)):
        context, noise = contexts(windows), _noise(model, sampler, windows, samples, 2)
        paths = prepared.new_paths(windows, samples, 2)
        prepared.run(context, noise, 2, step, paths)
        plain = rollout(model, context, noise, sampler, horizon_frames=2 * SMALL.block_frames)
        torch.testing.assert_close(paths.poses, plain.poses, atol=2e-5, rtol=1e-5)


def test_a_rollout_leaves_its_inputs_as_they_were() -> None:
    model, sampler = small_model(), SAMPLERS[1]
    prepared, context, noise = PreparedModel(model), contexts(2), _noise(model, SAMPLERS[1], 2, 3, 2)
    given = [*context.tensors(), noise.base, noise.kicks, noise.log_uniforms, noise.root]
    before = [tensor.clone() for tensor in given]
    prepared.run(context, noise, 2, partial(prepared.step, sampler), prepared.new_paths(2, 3, 2))
    assert all(torch.equal(now, then) for now, then in zip(given, before, strict=True))


def test_a_part_of_the_windows_is_a_view() -> None:
    paths = Paths(torch.zeros(4, 2, 3, 5), torch.zeros(4, 2, 3, 3))
    part = paths.of_windows(slice(1, 3))
    part.poses.fill_(1.0)
    part.roots.fill_(2.0)
    assert [float(paths.poses[b].max()) for b in range(4)] == [0.0, 1.0, 1.0, 0.0]
    assert [float(paths.roots[b].max()) for b in range(4)] == [0.0, 2.0, 2.0, 0.0]


def test_windows_shared_out_among_threads_get_the_same_answers() -> None:
    forecaster, batch, seeds = small_forecaster(), window_batch(5), [3, 1, 4, 1, 5]

    def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        made = forecaster.sample(batch, horizon_frames=8, samples=64, seeds=seeds)
        return made.pose, made.root, made.acceptance_rate

    alone = sample()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shared = sample()
        again = sample()
    finally:
        torch.set_num_threads(threads)
    for one, two, three in zip(alone, shared, again, strict=True):
        assert one is not None and two is not None and three is not None
        np.testing.assert_allclose(one, two, atol=2e-5)
        assert np.array_equal(two, three)


def test_diagnostics_come_with_the_same_trajectories() -> None:
    forecaster, batch = small_forecaster(), window_batch(3)
    plain = forecaster.sample(batch, horizon_frames=8, samples=4, seeds=[1, 2, 3])
    diagnosed = forecaster.sample(batch, horizon_frames=8, samples=4, seeds=[1, 2, 3], diagnostics=True)
    assert plain.diagnostics is None and diagnosed.diagnostics is not None
    np.testing.assert_allclose(diagnosed.pose, plain.pose, atol=2e-5)
    np.testing.assert_allclose(diagnosed.root, plain.root, atol=2e-5)
    assert diagnosed.acceptance_rate is not None and plain.acceptance_rate is not None
    np.testing.assert_allclose(diagnosed.acceptance_rate, plain.acceptance_rate)
