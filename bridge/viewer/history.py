"""What is known of every avatar over time: frames, forecasts, p-values, alerts. Sources write it, the page reads it.

All times are of one clock, the view's: that of the recording, or of the sender; a source that hears several senders
brings them onto its own.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.frames import Frame
from bridge.viewer.drawing import drawn_steps
from bridge.wire.alerts import Alert
from bridge.wire.values import Forecast

T = TypeVar("T")
DRAWN_STEPS = 4
LONGEST_GAP_US = 200_000
"""A body that was not seen for longer is not shown."""
OLDEST_FORECAST_US = 400_000
"""A forecast that is older is not shown."""
MAX_AVATARS = 64
MAX_ALERTS = 500
_LATE_US = 1_500_000


@dataclass(frozen=True, slots=True, eq=False)
class ShownForecast:
    """A forecast, as far as it is drawn: K futures at D of the H steps, J landmarks.

    Attributes:
        futures_m: (K, D, J, 3) metres about the hips, MediaPipe's axes.
        roots_m: (K, D, 3) the hips in the sender's world, metres; None without a root.
        probabilities: (K,). mode_ids: K.
        ahead_ms: (D,) how far ahead the steps are.
        now_m: (J, 3) the first step of the most probable future: where no frame is known, the body.
        known: (J,) landmarks that were seen in the window.
    """

    futures_m: NDArray[np.float16]
    roots_m: NDArray[np.float32] | None
    probabilities: NDArray[np.float32]
    mode_ids: tuple[int, ...]
    ahead_ms: NDArray[np.float32]
    now_m: NDArray[np.float16]
    known: NDArray[np.bool_]

    __repr__ = brief_repr

    @classmethod
    def of(cls, forecast: Forecast, count: int = DRAWN_STEPS) -> ShownForecast:
        """Keep what is drawn of a forecast."""
        steps = drawn_steps(forecast.futures_m.shape[1], count)
        known = np.ones(forecast.futures_m.shape[2], np.bool_)
        known[list(forecast.unobserved_landmarks)] = False
        return cls(
            futures_m=forecast.futures_m[:, steps].astype(np.float16),
            roots_m=None if forecast.roots_m is None else forecast.roots_m[:, steps].astype(np.float32),
            probabilities=np.asarray(forecast.probabilities, np.float32),
            mode_ids=forecast.mode_ids,
            ahead_ms=((steps + 1) * forecast.step_us / 1e3).astype(np.float32),
            now_m=forecast.futures_m[0, 0].astype(np.float16),
            known=known,
        )


@dataclass(frozen=True, slots=True)
class AlertMark:
    """An alert as the timeline shows it; times on the view's clock, ``ended_us`` None while it is on."""

    id: str
    avatar: str
    started_us: int
    raised_us: int
    ended_us: int | None
    severity: str
    p_value: float
    where: tuple[str, ...] = ()

    @classmethod
    def of(cls, alert: Alert, avatar: str, offset_us: int = 0) -> AlertMark:
        """An alert from the wire, its times moved by ``offset_us`` onto the view's clock."""
        return cls(
            id=alert.id,
            avatar=avatar,
            started_us=alert.started_us + offset_us,
            raised_us=alert.raised_us + offset_us,
            ended_us=None if alert.ended_us is None else alert.ended_us + offset_us,
            severity=alert.severity.value,
            p_value=alert.p_value,
            where=tuple(joint.name for joint in alert.joints[:3]),
        )


class Timed(Generic[T]):
    """Values by time, in order of time whatever the order in which they come; a later value of one time replaces it."""

    def __init__(self) -> None:
        self._times_us: list[int] = []
        self._values: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._times_us)

    def put(self, at_us: int, value: T) -> None:
        """Take a value in."""
        if at_us not in self._values:
            insort(self._times_us, at_us)
        self._values[at_us] = value

    def at(self, now_us: int, oldest_us: int) -> tuple[int, T] | None:
        """The newest value at or before a time that is not older than ``oldest_us``, with its own time."""
        index = bisect_right(self._times_us, now_us) - 1
        if index < 0 or now_us - self._times_us[index] > oldest_us:
            return None
        return self._times_us[index], self._values[self._times_us[index]]

    def between(self, first_us: int, last_us: int) -> list[tuple[int, T]]:
        """All values of a span of time, both ends included."""
        times_us = self._times_us[bisect_left(self._times_us, first_us) : bisect_right(self._times_us, last_us)]
        return [(time_us, self._values[time_us]) for time_us in times_us]

    def forget_before(self, first_us: int) -> None:
        """Drop what is older."""
        gone = bisect_left(self._times_us, first_us)
        for time_us in self._times_us[:gone]:
            del self._values[time_us]
        del self._times_us[:gone]

    @property
    def span_us(self) -> tuple[int, int] | None:
        """The first and the last time, None while there is nothing."""
        return (self._times_us[0], self._times_us[-1]) if self._times_us else None


