"""How well anomalies are found, how soon, and at which rate of false alarms."""

from __future__ import annotations

from bridge.evaluation.anomaly.figure import save_anomaly_figure
from bridge.evaluation.anomaly.labels import Label, load_labels
from bridge.evaluation.anomaly.made import GRADUAL, KINDS, MadeClip, make
from bridge.evaluation.anomaly.report import to_json, to_tables
from bridge.evaluation.anomaly.results import AnomalyEvaluation
from bridge.evaluation.anomaly.run import evaluate_labelled, evaluate_made

__all__ = [
    "GRADUAL",
    "KINDS",
    "AnomalyEvaluation",
    "Label",
    "MadeClip",
    "evaluate_labelled",
    "evaluate_made",
    "load_labels",
    "make",
    "save_anomaly_figure",
    "to_json",
    "to_tables",
]
