"""Which moment is shown: playing at some speed, standing still, sought, or the newest one of a stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SPEEDS = ("0.1", "0.25", "0.5", "1", "2", "4")
_AT_THE_END_US = 50_000


class Playback:
    """A position in time, microseconds, that moves with the clock. Any thread may call.

    Args:
        live: what is shown grows at its end: the newest moment is followed until someone pauses or seeks. Otherwise
            it plays from the beginning, and again when it is through.
        speed: times as fast as it happened.
    """

    def __init__(self, *, live: bool, speed: float = 1.0, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.live = live
        self.speed = speed
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._following = live
        self._playing = True
        self._position_us: float | None = None
        self._moved_s: float | None = None
        self._goal_us: float | None = None

    @property
    def playing(self) -> bool:
        """Whether time goes on."""
        return self._playing

    @property
    def following(self) -> bool:
        """Whether the newest moment of a stream is shown."""
        return self._following and self._playing

    def pause(self) -> None:
        """Stand still."""
        with self._lock:
            self._playing = False
            self._following = False

    def play(self) -> None:
        """Go on from here."""
        with self._lock:
            self._playing = True
            self._moved_s = None

    def follow(self) -> None:
        """Show the newest moment from now on; of a recording, go on from here."""
        with self._lock:
            self._playing = True
            self._following = self.live
            self._moved_s = None

    def seek(self, position_us: float) -> None:
        """Go to a moment; it plays on from there if it played before."""
        with self._lock:
            self._goal_us = position_us
            self._following = False

    def advance(self, first_us: int, last_us: int) -> int:
        """Move on and return the position, given the first and the last moment there is."""
        now_s = self._clock_s()
        with self._lock:
            passed_us = 0.0 if self._moved_s is None else (now_s - self._moved_s) * 1e6 * self.speed
            self._moved_s = now_s
            if self._following:
                self._position_us = last_us
            elif self._goal_us is not None:
                self._position_us, self._goal_us = self._goal_us, None
            elif self._position_us is None:
                self._position_us = first_us
            elif self._playing:
                self._position_us += passed_us
                self._meet_end(first_us, last_us)
            self._position_us = min(max(self._position_us, first_us), last_us)
            return round(self._position_us)

    def _meet_end(self, first_us: int, last_us: int) -> None:
        assert self._position_us is not None
        if self.live:
            self._following = self._position_us >= last_us - _AT_THE_END_US
        elif self._position_us > last_us:
            self._position_us = first_us
