"""Speed itself: on a quiet machine only, so left out unless asked for (``-m soak``)."""

from __future__ import annotations

import pytest

from bridge.bench import QUICK, PaperNet, PaperSizes, default_workload, measure, paper_workload
from bridge.forecaster import Forecaster


@pytest.mark.soak
def test_the_published_sizes_run_many_times_faster_than_sample_by_sample() -> None:
    row = measure(paper_workload(PaperNet(PaperSizes()).eval(), batch=1, samples=100, horizon=16), QUICK)
    assert row.speedup_over_loop >= 12
    assert row.fraction_of_gemm >= 0.45
    assert row.refinement_share <= 0.15


@pytest.mark.soak
def test_a_batch_of_forecasts_is_many_times_faster_than_sample_by_sample() -> None:
    row = measure(default_workload(Forecaster.load(device="cpu"), batch=16, samples=32, horizon=30), QUICK)
    assert row.speedup_over_loop >= 3
    assert row.selection_share <= 0.10
