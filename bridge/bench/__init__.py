"""How fast rollouts are: against this machine's matrix products and against drawing the samples one by one."""

from bridge.bench.clock import FULL, QUICK, Effort
from bridge.bench.gemms import Gemm, default_gemms, formula, paper_gemms, total_gflop
from bridge.bench.paper import PaperNet, PaperSizes
from bridge.bench.paper_rollout import PaperRollout
from bridge.bench.report import machine, to_json, to_tables
from bridge.bench.rows import DEFINITIONS, Row, measure
from bridge.bench.workload import Workload, default_workload, paper_workload

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
