"""How often an avatar's forecast is due, on the sender's clock."""

from __future__ import annotations


class Pacer:
    """Lets at most ``rate_hz`` frames a second through, over any length of time, and forgives half a period of jitter.

    A camera of exactly the rate delivers early and late frames; waiting for a full period after each would lose every
    second one. So this is a bucket that fills by ``rate_hz`` a second, holds one and a half forecasts, and gives one
    out while it holds half a one.
    """

    _CAPACITY = 1.5
    _ENOUGH = 0.5

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after a change of the sender's clock: the next frame is due."""
        self._level = self._CAPACITY
        self._last_us: int | None = None

    def due(self, timestamp_us: int) -> bool:
        """Say whether the frame captured at this time deserves a forecast. Times must rise."""
        if self._last_us is not None:
            filled = self._level + (timestamp_us - self._last_us) * 1e-6 * self._rate_hz
            self._level = min(self._CAPACITY, filled)
        self._last_us = timestamp_us
        if self._level < self._ENOUGH:
            return False
        self._level -= 1.0
        return True


class Thinner:
    """Lets an even share of what is due through, for when not all of it can be had.

    ``phase`` (0 to 1, different for each avatar) spreads the avatars of one game tick over the ticks.
    """

    def __init__(self, phase: float) -> None:
        self._credit = phase

    def passes(self, share: float) -> bool:
        """Say whether this one is let through when ``share`` (0 to 1] of all are."""
        self._credit += share
        # What floating-point sums lose may not cost the last of a thousand.
        if self._credit < 1.0 - 1e-9:
            return False
        self._credit -= 1.0
        return True
