"""The anomaly evaluation as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bridge.evaluation.anomaly.results import AnomalyEvaluation
from bridge.evaluation.anomaly.run import OURS
from bridge.evaluation.figure import check_figure_path
from bridge.whole_file import whole_file

_INK, _FAINT, _OURS, _OTHERS = "#1B1F24", "#57606A", "#D55E00", "#9AA4AE"


def save_anomaly_figure(path: Path, result: AnomalyEvaluation) -> None:
    """Draw AUROC and delay by kind, ways to score, false alarms asked for and had, and p-values on normal motion.

    Raises:
        InvalidInput: if the path is of no use.
    """
    check_figure_path(path)
    figure = Figure(figsize=(14.0, 8.0), layout="constrained")
    axes = figure.subplot_mosaic([["kinds", "methods"], ["alarms", "p"]])
    _kinds(axes["kinds"], result)
    _methods(axes["methods"], result)
    _alarms(axes["alarms"], result)
    _p_values(axes["p"], result)
    for axis in axes.values():
        axis.spines[["top", "right"]].set_visible(False)
        axis.title.set_fontsize(13)
        axis.tick_params(colors=_FAINT)
    with whole_file(path, field="figure", keep_suffix=True) as draft:
        figure.savefig(draft, dpi=100)


def _kinds(axes: Axes, result: AnomalyEvaluation) -> None:
    names = list(result.kinds)[::-1]
    for row, name in enumerate(names):
        kind = result.kinds[name]
        recall = kind.recall or 0.0
        axes.barh(row, recall, color=_OURS, alpha=0.75, height=0.62)
        delay = "missed" if kind.delay_ms_median is None else f"{kind.delay_ms_median:.0f} ms"
        text = f"  median delay {delay}, AUROC {0.0 if kind.auroc is None else kind.auroc:.2f}"
        axes.text(recall, row, text, va="center", fontsize=9, color=_INK)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_xlim(0.0, 1.6)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.set_title("Events found in time at 12 false alarms an hour", loc="left")


def _methods(axes: Axes, result: AnomalyEvaluation) -> None:
    methods = {OURS: result.overall, **result.baselines}
    names = sorted(methods, key=lambda name: methods[name].auroc or 0.0)
    values = [methods[name].auroc or 0.0 for name in names]
    axes.barh(range(len(names)), values, color=[_OURS if n == OURS else _OTHERS for n in names], height=0.62)
    for row, value in enumerate(values):
        axes.text(value, row, f" {value:.3f}", va="center", fontsize=9, color=_INK)
    axes.axvline(0.5, color=_FAINT, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_xlim(0.4, 1.05)
    axes.set_title("Frame AUROC over all kinds", loc="left")


def _alarms(axes: Axes, result: AnomalyEvaluation) -> None:
    for rate in result.false_alarms:
        low, high = (max(value, 0.1) for value in rate.interval)
        axes.plot([rate.nominal_per_hour] * 2, [low, high], color=_OURS, linewidth=2.0, alpha=0.6)
        axes.plot(rate.nominal_per_hour, max(rate.realised_per_hour, 0.1), "o", color=_OURS)
    line = np.array([0.5, 100.0])
    axes.plot(line, line, color=_FAINT, linewidth=0.9, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("asked for, per hour and avatar")
    axes.set_ylabel("realised, 90 % interval")
    axes.set_title(f"False alarms in {result.hours * 60:.0f} minutes of normal motion", loc="left")


def _p_values(axes: Axes, result: AnomalyEvaluation) -> None:
    levels = list(result.exceedance)
    for of in result.exceedance_by_subject.values():
        axes.plot(levels, [max(of[level] or 0.0, 1e-4) for level in levels], color=_OTHERS, linewidth=0.9, marker=".")
    axes.plot(levels, [max(result.exceedance[level] or 0.0, 1e-4) for level in levels], color=_OURS, marker="o")
    line = np.array([levels[-1] / 2, levels[0] * 2])
    axes.plot(line, line, color=_FAINT, linewidth=0.9, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("p-value")
    axes.set_ylabel("share of normal frames at or below")
    axes.set_title("P-values on normal motion: all, and each subject in grey", loc="left")
