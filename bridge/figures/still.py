"""One moment as a picture: what was seen, the futures that were forecast from it, and what then happened."""

from __future__ import annotations

from matplotlib.axes import Axes

from bridge.figures.bodies import LIGHT, Theme, draw_body, draw_branch, solidity, typical_size_m
from bridge.figures.drawing import Drawing, blank_axes, finish
from bridge.figures.moments import FUTURE_COLUMNS, PAST_MS, Moment, errors_mm
from bridge.skeleton import Layout

_ROW_M = 1.12
_COLUMN_M = 0.92
_FIGURE_HEIGHT_M = 0.86
_PAST_HEIGHT_M = 2.3
_LEAST_PAST_HEIGHT_M = 1.1


def draw_moment(moment: Moment, layout: Layout, *, title: str, caption: str, theme: Theme = LIGHT) -> Drawing:
    """Draw a moment.

    Left the past, fading; right one row a future, fanned out from now, the more probable the wider its branch and the
    more solid its bodies, with what happened in grey behind it; last what happened, alone, if any of it is known.
    """
    is_known = any(pose is not None for pose in moment.happened)
    rows = len(moment.futures) + is_known
    scale_m = typical_size_m([pose for pose in (*moment.past, *moment.happened) if pose is not None])
    top = (rows - 1) * _ROW_M / 2
    axes = blank_axes(theme)

    past_scale = min(_PAST_HEIGHT_M, max(0.62 * rows * _ROW_M, _LEAST_PAST_HEIGHT_M)) / scale_m
    now_x = _draw_past(axes, moment, layout, past_scale, theme)
    first_x = now_x + 3.2
    for column, time_ms in enumerate(moment.future_ms):
        x = first_x + column * _COLUMN_M
        axes.text(x, top + 0.72, f"+{time_ms} ms", ha="center", color=theme.ink, fontsize=12)
    futures_scale = _FIGURE_HEIGHT_M / scale_m
    order = errors_mm(moment)
    probabilities = moment.forecast.probabilities
    for row, future in enumerate(moment.futures):
        y = top - row * _ROW_M
        colour = theme.future(row)
        probability = float(probabilities[row])
        faded = theme.faded(colour, solidity(probability, float(probabilities.max())))
        draw_branch(axes, (now_x + 0.95, 0.0), (first_x - 1.17, y), colour, probability)
        label = f"{100 * probability:.0f} %"
        axes.text(first_x - 0.96, y, label, va="center", color=colour, fontsize=17, fontweight="bold")
        for column, pose in enumerate(future):
            x = first_x + column * _COLUMN_M
            seen = moment.happened[column]
            if seen is not None:
                draw_body(axes, seen, layout, (x, y), futures_scale, theme.ghost, width=1.3)
            draw_body(axes, pose, layout, (x, y), futures_scale, faded, width=1.9)
        error = order[row]
        if error is not None:
            closest = len(order) > 1 and error == min(known for known in order if known is not None)
            axes.text(
                first_x + (FUTURE_COLUMNS - 1) * _COLUMN_M + 0.62,
                y,
                f"{error:.0f} mm off" + ("\nclosest" if closest else ""),
                va="center",
                color=colour,
                fontsize=13,
                fontweight="bold" if closest else "normal",
            )
    if is_known:
        _draw_truth(axes, moment, layout, (first_x, top - (rows - 1) * _ROW_M), futures_scale, theme)
    right = first_x + FUTURE_COLUMNS * _COLUMN_M + (0.95 if is_known else 0.0)
    # The past beside a single future, with the words below it, reaches further down than the future does.
    reach = max(top + 0.62, 0.5 * _LEAST_PAST_HEIGHT_M + 0.6)
    return finish(axes, (-0.95, right), (-reach, reach + 0.33), title=title, caption=caption, theme=theme)


def _draw_truth(
    axes: Axes, moment: Moment, layout: Layout, start: tuple[float, float], scale: float, theme: Theme
) -> None:
    """What happened in a row of its own, below a line."""
    first_x, y = start
    axes.axhline(y + _ROW_M / 2, xmin=0.46, color=theme.ghost, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.text(first_x - 1.2, y, "what\nhappened", va="center", color=theme.ink, fontsize=13, fontweight="bold")
    for column, pose in enumerate(moment.happened):
        if pose is not None:
            draw_body(axes, pose, layout, (first_x + column * _COLUMN_M, y), scale, theme.ink, width=1.9)


def _draw_past(axes: Axes, moment: Moment, layout: Layout, scale: float, theme: Theme) -> float:
    """Draw the past from left to right, growing more solid; return where now stands."""
    x = 0.0
    feet_m = [float(pose.pose_m[pose.visible, 1].max()) for pose in moment.past if pose is not None]
    low = -scale * max(feet_m, default=1.0) - 0.4
    for index, (time_ms, pose) in enumerate(zip(PAST_MS, moment.past, strict=True)):
        x = 0.9 * index
        is_now = index == len(PAST_MS) - 1
        if pose is not None:
            colour = theme.ink if is_now else theme.faded(theme.ink, 0.16 + 0.14 * index)
            draw_body(axes, pose, layout, (x, 0.0), scale, colour, width=3.2 if is_now else 2.0)
        axes.text(
            x,
            low,
            "now" if is_now else f"{time_ms} ms",
            ha="center",
            color=theme.ink if is_now else theme.faint,
            fontsize=16 if is_now else 12,
            fontweight="bold" if is_now else "normal",
        )
    return x
