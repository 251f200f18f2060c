"""A scored recording as one picture: p-values over time, and the body around each alert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bridge.anomaly import ReplayedTrack
from bridge.cli.bodies import LIGHT
from bridge.cli.score_report import ScoredAlert
from bridge.skeleton import Layout
from bridge.whole_file import whole_file

_AROUND_S = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.8)
_MOST_ALERTS = 4
_COLOURS = {"low": "#E69F00", "medium": "#D55E00", "high": "#B2182B"}
_BODY_M = 1.15


def save_score_figure(
    path: Path,
    track: ReplayedTrack,
    alerts: Sequence[ScoredAlert],
    p_values: Sequence[float | None],
    layout: Layout,
) -> None:
    """Draw p-values and evidence over time, and for up to four alerts the frames around the first of its evidence.

    Raises:
        InvalidInput: if the path is of no use (`bridge.evaluation.figure.check_figure_path`).
    """
    shown = sorted(sorted(alerts, key=lambda alert: -alert.score)[:_MOST_ALERTS], key=lambda alert: alert.started_us)
    rows = 2 + len(shown)
    figure = Figure(figsize=(12.0, 4.2 + 2.3 * len(shown)), layout="constrained", facecolor=LIGHT.paper)
    grid = figure.add_gridspec(rows, len(_AROUND_S), height_ratios=[1.6, 1.0] + [1.5] * len(shown))
    over_time = figure.add_subplot(grid[0, :])
    evidence = figure.add_subplot(grid[1, :], sharex=over_time)
    time_s = (track.clip.timestamp_us - track.clip.timestamp_us[0]) * 1e-6
    _p_values(over_time, time_s, p_values)
    _evidence(evidence, track)
    for axes in (over_time, evidence):
        _mark(axes, track, alerts)
    over_time.set_title(
        f"{track.clip.clip_id}: {len(alerts)} alert{'s' * (len(alerts) != 1)}", loc="left", color=LIGHT.ink
    )
    for row, alert in enumerate(shown, start=2):
        for column, around_s in enumerate(_AROUND_S):
            _body(figure.add_subplot(grid[row, column]), track, alert, around_s, layout)
    with whole_file(path, field="figure", keep_suffix=True) as draft:
        figure.savefig(draft, dpi=100)


def _p_values(axes: Axes, time_s: NDArray[np.float64], p_values: Sequence[float | None]) -> None:
    values = np.array([np.nan if p is None else p for p in p_values])
    axes.semilogy(time_s, values, color="#0072B2", linewidth=1.1)
    for level in (0.1, 0.01):
        axes.axhline(level, color=LIGHT.ghost, linewidth=0.8, linestyle=":")
    axes.set_ylabel("p-value", color=LIGHT.faint)
    axes.set_ylim(top=1.3)
    axes.tick_params(labelbottom=False, colors=LIGHT.faint)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor(LIGHT.paper)


def _evidence(axes: Axes, track: ReplayedTrack) -> None:
    time_s = [frame.timestamp_us * 1e-6 for frame in track.frames]
    axes.fill_between(time_s, [frame.evidence for frame in track.frames], color="#56B4E9", alpha=0.6, linewidth=0)
    axes.axhline(1.0, color="#B2182B", linewidth=0.9)
    axes.set_ylabel("evidence", color=LIGHT.faint)
    axes.set_xlabel("seconds", color=LIGHT.faint)
    axes.tick_params(colors=LIGHT.faint)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor(LIGHT.paper)


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


def _body(axes: Axes, track: ReplayedTrack, alert: ScoredAlert, around_s: float, layout: Layout) -> None:
    wanted_us = alert.started_us + around_s * 1e6
    row = int(np.argmin(np.abs(track.clip.timestamp_us - wanted_us)))
    pose_m = track.clip.pose_m[row] - np.nanmean(track.clip.pose_m[row, list(layout.hips)], axis=0)
    bones = np.array(layout.bones)
    lines = pose_m[bones][..., :2]
    known = np.isfinite(lines).all(axis=(1, 2))
    before = around_s < 0.0
    axes.add_collection(
        LineCollection(lines[known].tolist(), colors=LIGHT.ghost if before else LIGHT.ink, linewidths=1.4)
    )
    if not before:
        for joint in alert.joints[:3]:
            axes.plot(
                *pose_m[joint.landmark, :2], "o", color=_COLOURS[alert.severity.value], markersize=5, fillstyle="none"
            )
    axes.set_xlim(-_BODY_M, _BODY_M)
    axes.set_ylim(_BODY_M, -_BODY_M)
    axes.set_aspect("equal")
    axes.axis("off")
    time_s = (int(track.clip.timestamp_us[row]) - int(track.clip.timestamp_us[0])) * 1e-6
    axes.set_title(f"{time_s:.2f} s", fontsize=9, color=LIGHT.faint)
