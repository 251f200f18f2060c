"""What frame saving saves and what it costs: recordings through the real saver, filler, timeline and forecaster."""

from bridge.bench.saver.figure import draw_figure
from bridge.bench.saver.report import DEFINITIONS, to_json, to_table
from bridge.bench.saver.rules import RULES, Rule
from bridge.bench.saver.run import Settings, measure, shortened
from bridge.bench.saver.tally import HORIZONS_MS, Tally, Way

__all__ = [
    "DEFINITIONS",
    "HORIZONS_MS",
    "RULES",
    "Rule",
    "Settings",
    "Tally",
    "Way",
    "draw_figure",
    "measure",
    "shortened",
    "to_json",
    "to_table",
]
