"""Scores of forecasts on recorded motion, next to baselines and to controls with the same weights."""

from bridge.evaluation.evaluate import Evaluation, evaluate_methods
from bridge.evaluation.methods import Method
from bridge.evaluation.report import to_json, to_tables
from bridge.evaluation.samplers import standard_methods
from bridge.evaluation.tally import MethodScores
from bridge.evaluation.windows import EvaluationWindow, cut_windows, select_clips

__all__ = [
    "Evaluation",
    "EvaluationWindow",
    "Method",
    "MethodScores",
    "cut_windows",
    "evaluate_methods",
    "select_clips",
    "standard_methods",
    "to_json",
    "to_tables",
]
