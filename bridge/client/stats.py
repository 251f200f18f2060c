"""Numbers a client keeps about its connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

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

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies, None before the first forecast."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else None
