"""Which requests run next: a plain policy object without torch, threads or a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.engine.protocol import EngineRequest, RequestKey
from bridge.errors import ResourceExhausted


@dataclass(frozen=True, slots=True)
class Batch:
    """What `Batcher.take` decided: the requests to run together, and those that are too late to run."""

    run: list[EngineRequest]
    expired: list[EngineRequest]


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: EngineRequest
    due_s: float
    since_s: float


class Batcher:
    """Collects requests until a batch is worth running.

    A newer request of a key replaces its older one and keeps the older one's place, so that an avatar that sends often
    neither jumps the queue nor starves. Requests leave by earliest deadline; those past their deadline never run. A
    batch closes when ``max_batch_windows`` are waiting or the oldest has waited ``max_wait_ms``. At most
    ``max_pending`` keys wait.

    All times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, *, max_batch_windows: int = 64, max_wait_ms: float = 2.0, max_pending: int = 4096) -> None:
        self._max_batch_windows = max_batch_windows
        self._max_wait_s = max_wait_ms / 1000
        self._max_pending = max_pending
        self._waiting: dict[RequestKey, _Waiting] = {}

    def __len__(self) -> int:
        """Requests waiting."""
        return len(self._waiting)

    def offer(self, request: EngineRequest, now_s: float) -> EngineRequest | None:
        """Take a request in; return the older one that it replaces, if any.

        Raises:
            ResourceExhausted: if the queue is full of other keys.
        """
        older = self._waiting.get(request.key)
        if older is not None:
            self._waiting[request.key] = replace(older, request=request)
            return older.request
        if len(self._waiting) >= self._max_pending:
            raise ResourceExhausted(
                f"{self._max_pending} requests are waiting already", expected="fewer avatars or a lower forecast rate"
            )
        self._waiting[request.key] = _Waiting(request, due_s=request.deadline_s, since_s=now_s)
        return None

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until a batch should be taken; 0 when it should be now, None when nothing waits."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._max_batch_windows:
            return 0.0
        oldest_s = min(waiting.since_s for waiting in self._waiting.values())
        return max(0.0, oldest_s + self._max_wait_s - now_s)

    def take(self, now_s: float) -> Batch:
        """Remove and return the next batch, and everything whose deadline has passed."""
        expired = self._remove(lambda waiting: waiting.request.deadline_s <= now_s)
        first = sorted(self._waiting.items(), key=lambda item: item[1].due_s)[: self._max_batch_windows]
        for key, _ in first:
            del self._waiting[key]
        return Batch(run=[waiting.request for _, waiting in first], expired=expired)

    def discard(self, session_id: str) -> list[EngineRequest]:
        """Remove and return everything of a session."""
        return self._remove(lambda waiting: waiting.request.key.session_id == session_id)

    def clear(self) -> list[EngineRequest]:
        """Remove and return everything."""
        return self._remove(lambda _: True)

    def _remove(self, unwanted: Callable[[_Waiting], bool]) -> list[EngineRequest]:
        gone = [key for key, waiting in self._waiting.items() if unwanted(waiting)]
        return [self._waiting.pop(key).request for key in gone]
