"""Where alerts go through: stored first, then told to everyone who listens."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import structlog

from bridge.anomaly.alert_log import AlertLog
from bridge.errors import BridgeError
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import Alert, AlertSnapshot, AlertState

_log = structlog.get_logger(__name__)

_MAX_BACKLOG = 20_000
_SNAPSHOTS_IN_BACKLOG = 256
Listener = Callable[[Alert], None]


class AlertHub:
    """Stores changes and tells listeners; any thread may call.

    What cannot be stored (a full disk, a locked file) waits in memory, in order, and is tried again before whatever
    comes next and by `retry`. Nothing is told that is not stored.
    """

    def __init__(self, log: AlertLog, telemetry: AnomalyTelemetry | None = None) -> None:
        self.log = log
        self._telemetry = telemetry or AnomalyTelemetry()
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._backlog: deque[tuple[Alert, AlertSnapshot | None]] = deque()
        self._telemetry.active = len(log.active())

    def publish(self, alert: Alert, snapshot: AlertSnapshot | None = None) -> None:
        """Store a change, then tell it; what waits from before goes first."""
        with self._lock:
            if len(self._backlog) >= _MAX_BACKLOG:
                # Those that are already waiting tell of earlier alerts, and how each one began: keep these.
                self._telemetry.store_failures += 1
                _log.error("alert_not_kept", alert=alert.id, state=alert.state.value, waiting=len(self._backlog))
                return
            kept = snapshot if len(self._backlog) < _SNAPSHOTS_IN_BACKLOG else None
            self._backlog.append((alert, kept))
            self._empty_backlog()

    def retry(self) -> bool:
        """Try to store what waits; True if nothing waits any more."""
        with self._lock:
            self._empty_backlog()
            return not self._backlog

    def acknowledge(self, alert_id: str, by: str, note: str = "") -> Alert:
        """Store that someone saw an alert, and tell it.

        Raises:
            BridgeError: as `AlertLog.acknowledge`.
        """
        with self._lock:
            before = self.log.last_cursor()
            alert = self.log.acknowledge(alert_id, by, note)
            if alert.cursor > before:
                self._tell(alert)
            return alert

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every change that is stored from now on, on the thread that stored it.

        It must be quick; what it raises is logged and touches nobody else. Returns what ends it.
        """
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def _empty_backlog(self) -> None:
        while self._backlog:
            alert, snapshot = self._backlog[0]
            try:
                stored = self.log.record(alert, snapshot)
            except BridgeError as error:
                if self._telemetry.backlog == 0:
                    _log.error("alert_not_stored", alert=alert.id, error=str(error), consequence="it is tried again")
                self._telemetry.store_failures += 1
                break
            self._backlog.popleft()
            self._tell(stored)
        self._telemetry.backlog = len(self._backlog)

    def _tell(self, alert: Alert) -> None:
        telemetry = self._telemetry
        telemetry.alerts[alert.state.value] += 1
        if alert.state is AlertState.RAISED:
            telemetry.active += 1
        elif alert.state is AlertState.CLEARED:
            telemetry.active = max(0, telemetry.active - 1)
        log = _log.warning if alert.state is AlertState.RAISED else _log.info
        log(
            "alert",
            alert=alert.id,
            state=alert.state.value,
            client=alert.client_name,
            avatar=alert.avatar_id,
            severity=alert.severity.value,
            p_value=alert.p_value,
            joints=",".join(joint.name for joint in alert.joints[:3]),
            cursor=alert.cursor,
        )
        for listener in list(self._listeners):
            try:
                listener(alert)
            except Exception as error:
                _log.error("alert_listener_failed", alert=alert.id, exc_info=error)
