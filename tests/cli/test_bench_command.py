from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.bench import parse_batches
from bridge.errors import InvalidInput
from tests.support import tiny_weights

CONTRACT = {
    *("preset", "batch", "samples", "horizon", "median_ms", "p95_ms", "gflop", "gflops", "gemm_gflops"),
    *("fraction_of_gemm", "loop_ms", "speedup_over_loop", "refinement_share", "selection_share", "peak_mb"),
}


def test_both_presets_are_measured_told_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "speed.png"
    options = ("--quick", "--json", "--batch", "2", "--samples", "2", "--horizon-frames", "2")
    files = ("--weights", tiny_weights(tmp_path), "--figure", picture)
    result = CliRunner().invoke(app, ["bench", "rollout", *options, *map(str, files)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert len(result.stdout.splitlines()) == 1
    assert report["device"] and report["threads"] >= 1
    assert [(row["preset"], row["batch"]) for row in report["rows"]] == [("default", 2), ("paper", 2)]
    for row in report["rows"]:
        assert set(row) >= CONTRACT
        assert (row["samples"], row["horizon"]) == (2, 2)
        assert row["median_ms"] > 0 and row["loop_ms"] > 0 and row["gemm_gflops"] > 0
    assert "GFLOP" in result.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["nowhere/speed.png", "speed.jpg"])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(tmp_path: Path, name: str) -> None:
    options = ("--weights", tmp_path / "missing", "--figure", tmp_path / name)
    result = CliRunner().invoke(app, ["bench", "rollout", *map(str, options)])
    assert isinstance(result.exception, InvalidInput) and result.exception.field == "figure"


@pytest.mark.parametrize("text", ["", "1,,2", "0", "1,-4", "many"])
def test_batches_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="batch"):
        parse_batches(text)


def test_batches_are_read_in_order() -> None:
    assert parse_batches("16,1, 64") == (16, 1, 64)
