"""A forecast as a short film: a person moves, the futures part, and then it shows what happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bridge.figures.bodies import Pose, Theme, draw_body, pose_of, solidity
from bridge.figures.moments import Moment, errors_mm, observed_landmarks, seen_at
from bridge.figures.observed import Observed, futures_at
from bridge.skeleton import Layout

INCHES = (9.6, 5.4)
"""Width and height of a film."""
_PAST_S, _NOW_S, _END_S = 0.8, 0.8, 1.2
_SLOW = 2.2
_SHORTEST_S, _LONGEST_S = 1.0, 3.0
_TRAIL_MS = (-240.0, -160.0, -80.0)
_FIT_EVERY_MS = 100.0
# Left, bottom, right, top in inches.
_STAGE = (0.15, 1.15, 3.75, 4.7)
_GRID = (3.95, 1.0, 9.4, 4.78)


@dataclass(frozen=True, slots=True)
class FilmFormat:
    """Frames a second and dots an inch of a film of `INCHES`."""

    fps: float
    dots_per_inch: int


GIF = FilmFormat(12.5, 100)
"""960 x 540; GIF counts time in hundredths of a second."""
MP4 = FilmFormat(30.0, 200)
"""1920 x 1080."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One picture of a film.

    Attributes:
        time_ms: of the motion; 0 is the frame that the forecast is based on, before it the past.
        shown: how far the futures have been unveiled, 0 to 1.
        over: whether the end is reached and the futures are judged.
    """

    time_ms: float
    shown: float
    over: bool


def instants(horizon_ms: float, fps: float) -> list[Instant]:
    """The pictures of a film: the past at its true speed, a stop at now, the forecast in slow motion, a stop."""
    future_s = _slowness(horizon_ms) * horizon_ms / 1e3
    past, stop, future, end = (max(2, round(length_s * fps)) for length_s in (_PAST_S, _NOW_S, future_s, _END_S))
    film = [Instant(-1e3 * _PAST_S * (1 - step / past), 0.0, False) for step in range(past)]
    film += [Instant(0.0, (step + 1) / stop, False) for step in range(stop)]
    film += [Instant(horizon_ms * (step + 1) / future, 1.0, False) for step in range(future)]
    return film + [Instant(horizon_ms, 1.0, True)] * end


def _slowness(horizon_ms: float) -> float:
    """How many times slower than in life the forecast is shown, so that it lasts neither too long nor too short."""
    shown_s = min(max(_SLOW * horizon_ms / 1e3, _SHORTEST_S), _LONGEST_S)
    return shown_s / (horizon_ms / 1e3)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Where the middle of the hips stands in inches, and inches a metre, so that a body stays within its field."""

    middle: tuple[float, float]
    scale: float

    @classmethod
    def into(cls, field: tuple[float, float, float, float], reach_m: tuple[float, float, float, float]) -> _Fit:
        """Fit what reaches so far left, right, up and down from the hips into (left, bottom, right, top)."""
        left, bottom, right, top = field
        left_m, right_m, up_m, down_m = reach_m
        scale = min((right - left) / (right_m - left_m), (top - bottom) / (down_m - up_m))
        x = (left + right - scale * (left_m + right_m)) / 2
        y = (bottom + top + scale * (up_m + down_m)) / 2
        return cls((x, y), scale)


