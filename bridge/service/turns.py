"""Whose message is looked at next when many have sent: a plain policy object without sockets or a clock."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count


@dataclass(slots=True)
class _Sender:
    """What one sender has waiting, and the seconds that its messages have taken, on a count of its own."""

    messages: deque[list[bytes]] = field(default_factory=deque)
    size: int = 0
    used_s: float = 0.0
    listed: bool = False


class Turns:
    """Messages of many senders; next is the oldest of the sender who has used least time.

    So one whose messages take long, or who sends without end, gets no more than its share of the time, and waits for
    nobody else's sake alone. A sender that had nothing waiting starts level with the one whose turn it was last. What
    is beyond ``max_bytes`` of one sender is not taken.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._senders: dict[bytes, _Sender] = {}
        self._line: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._level_s = 0.0
        self._waiting = 0

    def __len__(self) -> int:
        """Messages waiting."""
        return self._waiting

    def put(self, sender_id: bytes, message: list[bytes]) -> bool:
        """Take a message in its parts; False if its sender has too much waiting: it is then not taken."""
        sender = self._senders.get(sender_id)
        if sender is None:
            sender = self._senders[sender_id] = _Sender(used_s=self._level_s)
        size = sum(map(len, message))
        if sender.messages and sender.size + size > self._max_bytes:
            return False
        sender.messages.append(message)
        sender.size += size
        self._waiting += 1
        if not sender.listed:
            sender.used_s = max(sender.used_s, self._level_s)
            self._list(sender_id, sender)
        return True

    def next(self) -> tuple[bytes, list[bytes]] | None:
        """Remove and return the next message and its sender; say with `note_used` how long it took."""
        while self._line:
            used_s, _, sender_id = heapq.heappop(self._line)
            sender = self._senders.get(sender_id)
            if sender is None or not sender.listed:
                continue  # forgotten, or came back as another
            sender.listed = False
            self._level_s = max(self._level_s, used_s)
            message = sender.messages.popleft()
            sender.size -= sum(map(len, message))
            self._waiting -= 1
            return sender_id, message
        return None

    def note_used(self, sender_id: bytes, seconds: float) -> None:
        """Count the time that a sender's message took, to receive or to look at."""
        sender = self._senders.get(sender_id)
        if sender is not None:
            sender.used_s += seconds
            if sender.messages and not sender.listed:
                self._list(sender_id, sender)

    def settle(self) -> None:
        """Forget what senders without messages have used, where it makes no difference any more; call now and then."""
        if not self._waiting:
            self._senders.clear()
            self._line.clear()
        else:
            self._senders = {
                sender_id: sender
                for sender_id, sender in self._senders.items()
                if sender.messages or sender.used_s > self._level_s
            }

    def forget(self, sender_id: bytes) -> None:
        """Drop what a sender has waiting, and what it has used."""
        sender = self._senders.pop(sender_id, None)
        if sender is not None:
            self._waiting -= len(sender.messages)

    def _list(self, sender_id: bytes, sender: _Sender) -> None:
        sender.listed = True
        heapq.heappush(self._line, (sender.used_s, next(self._order), sender_id))
