"""Counters and histograms of a running server: plain numbers, cheap to count, read by whoever shows them.

But for `Telemetry.drop`, every number is written by one thread only (each transport has its own), so no lock is needed;
a reader may see one event more in one number than in another.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

LATENCY_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.0333, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128)


class Histogram:
    """Counts of values in ranges that end with ``bounds`` (each included), the last one open."""

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class TransportTelemetry:
    """What one transport ("grpc", "zmq") saw.

    Attributes:
        frames: taken in, whether used or not.
        frames_filled: put in between frames from a forecast (frame saving).
        forecasts: handed to the transport.
        degraded: those of them that gave less than was asked for.
        errors: sent to clients, by name of `bridge.errors.ErrorKind`.
        sessions_opened, sessions_closed: since the start.
        age_s: of forecasts as they are handed to the transport, since their frame arrived.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.frames_filled = 0
        self.forecasts = 0
        self.degraded = 0
        self.errors: Counter[str] = Counter()
        self.sessions_opened = 0
        self.sessions_closed = 0
        self.age_s = Histogram()


class AnomalyTelemetry:
    """What the anomaly side saw.

    Attributes:
        verdicts: frames that got a p-value.
        no_verdicts: frames that got none, by reason (`bridge.wire.alerts.NoVerdict`).
        alerts: changes of alerts that were stored, by state.
        active: alerts that are on.
        dropped: frames that were not scored because the monitor was too far behind.
        store_failures: tries to store a change that failed.
        backlog: changes that wait to be stored.
        deliveries: to webhooks, by (name, "delivered", "failed" or "dead").
        scoring_s: seconds of CPU time of the monitor's thread: scoring, and storing alerts.
    """

    def __init__(self) -> None:
        self.verdicts = 0
        self.no_verdicts: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.active = 0
        self.dropped = 0
        self.store_failures = 0
        self.backlog = 0
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.scoring_s = 0.0


class Telemetry:
    """Everything that is counted.

    Attributes:
        transports: by name of the transport.
        dropped: forecasts that were due and not sent, by reason: those of `bridge.engine.DropReason`, "paced" (the rate
            was lowered), "refused" (the avatar was told to wait), "replaced" and "stale" (the client read too slowly).
        queue_s: from a frame's arrival to the start of its computation.
        compute_s: of whole batches.
        batch_windows: windows in a batch.
        batches_failed: computed one by one after they failed as a whole.
        engine_restarts: of an engine in a process of its own.
        anomaly: of scores and alerts.
    """

    def __init__(self) -> None:
        self.transports: defaultdict[str, TransportTelemetry] = defaultdict(TransportTelemetry)
        self.dropped: Counter[str] = Counter()
        self._drop_lock = threading.Lock()
        self.queue_s = Histogram()
        self.compute_s = Histogram()
        self.batch_windows = Histogram(BATCH_BOUNDS)
        self.batches_failed = 0
        self.engine_restarts = 0
        self.anomaly = AnomalyTelemetry()

    def drop(self, reason: str, count: int = 1) -> None:
        """Count forecasts that were due and not sent; from any thread."""
        with self._drop_lock:
            self.dropped[reason] += count
