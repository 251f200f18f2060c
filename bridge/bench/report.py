"""The bench as a table, as text and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from bridge.bench.rows import DEFINITIONS, Row

_PARTS = ("gru", "flow", "codec", "guide", "limbs")


def machine(device: torch.device) -> str:
    """What it ran on, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def to_json(
    rows: Sequence[Row], formulas: Mapping[str, Sequence[str]], device: torch.device, threads: int
) -> dict[str, Any]:
    """One JSON object; ``rows`` as measured, ``definitions`` of their columns, ``formula`` of each preset's work."""
    return {
        "device": str(device),
        "device_name": machine(device),
        "threads": threads,
        "torch": torch.__version__,
        "rows": [row.to_json() for row in rows],
        "formula": {preset: list(lines) for preset, lines in formulas.items()},
        "definitions": DEFINITIONS,
    }


def to_tables(rows: Sequence[Row]) -> list[Table]:
    """Three tables: against the loop, against the machine, and where time and memory go."""
    loop = _table("Rollouts of B windows x S samples x H frames, refined: milliseconds of the whole batch")
    for name in ("median", "p95", "runs", "sample by sample", "speed-up", "with selection", "p95"):
        loop.add_column(name, justify="right")
    machine = _table("Against the matrix products alone")
    for name in ("GFLOP", "GFLOP/s", "products GFLOP/s", "of them", "processor ms", "of them by processor time"):
        machine.add_column(name, justify="right")
    parts = _table("Where time and memory go")
    for name in ("GRU", "flow", "codec", "guide", "limbs", "other", "refinement adds", "selection adds", "peak MB"):
        parts.add_column(name, justify="right")
    for row in rows:
        head = (row.preset, f"{row.batch} x {row.samples} x {row.horizon}")
        loop.add_row(
            *(*head, _number(row.median_ms), _number(row.p95_ms), str(row.repeats), _number(row.loop_ms)),
            *(f"{row.speedup_over_loop:.1f}x", _number(row.forecast_ms), _number(row.forecast_p95_ms)),
        )
        by_processor = row.cpu_fraction_of_gemm
        machine.add_row(
            *(*head, _number(row.gflop), _number(row.gflops), _number(row.gemm_gflops), f"{row.fraction_of_gemm:.0%}"),
            *(_number(row.cpu_ms), "-" if by_processor is None else f"{by_processor:.0%}"),
        )
        shares = [f"{row.shares[name]:.0%}" if name in row.shares else "-" for name in _PARTS]
        other = f"{sum(row.shares.get(name, 0.0) for name in ('other', 'refinement')):.0%}" if row.shares else "-"
        parts.add_row(
            *(*head, *shares, other, f"{row.refinement_share:+.1%}", f"{row.selection_share:+.1%}"),
            "-" if row.peak_mb is None else _number(row.peak_mb),
        )
    return [loop, machine, parts]


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("preset", "B x S x H"):
        table.add_column(name, no_wrap=True)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
