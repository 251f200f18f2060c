"""How often something happens, and how long it takes: of the last few seconds only."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

_LONGEST = 4096


class RateMeter:
    """Counts what happens; any thread may call. ``window_s`` is how far back it looks."""

    def __init__(self, window_s: float = 3.0, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._times_s: deque[float] = deque(maxlen=_LONGEST)
        self._begun_s: float | None = None
        self.total = 0

    def mark(self) -> None:
        """It happened."""
        now_s = self._clock_s()
        with self._lock:
            self._begun_s = now_s if self._begun_s is None else self._begun_s
            self._times_s.append(now_s)
            self.total += 1

    def per_second(self) -> float:
        """How often it happened a second, 0 if it did not."""
        now_s = self._clock_s()
        with self._lock:
            if self._begun_s is None:
                return 0.0
            while self._times_s and self._times_s[0] <= now_s - self._window_s:
                self._times_s.popleft()
            # A full ring tells of a shorter time than the window.
            full = len(self._times_s) == _LONGEST
            since_s = self._times_s[0] if full else max(self._begun_s, now_s - self._window_s)
            return len(self._times_s) / max(now_s - since_s, 0.1)


class Durations:
    """Remembers the newest so many durations, milliseconds; any thread may call."""

    def __init__(self, kept: int = 512) -> None:
        self._kept: deque[float] = deque(maxlen=kept)

    def add(self, duration_ms: float) -> None:
        """Take one in."""
        self._kept.append(duration_ms)

    def percentile(self, percent: float) -> float | None:
        """A percentile of them, None before the first."""
        values = self._kept.copy()
        return float(np.percentile(values, percent)) if values else None
