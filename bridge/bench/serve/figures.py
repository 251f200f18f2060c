"""From journals to figures: what became of every frame that was due, and how long it took.

Every frame that is due in the time looked at ends as exactly one of

* answered: a forecast based on this very frame came;
* refused: the server said so (a frame error with RESOURCE_EXHAUSTED for it, or the frame fell into the time that an
  earlier one for its avatar told the client to wait);
* shed: no forecast of its own, but the avatar's next forecast is marked `degraded`: the frame was taken in, its
  forecast was left out, and the client was told;
* lost: everything else. Nothing came, or the next forecast came and nobody said that one had been left out, or the
  frame could not be sent because the session was over without a draining notice, or it was in error.

With the null engine and no overload all frames must be answered, so ``frames_lost`` is what the service lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.bench.serve.journal import NEVER, Fault, Journal
from bridge.errors import ErrorKind

_MOST_TROUBLES = 20
_REFUSED_CODE = ErrorKind.RESOURCE_EXHAUSTED.wire_code


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of values that were really seen (no interpolation), and the largest; None of no values at all."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


def spread_of(values: NDArray[np.floating | np.integer]) -> Spread:
    """Return the percentiles of values in any order: the smallest value that so many percent do not exceed."""
    if values.size == 0:
        return Spread()
    p50, p95, p99 = np.percentile(values, (50, 95, 99), method="inverted_cdf").tolist()
    return Spread(p50, p95, p99, float(values.max()))


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the frames due from ``from_s`` to ``until_s`` (seconds since the start).

    Attributes:
        frames_due: planned. frames_sent: of those, handed to the transport.
        forecasts: of those, answered. frames_refused, shed, frames_lost: of those, see the head of this file.
        refused: frame errors with RESOURCE_EXHAUSTED that came in this time. errors: other frame errors.
        degraded: of the forecasts, those marked so.
        latency_ms: from the time that a frame was due to its forecast's arrival.
        age_ms: as the forecasts say, from a frame's arrival at the server to handing over the forecast.
        late_ms: from the time that a frame was due to its sending: how far the clients were behind.
        windows_per_batch: mean, over windows. samples: mean.
    """

    from_s: float
    until_s: float
    frames_due: int
    frames_sent: int
    forecasts: int
    frames_refused: int
    shed: int
    frames_lost: int
    refused: int
    errors: int
    degraded: int
    latency_ms: Spread
    age_ms: Spread
    late_ms: Spread
    windows_per_batch: float | None
    samples: float | None

    @property
    def forecasts_per_s(self) -> float:
        """Answered frames per second of this time."""
        return self.forecasts / (self.until_s - self.from_s)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "forecasts_per_s": self.forecasts_per_s}


def figures(journals: Sequence[Journal], from_s: float, until_s: float) -> Figures:
    """Count the frames of all clients that are due in this time."""
    from_ns, until_ns = round(from_s * 1e9), round(until_s * 1e9)
    counted = [_Counted(journal, from_ns, until_ns) for journal in journals]

    def total(name: str) -> int:
        return sum(int(getattr(one, name).sum()) for one in counted)

    def taken(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(one.journal, name)[one.answered] for one in counted] or [np.zeros(0)])

    latency_ns = np.concatenate([one.latency_ns for one in counted] or [np.zeros(0)])
    late_ns = np.concatenate([one.late_ns for one in counted] or [np.zeros(0)])
    faults = [fault for journal in journals for fault in journal.faults if from_ns <= fault.at_ns < until_ns]
    refused = sum(fault.code == _REFUSED_CODE for fault in faults)
    batches, samples = taken("batch_size"), taken("samples")
    return Figures(
        from_s=from_s,
        until_s=until_s,
        frames_due=total("due"),
        frames_sent=total("sent"),
        forecasts=total("answered"),
        frames_refused=total("refused"),
        shed=total("shed"),
        frames_lost=total("lost"),
        refused=refused,
        errors=len(faults) - refused,
        degraded=int(taken("degraded").sum()),
        latency_ms=spread_of(latency_ns / 1e6),
        age_ms=spread_of(taken("age_us") / 1e3),
        late_ms=spread_of(late_ns / 1e6),
        windows_per_batch=float(batches.mean()) if batches.size else None,
        samples=float(samples.mean()) if samples.size else None,
    )


