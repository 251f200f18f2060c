"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from ``first_s`` to ``longest_s``, each shortened at random by up to a quarter.

    The randomness keeps the clients of a restarted server from all coming back in the same instant.
    """

    def __init__(self, first_s: float = 0.1, longest_s: float = 2.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._random = random.Random()

    def next_s(self) -> float:
        """Return the seconds to wait now; the next answer will be longer."""
        wait_s = self._next_s
        self._next_s = min(2.0 * wait_s, self._longest_s)
        return wait_s * self._random.uniform(0.75, 1.0)

    def reset(self) -> None:
        """Start from the shortest wait again: the last connection was a good one."""
        self._next_s = self._first_s
