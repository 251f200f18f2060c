"""The bench as a picture: time against batch size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from bridge.bench.rows import Row
from bridge.whole_file import whole_file

# Okabe and Ito 2008: told apart whatever one's colour vision.
_LOOP, _OURS, _CEILING = "#D55E00", "#0072B2", "#555555"


def draw_figure(rows: Sequence[Row], path: Path, *, machine: str, threads: int) -> None:
    """Write one picture, a panel for each preset; the format is the file name's ending.

    Args:
        rows: of one run. path: .png, .svg or .pdf. machine: what it ran on, for the title.
    """
    presets = list(dict.fromkeys(row.preset for row in rows))
    figure = Figure(figsize=(6.2 * len(presets), 4.6), dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    for place, preset in enumerate(presets):
        mine = sorted((row for row in rows if row.preset == preset), key=lambda row: row.batch)
        axes = figure.add_subplot(1, len(presets), place + 1)
        batches = [row.batch for row in mine]
        axes.plot(batches, [row.loop_ms for row in mine], "s--", color=_LOOP, label="one sample at a time")
        axes.plot(batches, [row.median_ms for row in mine], "o-", color=_OURS, label="rollout, refined (median)")
        axes.fill_between(
            batches, [row.best_ms for row in mine], [row.p95_ms for row in mine], color=_OURS, alpha=0.2, linewidth=0
        )
        axes.plot(batches, [row.gemm_ms for row in mine], ":", color=_CEILING, label="its matrix products alone")
        for row in mine:
            digits = 0 if row.median_ms >= 10 else 1
            share = f"{row.fraction_of_gemm:.0%}, {row.speedup_over_loop:.0f}x"
            text = f"{row.median_ms:,.{digits}f} ms\n{share}"
            axes.annotate(
                text,
                xy=(row.batch, row.median_ms),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=9,
                color=_OURS,
            )
        axes.set(xscale="log", yscale="log", xlabel="windows in the batch", ylabel="milliseconds of the whole batch")
        axes.set_xticks(batches)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.2, y=0.12)
        axes.grid(alpha=0.3)
        axes.set_title(f"{preset}: {mine[0].samples} samples x {mine[0].horizon} frames")
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    ran_on = f"{machine}, {threads} thread{'s' if threads > 1 else ''}"
    figure.suptitle(f"{ran_on}; at the points: share of the ceiling, speed-up over one sample at a time", fontsize=10)
    with whole_file(path, field="figure", keep_suffix=True) as draft:
        figure.savefig(draft)
