"""Which requests run next: a plain policy object without torch, threads or a clock of its own."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bridge.engine.costs import CostModel
from bridge.engine.protocol import EngineRequest
from bridge.errors import ResourceExhausted

_ROUNDING_S = 1e-9
_MARGIN_S = 0.001
"""A batch starts so much before it must."""
_WAIT_SHARE = 0.25
"""A request waits for others at most this share of what it costs alone,"""
_LEAST_WAIT_S = 0.0005
"""or this long: as long as the frames of one game tick take to be read."""
_UNMEASURED_S = 0.001
"""What a window counts for between sessions until its cost is known."""
_DOUBT_AFTER_S = 0.25
"""An engine that idles for so long while work is refused: what it costs is doubted."""
_RETRY_MS = (100, 2000)


@dataclass(frozen=True, slots=True)
class Batch:
    """What `Batcher.take` decided: the requests to run together, those that are too late to run, and how long it takes.

    All requests of a batch have the same number of samples and steps: an engine computes others one after the other.
    """

    run: list[EngineRequest]
    expired: list[EngineRequest]
    predicted_s: float = 0.0


@dataclass(slots=True, eq=False)
class _Waiting:
    request: EngineRequest
    place_s: float  # deadline of the first request that had this place in the line
    since_s: float
    cost_s: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.request.samples, self.request.horizon_frames


@dataclass(slots=True)
class _Line:
    """A session: what of it waits, by avatar, and the seconds of the engine that it has had, on a count of its own."""

    had_s: float = 0.0
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    backlog_s: float = 0.0

    @property
    def first(self) -> _Waiting:
        return min(self.waiting.values(), key=lambda one: one.place_s)


class Batcher:
    """Collects requests until a batch is worth running.

    - A newer request of a key replaces its older one and keeps the older one's place, so that an avatar that sends
      often neither jumps the queue nor starves.
    - Sessions take turns by the seconds of the engine that each has had; in a session the earliest deadline goes first.
      A session that was idle starts level with the one that has had least, so it owes and is owed nothing.
    - What cannot be ready before its deadline is refused when it is offered, or dropped when it has become so.
    - A batch closes when as many windows of one shape wait as may run together, when the oldest has waited
      ``max_wait_ms`` (or a quarter of what it costs alone, if that is less), or when the nearest deadline leaves no
      more time. As many run together as take ``max_batch_ms`` (one at least), but ``max_batch_windows`` at most, and no
      more than leaves each its deadline.
    - At most ``max_pending`` keys wait.

    All times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(
        self,
        costs: CostModel | None = None,
        *,
        max_batch_windows: int = 64,
        max_batch_ms: float = 50.0,
        max_wait_ms: float = 2.0,
        max_pending: int = 4096,
    ) -> None:
        self.costs = costs if costs is not None else CostModel()
        self._max_batch_windows = max_batch_windows
        self._max_batch_s = max_batch_ms / 1000
        self._max_wait_s = max_wait_ms / 1000
        self._max_pending = max_pending
        self._lines: dict[str, _Line] = {}
        self._count = 0
        self._backlog_s = 0.0
        self._turn_s = 0.0  # least that a waiting session has had
        self._shapes: dict[tuple[int, int], int] = {}
        self._oldest_s = float("inf")
        self._nearest: EngineRequest | None = None
        self._full = False
        self._ran_s = float("-inf")

    def __len__(self) -> int:
        """Requests waiting."""
        return self._count

    @property
    def backlog_s(self) -> float:
        """Seconds that one engine needs for what waits."""
        return self._backlog_s

    def window_s(self, samples: int, horizon_frames: int) -> float:
        """Seconds that a window costs in a full batch; 0 while nothing is measured. May be called from any thread."""
        return self._full_batch(samples, horizon_frames)[1]

    # -- in

    def offer(
        self, request: EngineRequest, now_s: float, busy_until_s: Sequence[float] = (0.0,)
    ) -> EngineRequest | None:
        """Take a request in; return the older one that it replaces, if any.

        ``busy_until_s`` says for each engine when it is expected to be free.

        Raises:
            ResourceExhausted: if the queue is full of other keys, or the request cannot be ready before its deadline;
                says when to try again.
        """
        line = self._lines.get(request.key.session_id)
        if line is not None and request.key.avatar_id in line.waiting:
            return self._replace(line, request)
        if self._count >= self._max_pending:
            raise ResourceExhausted(
                f"{self._max_pending} requests are waiting already",
                expected="fewer avatars or a lower forecast rate",
                retry_after_ms=_retry_ms(self._backlog_s / len(busy_until_s)),
            )
        if request.deadline_s > now_s:
            self._require_in_time(request, line, now_s, busy_until_s)
        if line is None:
            line = self._lines[request.key.session_id] = _Line()
        if not line.waiting:
            line.had_s = max(line.had_s, self._turn_s)
        cost_s = self._share_s(request.samples, request.horizon_frames)
        waiting = _Waiting(request, place_s=request.deadline_s, since_s=now_s, cost_s=cost_s)
        line.waiting[request.key.avatar_id] = waiting
        line.backlog_s += cost_s
        self._note(waiting)
        self._full = self._full or self._shapes[waiting.shape] >= self._full_batch(*waiting.shape)[0]
        return None

    def refresh(self, request: EngineRequest) -> EngineRequest | None:
        """Put a request in the place of the older one of its key and return that; do nothing without one."""
        line = self._lines.get(request.key.session_id)
        if line is None or request.key.avatar_id not in line.waiting:
            return None
        return self._replace(line, request)

    # -- out

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until a batch should be taken; 0 when it should be now, None when nothing waits."""
        if self._nearest is None:
            return None
        if self._full:
            return 0.0
        nearest = self._nearest
        windows = min(self._count, self._max_batch_windows)
        cost_s = self.costs.predict_s(windows, nearest.samples, nearest.horizon_frames)
        alone_s = self.costs.predict_s(1, nearest.samples, nearest.horizon_frames)
        # To wait for company pays as long as it costs little beside the computation.
        wait_s = min(self._max_wait_s, max(_LEAST_WAIT_S, _WAIT_SHARE * alone_s)) if alone_s else self._max_wait_s
        closes_s = min(self._oldest_s + wait_s, nearest.deadline_s - cost_s - _MARGIN_S)
        return max(0.0, closes_s - now_s)

    def take(self, now_s: float) -> Batch:
        """Remove and return the next batch, and everything that can no longer be ready before its deadline."""
        alone_s = {shape: self.costs.predict_s(1, *shape) for shape in self._shapes}
        # What would be ready at its deadline to the moment is in time, as when it was taken in.
        expired = self._remove(lambda one: one.request.deadline_s < now_s + alone_s[one.shape] - _ROUNDING_S)
        run = self._choose(now_s) if self._count else []
        predicted_s = 0.0
        if run:
            predicted_s = self.costs.predict_s(len(run), run[0].samples, run[0].horizon_frames)
            self._ran_s = now_s
            for request in run:
                line = self._lines[request.key.session_id]
                line.backlog_s -= line.waiting.pop(request.key.avatar_id).cost_s
                line.had_s += predicted_s / len(run) or _UNMEASURED_S
        if run or expired:
            self._recount()
        return Batch(run, expired, predicted_s)

    def discard(self, session_id: str) -> list[EngineRequest]:
        """Remove and return everything of a session."""
        line = self._lines.pop(session_id, None)
        if line is None or not line.waiting:
            return []
        self._recount()
        return [waiting.request for waiting in line.waiting.values()]

    def clear(self) -> list[EngineRequest]:
        """Remove and return everything."""
        gone = [waiting.request for waiting in self._all()]
        self._lines.clear()
        self._recount()
        return gone

    # -- admission

    def _require_in_time(
        self, request: EngineRequest, line: _Line | None, now_s: float, busy_until_s: Sequence[float]
    ) -> None:
        free_s = [max(until_s, now_s) for until_s in busy_until_s]
        soonest_s, engines = min(free_s), len(free_s)
        alone_s = self.costs.predict_s(1, request.samples, request.horizon_frames)
        latest_start_s = request.deadline_s - alone_s
        start_s = max(soonest_s, (sum(free_s) + self._backlog_s) / engines)
        if start_s <= latest_start_s:
            return
        if soonest_s <= latest_start_s:
            # Of this session only what is due earlier comes first, and of others, in turn, no more than that.
            own = line.waiting.values() if line is not None else ()
            own_s = sum(one.cost_s for one in own if one.place_s <= request.deadline_s)
            turn_s = own_s + alone_s
            others_s = sum(min(other.backlog_s, turn_s) for other in self._lines.values() if other is not line)
            start_s = max(soonest_s, (sum(free_s) + own_s + others_s) / engines)
            if start_s <= latest_start_s:
                return
        if not self._count and soonest_s <= now_s and now_s - self._ran_s >= _DOUBT_AFTER_S:
            self.costs.relax()
            self._ran_s = now_s
        late_s = start_s - latest_start_s
        raise ResourceExhausted(
            f"the forecast would come {late_s * 1e3:.0f} ms after its deadline",
            field="config.deadline_ms",
            expected="fewer avatars, a lower forecast rate, fewer samples or a later deadline",
            retry_after_ms=_retry_ms(late_s),
        )

    # -- choice

    def _choose(self, now_s: float) -> list[EngineRequest]:
        """Return what runs together: the first request of the session whose turn it is, and what fits to it."""
        lines = [line for line in self._lines.values() if line.waiting]
        turn = min(lines, key=lambda line: (line.had_s, len(line.waiting), line.first.place_s))
        shape = turn.first.shape
        limit, window_s = self._full_batch(*shape)
        heads = []
        for index, line in enumerate(lines):
            fitting = (one for one in line.waiting.values() if one.shape == shape)
            rest = iter(heapq.nsmallest(limit, fitting, key=lambda one: one.place_s))
            if (one := next(rest, None)) is not None:
                heads.append((line.had_s, len(line.waiting), one.place_s, index, one, rest))
        heapq.heapify(heads)
        chosen: list[_Waiting] = []
        while heads and len(chosen) < limit:
            had_s, count, _, index, one, rest = heads[0]
            chosen.append(one)
            if (following := next(rest, None)) is None:
                heapq.heappop(heads)
            else:
                had_s += window_s or _UNMEASURED_S
                heapq.heapreplace(heads, (had_s, count, following.place_s, index, following, rest))
        chosen = self._whole(self._in_time(chosen, turn.had_s, now_s, crowded=self._count > limit))
        return sorted((one.request for one in chosen), key=lambda request: request.deadline_s)

    def _in_time(self, chosen: list[_Waiting], turn_s: float, now_s: float, *, crowded: bool) -> list[_Waiting]:
        """Return as many as can all be ready in time, the nearest deadline among them, the others in their order.

        A nearest deadline is given up if its session has had a batch more than the one whose turn it is, or if more
        waits than fits and it would halve the batch.
        """
        while True:
            nearest = min(chosen, key=lambda one: one.request.deadline_s)
            key, slack_s = nearest.request.key, nearest.request.deadline_s - now_s
            windows = self.costs.most_windows(slack_s, len(chosen), *nearest.shape)
            if windows == len(chosen):
                return chosen
            among = nearest in chosen[:windows]
            greedy = not among and self._lines[key.session_id].had_s - turn_s > self._max_batch_s
            if greedy or (crowded and 2 * windows < len(chosen)):
                chosen.remove(nearest)
            elif among:
                return chosen[:windows]
            else:
                return [nearest, *chosen[: windows - 1]]

    def _whole(self, chosen: list[_Waiting]) -> list[_Waiting]:
        """With an engine that pads, cut a batch down to a power of two if that serves more windows a second."""
        windows, below = len(chosen), 1 << (len(chosen).bit_length() - 1)
        if not self.costs.padded or below == windows:
            return chosen
        windows_s, below_s = (self.costs.predict_s(count, *chosen[0].shape) for count in (windows, below))
        return chosen[:below] if below * windows_s > windows * below_s else chosen

    def _share_s(self, samples: int, horizon_frames: int) -> float:
        """Seconds that a window costs in the largest batch that may run: as they add up while requests wait."""
        windows = self._full_batch(samples, horizon_frames)[0]
        return self.costs.predict_s(windows, samples, horizon_frames) / windows

    def _full_batch(self, samples: int, horizon_frames: int) -> tuple[int, float]:
        """Windows of a full batch and the seconds that each of them costs."""
        return self.costs.best_batch(self._max_batch_s, self._max_batch_windows, samples, horizon_frames)

    # -- keeping count

    def _replace(self, line: _Line, request: EngineRequest) -> EngineRequest:
        waiting = line.waiting[request.key.avatar_id]
        older, shape = waiting.request, waiting.shape
        waiting.request = request
        if self._nearest is None or request.deadline_s < self._nearest.deadline_s:
            self._nearest = request
        if waiting.shape != shape:
            waiting.cost_s = self._share_s(request.samples, request.horizon_frames)
            self._recount()
        return older

    def _note(self, waiting: _Waiting) -> None:
        self._count += 1
        self._backlog_s += waiting.cost_s
        self._oldest_s = min(self._oldest_s, waiting.since_s)
        if self._nearest is None or waiting.request.deadline_s < self._nearest.deadline_s:
            self._nearest = waiting.request
        self._shapes[waiting.shape] = self._shapes.get(waiting.shape, 0) + 1

    def _recount(self) -> None:
        """Count what waits anew, find whose turn it is, and forget sessions that are not ahead of it."""
        self._count, self._backlog_s = 0, 0.0
        self._shapes.clear()
        self._oldest_s, self._nearest = float("inf"), None
        for line in self._lines.values():
            line.backlog_s = sum(waiting.cost_s for waiting in line.waiting.values())
            for waiting in line.waiting.values():
                self._note(waiting)
        self._full = any(count >= self._full_batch(*shape)[0] for shape, count in self._shapes.items())
        had_s = [line.had_s for line in self._lines.values() if line.waiting]
        if had_s:
            self._turn_s = max(self._turn_s, min(had_s))
        elif self._lines:
            self._turn_s = max(self._turn_s, max(line.had_s for line in self._lines.values()))
        gone = [name for name, line in self._lines.items() if not line.waiting and line.had_s <= self._turn_s]
        for name in gone:
            del self._lines[name]

    def _all(self) -> Iterator[_Waiting]:
        for line in self._lines.values():
            yield from line.waiting.values()

    def _remove(self, unwanted: Callable[[_Waiting], bool]) -> list[EngineRequest]:
        gone = [waiting.request for waiting in self._all() if unwanted(waiting)]
        for request in gone:
            del self._lines[request.key.session_id].waiting[request.key.avatar_id]
        self._count -= len(gone)
        return gone


def _retry_ms(seconds: float) -> int:
    low, high = _RETRY_MS
    return min(high, max(low, round(seconds * 1e3)))