def batch_sizes(journals: Sequence[Journal], from_s: float, until_s: float) -> dict[int, int]:
    """Return how many of the answered windows were computed in batches of which size."""
    counted = [_Counted(journal, round(from_s * 1e9), round(until_s * 1e9)) for journal in journals]
    sizes = np.concatenate([one.journal.batch_size[one.answered] for one in counted])
    values, counts = np.unique(sizes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def recovered_s(journals: Sequence[Journal], after_s: float, until_s: float) -> float | None:
    """Return the time from ``after_s`` on until every frame is answered and no forecast is marked `degraded`.

    None if that is not so before ``until_s``.
    """
    last_ns = after_ns = round(after_s * 1e9)
    period_ns = 0
    for journal in journals:
        due_ns = journal.due_ns()
        period_ns = round(1e9 / journal.plan.hz)
        looked_at = journal.present() & (due_ns >= after_ns) & (due_ns < round(until_s * 1e9))
        trouble = looked_at & ((journal.answered_ns == NEVER) | journal.degraded)
        if trouble.any():
            last_ns = max(last_ns, int(due_ns[trouble].max()) + period_ns)
    return None if last_ns >= round(until_s * 1e9) - period_ns else (last_ns - after_ns) / 1e9


def per_second(journals: Sequence[Journal], from_s: float, until_s: float) -> list[dict[str, Any]]:
    """Return forecasts, p99 latency and p99 age of every whole second."""
    series = []
    for second in range(int(until_s - from_s)):
        one = figures(journals, from_s + second, from_s + second + 1)
        row = {"second": second, "forecasts": one.forecasts, "degraded": one.degraded, "refused": one.refused}
        series.append({**row, "latency_p99_ms": one.latency_ms.p99, "age_p99_ms": one.age_ms.p99})
    return series


def troubles(journals: Sequence[Journal]) -> dict[str, int]:
    """Return what servers complained of, in their words, and how often; sessions that broke included."""
    said: Counter[str] = Counter()
    for journal in journals:
        said.update(f"session broke: {event.problem}" for event in journal.events if event.kind == "broke")
        said.update(fault.problem for fault in journal.faults)
    return dict(said.most_common(_MOST_TROUBLES))


class _Counted:
    """One journal's frames that are due in a time, each in one of four masks, (rows, ticks)."""

    def __init__(self, journal: Journal, from_ns: int, until_ns: int) -> None:
        self.journal = journal
        due_ns = journal.due_ns()
        excused = _after_draining(journal, due_ns)
        self.due = journal.present() & (due_ns >= from_ns) & (due_ns < until_ns) & ~excused
        self.sent = self.due & (journal.sent_ns != NEVER)
        answered = journal.answered_ns != NEVER
        self.answered = self.due & answered
        open_ = self.due & ~answered
        self.refused = open_ & _refused(journal, due_ns)
        open_ &= ~self.refused
        self.shed = open_ & _next_is_degraded(answered, journal.degraded)
        self.lost = open_ & ~self.shed
        self.latency_ns = journal.answered_ns[self.answered] - due_ns[self.answered]
        self.late_ns = journal.sent_ns[self.sent] - due_ns[self.sent]


def _after_draining(journal: Journal, due_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Frames that were rightly not sent: the server had said that it is about to stop."""
    excused = np.zeros(due_ns.shape, np.bool_)
    drained = {event.session: event.at_ns for event in journal.events if event.kind == "draining"}
    for number, session in enumerate(journal.plan.sessions):
        if session.name in drained:
            rows = [journal.row(number, avatar) for avatar in range(len(session.avatars))]
            excused[rows] = journal.sent_ns[rows] == NEVER
            excused[rows] &= due_ns[rows] >= drained[session.name]
    return excused


def _refused(journal: Journal, due_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    refused = np.zeros(due_ns.shape, np.bool_)
    for fault in journal.faults:
        if fault.code == _REFUSED_CODE and _names_a_frame(fault, journal):
            begin_ns = due_ns[fault.row, fault.tick]
            end_ns = max(begin_ns, fault.at_ns + fault.retry_after_ms * 1_000_000)
            refused[fault.row] |= (due_ns[fault.row] >= begin_ns) & (due_ns[fault.row] <= end_ns)
    return refused


def _names_a_frame(fault: Fault, journal: Journal) -> bool:
    return fault.row != NEVER and 0 <= fault.tick < journal.plan.ticks


def _next_is_degraded(answered: NDArray[np.bool_], degraded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the next forecast of the avatar, at this tick or later, says that one was left out."""
    ticks = answered.shape[1]
    index = np.where(answered, np.arange(ticks), ticks)
    following = np.minimum.accumulate(index[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([degraded, np.zeros((len(degraded), 1), np.bool_)], axis=1)
    return np.take_along_axis(padded, following, axis=1)
