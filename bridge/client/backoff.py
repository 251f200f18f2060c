"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random

_LONGEST_ASKED_S = 60.0
"""A server that asks for a longer wait is tried after this one."""


class Backoff:
    """Waits that double from ``first_s`` to ``longest_s``, each changed at random by up to a quarter.

    The randomness keeps the clients of a restarted server from all coming back in the same instant.
    """

    def __init__(self, first_s: float = 0.1, longest_s: float = 2.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._random = random.Random()

    def next_s(self, asked_s: float = 0.0) -> float:
        """Return the seconds to wait now; the next answer will be longer.

        A server that says when another try makes sense (``asked_s``) is not tried before, nor much later.
        """
        wait_s = self._next_s * self._random.uniform(0.75, 1.0)
        self._next_s = min(2.0 * self._next_s, self._longest_s)
        asked_s = min(asked_s, _LONGEST_ASKED_S)
        return wait_s if asked_s < wait_s else asked_s * self._random.uniform(1.0, 1.25)

    def reset(self) -> None:
        """Start from the shortest wait again: the last connection was a good one."""
        self._next_s = self._first_s
