"""Stable ids of an avatar's futures from one forecast to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class ModeTracker:
    """Remembers the previous forecast's futures, so that one that continues an earlier one keeps its id."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._futures_m: NDArray[np.float32] | None = None
        self._timestamp_us = 0
        self._ids: tuple[int, ...] = ()
        self._next_id = 0

    def ids_of(self, futures_m: NDArray[np.float32], timestamp_us: int) -> tuple[int, ...]:
        """Return one id for each of the futures (K, H, J, 3) forecast at this capture time, and remember them.

        After a break longer than the horizon, or a step back in time, nothing continues and all ids are new.
        """
        steps_between = (timestamp_us - self._timestamp_us) * 1e-6 * self._rate_hz
        if self._futures_m is None or steps_between < 0:
            self._ids = tuple(range(self._next_id, self._next_id + len(futures_m)))
            self._next_id += len(futures_m)
        else:
            # Loads the forecaster's package, which is there already by the time that a forecast is.
            from bridge.forecaster import match_modes

            self._ids, self._next_id = match_modes(self._futures_m, self._ids, self._next_id, steps_between, futures_m)
        self._futures_m, self._timestamp_us = futures_m, timestamp_us
        return self._ids
