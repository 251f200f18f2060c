"""What waits to be sent to one client: newest forecast per avatar, a bounded number of errors, and notices."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Forecast

MAX_WAITING_ERRORS = 256
"""Frame errors that wait for a slow reader; beyond that the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class ReadyForecast:
    """A computed forecast, not yet encoded. Times are seconds of the dispatcher's clock."""

    forecast: Forecast
    arrived_s: float
    deadline_s: float


Item = forecast_pb2.StreamForecastsResponse | ReadyForecast
"""A message that is ready as it stands, or a forecast that is encoded when the client can take it."""


class Outbox:
    """One slot per avatar, so a reader that stalls costs one forecast per avatar and finds the newest when it returns.

    Thread-safe. The ``put_`` methods return True when the reader must be woken, that is when it has seen the outbox
    empty since the last time it was told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: deque[forecast_pb2.StreamForecastsResponse] = deque()
        self._errors: deque[forecast_pb2.StreamForecastsResponse] = deque(maxlen=MAX_WAITING_ERRORS)
        self._forecasts: dict[str, ReadyForecast] = {}
        self._reader_waits = True
        self.forecasts_replaced = 0
        self.forecasts_expired = 0
        self.errors_put = 0
        self.errors_forgotten = 0

    def __len__(self) -> int:
        """Items waiting."""
        with self._lock:
            return len(self._notices) + len(self._errors) + len(self._forecasts)

    def put_notice(self, message: forecast_pb2.StreamForecastsResponse) -> bool:
        """Add a message that goes before everything else and is never dropped."""
        with self._lock:
            self._notices.append(message)
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
            self.forecasts_replaced += ready.forecast.avatar_id in self._forecasts
            self._forecasts[ready.forecast.avatar_id] = ready
            return self._wake()

    def pop(self, now_s: float) -> Item | None:
        """Return what goes next: notices, errors, then forecasts in the order of waiting; expired ones are skipped."""
        with self._lock:
            if self._notices:
                return self._notices.popleft()
            if self._errors:
                return self._errors.popleft()
            while self._forecasts:
                ready = self._forecasts.pop(next(iter(self._forecasts)))
                if ready.deadline_s > now_s:
                    return ready
                self.forecasts_expired += 1
            self._reader_waits = True
            return None

    def put_back(self, item: Item) -> None:
        """Return what the transport could not take, to the head of its line; a forecast only if no newer one came."""
        with self._lock:
            if isinstance(item, ReadyForecast):
                rest = self._forecasts
                self._forecasts = {item.forecast.avatar_id: item, **rest}
            elif item.WhichOneof("payload") == "frame_error":
                if len(self._errors) < MAX_WAITING_ERRORS:
                    self._errors.appendleft(item)
            else:
                self._notices.appendleft(item)

    def _wake(self) -> bool:
        wake, self._reader_waits = self._reader_waits, False
        return wake
