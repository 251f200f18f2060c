"""How many avatars a server holds, all sessions together."""

from __future__ import annotations

import threading

from bridge.errors import ResourceExhausted

_RETRY_MS = 1000


class Places:
    """A number of places for avatars. Safe from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Avatars that have a place."""
        return self._taken

    def take(self) -> None:
        """Take a place.

        Raises:
            ResourceExhausted: if all are taken.
        """
        with self._lock:
            if self._taken >= self._most:
                raise ResourceExhausted(
                    f"the server holds {self._most} avatars already",
                    field="frame.avatar_id",
                    expected="a later try, or another server",
                    retry_after_ms=_RETRY_MS,
                )
            self._taken += 1

    def free(self, count: int) -> None:
        """Give places back."""
        with self._lock:
            self._taken -= count
