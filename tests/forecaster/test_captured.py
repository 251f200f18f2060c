"""Rollouts of fixed shape: padding and reuse of memory change nothing. The graph itself needs a GPU."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from bridge.forecaster import BlockSampler, RefinedFlow, Refinement
from bridge.forecaster.captured import FixedRollouts, bucket
from bridge.forecaster.prepared import Paths, PreparedModel
from bridge.forecaster.rollout import draw_noise
from tests.forecaster.builders import SMALL, contexts, small_model
from tests.support import skip_allowed

PREPARED = PreparedModel(small_model())
SAMPLES, BLOCKS = 3, 2
SAMPLERS: list[BlockSampler] = [RefinedFlow(Refinement()), RefinedFlow(Refinement("metropolis", 1, 0.4))]


def _drawn(
    prepared: PreparedModel, sampler: BlockSampler, windows: int, seed: int, fixed: FixedRollouts | None
) -> tuple[Paths, Tensor | None]:
    noise = draw_noise(
        range(seed, seed + windows),
        steps=BLOCKS,
        samples=SAMPLES,
        dim=SMALL.block_dim,
        root_dim=SMALL.root_dim,
        kicks=sampler.kicks(prepared.model.flow),
        device=prepared.read.device,
    )
    context, paths = contexts(windows, seed=seed), prepared.new_paths(windows, SAMPLES, BLOCKS)
    context = type(context)(*(tensor.to(prepared.read.device) for tensor in context.tensors()))
    if fixed is None:
        return paths, prepared.run(context, noise, BLOCKS, partial(prepared.step, sampler), paths)
    return paths, fixed.run(context, noise, BLOCKS, sampler, paths)


@pytest.mark.parametrize(("windows", "expected"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (16, 16), (17, 32)])
def test_buckets_are_the_next_power_of_two(windows: int, expected: int) -> None:
    assert bucket(windows) == expected


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_padding_and_what_was_there_before_change_nothing(sampler: BlockSampler) -> None:
    fixed = FixedRollouts(PREPARED, capture=False)
    with torch.inference_mode():
        for seed, windows in enumerate((4, 3, 1, 2, 3)):
            paths, acceptance = _drawn(PREPARED, sampler, windows, seed, fixed)
            expected, expected_acceptance = _drawn(PREPARED, sampler, windows, seed, None)
            torch.testing.assert_close(paths.poses, expected.poses, atol=2e-5, rtol=1e-5)
            torch.testing.assert_close(paths.roots, expected.roots, atol=2e-5, rtol=1e-5)
            assert (acceptance is None) == (expected_acceptance is None)
            if acceptance is not None:
                torch.testing.assert_close(acceptance, expected_acceptance)


def test_answers_do_not_share_memory_with_later_ones() -> None:
    fixed = FixedRollouts(PREPARED, capture=False)
    with torch.inference_mode():
        first, acceptance = _drawn(PREPARED, SAMPLERS[1], 3, 0, fixed)
        assert acceptance is not None
        before = first.poses.clone(), first.roots.clone(), acceptance.clone()
        _drawn(PREPARED, SAMPLERS[1], 4, 9, fixed)
    assert torch.equal(first.poses, before[0])
    assert torch.equal(first.roots, before[1])
    assert torch.equal(acceptance, before[2])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_graph_draws_what_is_drawn_without_one(sampler: BlockSampler) -> None:
    if not torch.cuda.is_available():
        skip_allowed("no GPU here")
    prepared = PreparedModel(small_model().to("cuda"))
    fixed = FixedRollouts(prepared, capture=True)
    with torch.inference_mode():
        for seed, windows in enumerate((3, 4, 1)):
            paths, _ = _drawn(prepared, sampler, windows, seed, fixed)
            expected, _ = _drawn(prepared, sampler, windows, seed, None)
            torch.testing.assert_close(paths.poses, expected.poses, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(paths.roots, expected.roots, atol=1e-4, rtol=1e-4)
