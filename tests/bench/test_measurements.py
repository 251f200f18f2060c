from __future__ import annotations

import numpy as np
import pytest
import torch

from bridge.bench import DEFINITIONS, Effort, Gemm, Row, Workload, measure, paper_workload, to_json, to_tables
from bridge.bench.anatomy import Laps, dissect, product_shape
from bridge.bench.ceiling import GemmCeiling
from bridge.bench.clock import repeat
from tests.bench.builders import tiny_net

CPU = torch.device("cpu")
BRIEF = Effort(seconds=0.0, least=2, most=2, ceiling_s=0.0, loop_share=0.5)
CONTRACT = {
    *("preset", "batch", "samples", "horizon", "median_ms", "p95_ms", "gflop", "gflops", "gemm_gflops"),
    *("fraction_of_gemm", "loop_ms", "speedup_over_loop", "refinement_share", "selection_share", "peak_mb"),
}


def test_the_ceiling_is_all_work_over_the_sum_of_the_best_times() -> None:
    gemms = [Gemm("gru", "a", 8, 16, 32, 3), Gemm("flow", "b", 8, 16, 32, 2), Gemm("flow", "c", 64, 64, 64, 5)]
    ceiling = GemmCeiling(gemms, CPU)
    ceiling.measure(BRIEF)
    first_ms = ceiling.total_ms
    assert ceiling.gflops * first_ms == pytest.approx(sum(gemm.flop for gemm in gemms) / 1e6)
    ceiling.measure(BRIEF)
    assert 0 < ceiling.total_ms <= first_ms


def test_repeats_end_with_the_time_but_not_before_the_least_number() -> None:
    calls: list[str] = []
    assert repeat(lambda: calls.append("one"), Effort(0.0, 3, 10, 0.0, 1.0)) == 3
    assert repeat(lambda: calls.append("two"), Effort(1e9, 3, 10, 0.0, 1.0)) == 10
    assert (calls.count("one"), calls.count("two")) == (3, 10)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        ([[4, 5], [5, 6]], (4, 5, 6)),
        ([[6], [4, 5], [5, 6], [], []], (4, 5, 6)),
        ([[2, 1, 6], [2, 4, 5], [2, 5, 6]], (4, 5, 6)),
        ([[4, 5], [6, 7]], None),
        ([[4]], None),
    ],
)
def test_the_shape_of_a_product_is_read_from_its_inputs(
    inputs: list[list[int]], shape: tuple[int, int, int] | None
) -> None:
    assert product_shape(inputs) == shape


def test_time_goes_to_the_part_whose_product_came_last_and_memory_is_what_tensors_held() -> None:
    gemms = [Gemm("gru", "a", 300, 200, 400, 1), Gemm("flow", "b", 400, 100, 50, 1)]
    left, right, other = torch.randn(300, 200), torch.randn(200, 400), torch.randn(400, 100)

    def call() -> None:
        state = torch.tanh(left @ right)
        del state
        torch.mm(other, torch.randn(100, 50))

    anatomy = dissect(call, gemms, CPU)
    assert set(anatomy.shares) == {"other", "gru", "flow"}
    assert sum(anatomy.shares.values()) == pytest.approx(1)
    assert anatomy.shares["gru"] > anatomy.shares["flow"]
    # The product and its tanh are alive at once: twice 300 x 400 numbers of four bytes.
    assert anatomy.peak_mb == pytest.approx(0.96, rel=0.02)


def test_no_parts_are_told_when_the_products_are_not_the_formulas() -> None:
    gemms = [Gemm("gru", str(size), size, size, size, 1) for size in (11, 12, 13, 14)]
    assert dissect(lambda: torch.randn(5, 6) @ torch.randn(6, 7), gemms, CPU).shares == {}


def test_laps_share_the_time_between_the_parts() -> None:
    laps = Laps(CPU)
    laps.start()
    torch.randn(200, 200) @ torch.randn(200, 200)
    laps("gru")
    laps("flow")
    assert set(laps.shares) == {"gru", "flow"}
    assert sum(laps.shares.values()) == pytest.approx(1)


def _row(loop_ms: float = 500.0) -> tuple[Row, list[str], list[float]]:
    calls: list[str] = []
    shares: list[float] = []

    def draw(name: str) -> np.ndarray:
        calls.append(name)
        return np.random.default_rng(0).standard_normal((2, 6, 4, 3)).astype(np.float32)

    def loop(share: float) -> float:
        shares.append(share)
        return loop_ms

    gemms = (Gemm("gru", "a", 8, 16, 32, 3),)
    workload = Workload(
        preset="paper",
        batch=2,
        samples=6,
        horizon=4,
        device=CPU,
        gemms=gemms,
        warm=lambda: calls.append("warm"),
        refined=lambda: draw("refined"),
        plain=lambda: draw("plain"),
        loop_ms=loop,
        dissect=lambda: dissect(lambda: None, gemms, CPU),
        refinement="pcn",
    )
    return measure(workload, BRIEF), calls, shares


def test_a_row_relates_the_rollout_to_the_ceiling_to_the_loop_and_to_its_parts() -> None:
    row, calls, shares = _row()
    assert calls == ["warm", "refined", "plain", "refined", "plain"]
    assert shares == [0.5]
    assert row.repeats == 2
    assert row.best_ms <= row.median_ms <= row.p95_ms
    assert row.gflops == pytest.approx(1e3 * row.gflop / row.median_ms)
    assert row.fraction_of_gemm == pytest.approx(row.gflops / row.gemm_gflops)
    assert row.speedup_over_loop == pytest.approx(500 / row.median_ms)
    assert row.refinement_share == pytest.approx(row.median_ms / row.plain_ms - 1)
    assert row.selection_share == pytest.approx(row.selection_ms / row.plain_ms)
    assert row.forecast_ms >= row.best_ms


def test_the_report_holds_the_contract_and_says_what_its_numbers_mean() -> None:
    row, _, _ = _row()
    document = to_json([row], {"paper": ["2 x 3"]}, CPU, 3)
    assert (document["device"], document["threads"]) == ("cpu", 3)
    assert set(document["rows"][0]) >= CONTRACT
    assert document["formula"] == {"paper": ["2 x 3"]}
    assert set(DEFINITIONS) <= set(document["rows"][0])
    tables = to_tables([row])
    assert [table.row_count for table in tables] == [1, 1, 1]


def test_a_published_workload_runs_whole_with_and_without_refinement() -> None:
    workload = paper_workload(tiny_net(), batch=2, samples=3, horizon=4)
    workload.warm()
    assert workload.refined().shape == workload.plain().shape == (2, 3, 4, 8)
    assert workload.loop_ms(0.5) > 0
    anatomy = workload.dissect()
    assert set(anatomy.shares) == {"gru", "flow", "refinement", "other"}
    assert anatomy.peak_mb is not None and anatomy.peak_mb > 0
