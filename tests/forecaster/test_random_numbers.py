"""Numbers that depend on their seed, stream and place alone, and are as random as they should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

from bridge.forecaster.random_numbers import log_uniform_numbers, normal_numbers

Draw = Callable[..., Tensor]
BOTH = pytest.mark.parametrize("draw", [normal_numbers, log_uniform_numbers])


@BOTH
@pytest.mark.parametrize("count", [1, 2, 7, 4000])
def test_shape_is_rows_windows_count_and_all_are_finite(draw: Draw, count: int) -> None:
    made = draw([1, 2, 3], 0, 5, count)
    assert made.shape == (5, 3, count) and made.dtype == torch.float32
    assert bool(torch.isfinite(made).all())


@BOTH
def test_nothing_to_draw_gives_nothing(draw: Draw) -> None:
    assert draw([1, 2], 0, 0, 6).shape == (0, 2, 6)


@BOTH
@pytest.mark.parametrize("count", [6, 7, 9000])
def test_rows_are_the_same_however_many_follow_and_whoever_is_in_the_batch(draw: Draw, count: int) -> None:
    seeds = [5, -3, 2**63]
    together = draw(seeds, 1, 9, count)
    assert torch.equal(draw(seeds, 1, 4, count), together[:4])
    for b, seed in enumerate(seeds):
        assert torch.equal(draw([seed], 1, 9, count)[:, 0], together[:, b])


@BOTH
def test_seeds_streams_and_rows_differ(draw: Draw) -> None:
    drawn = torch.cat([draw([0, 1], stream, 3, 8).flatten(0, 1) for stream in range(4)])
    assert len({row.numpy().tobytes() for row in drawn}) == len(drawn) == 24


def test_normal_numbers_are_normal_and_unrelated_to_each_other() -> None:
    rows = normal_numbers(range(4), 1, 8, 6000)
    flat = rows.flatten().double().numpy()
    assert stats.kstest(flat, "norm").pvalue > 1e-3
    assert abs(stats.kurtosis(flat)) < 5 * (24 / len(flat)) ** 0.5
    assert float(rows.abs().max()) > 3.8
    lagged = [rows[:, :, lag:] * rows[:, :, : rows.shape[2] - lag] for lag in (1, 2, 3000)]
    lagged += [rows[1:] * rows[:-1], rows[:, 1:] * rows[:, :-1]]
    for product in lagged:
        assert abs(float(product.mean())) < 5 / product.numel() ** 0.5


def test_squares_of_the_two_numbers_of_a_pair_are_unrelated() -> None:
    squares = normal_numbers([7], 0, 4, 10000).square() - 1.0
    first, second = squares[:, :, :5000], squares[:, :, 5000:]
    assert abs(float((first * second).mean())) < 5 * 2 / first.numel() ** 0.5


def test_uniform_numbers_are_uniform() -> None:
    flat = log_uniform_numbers(range(4), 0, 5, 2001).flatten().double()
    assert float(flat.max()) <= 0.0
    assert stats.kstest(flat.exp().numpy(), "uniform").pvalue > 1e-3
