"""Scores of forecasts on recorded motion, next to baselines and to controls with the same weights."""

from bridge.evaluation.dump import SampleDump
from bridge.evaluation.evaluate import Evaluation, evaluate_methods
from bridge.evaluation.library import library_windows
from bridge.evaluation.methods import Method
from bridge.evaluation.report import to_json
from bridge.evaluation.robustness import Robustness, evaluate_robustness, robustness_json, robustness_table
from bridge.evaluation.samplers import missing_methods, standard_methods
from bridge.evaluation.tables import to_tables
from bridge.evaluation.tally import MethodScores
from bridge.evaluation.windows import EvaluationWindow, cut_windows, select_clips

__all__ = [
    "Evaluation",
    "EvaluationWindow",
    "Method",
    "MethodScores",
    "Robustness",
    "SampleDump",
    "cut_windows",
    "evaluate_methods",
    "evaluate_robustness",
    "library_windows",
    "missing_methods",
    "robustness_json",
    "robustness_table",
    "select_clips",
    "standard_methods",
    "to_json",
    "to_tables",
]
