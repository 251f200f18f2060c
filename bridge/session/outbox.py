"""What waits to be sent to one client: newest forecast per avatar, a bounded number of errors, and notices."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from bridge import limits
from bridge.engine import Completed, EngineRequest
from bridge.session.avatar import Avatar
from bridge.wire.generated.posebridge.v1 import forecast_pb2

MAX_WAITING_NOTICES = limits.MAX_AVATARS_PER_SESSION + 3
"""The settings in force of every avatar, the session's, the newest clock's answer, and that the server drains."""
_CONFIRMED = "avatar_accepted/"
MAX_WAITING_ERRORS = 256
"""Frame errors that wait for a slow reader; beyond that the oldest is forgotten."""


MAX_WAITING_ALERTS = 1024
"""Changes of alerts that wait for a slow reader; beyond that the oldest is left to the log, which has them all."""


@dataclass(slots=True, eq=False)
class ReadyForecast:
    """A computed forecast. Its message is made when the client can take it, so one that is replaced costs nothing.

    Attributes:
        avatar: whose it is.
        request: what was asked for. completed: what came of it.
        rate_share: the part of the asked forecast rate that the avatar got then.
        message: once it is made.
    """

    avatar: Avatar
    request: EngineRequest
    completed: Completed
    rate_share: float
    message: forecast_pb2.StreamForecastsResponse | None = None


Item = forecast_pb2.StreamForecastsResponse | ReadyForecast
"""A message that is ready as it stands, or a forecast that is encoded when the client can take it."""


class Outbox:
    """One slot per avatar, so a reader that stalls costs one forecast per avatar and finds the newest when it returns.

    Thread-safe. The ``put_`` methods return True when the reader must be woken, that is when it has seen the outbox
    empty since the last time it was told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, forecast_pb2.StreamForecastsResponse] = {}
        self._errors: deque[forecast_pb2.StreamForecastsResponse] = deque(maxlen=MAX_WAITING_ERRORS)
        self._alerts: deque[forecast_pb2.StreamForecastsResponse] = deque(maxlen=MAX_WAITING_ALERTS)
        self._forecasts: dict[str, ReadyForecast] = {}
        self._reader_waits = True
        self.forecasts_replaced = 0
        self.forecasts_expired = 0
        self.errors_put = 0
        self.errors_forgotten = 0

    def __len__(self) -> int:
        """Items waiting."""
        with self._lock:
            return len(self._notices) + len(self._alerts) + len(self._errors) + len(self._forecasts)

    @property
    def nbytes(self) -> int:
        """Memory held by forecasts that wait, bytes."""
        with self._lock:
            waiting = self._forecasts.values()
            return sum(ready.completed.result.nbytes + ready.request.snapshot.rows.nbytes for ready in waiting)

    def put_notice(self, message: forecast_pb2.StreamForecastsResponse) -> bool:
        """Add a message that goes before everything else; a newer one of its kind (and avatar) takes its place.

        Of more than `MAX_WAITING_NOTICES` the oldest that confirms an avatar's settings is forgotten.
        """
        with self._lock:
            self._notices[_kind(message)] = message
            if len(self._notices) > MAX_WAITING_NOTICES:
                # Only avatars' settings can be so many: the oldest confirm what a client that does not read forgot.
                del self._notices[next(kind for kind in self._notices if kind.startswith(_CONFIRMED))]
            return self._wake()

    def put_alert(self, message: forecast_pb2.StreamForecastsResponse) -> bool:
        """Add a change of an alert; they go out in order."""
        with self._lock:
            self._alerts.append(message)
            return self._wake()

    def put_error(self, message: forecast_pb2.StreamForecastsResponse) -> bool:
        """Add a frame error."""
        with self._lock:
            self.errors_put += 1
            self.errors_forgotten += len(self._errors) == MAX_WAITING_ERRORS
            self._errors.append(message)
            return self._wake()

    def put_forecast(self, ready: ReadyForecast) -> bool:
        """Add a forecast; one of the same avatar that still waits is forgotten, its place in the line is kept."""
        with self._lock:
            if ready.avatar.avatar_id in self._forecasts:
                self.forecasts_replaced += 1
                replaced = self._forecasts[ready.avatar.avatar_id]
                ready.avatar.note_missed(replaced.request.snapshot.timestamp_us)
            self._forecasts[ready.avatar.avatar_id] = ready
            return self._wake()

    def pop(self, now_s: float) -> Item | None:
        """Return what goes next: notices, alerts, errors, forecasts, each in order; expired forecasts are skipped."""
        with self._lock:
            if self._notices:
                return self._notices.pop(next(iter(self._notices)))
            if self._alerts:
                return self._alerts.popleft()
            if self._errors:
                return self._errors.popleft()
            while self._forecasts:
                ready = self._forecasts.pop(next(iter(self._forecasts)))
                if ready.request.deadline_s > now_s:
                    return ready
                self.forecasts_expired += 1
                ready.avatar.note_missed(ready.request.snapshot.timestamp_us)
            self._reader_waits = True
            return None

    def put_back(self, item: Item) -> None:
        """Return what the transport could not take, to the head of its line; a forecast only if no newer one came."""
        with self._lock:
            if isinstance(item, ReadyForecast):
                self._forecasts = {item.avatar.avatar_id: item, **self._forecasts}
            elif item.WhichOneof("payload") == "alert":
                if len(self._alerts) < MAX_WAITING_ALERTS:
                    self._alerts.appendleft(item)
            elif item.WhichOneof("payload") == "frame_error":
                if len(self._errors) < MAX_WAITING_ERRORS:
                    self._errors.appendleft(item)
            else:
                self._notices = {_kind(item): item, **self._notices}

    def _wake(self) -> bool:
        wake, self._reader_waits = self._reader_waits, False
        return wake


def _kind(message: forecast_pb2.StreamForecastsResponse) -> str:
    """What makes two notices the same: the newer of them tells all."""
    return f"{message.WhichOneof('payload')}/{message.avatar_accepted.avatar_id}"
