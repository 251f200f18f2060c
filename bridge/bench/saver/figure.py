"""The bench as a picture: error against bytes saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bridge.bench.saver.rules import Rule
from bridge.bench.saver.tally import Tally, Way
from bridge.whole_file import whole_file

# Okabe and Ito 2008: told apart whatever one's colour vision.
_NTH, _THRESHOLD = "#0072B2", "#D55E00"
_SHOWN_HORIZON_MS = 333

_Value = Callable[[Tally], float | None]


def draw_figure(tallies: Mapping[Rule, Tally], path: Path, *, title: str) -> None:
    """Write three panels: unsent frames, filled rows, and what a forecast loses; the format is the name's ending.

    Args:
        tallies: of one run. path: .png or .svg. title: what it ran on.
    """
    figure = Figure(figsize=(14.0, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ahead = f"added to forecasts, {_SHOWN_HORIZON_MS} ms ahead"
    panels: tuple[tuple[str, _Value, _Value, str], ...] = (
        ("frames that were not sent", lambda t: t.told_mm.value, lambda t: t.held_mm.value, "last pose sent"),
        ("filled rows of windows", _filled, partial(_filled, way=Way.STRAIGHT), "straight line"),
        (ahead, _added, partial(_added, way=Way.STRAIGHT), "straight line"),
    )
    for place, (name, ours, control, control_name) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        for threshold, colour, kind in ((False, _NTH, "every n-th"), (True, _THRESHOLD, "by threshold")):
            mine = {rule: tally for rule, tally in tallies.items() if (rule.threshold_m is not None) == threshold}
            _line(axes, mine, ours, f"{kind}: forecast", colour, "o-", named=True)
            _line(axes, mine, control, f"{kind}: {control_name}", colour, "s:", named=False)
        axes.set(xlabel="bytes saved, %", ylabel="mean landmark error, mm", title=name)
        axes.grid(alpha=0.3)
        axes.margins(0.12)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    with whole_file(path, field="figure", keep_suffix=True) as draft:
        figure.savefig(draft)


def _filled(tally: Tally, way: Way = Way.FORECAST) -> float | None:
    return tally.filled_mm[way].value


def _added(tally: Tally, way: Way = Way.FORECAST) -> float | None:
    return tally.added_mm(_SHOWN_HORIZON_MS, way)


def _line(
    axes: Axes, tallies: Mapping[Rule, Tally], value: _Value, label: str, colour: str, style: str, *, named: bool
) -> None:
    heights = [(tally.saved_share * 100, value(tally), rule.name) for rule, tally in tallies.items()]
    points = sorted((x, y, name) for x, y, name in heights if y is not None)
    axes.plot(
        [x for x, _, _ in points],
        [y for _, y, _ in points],
        style,
        color=colour,
        label=label,
        alpha=1.0 if named else 0.6,
    )
    for x, y, name in points if named else ():
        axes.annotate(name, (x, y), xytext=(0, -12), textcoords="offset points", ha="center", fontsize=7, color=colour)
