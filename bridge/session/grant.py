"""What a client may use, as far as sessions need to know: counted limits behind a name."""

from __future__ import annotations

from typing import Protocol

from bridge import limits


class Grant(Protocol):
    """The share of the server that one caller has, over all sessions that it opens. Safe from any thread."""

    @property
    def name(self) -> str:
        """Whose it is: obeys `bridge.limits.NAME_PATTERN`, fit for logs and labels."""
        ...

    @property
    def max_message_bytes(self) -> int:
        """Longest message that is taken from this caller."""
        ...

    def open_session(self) -> None:
        """Count a session that opens.

        Raises:
            ResourceExhausted: if it would be one too many; nothing is counted.
        """
        ...

    def close_session(self) -> None:
        """Count a session that closes."""
        ...

    def add_avatar(self) -> None:
        """Count an avatar.

        Raises:
            ResourceExhausted: if it would be one too many; nothing is counted.
        """
        ...

    def remove_avatars(self, count: int) -> None:
        """Count avatars that are forgotten."""
        ...

    def take_frame(self, now_s: float) -> None:
        """Count a frame that came in. ``now_s``: seconds of one monotonic clock for all sessions.

        Raises:
            ResourceExhausted: if it is beyond the rate; says when the next one will not be.
        """
        ...


class UnlimitedGrant:
    """A grant without limits but those of the wire."""

    max_message_bytes = limits.MAX_MESSAGE_BYTES

    def __init__(self, name: str = "anonymous") -> None:
        self.name = name

    def open_session(self) -> None:
        """Allow it."""

    def close_session(self) -> None:
        """Nothing was counted."""

    def add_avatar(self) -> None:
        """Allow it."""

    def remove_avatars(self, count: int) -> None:
        """Nothing was counted."""

    def take_frame(self, now_s: float) -> None:
        """Allow it."""


UNLIMITED: Grant = UnlimitedGrant()
"""For servers that ask nobody who they are."""
