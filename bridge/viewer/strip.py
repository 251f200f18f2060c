"""The strips under the controls: p-values over time, alerts on them, and where in time the view stands. As SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.viewer.colours import ALARM, FUTURES, INK, css
from bridge.viewer.history import AlertMark

MOST_SURPRISE = 3.0
"""Of -log10 p: the smallest p-values of a usual calibration are near a thousandth."""
MAX_STRIPS = 12
_WIDTH, _ROW, _PLOT_TOP, _PLOT_HEIGHT = 360, 46, 14, 28
_POINTS = 180
_GAP_US = 250_000
_FAINT = "#57606a"
_SEVERITY_WORDS = {"low": "low", "medium": "medium", "high": "high"}


@dataclass(frozen=True, slots=True)
class Strip:
    """One avatar's p-values (time, p; None without a verdict) and alerts."""

    avatar: str
    p_values: Sequence[tuple[int, float | None]]
    alerts: Sequence[AlertMark]
    newest: float | None = None


def surprise_of(p_value: float) -> float:
    """-log10 of a p-value, within 0 to `MOST_SURPRISE`."""
    return min(max(-math.log10(max(p_value, 1e-12)), 0.0), MOST_SURPRISE)


def shown_span_us(first_us: int, last_us: int, now_us: int, longest_us: int) -> tuple[int, int]:
    """The part of a span that strips show: all of it, or so much around the present, which stays two thirds in."""
    if last_us - first_us <= longest_us:
        return first_us, max(last_us, first_us + 1)
    begin_us = min(max(now_us - 2 * longest_us // 3, first_us), last_us - longest_us)
    return begin_us, begin_us + longest_us


def lines_of(
    p_values: Sequence[tuple[int, float | None]], first_us: int, last_us: int
) -> list[list[tuple[float, float]]]:
    """Polylines (share of the span, surprise): the highest surprise of each bin, broken where there is no verdict."""
    bins: dict[int, float] = {}
    span_us = max(last_us - first_us, 1)
    for at_us, p_value in p_values:
        if p_value is not None:
            index = min((at_us - first_us) * _POINTS // span_us, _POINTS - 1)
            bins[index] = max(bins.get(index, 0.0), surprise_of(p_value))
    most_apart = max(1, math.ceil(_GAP_US * _POINTS / span_us))
    lines: list[list[tuple[float, float]]] = []
    previous = None
    for index in sorted(bins):
        if previous is None or index - previous > most_apart:
            lines.append([])
        lines[-1].append(((index + 0.5) / _POINTS, bins[index]))
        previous = index
    return lines


def strips_svg(strips: Sequence[Strip], first_us: int, last_us: int, now_us: int) -> str:
    """Draw strips of a span of time below one another, at most `MAX_STRIPS`: one SVG element."""
    shown = strips[:MAX_STRIPS]
    height = max(1, len(shown)) * _ROW + 12
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="100%" role="img" aria-label="p-values over time" '
        'font-family="system-ui, sans-serif" font-size="10">'
    ]
    for row, strip in enumerate(shown):
        parts += _strip(strip, row * _ROW, first_us, last_us)
    x = _x(now_us, first_us, last_us)
    parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_PLOT_TOP - 3}" y2="{height - 12}" stroke="{css(INK)}"/>')
    left, right = (f"{max(at_us, 0) / 1e6:.1f} s" for at_us in (first_us, last_us))
    if len(strips) > len(shown):
        left += f" ({len(strips) - len(shown)} more avatars)"
    parts.append(f'<text x="0" y="{height - 2}" fill="{_FAINT}">{left}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{height - 2}" fill="{_FAINT}" text-anchor="end">{right}</text></svg>')
    return "".join(parts)


def _strip(strip: Strip, top: int, first_us: int, last_us: int) -> list[str]:
    bottom = top + _PLOT_TOP + _PLOT_HEIGHT
    parts = [
        f'<rect x="0" y="{top + _PLOT_TOP}" width="{_WIDTH}" height="{_PLOT_HEIGHT}" fill="{css(INK)}" '
        'fill-opacity="0.05"/>'
    ]
    for alert in strip.alerts:
        until_us = last_us if alert.ended_us is None else alert.ended_us
        if until_us < first_us or alert.started_us > last_us:
            continue
        x1, x2 = _x(alert.started_us, first_us, last_us), _x(until_us, first_us, last_us)
        parts.append(
            f'<rect x="{x1:.1f}" y="{top + _PLOT_TOP}" width="{max(x2 - x1, 2):.1f}" height="{_PLOT_HEIGHT}" '
            f'fill="{css(ALARM)}" fill-opacity="0.22" stroke="{css(ALARM)}" stroke-width="0.8"/>'
            f'<text x="{min(x1 + 2, _WIDTH - 40):.1f}" y="{top + _PLOT_TOP + 9}" fill="{css(ALARM)}">'
            f"{html.escape(_SEVERITY_WORDS.get(alert.severity, alert.severity))}</text>"
        )
    hundredth = bottom - 2.0 / MOST_SURPRISE * _PLOT_HEIGHT
    parts.append(
        f'<line x1="0" x2="{_WIDTH}" y1="{hundredth:.1f}" y2="{hundredth:.1f}" stroke="{_FAINT}" '
        'stroke-width="0.6" stroke-dasharray="3 3"/>'
    )
    for line in lines_of(strip.p_values, first_us, last_us):
        points = [(share * _WIDTH, bottom - surprise / MOST_SURPRISE * _PLOT_HEIGHT) for share, surprise in line]
        if len(points) == 1:
            points.append((points[0][0] + 1.5, points[0][1]))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{css(FUTURES[0])}" stroke-width="1.2"/>')
    newest = "no verdict" if strip.newest is None else f"p {strip.newest:.4f}"
    parts.append(f'<text x="0" y="{top + 10}" fill="{css(INK)}" font-weight="600">{html.escape(strip.avatar)}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{top + 10}" fill="{css(INK)}" text-anchor="end">{newest}</text>')
    return parts


def _x(at_us: int, first_us: int, last_us: int) -> float:
    return _WIDTH * min(max((at_us - first_us) / max(last_us - first_us, 1), 0.0), 1.0)
