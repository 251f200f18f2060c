"""A scored recording as one picture: p-values over time, and the body around each alert."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bridge.anomaly.replay import ReplayedTrack
from bridge.anomaly.replayed_alerts import ScoredAlert, alerts_of, p_values_of
from bridge.figures.bodies import Theme, ThemeName, draw_body, pose_of, theme_of
from bridge.figures.drawing import Drawing
from bridge.geometry import hip_middle
from bridge.skeleton import Layout, get_layout

_AROUND_S = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.8)
_MOST_ALERTS = 4
_COLOURS = {"low": "#E69F00", "medium": "#D55E00", "high": "#B2182B"}
_BODY_M = 1.15
_DOTS_PER_INCH = 100


def plot_scores(track: ReplayedTrack, *, layout: Layout | None = None, theme: ThemeName = "light") -> Drawing:
    """Draw p-values and evidence over time, and for up to four alerts the frames around the first of its evidence.

    Evidence raises an alert where it reaches 1; circles mark the landmarks that contributed most.

    Args:
        track: of `bridge.anomaly.replay`, with a calibration.
        layout: of the clip's landmarks; None looks it up by the clip's ``layout_id``.
        theme: "light" or "dark" paper.

    Raises:
        NotFound: if no layout of that id is known.
        InvalidInput: if there is no such theme.
    """
    layout, colours = layout or get_layout(track.clip.layout_id), theme_of(theme)
    alerts = alerts_of(track)
    shown = sorted(sorted(alerts, key=lambda alert: -alert.score)[:_MOST_ALERTS], key=lambda alert: alert.started_us)
    figure = Drawing(
        figsize=(12.0, 4.2 + 2.3 * len(shown)), layout="constrained", facecolor=colours.paper, dpi=_DOTS_PER_INCH
    )
    grid = figure.add_gridspec(2 + len(shown), len(_AROUND_S), height_ratios=[1.6, 1.0] + [1.5] * len(shown))
    over_time = figure.add_subplot(grid[0, :])
    evidence = figure.add_subplot(grid[1, :], sharex=over_time)
    time_s = (track.clip.timestamp_us - track.clip.timestamp_us[0]) * 1e-6
    _p_values(over_time, time_s, p_values_of(track), colours)
    _evidence(evidence, track, colours)
    for axes in (over_time, evidence):
        _mark(axes, track, alerts)
    title = f"{track.clip.clip_id}: {len(alerts)} alert{'s' * (len(alerts) != 1)}"
    over_time.set_title(title, loc="left", color=colours.ink, parse_math=False)
    for row, alert in enumerate(shown, start=2):
        for column, around_s in enumerate(_AROUND_S):
            _body(figure.add_subplot(grid[row, column]), track, alert, around_s, layout, colours)
    return figure


def _p_values(axes: Axes, time_s: NDArray[np.float64], p_values: Sequence[float | None], theme: Theme) -> None:
    values = np.array([np.nan if p is None else p for p in p_values], np.float64)
    axes.semilogy(time_s, values, color=theme.future(0), linewidth=1.1)
    for level in (0.1, 0.01):
        axes.axhline(level, color=theme.ghost, linewidth=0.8, linestyle=":")
    axes.set_ylabel("p-value", color=theme.faint)
    known = values[np.isfinite(values)]
    axes.set_ylim(0.7 * min(0.01, float(known.min(initial=1.0))), 1.3)
    axes.tick_params(labelbottom=False)
    _on_paper(axes, theme)


def _evidence(axes: Axes, track: ReplayedTrack, theme: Theme) -> None:
    time_s = [frame.timestamp_us * 1e-6 for frame in track.frames]
    axes.fill_between(time_s, [frame.evidence for frame in track.frames], color="#56B4E9", alpha=0.6, linewidth=0)
    axes.axhline(1.0, color="#B2182B", linewidth=0.9)
    axes.set_ylabel("evidence", color=theme.faint)
    axes.set_xlabel("seconds", color=theme.faint)
    _on_paper(axes, theme)


def _on_paper(axes: Axes, theme: Theme) -> None:
    axes.tick_params(which="both", colors=theme.faint)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(theme.faint)
    axes.set_facecolor(theme.paper)


def _mark(axes: Axes, track: ReplayedTrack, alerts: Sequence[ScoredAlert]) -> None:
    first_us, last_us = int(track.clip.timestamp_us[0]), int(track.clip.timestamp_us[-1])
    for alert in alerts:
        ended_us = last_us if alert.ended_us is None else alert.ended_us
        axes.axvspan(
            (alert.started_us - first_us) * 1e-6,
            (ended_us - first_us) * 1e-6,
            color=_COLOURS[alert.severity.value],
            alpha=0.18,
            linewidth=0,
        )


def _body(axes: Axes, track: ReplayedTrack, alert: ScoredAlert, around_s: float, layout: Layout, theme: Theme) -> None:
    clip = track.clip
    row = int(np.argmin(np.abs(clip.timestamp_us - (alert.started_us + around_s * 1e6))))
    middle_m = hip_middle(clip.pose_m[row], layout)
    before = around_s < 0.0
    if np.isfinite(middle_m).all():
        pose_m = (clip.pose_m[row] - middle_m).astype(np.float32)
        pose = pose_of(pose_m, clip.visibility[row] > 0)
        draw_body(axes, pose, layout, (0.0, 0.0), 1.0, theme.ghost if before else theme.ink, width=1.7)
        for joint in () if before else alert.joints[:3]:
            x, y = pose_m[joint.landmark, :2]
            axes.plot(x, -y, "o", color=_COLOURS[alert.severity.value], markersize=5, fillstyle="none", zorder=3)
    axes.set_xlim(-_BODY_M, _BODY_M)
    axes.set_ylim(-_BODY_M, _BODY_M)
    axes.set_aspect("equal")
    axes.axis("off")
    time_s = (int(clip.timestamp_us[row]) - int(clip.timestamp_us[0])) * 1e-6
    axes.set_title(f"{time_s:.2f} s", fontsize=9, color=theme.faint)
