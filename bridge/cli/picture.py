"""One moment as a picture: what was seen, the futures that were forecast from it, and what then happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bridge.cli.bodies import LIGHT, Pose, Theme, draw_body, draw_branch, solidity, typical_height_m
from bridge.cli.scoreboard import MAX_GAP_US, Observed, futures_at
from bridge.skeleton import Layout
from bridge.wire.values import Forecast

PAST_MS = (-533, -400, -267, -133, 0)
FUTURE_COLUMNS = 6
_ROW_M = 1.12
_COLUMN_M = 0.92
_FIGURE_HEIGHT_M = 0.86
_PAST_HEIGHT_M = 2.3
_FASTEST_M_PER_S = 4.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A forecast and what was really seen around it.

    ``past`` goes with `PAST_MS`. ``happened`` and ``futures`` (one list for each of the K) go with ``future_ms``; what
    happened is None at times when nobody was seen.
    """

    forecast: Forecast
    past: Sequence[Pose | None]
    future_ms: Sequence[int]
    futures: Sequence[Sequence[Pose]]
    happened: Sequence[Pose | None]


def moment_of(forecast: Forecast, observed: Observed) -> Moment:
    """Gather what the picture of a forecast shows."""
    based_on_us = forecast.based_on_timestamp_us
    now = observed.at(based_on_us)
    reach_ms = forecast.futures_m.shape[1] * forecast.step_us / 1e3
    future_ms = [round(reach_ms * column / FUTURE_COLUMNS) for column in range(1, FUTURE_COLUMNS + 1)]
    based_on_m = now[0] if now else forecast.futures_m[0, 0]
    known = np.ones(forecast.futures_m.shape[2], bool)
    known[list(forecast.unobserved_landmarks)] = False
    at_times = [futures_at(forecast, based_on_m, time_ms) for time_ms in future_ms]
    return Moment(
        forecast=forecast,
        past=[seen_at(observed, based_on_us, time_ms) for time_ms in PAST_MS],
        future_ms=future_ms,
        futures=[
            [Pose(futures_m[k], known) for futures_m in at_times if futures_m is not None]
            for k in range(len(forecast.probabilities))
        ],
        happened=[seen_at(observed, based_on_us, time_ms) for time_ms in future_ms],
    )


def choose_moment(forecasts: Sequence[Forecast], observed: dict[str, Observed]) -> Moment | None:
    """Return the moment with the most movement around it; None if there is no forecast.

    Moments whose past and future are known in full come first, and among them those at which the tracker did not lose
    the body and jump (over 4 m/s as a mean of all landmarks). The choice looks only at what the person did, not at how
    good the forecast was.
    """
    if not forecasts:
        return None

    def interest_of(forecast: Forecast) -> tuple[int, bool, float]:
        horizon_us = forecast.futures_m.shape[1] * forecast.step_us
        return interest(observed[forecast.avatar_id], forecast.based_on_timestamp_us, horizon_us)

    best = max(forecasts, key=interest_of)
    return moment_of(best, observed[best.avatar_id])


def interest(truth: Observed, now_us: int, horizon_us: int) -> tuple[int, bool, float]:
    """What `choose_moment` goes by: how much is known (0 to 3), whether the tracking held, metres moved."""
    reach_us = PAST_MS[0] * 1000, 0, horizon_us
    known = sum(truth.around(now_us, offset_us) is not None for offset_us in reach_us)
    first_us, last_us = now_us + reach_us[0], now_us + reach_us[-1]
    rows = np.flatnonzero((truth.timestamp_us >= first_us) & (truth.timestamp_us <= last_us))
    if len(rows) < 2:
        return known, False, 0.0
    steps_s = np.diff(truth.timestamp_us[rows]) / 1e6
    moved_m = np.linalg.norm(np.diff(truth.pose_m[rows], axis=0), axis=-1).mean(axis=-1)
    held = bool(steps_s.max() * 1e6 <= MAX_GAP_US and (moved_m / steps_s).max() <= _FASTEST_M_PER_S)
    return known, held, float(moved_m.sum())


def draw_moment(path: Path, moment: Moment, layout: Layout, *, title: str, caption: str, theme: Theme = LIGHT) -> None:
    """Draw a moment and write it to ``path`` (the suffix names the format, PNG, SVG, PDF ...).

    Left the past, fading; right one row a future, fanned out from now, the more probable the wider its branch and the
    more solid its bodies, with what happened in grey behind it; last what happened, alone.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if the suffix names no format.
    """
    rows = len(moment.futures) + 1
    scale_m = typical_height_m([pose for pose in (*moment.past, *moment.happened) if pose is not None])
    top = (rows - 1) * _ROW_M / 2
    axes = Figure(facecolor=theme.paper).add_axes((0, 0, 1, 1))
    axes.set_aspect("equal")
    axes.axis("off")

    past_scale = min(_PAST_HEIGHT_M, 0.62 * rows * _ROW_M) / scale_m
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
        if order[row] is not None:
            closest = rows > 2 and order[row] == min(error for error in order if error is not None)
            axes.text(
                first_x + (FUTURE_COLUMNS - 1) * _COLUMN_M + 0.62,
                y,
                f"{order[row]:.0f} mm off" + ("\nclosest" if closest else ""),
                va="center",
                color=colour,
                fontsize=13,
                fontweight="bold" if closest else "normal",
            )
    y = top - (rows - 1) * _ROW_M
    axes.axhline(y + _ROW_M / 2, xmin=0.46, color=theme.ghost, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.text(first_x - 1.2, y, "what\nhappened", va="center", color=theme.ink, fontsize=13, fontweight="bold")
    for column, pose_or_none in enumerate(moment.happened):
        if pose_or_none is not None:
            draw_body(
                axes, pose_or_none, layout, (first_x + column * _COLUMN_M, y), futures_scale, theme.ink, width=1.9
            )
    right = first_x + FUTURE_COLUMNS * _COLUMN_M + 0.95
    finish(axes, path, (-0.95, right), (y - 0.62, top + 0.95), title=title, caption=caption, theme=theme)


def finish(
    axes: Axes,
    path: Path,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    title: str,
    caption: str,
    theme: Theme,
) -> None:
    """Size the figure to what was drawn within these ranges of the axes, add the words around it and write it.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if the suffix names no format.
    """
    width = 15.0
    header, footer = 0.8, 0.95
    body = width * (y_range[1] - y_range[0]) / (x_range[1] - x_range[0])
    height = header + body + footer
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.set_size_inches(width, height)
    axes.set_position((0.0, footer / height, 1.0, body / height))
    axes.set_xlim(*x_range)
    axes.set_ylim(*y_range)
    figure.text(0.03, 1 - 0.55 * header / height, title, fontsize=22, fontweight="bold", color=theme.ink, va="center")
    figure.text(0.03, 0.5 * footer / height, caption, fontsize=13, color=theme.faint, va="center", linespacing=1.5)
    figure.savefig(path, dpi=130)


def seen_at(observed: Observed, timestamp_us: int, offset_ms: float) -> Pose | None:
    """What was seen so long after a time (before, if negative); None if nobody was, or the stream paused between."""
    found = observed.around(timestamp_us, round(offset_ms * 1000))
    return Pose(*found) if found and found[1].any() else None


def errors_mm(moment: Moment) -> list[float | None]:
    """Mean joint error of every future in the last column, millimetres."""
    truth = moment.happened[-1]
    if truth is None:
        return [None] * len(moment.futures)
    return [
        float(1e3 * np.linalg.norm(future[-1].pose_m - truth.pose_m, axis=-1)[truth.visible].mean())
        for future in moment.futures
    ]


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
