"""The service under load: open-loop clients in processes of their own, an echo beside it, faults, overload.

::

    schedule ─▶ client processes ─▶ server or echo      what is due when; what was sent and came back
                      │ journals
                      ▼
                   figures ─▶ measure ─▶ bench          what became of every frame; which loads are put on

Names load on first use: client processes start quickly and hold little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.lazy_names import on_first_use

if TYPE_CHECKING:
    from bridge.bench.serve.bench import BenchOptions, BenchReport, run_bench
    from bridge.bench.serve.cores import Pinning, available_cores, choose_cores
    from bridge.bench.serve.faults import FAULTS, parse_faults
    from bridge.bench.serve.measure import LoadOptions
    from bridge.bench.serve.report import to_json, to_lines, to_tables
    from bridge.bench.serve.target import ServiceOptions

_HOME_OF = {
    "FAULTS": "faults",
    "BenchOptions": "bench",
    "BenchReport": "bench",
    "LoadOptions": "measure",
    "Pinning": "cores",
    "ServiceOptions": "target",
    "available_cores": "cores",
    "choose_cores": "cores",
    "parse_faults": "faults",
    "run_bench": "bench",
    "to_json": "report",
    "to_lines": "report",
    "to_tables": "report",
}

__all__ = [
    "FAULTS",
    "BenchOptions",
    "BenchReport",
    "LoadOptions",
    "Pinning",
    "ServiceOptions",
    "available_cores",
    "choose_cores",
    "parse_faults",
    "run_bench",
    "to_json",
    "to_lines",
    "to_tables",
]


if not TYPE_CHECKING:  # a type checker that saw this would believe in any name
    __getattr__ = on_first_use(__name__, _HOME_OF)