class Film:
    """A moment, and how it looks from shortly before it to the end of its forecast.

    Args:
        moment: the forecast and what it is drawn with.
        observed: what the person did.
        layout: of the landmarks.
        theme: colours.
        title: above everything.
    """

    def __init__(self, moment: Moment, observed: Observed, layout: Layout, theme: Theme, title: str) -> None:
        self.horizon_ms: float = moment.forecast.futures_m.shape[1] * moment.forecast.step_us / 1e3
        self._moment, self._observed, self._layout, self._theme, self._title = moment, observed, layout, theme, title
        self._now = self._seen(0.0)
        self._known = observed_landmarks(moment.forecast)
        self._truth_is_known = any(pose is not None for pose in moment.happened)
        probabilities = moment.forecast.probabilities
        most = float(probabilities.max())
        self._colours = [theme.faded(theme.future(k), solidity(float(p), most)) for k, p in enumerate(probabilities)]
        self._errors = errors_mm(moment)
        columns = int(np.ceil(np.sqrt(1.25 * len(probabilities)))) if len(probabilities) > 1 else 1
        self._columns, self._rows = columns, -(-len(probabilities) // columns)
        reach_m = self._reach_m()
        self._stage = _Fit.into(_STAGE, reach_m)
        width, height = self._field
        self._in_field = _Fit.into((-0.48 * width, -0.36 * height, 0.48 * width, 0.33 * height), reach_m)

    def pictures(self, form: FilmFormat) -> Iterator[NDArray[np.uint8]]:
        """Yield the film picture by picture, (height, width, 3) RGB."""
        film = instants(self.horizon_ms, form.fps)
        last: NDArray[np.uint8] | None = None
        for before, instant in zip([None, *film], film, strict=False):
            if last is None or instant != before:
                last = self._drawn(instant, form.dots_per_inch)
            yield last

    @property
    def _field(self) -> tuple[float, float]:
        """Width and height of a future's field, inches."""
        left, bottom, right, top = _GRID
        return (right - left) / self._columns, (top - bottom) / self._rows

    def _reach_m(self) -> tuple[float, float, float, float]:
        """How far to the left, right, up and down any body of the film reaches from its hips, metres."""
        times_ms = np.arange(-1e3 * _PAST_S, self.horizon_ms + 1, _FIT_EVERY_MS).tolist()
        poses = [pose for time_ms in times_ms for pose in (self._seen(time_ms), *self._futures(time_ms)) if pose]
        points_m = np.concatenate([np.zeros((1, 2), np.float32), *(pose.pose_m[pose.visible, :2] for pose in poses)])
        (left_m, up_m), (right_m, down_m) = points_m.min(axis=0).tolist(), points_m.max(axis=0).tolist()
        margin_m = 0.08 * max(right_m - left_m, down_m - up_m, 0.3)
        return left_m - margin_m, right_m + margin_m, up_m - margin_m, down_m + margin_m

    def _seen(self, time_ms: float) -> Pose | None:
        return seen_at(self._observed, self._moment.forecast.based_on_timestamp_us, time_ms)

    def _futures(self, time_ms: float) -> list[Pose]:
        """All futures at a time after now; none before."""
        if time_ms <= 0:
            return []
        forecast, known = self._moment.forecast, self._known
        based_on_m = forecast.futures_m[0, 0] if self._now is None else self._now.pose_m
        at_m = futures_at(forecast, based_on_m, time_ms)
        return [] if at_m is None else [pose_of(pose_m, known) for pose_m in at_m]

    def _drawn(self, instant: Instant, dots_per_inch: int) -> NDArray[np.uint8]:
        figure = Figure(figsize=INCHES, dpi=dots_per_inch, facecolor=self._theme.paper)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, INCHES[0])
        axes.set_ylim(0, INCHES[1])
        axes.axis("off")
        axes.text(
            0.3, 5.08, self._title, color=self._theme.ink, fontsize=17, fontweight="bold", va="center", parse_math=False
        )
        if instant.time_ms > 0 and not instant.over:
            speed = f"at {1 / _slowness(self.horizon_ms):.2g} of true speed"
            axes.text(9.3, 5.08, speed, color=self._theme.faint, fontsize=12, ha="right", va="center")
        self._draw_stage(axes, instant)
        self._draw_fields(axes, instant)
        self._draw_time(axes, instant)
        canvas.draw()
        return np.array(canvas.buffer_rgba())[..., :3]

    def _draw_stage(self, axes: Axes, instant: Instant) -> None:
        """The person, large: what was seen, with a trail before now and the futures behind it afterwards."""
        middle, scale = self._stage.middle, self._stage.scale
        for k, pose in reversed(list(enumerate(self._futures(instant.time_ms)))):
            draw_body(axes, pose, self._layout, middle, scale, self._colours[k], width=3.0, layer=2.0 - 0.05 * k)
        for index, before_ms in enumerate(_TRAIL_MS if instant.time_ms <= 0 else ()):
            trail = self._seen(instant.time_ms + before_ms * (1 - instant.shown))
            if trail is not None:
                colour = self._theme.faded(self._theme.ink, 0.1 + 0.09 * index)
                draw_body(axes, trail, self._layout, middle, scale, colour, width=3.0, layer=1.0 + 0.1 * index)
        seen = self._seen(instant.time_ms)
        if seen is not None:
            draw_body(axes, seen, self._layout, middle, scale, self._theme.ink, width=4.6, layer=3.0)
        after = "what happened" if self._truth_is_known else "what may happen"
        words = after if instant.time_ms > 0 else "now" if instant.time_ms == 0 else "what the camera saw"
        x = (_STAGE[0] + _STAGE[2]) / 2
        axes.text(x, 0.9, words, ha="center", va="center", color=self._theme.ink, fontsize=13, fontweight="bold")

    def _draw_fields(self, axes: Axes, instant: Instant) -> None:
        """A field for each future: first the person as seen, then the future in front of what happened."""
        width, height = self._field
        futures, seen = self._futures(instant.time_ms), self._seen(instant.time_ms)
        line = min(1.0, height / 1.8)
        for k in range(len(self._colours)):
            x = _GRID[0] + (k % self._columns + 0.5) * width
            y = _GRID[3] - (k // self._columns + 0.5) * height
            middle = (x + self._in_field.middle[0], y + self._in_field.middle[1])
            if seen is not None:
                colour = self._theme.ghost
                if instant.time_ms <= 0:
                    colour = self._theme.faded(self._colours[k] if instant.shown else colour, max(0.6, instant.shown))
                draw_body(axes, seen, self._layout, middle, self._in_field.scale, colour, width=2.2 * line)
            if futures:
                scale, colour = self._in_field.scale, self._colours[k]
                draw_body(axes, futures[k], self._layout, middle, scale, colour, width=2.8 * line, layer=2.0)
            self._write_probability(axes, k, (x - 0.44 * width, x + 0.44 * width), y, instant)

    def _write_probability(self, axes: Axes, k: int, x_range: tuple[float, float], y: float, instant: Instant) -> None:
        """A future's probability as a bar that grows and a number; at the end how far off it was."""
        height = self._field[1]
        line = min(1.0, height / 1.8)
        left, right = x_range
        probability = float(self._moment.forecast.probabilities[k])
        bar_y, words_y = y - 0.42 * height, y + 0.41 * height
        for until, colour in (
            (1.0, self._theme.faded(self._theme.ghost, 0.35)),
            (probability * instant.shown, self._theme.future(k)),
        ):
            end = left + (right - left) * until
            axes.plot([left, end], [bar_y] * 2, color=colour, linewidth=4 * line, solid_capstyle="butt")
        if instant.shown:
            axes.text(
                left,
                words_y,
                f"{100 * probability:.0f} %",
                color=self._theme.faded(self._theme.future(k), instant.shown),
                fontsize=17 * line,
                fontweight="bold",
                va="center",
            )
        error = self._errors[k]
        if instant.over and error is not None:
            known = [each for each in self._errors if each is not None]
            best = len(known) > 1 and error == min(known)
            axes.text(
                right,
                words_y + 0.11 * line,
                f"{error / 10:.0f} cm off" + ("\nclosest" if best else ""),
                color=self._theme.ink if best else self._theme.faint,
                fontsize=11 * line,
                fontweight="bold" if best else "normal",
                ha="right",
                va="top",
            )

    def _draw_time(self, axes: Axes, instant: Instant) -> None:
        """Where we are between the first picture and the end of the forecast."""
        left, right, y = 0.4, 9.2, 0.42
        begin_ms, end_ms = -1e3 * _PAST_S, self.horizon_ms

        def x_of(time_ms: float) -> float:
            return left + (right - left) * (time_ms - begin_ms) / (end_ms - begin_ms)

        axes.plot([left, right], [y, y], color=self._theme.faded(self._theme.ghost, 0.6), linewidth=2.0)
        axes.plot([left, x_of(instant.time_ms)], [y, y], color=self._theme.ink, linewidth=2.0)
        axes.plot([x_of(0.0)] * 2, [y - 0.09, y + 0.09], color=self._theme.ink, linewidth=2.0)
        axes.plot([x_of(instant.time_ms)], [y], "o", color=self._theme.ink, markersize=8)
        axes.text(x_of(0.0), y - 0.26, "now", ha="center", va="center", color=self._theme.ink, fontsize=10)
        for time_ms, side in ((begin_ms, "left"), (end_ms, "right")):
            axes.text(
                x_of(time_ms),
                y - 0.26,
                f"{time_ms / 1e3:+.1f} s",
                ha=side,
                va="center",
                color=self._theme.faint,
                fontsize=10,
            )
