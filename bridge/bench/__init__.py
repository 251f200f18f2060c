"""How fast it is: rollouts against this machine's matrix products, and the service under load (`bridge.bench.serve`).

Names load on first use: the processes that put load on a service never wait for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.lazy_names import on_first_use

if TYPE_CHECKING:
    from bridge.bench.clock import FULL, QUICK, Effort
    from bridge.bench.gemms import Gemm, default_gemms, formula, paper_gemms, total_gflop
    from bridge.bench.paper import PaperNet, PaperSizes
    from bridge.bench.paper_rollout import PaperRollout
    from bridge.bench.report import machine, to_json, to_tables
    from bridge.bench.rows import DEFINITIONS, Row, measure
    from bridge.bench.workload import Workload, default_workload, paper_workload

_HOME_OF = {
    "DEFINITIONS": "rows",
    "FULL": "clock",
    "QUICK": "clock",
    "Effort": "clock",
    "Gemm": "gemms",
    "PaperNet": "paper",
    "PaperRollout": "paper_rollout",
    "PaperSizes": "paper",
    "Row": "rows",
    "Workload": "workload",
    "default_gemms": "gemms",
    "default_workload": "workload",
    "formula": "gemms",
    "machine": "report",
    "measure": "rows",
    "paper_gemms": "gemms",
    "paper_workload": "workload",
    "to_json": "report",
    "to_tables": "report",
    "total_gflop": "gemms",
}

__all__ = [
    "DEFINITIONS",
    "FULL",
    "QUICK",
    "Effort",
    "Gemm",
    "PaperNet",
    "PaperRollout",
    "PaperSizes",
    "Row",
    "Workload",
    "default_gemms",
    "default_workload",
    "formula",
    "machine",
    "measure",
    "paper_gemms",
    "paper_workload",
    "to_json",
    "to_tables",
    "total_gflop",
]


if not TYPE_CHECKING:  # a type checker that saw this would believe in any name
    __getattr__ = on_first_use(__name__, _HOME_OF)
