"""Counts and errors of one rule, over all recordings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

HORIZONS_MS = (100, 333, 1000)


class Way(StrEnum):
    """How a window comes about from the frames that were sent."""

    FORECAST = "forecast"
    """The service's: gaps filled in from forecasts."""
    STRAIGHT = "straight"
    """Control: gaps filled in along straight lines, which know no forecast."""
    BRIDGED = "bridged"
    """Control: nothing filled in; gaps are bridged by straight lines and their rows marked as not observed."""


class Mean:
    """A mean that skips what is not known."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Take a value; NaN says nothing."""
        if np.isfinite(value):
            self.count += 1
            self._sum += value

    @property
    def value(self) -> float | None:
        """The mean, None of nothing."""
        return self._sum / self.count if self.count else None


def _by_horizon() -> dict[int, Mean]:
    return {horizon_ms: Mean() for horizon_ms in HORIZONS_MS}


@dataclass(slots=True)
class Tally:
    """What is counted from a stream's first forecast on: before it, every frame is sent.

    Attributes:
        frames, frames_sent: captured, and sent. bytes_all, bytes_sent: their serialized sizes.
        told_mm: of the unsent frames, error of what the client's newest forecast expects (`Forecast.pose_at`).
        held_mm: on the same frames, error of the last pose that was sent.
        filled_mm: error of the rows of windows that lie in gaps, by way (bridged rows are those of straight lines).
        error_mm: of the sample mean of forecasts from windows with filled rows, by way and horizon.
        full_error_mm: on the same frames, of forecasts from all frames.
    """

    frames: int = 0
    frames_sent: int = 0
    bytes_all: int = 0
    bytes_sent: int = 0
    told_mm: Mean = field(default_factory=Mean)
    held_mm: Mean = field(default_factory=Mean)
    filled_mm: dict[Way, Mean] = field(default_factory=lambda: {way: Mean() for way in Way})
    error_mm: dict[Way, dict[int, Mean]] = field(default_factory=lambda: {way: _by_horizon() for way in Way})
    full_error_mm: dict[int, Mean] = field(default_factory=_by_horizon)

    @property
    def sent_share(self) -> float:
        """Of the frames, [0, 1]; 1 without any."""
        return self.frames_sent / self.frames if self.frames else 1.0

    @property
    def saved_share(self) -> float:
        """Of the bytes, [0, 1]."""
        return 1.0 - self.bytes_sent / self.bytes_all if self.bytes_all else 0.0

    def added_mm(self, horizon_ms: int, way: Way = Way.FORECAST) -> float | None:
        """How much worse than from all frames, millimetres; None without forecasts."""
        mine, full = self.error_mm[way][horizon_ms].value, self.full_error_mm[horizon_ms].value
        return None if mine is None or full is None else mine - full
