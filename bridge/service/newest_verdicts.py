"""Verdicts that wait for one who watches them: the newest of each avatar."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bridge.wire.alerts import Verdict
from bridge.wire.codec import verdict_to_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2

MAX_WATCHED_AVATARS = 4096
"""Avatars whose verdicts wait; of more the one that waits for longest is forgotten."""


class NewestVerdicts:
    """One slot an avatar. `note` may come from any thread, `take` from the reader's.

    Args:
        client_name, avatar_id: only of these; "" for all.
        wake: called when something waits again after `take`.
    """

    def __init__(self, client_name: str, avatar_id: str, wake: Callable[[], None]) -> None:
        self._client_name = client_name
        self._avatar_id = avatar_id
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], Verdict] = {}

    def note(self, client_name: str, avatar_id: str, verdict: Verdict) -> None:
        """Keep a verdict if it is asked for; an older one of the avatar is forgotten."""
        if self._client_name not in ("", client_name) or self._avatar_id not in ("", avatar_id):
            return
        with self._lock:
            first = not self._waiting
            self._waiting[client_name, avatar_id] = verdict
            if len(self._waiting) > MAX_WATCHED_AVATARS:
                del self._waiting[next(iter(self._waiting))]
        if first:
            self._wake()

    def take(self) -> list[anomaly_pb2.WatchVerdictsResponse]:
        """Return what waits, as messages."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        return [
            anomaly_pb2.WatchVerdictsResponse(
                client_name=client_name, avatar_id=avatar_id, verdict=verdict_to_message(verdict)
            )
            for (client_name, avatar_id), verdict in waiting.items()
        ]
