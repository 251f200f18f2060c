"""When a client asks for the server's time, and what it makes of the answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from bridge.clock_sync import TwoWayClock
from bridge.wire.generated.posebridge.v1 import forecast_pb2

FIRST_PINGS = 5
FIRST_INTERVAL_S = 0.2
INTERVAL_S = 2.0


def monotonic_us() -> int:
    """Microseconds of `time.monotonic_ns`."""
    return time.monotonic_ns() // 1000


class Pinger:
    """Not thread-safe: its owner holds a lock.

    Args:
        now_us: microseconds, of the clock that frames are stamped with.

    Attributes:
        clock: the server's against it; starts anew with every session, which may be another server's.
        capture_offset_us, capture_drift_ppm: what the server last said about the times of capture.
        due_s: when the next ping is due, on the owner's clock.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.now_us = now_us
        self.begin(0.0)

    def begin(self, now_s: float) -> None:
        """Start a session: five pings quickly, then one every two seconds."""
        self.clock: TwoWayClock = TwoWayClock()
        self.capture_offset_us: int | None = None
        self.capture_drift_ppm: float | None = None
        self.due_s: float = now_s
        self._sent = 0

    def take(self, now_s: float) -> list[forecast_pb2.StreamForecastsRequest]:
        """Return the ping that is due, stamped as of now; an empty list if none is."""
        if now_s < self.due_s:
            return []
        self._sent += 1
        self.due_s = now_s + (FIRST_INTERVAL_S if self._sent < FIRST_PINGS else INTERVAL_S)
        ping = forecast_pb2.ClockPing(client_time_us=max(0, self.now_us()))
        return [forecast_pb2.StreamForecastsRequest(clock_ping=ping)]

    def receive(self, pong: forecast_pb2.ClockPong, arrived_us: int) -> None:
        """Take the answer to a ping."""
        self.clock.add(pong.client_time_us, pong.server_received_us, pong.server_sent_us, arrived_us)
        self.capture_offset_us = pong.capture_offset_us if pong.HasField("capture_offset_us") else None
        self.capture_drift_ppm = pong.capture_drift_ppm if pong.HasField("capture_drift_ppm") else None

    @property
    def round_trip_ms(self) -> float | None:
        """Of the newest answer, milliseconds."""
        round_trip_us = self.clock.round_trip_us
        return None if round_trip_us is None else round_trip_us / 1e3
