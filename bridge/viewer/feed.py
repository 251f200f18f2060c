"""What a client or a watcher hears, written into the history."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable

from bridge.frames import Frame
from bridge.viewer.history import AlertMark, History, ShownForecast
from bridge.viewer.readouts import Readouts
from bridge.wire.alerts import Alert
from bridge.wire.values import Forecast

_REMEMBERED = 8192
_CLOCK_CHANGED_US = 2_000_000


class SessionFeed:
    """A session of one's own: frames as they are sent, forecasts and alerts as they come; one clock, the frames'.

    Any thread may call.
    """

    def __init__(self, history: History, readouts: Readouts) -> None:
        self._history = history
        self._readouts = readouts
        self._lock = threading.Lock()
        self._sent_s: OrderedDict[tuple[str, int], float] = OrderedDict()

    def note_frame(self, frame: Frame) -> None:
        """A frame is sent now."""
        with self._lock:
            self._sent_s[frame.avatar_id, frame.sequence] = time.monotonic()
            if len(self._sent_s) > _REMEMBERED:
                self._sent_s.popitem(last=False)
        self._history.add_frame(frame.avatar_id, frame.timestamp_us, frame)
        self._readouts.frames.mark()

    def note_forecast(self, forecast: Forecast) -> None:
        """A forecast came."""
        with self._lock:
            sent_s = self._sent_s.pop((forecast.avatar_id, forecast.based_on_sequence), None)
        if sent_s is not None:
            self._readouts.latency_ms.add((time.monotonic() - sent_s) * 1e3)
        self._readouts.compute_ms.add(forecast.timing.compute_us / 1e3)
        self._readouts.forecasts.mark()
        self._history.add_forecast(forecast.avatar_id, forecast.based_on_timestamp_us, ShownForecast.of(forecast))
        verdict = forecast.anomaly
        if verdict is not None:
            self._history.add_p_value(forecast.avatar_id, verdict.timestamp_us, verdict.p_value)

    def note_alerts(self, alerts: Iterable[Alert]) -> None:
        """Alerts changed."""
        for alert in alerts:
            self._history.add_alert(AlertMark.of(alert, alert.avatar_id))


class WatchFeed:
    """Other people's sessions, of which only forecasts and alerts are heard, on as many clocks as there are senders.

    The view's clock is this machine's: a sender's time 0 is put where its first forecast arrived. All calls come from
    one thread.
    """

    def __init__(self, history: History, readouts: Readouts, *, joints: int) -> None:
        self._history = history
        self._readouts = readouts
        self._joints = joints
        self._offsets_us: dict[str, int] = {}

    def note_forecast(self, avatar: str, arrived_us: int, forecast: Forecast) -> bool:
        """A forecast arrived; False if it is of other landmarks than those that are shown."""
        if forecast.futures_m.shape[2] != self._joints:
            return False
        offset_us = self._offset_us(avatar, arrived_us, forecast.based_on_timestamp_us)
        self._readouts.forecasts.mark()
        self._readouts.latency_ms.add(forecast.timing.age_us / 1e3)
        self._readouts.compute_ms.add(forecast.timing.compute_us / 1e3)
        at_us = forecast.based_on_timestamp_us + offset_us
        self._history.add_forecast(avatar, at_us, ShownForecast.of(forecast))
        verdict = forecast.anomaly
        # Of a frame before the first one heard of, nothing else is shown.
        if verdict is not None and verdict.timestamp_us + offset_us >= 0:
            self._history.add_p_value(avatar, verdict.timestamp_us + offset_us, verdict.p_value)
        return True

    def note_alert(self, avatar: str, arrived_us: int, alert: Alert) -> None:
        """An alert changed."""
        newest_us = alert.raised_us if alert.ended_us is None else alert.ended_us
        offset_us = self._offsets_us.get(avatar, arrived_us - newest_us)
        self._history.add_alert(AlertMark.of(alert, avatar, offset_us))

    def _offset_us(self, avatar: str, arrived_us: int, timestamp_us: int) -> int:
        offset_us = self._offsets_us.get(avatar)
        if offset_us is None or abs(timestamp_us + offset_us - arrived_us) > _CLOCK_CHANGED_US:
            offset_us = self._offsets_us[avatar] = arrived_us - timestamp_us
        return offset_us
