"""Stable ids of an avatar's futures from one forecast to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.forecaster.selection import match_modes

_COMPARED_STEPS = 5
"""So many steps, evenly spread, tell futures apart as well as all of them, in a fraction of the time."""


class ModeTracker:
    """Remembers the previous forecast's futures, so that one that continues an earlier one keeps its id."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._futures_m: NDArray[np.float32] | None = None
        self._stride = 1
        self._timestamp_us = 0
        self._ids: tuple[int, ...] = ()
        self._next_id = 0

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return 0 if self._futures_m is None else self._futures_m.nbytes

    def ids_of(self, futures_m: NDArray[np.float32], timestamp_us: int) -> tuple[int, ...]:
        """Return one id for each of the futures (K, H, J, 3) forecast at this capture time, and remember them.

        After a break longer than the horizon, or a step back in time, nothing continues and all ids are new.
        """
        stride = max(1, futures_m.shape[1] // _COMPARED_STEPS)
        kept_m = futures_m[:, stride - 1 :: stride].copy()
        steps_between = (timestamp_us - self._timestamp_us) * 1e-6 * self._rate_hz
        if self._futures_m is None or steps_between < 0 or stride != self._stride:
            self._ids = tuple(range(self._next_id, self._next_id + len(futures_m)))
            self._next_id += len(futures_m)
        else:
            self._ids, self._next_id = match_modes(
                self._futures_m, self._ids, self._next_id, _nearly_whole(steps_between) / stride, kept_m
            )
        self._futures_m, self._stride, self._timestamp_us = kept_m, stride, timestamp_us
        return self._ids


def _nearly_whole(steps: float) -> float:
    """Capture times are whole microseconds and jitter; what is within a hundredth of a whole step is that step."""
    whole = round(steps)
    return float(whole) if abs(steps - whole) < 0.01 else steps
