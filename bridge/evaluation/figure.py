"""An evaluation as one picture, for a README or a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bridge.evaluation.evaluate import Evaluation
from bridge.evaluation.methods import REFERENCE, REFINED
from bridge.evaluation.report import paired_interval
from bridge.evaluation.robustness import Robustness
from bridge.whole_file import check_output, whole_file

FORMATS = (".png", ".svg")
_INCHES, _DOTS_PER_INCH = (16.0, 10.5), 100
# Okabe and Ito's colours, which people with any kind of colour vision tell apart; line styles differ as well.
_STYLES = {
    REFERENCE: ("#7f7f7f", ":"),
    "damped_velocity": ("#E69F00", "--"),
    "kalman": ("#F0E442", "-."),
    "nearest_neighbour": ("#000000", ":"),
    "residual_mlp": ("#CC79A7", "--"),
    "gaussian_head": ("#009E73", "-."),
    "gru_nf": ("#0072B2", "--"),
    REFINED: ("#D55E00", "-"),
}
_OVER_TIME = (REFERENCE, "damped_velocity", "nearest_neighbour", "residual_mlp", "gru_nf", REFINED)
_DISTRIBUTIONS = ("gaussian_head", "gru_nf", REFINED)
_RANK_BARS = 11
# Methods whose energy score is further away than this from the refined flow's need no interval to be told apart.
_NEAR_PERCENT = 10.0


def check_figure_path(path: Path) -> None:
    """Refuse a file that no figure can be written to, before hours of work are put into it.

    Raises:
        InvalidInput: naming what is wrong.
    """
    check_output(path, field="figure", suffixes=FORMATS)


def save_figure(path: Path, evaluation: Evaluation, robustness: Robustness | None = None) -> None:
    """Draw landmark errors over time, energy scores, coverage, rank histograms and, if given, worse input.

    Args:
        path: ``.png`` or ``.svg``.
        evaluation: of any methods; panels show those of the well-known ones that are among them.
        robustness: for the panel on worse input.

    Raises:
        InvalidInput: if the path is of no use.
    """
    check_figure_path(path)
    figure = Figure(figsize=_INCHES, layout="constrained")
    middle = "ranks" if robustness is None else "robustness"
    compared = "differences" if REFINED in evaluation.methods else "energy"
    axes = figure.subplot_mosaic([["time", "energy", compared], ["coverage", middle, "ranks"]])
    _errors_over_time(axes["time"], evaluation)
    _energy_scores(axes["energy"], evaluation)
    if "differences" in axes:
        _differences(axes["differences"], evaluation)
    _coverage(axes["coverage"], evaluation)
    _ranks(axes["ranks"], evaluation)
    if robustness is not None:
        _worse_input(axes["robustness"], robustness)
    for axis in axes.values():
        axis.spines[["top", "right"]].set_visible(False)
        axis.title.set_fontsize(14)
    with whole_file(path, field="figure", keep_suffix=True) as draft:
        figure.savefig(draft, dpi=_DOTS_PER_INCH)


def _errors_over_time(axis: Axes, evaluation: Evaluation) -> None:
    reference = evaluation.methods.get(REFERENCE)
    below = 1.0 if reference is None else reference.mpjpe_by_frame_mm
    for name in _present(evaluation, _OVER_TIME):
        errors = evaluation.methods[name].mpjpe_by_frame_mm / below
        color, line = _STYLES[name]
        axis.plot(_times_ms(evaluation, len(errors)), errors, line, color=color, label=name, lw=_width(name))
    axis.set_title("Landmark error of the mean forecast")
    axis.set_xlabel("ms ahead")
    axis.set_ylabel("mm" if reference is None else "over that of the last pose, held")
    axis.set_ylim(0.0, None if reference is None else 1.15)
    axis.grid(alpha=0.3)
    _legend(axis)


def _energy_scores(axis: Axes, evaluation: Evaluation) -> None:
    means = {name: scores.mean("energy_score") for name, scores in evaluation.methods.items()}
    # What is worse than holding still may lie off the scale: the number is written beside it.
    limit = 1.25 * means.get(REFERENCE, max(means.values()))
    for row, (name, mean) in enumerate(means.items()):
        axis.barh(row, min(mean, limit), 0.7, color=_color(name))
        inside = mean > 0.8 * limit
        axis.annotate(
            f"{mean:.3f}",
            (min(mean, limit), row),
            xytext=(-4 if inside else 4, 0),
            textcoords="offset points",
            va="center",
            ha="right" if inside else "left",
            color="white" if inside else "black",
            fontsize=10,
        )
    axis.set_yticks(range(len(means)), list(means), fontsize=11)
    axis.set_ylim(len(means) - 0.4, -0.6)
    axis.set_xlim(0.0, limit)
    axis.set_title("Energy score of whole futures")
    axis.set_xlabel("metres, lower is better")


def _differences(axis: Axes, evaluation: Evaluation) -> None:
    """How much higher the energy score is than the refined flow's, with intervals for methods that come near it."""
    refined = evaluation.methods[REFINED].mean("energy_score")
    low, high = -1.0, 1.0
    for row, (name, scores) in enumerate(evaluation.methods.items()):
        if name == REFINED:
            continue
        percent = 100.0 * (scores.mean("energy_score") / refined - 1.0)
        near = abs(percent) <= _NEAR_PERCENT
        text = f"{round(percent, 1) + 0.0:+.1f} %" if near else f"{percent:+.0f} % \N{RIGHTWARDS ARROW}"
        axis.annotate(text, (1.0, row), xycoords=("axes fraction", "data"), va="center", ha="right", fontsize=10)
        interval = paired_interval(evaluation, name)
        if near:
            ends = (percent, percent) if interval is None else tuple(100.0 * bound / refined for bound in interval)
            axis.plot(ends, (row, row), color=_color(name), lw=2.5, solid_capstyle="butt")
            axis.plot(percent, row, "o", color=_color(name), ms=7)
            low, high = min(low, *ends), max(high, *ends)
    # Room for the numbers on the right.
    axis.set_xlim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    axis.set_yticks(range(len(evaluation.methods)), [])
    axis.set_ylim(len(evaluation.methods) - 0.4, -0.6)
    axis.axvline(0.0, color=_color(REFINED), lw=1.5, ls=":")
    axis.set_title(f"Energy score over that of {REFINED}")
    axis.set_xlabel("% higher, with the paired 95 % interval")
    axis.grid(axis="x", alpha=0.3)


