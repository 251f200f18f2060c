"""An evaluation as JSON; as tables for people it is in `bridge.evaluation.tables`."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.evaluation.evaluate import Evaluation
from bridge.evaluation.groups import balanced_mean, windows_by_action, windows_by_family
from bridge.evaluation.methods import REFERENCE, REFINED
from bridge.evaluation.scores import FloatArray
from bridge.evaluation.scores_returned import MISS_MM, RETURNED_FUTURES
from bridge.evaluation.tally import BEST_OF, MethodScores

KINDS = ("mpjpe_mm", "most_probable_mpjpe_mm", "best_of_k_mpjpe_mm", f"best_of_{BEST_OF}_mpjpe_mm")
"""Landmark errors: of which future."""
_PER_WINDOW = ("ade", "fde", "mmade", "mmfde", "apd", f"best_of_{BEST_OF}_ade", "crps", "variogram_score")
_BY_ACTION = ("energy_score", "ade", "crps")
_BALANCED = ("ade", "fde", "apd", f"best_of_{BEST_OF}_ade", "energy_score", "crps", "limb_stretch")


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON values: metres (norms of whole poses and futures), millimetres where the key says so.

    ``crps`` is metres per coordinate, ``limb_stretch`` a fraction, log scores are in nats. ``energy_score_ci`` is the
    95 % bootstrap interval of the mean, ``paired_energy_score_vs_gru_snf`` that of the difference (method minus
    ``gru_snf``): above zero means that the refined flow is better. Both are null for a single clip.
    """
    methods = evaluation.methods
    document: dict[str, Any] = {
        "windows": evaluation.windows,
        "batch_windows": evaluation.batch_windows,
        "clips": evaluation.bootstrap.clusters,
        "apd_true": _rounded(evaluation.apd_true),
        "apd_true_windows": evaluation.apd_true_windows,
        "possible_futures": _rounded(evaluation.possible_futures),
        "returned_futures": RETURNED_FUTURES,
        "miss_mm": MISS_MM,
        "truth_limb_stretch": _rounded(evaluation.truth_limb_stretch.mean()),
        "methods": {name: _method_json(scores, evaluation) for name, scores in methods.items()},
        "balanced_by_family": {
            "windows": windows_by_family(evaluation),
            "truth_limb_stretch": _rounded(balanced_mean(evaluation.truth_limb_stretch, evaluation.families)),
            "methods": {name: _balanced_json(scores, evaluation) for name, scores in methods.items()},
        },
        "per_action": _per_action(evaluation),
    }
    if REFERENCE in methods:
        document["ratio_to_last_pose"] = {
            name: _ratios(scores, methods[REFERENCE], evaluation) for name, scores in methods.items()
        }
    if REFINED in methods:
        document[f"paired_energy_score_vs_{REFINED}"] = {
            name: _pair(paired_interval(evaluation, name)) for name in methods if name != REFINED
        }
    return document


def paired_interval(evaluation: Evaluation, name: str, score: str = "energy_score") -> tuple[float, float] | None:
    """95 % interval of the mean of a score of a method minus that of the refined flow; None for a single clip."""
    return evaluation.bootstrap.interval(_differences(evaluation, name, score))


def _differences(evaluation: Evaluation, name: str, score: str) -> FloatArray:
    """(N,) score of a method minus that of the refined flow."""
    methods = evaluation.methods
    return np.asarray(methods[name].per_window[score] - methods[REFINED].per_window[score])


def _method_json(scores: MethodScores, evaluation: Evaluation) -> dict[str, Any]:
    def mean(key: str) -> float | None:
        return _rounded(scores.mean(key)) if key in scores.per_window else None

    return {
        **{key: mean(key) for key in _PER_WINDOW},
        "spread_over_error": _rounded(scores.spread_over_error),
        "energy_score": mean("energy_score"),
        "energy_score_ci": _pair(evaluation.bootstrap.interval(scores.per_window["energy_score"])),
        "energy_distance": _rounded(scores.energy_distance),
        "coverage_50_worst": _rounded(scores.worst_coverage(0.5)),
        "coverage_90_worst": _rounded(scores.worst_coverage(0.9)),
        "coverage_50": _coverage_json(scores, evaluation, 0.5),
        "coverage_90": _coverage_json(scores, evaluation, 0.9),
        "rank_histogram": _rank_histograms(scores, evaluation),
        **{kind: {str(ms): mean(f"{kind}_{ms}") for ms in evaluation.horizons} for kind in KINDS},
        "miss_rate": mean("missed"),
        "brier_min_fde": mean("brier_min_fde"),
        "log_score": mean("log_score"),
        "log_score_uniform": mean("log_score_uniform"),
        "limb_stretch": mean("limb_stretch"),
        "ms_per_batch": _rounded(scores.ms_per_batch),
    }


def _coverage_json(scores: MethodScores, evaluation: Evaluation, share: float) -> dict[str, float | None] | None:
    covered = scores.coverage(share)
    return None if covered is None else {str(ms): _rounded(covered[row]) for ms, row in evaluation.horizons.items()}


def _rank_histograms(scores: MethodScores, evaluation: Evaluation) -> dict[str, list[float | None]] | None:
    """Share of true coordinates with each rank 0 to S among the samples, by horizon."""
    if scores.rank_counts is None:
        return None
    shares = scores.rank_counts / scores.rank_counts.sum(axis=1, keepdims=True)
    return {str(ms): [_rounded(share) for share in shares[row]] for ms, row in evaluation.horizons.items()}


def _balanced_json(scores: MethodScores, evaluation: Evaluation) -> dict[str, Any]:
    def mean(key: str) -> float | None:
        return _rounded(balanced_mean(scores.per_window[key], evaluation.families))

    return {
        **{key: mean(key) for key in _BALANCED},
        "mpjpe_mm": {str(ms): mean(f"mpjpe_mm_{ms}") for ms in evaluation.horizons},
    }


def _per_action(evaluation: Evaluation) -> dict[str, Any]:
    keys = (*_BY_ACTION, *(f"mpjpe_mm_{ms}" for ms in evaluation.horizons))
    document: dict[str, Any] = {}
    for action, rows in windows_by_action(evaluation).items():
        bootstrap = evaluation.bootstrap.of(rows)
        part: dict[str, Any] = {"windows": len(rows), "clips": bootstrap.clusters}
        part["methods"] = {
            name: {key: _rounded(np.mean(scores.per_window[key][rows])) for key in keys}
            for name, scores in evaluation.methods.items()
        }
        if REFINED in evaluation.methods:
            part[f"paired_energy_score_vs_{REFINED}"] = {
                name: _pair(bootstrap.interval(_differences(evaluation, name, "energy_score")[rows]))
                for name in evaluation.methods
                if name != REFINED
            }
        document[action] = part
    return document


def _ratios(scores: MethodScores, reference: MethodScores, evaluation: Evaluation) -> dict[str, Any]:
    def ratio(key: str) -> float | None:
        below = reference.mean(key)
        return _rounded(scores.mean(key) / below) if below > 0 else None

    return {
        "mpjpe": {str(ms): ratio(f"mpjpe_mm_{ms}") for ms in evaluation.horizons},
        f"best_of_{BEST_OF}_ade": ratio(f"best_of_{BEST_OF}_ade"),
        "energy_score": ratio("energy_score"),
    }


def _pair(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [_rounded(bound) for bound in interval]


def _rounded(value: float | np.floating | None) -> float | None:
    """Five significant decimals are beyond any score's own uncertainty; None stays None (JSON has no NaN)."""
    return None if value is None else round(float(value), 5)
