"""Numbers a client keeps about its connection."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from bridge.brief import html_table
from bridge.errors import BridgeError


class ConnectionState(StrEnum):
    """Where a client stands with its server."""

    CONNECTING = "connecting"
    """No session yet, or none any more; the client is at it."""
    CONNECTED = "connected"
    """The server accepted the session."""
    REFUSED = "refused"
    """The server will never accept these settings: another version, an unknown layout, a wrong field."""
    CLOSED = "closed"
    """`close` was called."""


@dataclass(frozen=True, slots=True)
class ClientStats:
    """A snapshot. Frames and forecasts are counted over all connections; latencies are of the newest 4096 forecasts.

    Attributes:
        state: of the connection.
        sessions: how often a server accepted the session; one more than the reconnects.
        frames_sent: handed to the transport, each counted once.
        frames_resent: sent again to a new session.
        frames_dropped: never sent: the connection was away or too slow, newer ones took their place.
        forecasts: received.
        forecasts_replaced: not read before a newer one of the avatar came.
        forecasts_outdated: based on an older frame than one already there, as happens after a reconnect.
        frame_faults: frames that the server did not use.
        latencies_ms: from `send` to the forecast being there.
        last_error: why the last connection (or attempt) ended.
        clock_offset_us: how far the server's clock is ahead of the one that frames are stamped with, microseconds, from
            round trips.
        clock_drift_ppm: how much faster it runs, millionths.
        round_trip_ms: of the last ClockPing, milliseconds.
        capture_offset_us: how far the server thinks that its clock is ahead, from the frames' times of capture: more
            than ``clock_offset_us`` by the least time from a capture to its arrival.
        capture_drift_ppm: the same for the drift.
        frames_saved: not sent, because the forecast told them (`bridge.client.FrameSaver`).
        bytes_saved: their size.

    What has to do with clocks is None until it is known.
    """

    state: ConnectionState
    sessions: int
    frames_sent: int
    frames_resent: int
    frames_dropped: int
    forecasts: int
    forecasts_replaced: int
    forecasts_outdated: int
    frame_faults: int
    latencies_ms: tuple[float, ...]
    last_error: BridgeError | None
    clock_offset_us: int | None = None
    clock_drift_ppm: float | None = None
    round_trip_ms: float | None = None
    capture_offset_us: int | None = None
    capture_drift_ppm: float | None = None
    frames_saved: int = 0
    bytes_saved: int = 0

    def __repr__(self) -> str:
        """What it is, in one line."""
        told = [f"{self.frames_sent} frames sent", f"{self.forecasts} forecasts"]
        if self.latencies_ms:
            told.append(f"latency p50 {self.latency_ms(50):.1f} ms, p99 {self.latency_ms(99):.1f} ms")
        counts = {"dropped": self.frames_dropped, "saved": self.frames_saved, "not used": self.frame_faults}
        told += [f"{count} frames {name}" for name, count in counts.items() if count]
        told += [f"last error {self.last_error}"] if self.last_error else []
        return f"ClientStats({self.state.value}: {', '.join(told)})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        latencies = {f"latency_ms p{percent}": self.latency_ms(percent) for percent in (50, 99)}
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "latencies_ms"}
        rows = [
            (name, f"{value:.2f}" if isinstance(value, float) else value)
            for name, value in {**named, **latencies}.items()
        ]
        return html_table("ClientStats", ("", ""), rows)

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies, None before the first forecast."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else None