@dataclass(slots=True)
class _Track:
    frames: Timed[Frame] = field(default_factory=Timed)
    forecasts: Timed[ShownForecast] = field(default_factory=Timed)
    p_values: Timed[float | None] = field(default_factory=Timed)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of one avatar at one time, each with the time that it is of; None where nothing is."""

    frame: tuple[int, Frame] | None
    forecast: tuple[int, ShownForecast] | None
    p_value: float | None
    alert: AlertMark | None


class History:
    """The avatars that are shown and what is known of them. Any thread may call.

    Args:
        keep_s: what is older than the newest moment by more is forgotten; None keeps all.
    """

    def __init__(self, *, keep_s: float | None = None) -> None:
        self._keep_us = None if keep_s is None else round(keep_s * 1e6)
        self._lock = threading.Lock()
        self._tracks: OrderedDict[str, _Track] = OrderedDict()
        self._alerts: OrderedDict[str, AlertMark] = OrderedDict()
        self._first_us = self._last_us = 0

    @property
    def avatars(self) -> tuple[str, ...]:
        """Their names, in the order in which they came."""
        with self._lock:
            return tuple(self._tracks)

    @property
    def span_us(self) -> tuple[int, int] | None:
        """The first and the last moment of all, None while there is none."""
        with self._lock:
            return (self._first_us, self._last_us) if self._tracks else None

    @property
    def alerts(self) -> tuple[AlertMark, ...]:
        """All alerts, in order of the time of raising."""
        with self._lock:
            return tuple(sorted(self._alerts.values(), key=lambda alert: alert.raised_us))

    def add_frame(self, avatar: str, at_us: int, frame: Frame) -> None:
        """Take a frame in; of one in which nobody was detected, the time only."""
        with self._lock:
            track = self._track(avatar, at_us)
            if track is not None and frame.landmarks is not None:
                track.frames.put(at_us, frame)

    def add_forecast(self, avatar: str, at_us: int, forecast: ShownForecast) -> None:
        """Take in what was forecast from the frame of this time."""
        with self._lock:
            track = self._track(avatar, at_us)
            if track is not None:
                track.forecasts.put(at_us, forecast)

    def add_p_value(self, avatar: str, at_us: int, p_value: float | None) -> None:
        """Take in what a frame was found to be; None where there is no verdict."""
        with self._lock:
            track = self._track(avatar, at_us)
            if track is not None:
                track.p_values.put(at_us, p_value)

    def add_alert(self, alert: AlertMark) -> None:
        """Take an alert in as it stands now."""
        with self._lock:
            self._alerts[alert.id] = alert
            if len(self._alerts) > MAX_ALERTS:
                self._alerts.popitem(last=False)

    def has_forecast(self, avatar: str, at_us: int) -> bool:
        """Whether the forecast from the frame of this very time is known."""
        with self._lock:
            track = self._tracks.get(avatar)
            return track is not None and track.forecasts.at(at_us, 0) is not None

    def moment(self, avatar: str, now_us: int) -> Moment:
        """What is known of an avatar at a time."""
        with self._lock:
            track = self._tracks.get(avatar)
            if track is None:
                return Moment(None, None, None, None)
            verdict = track.p_values.at(now_us, LONGEST_GAP_US)
            on = [
                alert
                for alert in self._alerts.values()
                if alert.avatar == avatar
                and alert.raised_us <= now_us
                and (alert.ended_us is None or now_us <= alert.ended_us)
            ]
            return Moment(
                track.frames.at(now_us, LONGEST_GAP_US),
                track.forecasts.at(now_us, OLDEST_FORECAST_US),
                None if verdict is None else verdict[1],
                on[-1] if on else None,
            )

    def p_values(self, avatar: str, first_us: int, last_us: int) -> Sequence[tuple[int, float | None]]:
        """An avatar's p-values of a span of time."""
        with self._lock:
            track = self._tracks.get(avatar)
            return [] if track is None else track.p_values.between(first_us, last_us)

    def _track(self, avatar: str, at_us: int) -> _Track | None:
        if not self._tracks:
            self._first_us = self._last_us = at_us
        if avatar not in self._tracks:
            if len(self._tracks) >= MAX_AVATARS:
                return None
            self._tracks[avatar] = _Track()
        self._first_us = min(self._first_us, at_us)
        self._last_us = max(self._last_us, at_us)
        # In steps of a second, not with every frame.
        if self._keep_us is not None and self._last_us - self._first_us > self._keep_us + 1_000_000:
            self._forget_before(self._last_us - self._keep_us)
        return self._tracks[avatar]

    def _forget_before(self, first_us: int) -> None:
        for track in self._tracks.values():
            track.frames.forget_before(first_us)
            track.forecasts.forget_before(first_us)
            track.p_values.forget_before(first_us)
        self._first_us = first_us
        for alert in list(self._alerts.values()):
            if alert.ended_us is not None and alert.ended_us < first_us - _LATE_US:
                del self._alerts[alert.id]