def _coverage(axis: Axes, evaluation: Evaluation) -> None:
    for name in _present(evaluation, _DISTRIBUTIONS):
        color, line = _STYLES[name]
        for share in (0.5, 0.9):
            covered = evaluation.methods[name].coverage(share)
            if covered is not None:
                label = name if share == 0.9 else None
                times = _times_ms(evaluation, len(covered))
                axis.plot(times, 100 * covered, line, color=color, lw=_width(name), label=label)
    for percent in (50, 90):
        axis.axhline(percent, color="#7f7f7f", lw=1, ls=":")
    axis.set_title("Truths inside the central 50 % and 90 %")
    axis.set_xlabel("ms ahead")
    axis.set_ylabel("%")
    axis.set_ylim(0, 100)
    axis.grid(alpha=0.3)
    _legend(axis, "lower right")


def _ranks(axis: Axes, evaluation: Evaluation) -> None:
    for name in _present(evaluation, _DISTRIBUTIONS):
        counts = evaluation.methods[name].rank_counts
        if counts is None:
            continue
        # Few wide bars: each stands for an equal part of the forecast's distribution.
        edges = np.linspace(0.0, 1.0, _RANK_BARS + 1)
        cumulative = np.concatenate([[0.0], np.cumsum(counts.sum(axis=0) / counts.sum())])
        share = np.diff(np.interp(edges, np.linspace(0.0, 1.0, len(cumulative)), cumulative)) * _RANK_BARS
        color, line = _STYLES[name]
        axis.stairs(share, edges, baseline=None, color=color, ls=line, lw=_width(name), label=name)
    axis.axhline(1.0, color="#7f7f7f", lw=1, ls=":")
    axis.set_title("Rank of the truth among the samples")
    axis.set_xlabel("rank over S + 1: 0 below all samples, 1 above all")
    axis.set_ylabel("frequency over that of a calibrated forecast")
    axis.set_ylim(0.0, None)
    axis.grid(alpha=0.3)
    _legend(axis)


def _worse_input(axis: Axes, robustness: Robustness) -> None:
    conditions = [name for name, result in robustness.conditions.items() if result.methods]
    methods = list(dict.fromkeys(name for key in conditions for name in robustness.conditions[key].methods))
    height = 0.8 / max(len(methods), 1)
    for place, method in enumerate(methods):
        rows, values = [], []
        for row, key in enumerate(conditions):
            scored = robustness.conditions[key].methods.get(method)
            if scored is not None:
                rows.append(row + (place - (len(methods) - 1) / 2) * height)
                values.append(scored.energy_score)
        axis.barh(rows, values, height, color=_STYLES.get(method, ("#56B4E9", "-"))[0], label=method)
    axis.set_yticks(range(len(conditions)), conditions, fontsize=11)
    axis.invert_yaxis()
    axis.set_title("Energy score with worse input, m")
    axis.grid(axis="x", alpha=0.3)
    _legend(axis)


def _legend(axis: Axes, place: Literal["best", "lower right"] = "best") -> None:
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=10, loc=place)


def _color(name: str) -> str:
    return _STYLES[REFINED if name == REFINED else "gru_nf"][0]


def _present(evaluation: Evaluation, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in evaluation.methods]


def _times_ms(evaluation: Evaluation, frames: int) -> list[float]:
    return [1000.0 * (frame + 1) / evaluation.rate_hz for frame in range(frames)]


def _width(name: str) -> float:
    return 3.0 if name == REFINED else 1.8
