"""A forecast as a strip: one column a moment, from the past over now to the end of the forecast."""

from __future__ import annotations

from matplotlib.axes import Axes

from bridge.figures.bodies import LIGHT, Theme, draw_body, solidity, typical_size_m
from bridge.figures.drawing import Drawing, blank_axes, finish
from bridge.figures.moments import PAST_MS, Moment
from bridge.skeleton import Layout

_COLUMN_M = 1.12
_BODY_M = 1.35
_ROW_M = 1.75
_LAST_OF_PAST = 3
_MOST_LINES = 6


def draw_strip(moment: Moment, layout: Layout, *, title: str, caption: str, theme: Theme = LIGHT) -> Drawing:
    """Draw a moment as a strip.

    Above all futures over each other, the more probable the more solid and the further in front, with their
    probabilities beside them; below what happened, if any of it is known, in one row with the past.
    """
    axes = blank_axes(theme)
    past = moment.past[-_LAST_OF_PAST:]
    scale = _BODY_M / typical_size_m([pose for pose in (*past, *moment.happened) if pose is not None])
    first_x = (len(past) + 0.35) * _COLUMN_M

    for column, pose in enumerate(past):
        is_now = column == len(past) - 1
        colour = theme.ink if is_now else theme.faded(theme.ink, 0.3 + 0.2 * column)
        if pose is not None:
            draw_body(axes, pose, layout, (column * _COLUMN_M, 0.0), scale, colour, width=3.4 if is_now else 2.4)
        axes.text(
            column * _COLUMN_M,
            -1.0,
            "now" if is_now else f"{PAST_MS[column - len(past)]} ms",
            ha="center",
            color=theme.ink if is_now else theme.faint,
            fontsize=15,
            fontweight="bold" if is_now else "normal",
        )

    probabilities = moment.forecast.probabilities
    columns = len(moment.future_ms)
    for column, time_ms in enumerate(moment.future_ms):
        x = first_x + column * _COLUMN_M
        for row in reversed(range(len(moment.futures))):
            share = solidity(float(probabilities[row]), float(probabilities.max()))
            colour = theme.faded(theme.future(row), share)
            in_front = 2.0 - 0.05 * row
            draw_body(axes, moment.futures[row][column], layout, (x, _ROW_M), scale, colour, width=2.6, layer=in_front)
        seen = moment.happened[column]
        if seen is not None:
            draw_body(axes, seen, layout, (x, 0.0), scale, theme.ink, width=2.6)
        axes.text(x, -1.0, f"+{time_ms} ms", ha="center", color=theme.ink, fontsize=15)
    axes.text(
        first_x - 0.95 * _COLUMN_M,
        _ROW_M + 0.62,
        f"{len(moment.futures)} future{'s' * (len(moment.futures) != 1)}",
        ha="right",
        va="center",
        color=theme.ink,
        fontsize=16,
        fontweight="bold",
    )
    _write_probabilities(axes, probabilities.tolist(), first_x - 0.95 * _COLUMN_M, theme)
    right = first_x + (columns - 1) * _COLUMN_M
    if any(pose is not None for pose in moment.happened):
        axes.text(right + 0.62, 0.0, "what\nhappened", va="center", color=theme.ink, fontsize=15, fontweight="bold")
    axes.plot(
        [first_x - 0.55 * _COLUMN_M] * 2,
        [-0.95, _ROW_M + 0.85],
        color=theme.ghost,
        linewidth=1.0,
        linestyle=(0, (4, 4)),
    )
    return finish(axes, (-0.75, right + 1.62), (-1.25, _ROW_M + 1.0), title=title, caption=caption, theme=theme)


def _write_probabilities(axes: Axes, probabilities: list[float], x: float, theme: Theme) -> None:
    """One line a future, in its colour; of more than six the rest in a line of its own."""
    shown = probabilities[:_MOST_LINES]
    for row, probability in enumerate(shown):
        axes.text(
            x,
            _ROW_M + 0.36 - 0.22 * row,
            f"{100 * probability:.0f} %",
            ha="right",
            va="center",
            color=theme.future(row),
            fontsize=15,
            fontweight="bold",
        )
    rest = probabilities[_MOST_LINES:]
    if rest:
        words = f"{len(rest)} more {100 * sum(rest):.0f} %"
        y = _ROW_M + 0.36 - 0.22 * len(shown)
        axes.text(x, y, words, ha="right", va="center", color=theme.faint, fontsize=13)
