"""What a client has received: the newest forecast of every avatar, and the frames that the server did not use."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from bridge import limits
from bridge.wire.alerts import Alert
from bridge.wire.values import Forecast, FrameFault

MAX_KEPT_FAULTS = 256
MAX_KEPT_ALERTS = 1024
MAX_KEPT_LATENCIES = 4096


class Incoming:
    """Newest-wins mailbox of forecasts. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Forecast] = OrderedDict()
        self._unread: OrderedDict[str, Forecast] = OrderedDict()
        self._faults: deque[FrameFault] = deque(maxlen=MAX_KEPT_FAULTS)
        self._alerts: deque[Alert] = deque(maxlen=MAX_KEPT_ALERTS)
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._latencies_ms: deque[float] = deque(maxlen=MAX_KEPT_LATENCIES)
        self.received: int = 0
        self.replaced: int = 0
        self.outdated: int = 0
        self.faults: int = 0

    def add(self, forecast: Forecast, *, newest_sent_us: int, latency_ms: float | None) -> bool:
        """Take a forecast; False if it is older than the one that is already there.

        After a reconnect the resent window brings forecasts of moments that are past. They are recognised by their
        capture time, unless the sender's clock itself went back: then ``newest_sent_us`` lies before the one there.
        """
        self.received += 1
        if latency_ms is not None:
            self._latencies_ms.append(latency_ms)
        known = self._latest.get(forecast.avatar_id)
        if known is not None and forecast.based_on_timestamp_us < known.based_on_timestamp_us <= newest_sent_us:
            self.outdated += 1
            return False
        self._latest[forecast.avatar_id] = forecast
        self._latest.move_to_end(forecast.avatar_id)
        if len(self._latest) > limits.MAX_AVATARS_PER_SESSION:
            self._latest.popitem(last=False)
        self.replaced += forecast.avatar_id in self._unread
        self._unread[forecast.avatar_id] = forecast
        if len(self._unread) > limits.MAX_AVATARS_PER_SESSION:
            self._unread.popitem(last=False)
            self.replaced += 1
        return True

    def add_fault(self, fault: FrameFault) -> None:
        """Keep a fault until `take_faults`; the oldest give way."""
        self.faults += 1
        self._faults.append(fault)

    def add_alert(self, alert: Alert) -> None:
        """Keep a change of an alert until `take_alerts`; one that came before is left out, the oldest give way."""
        key = alert.id, alert.revision
        if key in self._known:
            return
        self._known[key] = None
        if len(self._known) > 2 * MAX_KEPT_ALERTS:
            self._known.popitem(last=False)
        self._alerts.append(alert)

    def take_alerts(self) -> Sequence[Alert]:
        """Return the changes of alerts since the last call, oldest first."""
        alerts = tuple(self._alerts)
        self._alerts.clear()
        return alerts

    def latest(self, avatar_id: str) -> Forecast | None:
        """Return the newest forecast of an avatar."""
        return self._latest.get(avatar_id)

    def take(self) -> Forecast | None:
        """Return the forecast that waits longest to be read; each is handed out once."""
        return self._unread.popitem(last=False)[1] if self._unread else None

    def take_faults(self) -> Sequence[FrameFault]:
        """Return the frames that were not used since the last call, oldest first."""
        faults = tuple(self._faults)
        self._faults.clear()
        return faults

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        """Times from handing a frame over to having its forecast, the newest 4096, milliseconds."""
        return tuple(self._latencies_ms)
