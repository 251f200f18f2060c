"""An evaluation as tables for people, each narrow enough for a terminal of 120 columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bridge.evaluation.evaluate import Evaluation
from bridge.evaluation.groups import balanced_mean, windows_by_action, windows_by_family
from bridge.evaluation.methods import REFERENCE, REFINED
from bridge.evaluation.report import paired_interval
from bridge.evaluation.scores_returned import MISS_MM, RETURNED_FUTURES
from bridge.evaluation.tally import BEST_OF, MethodScores

_BY_ACTION = (REFERENCE, "damped_velocity", "gaussian_head", "gru_nf", "gru_nf_shrunk", REFINED)
Cells = Callable[[str, MethodScores], Sequence[str]]


def to_tables(evaluation: Evaluation) -> tuple[Table, ...]:
    """Proper scores; whole futures; landmark errors; returned futures; families; actions (where there are several)."""
    tables = [
        _proper_scores(evaluation),
        _whole_futures(evaluation),
        _landmarks(evaluation, {"mpjpe_mm": "sample mean", f"best_of_{BEST_OF}_mpjpe_mm": f"best of {BEST_OF}"}),
        _landmarks(
            evaluation,
            {
                "most_probable_mpjpe_mm": "most probable",
                "best_of_k_mpjpe_mm": f"best of the {RETURNED_FUTURES} returned",
            },
        ),
        _returned_futures(evaluation),
    ]
    if len(set(evaluation.families)) > 1:
        tables.append(_families(evaluation))
    actions = windows_by_action(evaluation)
    if len(actions) > 1:
        tables.append(_actions(evaluation, actions))
    return tuple(tables)


def new_table(title: str, caption: str | None = None) -> Table:
    """An empty table in the style of them all."""
    return Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )


def _proper_scores(evaluation: Evaluation) -> Table:
    reference = evaluation.methods.get(REFERENCE)

    def cells(name: str, scores: MethodScores) -> Sequence[str]:
        interval = evaluation.bootstrap.interval(scores.per_window["energy_score"])
        over = "" if reference is None else _ratio(scores.mean("energy_score"), reference.mean("energy_score"))
        return (
            f"{scores.mean('energy_score'):.3f}",
            "" if interval is None else f"{(interval[1] - interval[0]) / 2:.3f}",
            over,
            _paired_text(evaluation, name),
            f"{1e3 * scores.mean('crps'):.1f}",
            f"{scores.mean('variogram_score'):.2f}",
            f"{scores.energy_distance:.3f}",
            _percent(scores.worst_coverage(0.5)),
            _percent(scores.worst_coverage(0.9)),
        )

    return _by_method(
        evaluation,
        f"Probabilistic quality, {evaluation.windows} windows of {evaluation.bootstrap.clusters} clips",
        ("ES", "±", "ES/last", f"ES - ES of {REFINED}", "CRPS mm", "VS", "ED", "in 50 %", "in 90 %"),
        cells,
        "ES: fair energy score, m over whole futures; CRPS: per coordinate; VS: variogram score; ED: energy distance of"
        " displacements; lower is better. in 50/90 %: truths inside the central region at the worst frame. Intervals:"
        " 95 %, bootstrap over subjects and their clips, paired in the difference.",
    )


def _whole_futures(evaluation: Evaluation) -> Table:
    reference = evaluation.methods.get(REFERENCE)
    best = f"best_of_{BEST_OF}_ade"

    def cells(_: str, scores: MethodScores) -> Sequence[str]:
        return (
            *(f"{scores.mean(key):.3f}" for key in ("ade", "fde", "mmade", "mmfde", best)),
            "" if reference is None else _ratio(scores.mean(best), reference.mean(best)),
            f"{scores.mean('apd'):.2f}",
            f"{scores.spread_over_error:.2f}",
            f"{100 * scores.mean('limb_stretch'):.2f} %",
            f"{scores.ms_per_batch:.0f}",
        )

    diversity = "unknown" if evaluation.apd_true is None else f"{evaluation.apd_true:.2f}"
    return _by_method(
        evaluation,
        "Accuracy and diversity",
        ("ADE", "FDE", "MMADE", "MMFDE", f"ADE of {BEST_OF}", "/last", "APD", "APD/error", "stretch", "ms"),
        cells,
        f"Metres over whole poses (ADE, FDE) and whole futures (APD; of the truth {diversity}). MM: against the futures"
        f" of all windows in the same pose, {evaluation.possible_futures:.0f} each. stretch: of limb bones; the truth's"
        f" {100 * evaluation.truth_limb_stretch.mean():.2f} %. ms: a batch of {evaluation.batch_windows} windows.",
    )


def _landmarks(evaluation: Evaluation, kinds: Mapping[str, str]) -> Table:
    headers = [f"{ms}" for _ in kinds for ms in evaluation.horizons]

    def cells(_: str, scores: MethodScores) -> Sequence[str]:
        return [f"{scores.mean(f'{kind}_{ms}'):.1f}" for kind in kinds for ms in evaluation.horizons]

    return _by_method(
        evaluation, f"Landmark error in mm after so many ms: {', then '.join(kinds.values())}", headers, cells
    )


def _returned_futures(evaluation: Evaluation) -> Table:
    def cells(_: str, scores: MethodScores) -> Sequence[str]:
        has = "log_score" in scores.per_window
        return (
            _percent(scores.mean("missed")),
            f"{scores.mean('brier_min_fde'):.3f}",
            f"{scores.mean('log_score'):.3f}" if has else "",
            f"{scores.mean('log_score_uniform'):.3f}" if has else "",
        )

    return _by_method(
        evaluation,
        f"The {RETURNED_FUTURES} returned futures with their probabilities",
        ("missed", "brier-minFDE", "log score", "of equal probabilities"),
        cells,
        f"missed: none ends within {MISS_MM:.0f} mm per landmark. Log score: -log p of the one nearest to the truth.",
    )


def _families(evaluation: Evaluation) -> Table:
    last_ms = max(evaluation.horizons, default=None)
    horizon = () if last_ms is None else (f"mpjpe_mm_{last_ms}",)

    def cells(_: str, scores: MethodScores) -> Sequence[str]:
        metres = [
            f"{balanced_mean(scores.per_window[key], evaluation.families):.3f}"
            for key in ("energy_score", "ade", "fde", "apd")
        ]
        return [*metres, *(f"{balanced_mean(scores.per_window[key], evaluation.families):.1f}" for key in horizon)]

    counts = ", ".join(f"{name} {count}" for name, count in windows_by_family(evaluation).items())
    headers = ("ES", "ADE", "FDE", "APD", *(f"mm at {last_ms} ms" for _ in horizon))
    return _by_method(evaluation, f"Every family of recordings counting alike ({counts})", headers, cells)


def _actions(evaluation: Evaluation, actions: Mapping[str, NDArray[np.intp]]) -> Table:
    table = new_table("Energy score by action")
    table.add_column("action", max_width=44, no_wrap=True, overflow="ellipsis")
    table.add_column("windows", justify="right")
    methods = {name: evaluation.methods[name] for name in _BY_ACTION if name in evaluation.methods}
    for name in methods:
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    for action, rows in actions.items():
        values = [f"{scores.per_window['energy_score'][rows].mean():.3f}" for scores in methods.values()]
        table.add_row(action, str(len(rows)), *values)
    return table


def _by_method(
    evaluation: Evaluation, title: str, headers: Sequence[str], cells: Cells, caption: str | None = None
) -> Table:
    table = new_table(title, caption)
    table.add_column("method", no_wrap=True)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for name, scores in evaluation.methods.items():
        table.add_row(name, *cells(name, scores), style="bold" if name == REFINED else None)
    return table


def _paired_text(evaluation: Evaluation, name: str) -> str:
    if REFINED not in evaluation.methods or name == REFINED:
        return ""
    interval = paired_interval(evaluation, name)
    difference = evaluation.methods[name].mean("energy_score") - evaluation.methods[REFINED].mean("energy_score")
    return f"{difference:+.3f}" if interval is None else f"{difference:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _ratio(value: float, reference: float) -> str:
    return f"{value / reference:.3f}" if reference > 0 else ""
