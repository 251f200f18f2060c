"""Where capture's frames go when they go to a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.client import Client, ConnectionState
from bridge.errors import Unavailable
from bridge.frames import Frame

_SLICE_S = 0.02
_LAST_ANSWERS_S = 2.0


class Sender:
    """Sends frames to a server, those of a file at the file's own speed, and says when the server is gone and back.

    Args:
        client: connected.
        paced: hold frames back until it is their time, counted from the first one.
        tell: called with a line for people.
    """

    def __init__(self, client: Client, *, paced: bool, tell: Callable[[str], None]) -> None:
        self._client = client
        self._paced = paced
        self._tell = tell
        self._begin_s = time.monotonic()
        self._shift_us: int | None = None
        self._begun: set[str] = set()
        self._connected = True
        self._last: dict[str, int] = {}

    def send(self, frames: Sequence[Frame], *, alone: bool, stopped: Callable[[], bool]) -> None:
        """Send the frames of one picture; an avatar's begin with the first in which it is seen, unless it is alone.

        Raises:
            BridgeError: the server's, if it refused the session for good.
        """
        if self._shift_us is None:
            self._begin_s = time.monotonic()
            # The wire wants times above 0, and a video begins at 0.
            self._shift_us = 1 - frames[0].timestamp_us if self._paced else 0
        if self._paced:
            due_s = self._begin_s + (frames[0].timestamp_us + self._shift_us) * 1e-6
            while (left_s := due_s - time.monotonic()) > 0 and not stopped():
                time.sleep(min(left_s, _SLICE_S))
        for frame in frames:
            if frame.landmarks is not None:
                self._begun.add(frame.avatar_id)
                self._last[frame.avatar_id] = frame.sequence
            if alone or frame.avatar_id in self._begun:
                self._client.send(replace(frame, timestamp_us=frame.timestamp_us + self._shift_us))
        self._watch()

    def finish(self) -> None:
        """Wait a little for the last answers.

        Raises:
            Unavailable: if there is no connection any more.
        """
        deadline_s = time.monotonic() + _LAST_ANSWERS_S
        while time.monotonic() < deadline_s and not self._answered():
            time.sleep(_SLICE_S)
        stats = self._client.stats()
        if stats.state is not ConnectionState.CONNECTED:
            reason = f": {stats.last_error}" if stats.last_error else ""
            raise Unavailable(
                f"the server at {self._client.address} is gone{reason}", field="to", expected="a server that stays"
            )

    def results(self) -> dict[str, int]:
        """How it went, for ``--json``."""
        stats = self._client.stats()
        return {
            "frames_sent": stats.frames_sent,
            "frames_unsent": stats.frames_dropped,
            "forecasts": stats.forecasts,
            "frame_faults": stats.frame_faults,
        }

    def _answered(self) -> bool:
        """Whether every avatar that has a forecast has one for its last frame, or there is no hope of one."""
        if self._client.stats().state is not ConnectionState.CONNECTED:
            return True
        newest = [(self._client.latest(avatar), last) for avatar, last in self._last.items()]
        return all(forecast is not None and forecast.based_on_sequence >= last for forecast, last in newest)

    def _watch(self) -> None:
        connected = self._client.stats().state is ConnectionState.CONNECTED
        if connected != self._connected:
            self._tell(f"{self._client.address} is {'back' if connected else 'gone; trying to reach it again'}")
        self._connected = connected
