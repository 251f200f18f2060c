"""An evaluation as JSON and as tables."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bridge.evaluation.evaluate import Evaluation
from bridge.evaluation.methods import REFERENCE, REFINED
from bridge.evaluation.tally import BEST_OF, MethodScores

_PER_WINDOW = ("ade", "fde", "apd")


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON values: metres (norms of whole poses and futures), millimetres where the key says so.

    ``energy_score_ci`` is the 95 % bootstrap interval of the mean, ``paired_energy_score_vs_gru_snf`` that of the
    difference (method minus ``gru_snf``): above zero means that the refined flow is better. Both are null for a single
    clip.
    """
    methods = evaluation.methods
    document: dict[str, Any] = {
        "windows": evaluation.windows,
        "batch_windows": evaluation.batch_windows,
        "clips": evaluation.bootstrap.clusters,
        "apd_true": _rounded(evaluation.apd_true),
        "apd_true_windows": evaluation.apd_true_windows,
        "methods": {name: _method_json(scores, evaluation) for name, scores in methods.items()},
    }
    if REFERENCE in methods:
        document["ratio_to_last_pose"] = {
            name: _ratios(scores, methods[REFERENCE], evaluation.horizons_ms) for name, scores in methods.items()
        }
    if REFINED in methods:
        document[f"paired_energy_score_vs_{REFINED}"] = {
            name: _pair(paired_interval(evaluation, name)) for name in methods if name != REFINED
        }
    return document


def paired_interval(evaluation: Evaluation, name: str) -> tuple[float, float] | None:
    """95 % interval of the mean energy score of a method minus that of the refined flow; None for a single clip."""
    refined = evaluation.methods[REFINED].per_window["energy_score"]
    return evaluation.bootstrap.interval(evaluation.methods[name].per_window["energy_score"] - refined)


def to_tables(evaluation: Evaluation) -> tuple[Table, Table]:
    """The evaluation for people: whole futures, then landmark errors at the standard horizons."""
    apd_true = "unknown" if evaluation.apd_true is None else f"{evaluation.apd_true:.2f}"
    whole = Table(
        title=f"{evaluation.windows} windows of {evaluation.bootstrap.clusters} clips; APD of the truth {apd_true}",
        caption=(
            "Metres over whole poses (ADE, FDE) and whole futures (APD; ES: fair energy score, lower is better; "
            "ED: energy distance). Intervals: 95 %, bootstrap over subjects and their clips, paired in the last column."
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    whole.add_column("method", no_wrap=True)
    for header in ("ADE", "FDE", "APD", "spread/error", "ED", "cover 90", "ES", "±", f"ES - ES of {REFINED}"):
        whole.add_column(header, justify="right", no_wrap="ES" in header)
    landmarks = Table(title="Mean landmark error in mm", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    landmarks.add_column("method", no_wrap=True)
    for kind in ("mean", f"best of {BEST_OF}"):
        for ms in evaluation.horizons_ms:
            landmarks.add_column(f"{kind}\n{ms} ms", justify="right")
    for name, scores in evaluation.methods.items():
        style = "bold" if name == REFINED else None
        interval = evaluation.bootstrap.interval(scores.per_window["energy_score"])
        worst = scores.coverage_90_worst
        whole.add_row(
            name,
            *(f"{scores.mean(key):.3f}" for key in _PER_WINDOW),
            f"{scores.spread_over_error:.2f}",
            f"{scores.energy_distance:.3f}",
            "" if worst is None else f"{100 * worst:.0f} %",
            f"{scores.mean('energy_score'):.3f}",
            "" if interval is None else f"{(interval[1] - interval[0]) / 2:.3f}",
            _paired_text(evaluation, name),
            style=style,
        )
        keys = (f"{kind}_{ms}" for kind in ("mpjpe_mm", f"best_of_{BEST_OF}_mpjpe_mm") for ms in evaluation.horizons_ms)
        landmarks.add_row(name, *(f"{scores.mean(key):.1f}" for key in keys), style=style)
    return whole, landmarks


def _paired_text(evaluation: Evaluation, name: str) -> str:
    if REFINED not in evaluation.methods or name == REFINED:
        return ""
    interval = paired_interval(evaluation, name)
    difference = evaluation.methods[name].mean("energy_score") - evaluation.methods[REFINED].mean("energy_score")
    return f"{difference:+.3f}" if interval is None else f"{difference:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _method_json(scores: MethodScores, evaluation: Evaluation) -> dict[str, Any]:
    horizons = evaluation.horizons_ms
    best_ade = f"best_of_{BEST_OF}_ade"
    return {
        **{key: _rounded(scores.mean(key)) for key in (*_PER_WINDOW, best_ade)},
        "spread_over_error": _rounded(scores.spread_over_error),
        "energy_score": _rounded(scores.mean("energy_score")),
        "energy_score_ci": _pair(evaluation.bootstrap.interval(scores.per_window["energy_score"])),
        "energy_distance": _rounded(scores.energy_distance),
        "coverage_90_worst": _rounded(scores.coverage_90_worst),
        "mpjpe_mm": {str(ms): _rounded(scores.mean(f"mpjpe_mm_{ms}")) for ms in horizons},
        f"best_of_{BEST_OF}_mpjpe_mm": {
            str(ms): _rounded(scores.mean(f"best_of_{BEST_OF}_mpjpe_mm_{ms}")) for ms in horizons
        },
        "ms_per_batch": _rounded(scores.ms_per_batch),
    }


def _ratios(scores: MethodScores, reference: MethodScores, horizons_ms: tuple[int, ...]) -> dict[str, Any]:
    def ratio(key: str) -> float | None:
        below = reference.mean(key)
        return _rounded(scores.mean(key) / below) if below > 0 else None

    return {
        "mpjpe": {str(ms): ratio(f"mpjpe_mm_{ms}") for ms in horizons_ms},
        f"best_of_{BEST_OF}_ade": ratio(f"best_of_{BEST_OF}_ade"),
        "energy_score": ratio("energy_score"),
    }


def _pair(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [_rounded(bound) for bound in interval]


def _rounded(value: float | None) -> float | None:
    """Five significant decimals are beyond any score's own uncertainty; None stays None (JSON has no NaN)."""
    return None if value is None else round(float(value), 5)
