"""Sessions, a batcher, a load controller and an engine that takes time, all on one clock that nobody waits for."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from bridge.engine import Allowance, Batcher, CostModel, EngineRequest, LoadController
from bridge.errors import ResourceExhausted
from tests.engine.doubles import request

HORIZON = 30


def default_cost_s(windows: int, samples: int) -> float:
    """About the default weights on two cores: 25 ms for one window of 32 samples, 6 ms for each of sixteen."""
    return 0.015 + windows * (0.0012 + 0.00012 * samples)


@dataclass
class SimulatedSession:
    """Avatars that send frames at a rate, and what became of them.

    ``together`` sends the frames of all avatars at once, else they are spread over the period.
    """

    name: str
    avatars: int
    hz: float = 30.0
    samples: int = 32
    deadline_s: float = 1.0
    until_s: float = float("inf")
    since_s: float = 0.0
    together: bool = False
    passed: dict[int, float] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    done: list[tuple[float, float, int]] = field(default_factory=list)  # when, age, samples
    refused: list[float] = field(default_factory=list)
    expired: list[float] = field(default_factory=list)
    allowances: list[tuple[float, Allowance]] = field(default_factory=list)

    def per_s(self, start_s: float, end_s: float) -> float:
        """Forecasts a second."""
        return sum(start_s <= at_s < end_s for at_s, _, _ in self.done) / (end_s - start_s)

    def age_s(self, start_s: float, end_s: float, quantile: float = 0.99) -> float:
        ages = sorted(age_s for at_s, age_s, _ in self.done if start_s <= at_s < end_s)
        return ages[int(quantile * (len(ages) - 1))]

    def allowed(self, start_s: float, end_s: float) -> list[Allowance]:
        """The different allowances of a time, one after the other."""
        seen = [allowance for at_s, allowance in self.allowances if start_s <= at_s < end_s]
        return [one for before, one in zip([None, *seen], seen, strict=False) if one != before]


class Simulation:
    """Runs sessions against engines whose batches cost ``cost_s(windows, samples)`` times a noise around one.

    Costs of ``measured_samples`` are known at the start.
    """

    def __init__(
        self,
        sessions: list[SimulatedSession],
        *,
        engines: int = 1,
        cost_s: Callable[[int, int], float] = default_cost_s,
        noise: float = 0.0,
        jitter_s: float = 0.0,
        seed: int = 0,
        max_batch_windows: int = 64,
        measured_samples: tuple[int, ...] = (32,),
    ) -> None:
        self.sessions = sessions
        self.costs = CostModel()
        self.batcher = Batcher(self.costs, max_batch_windows=max_batch_windows)
        self.load = LoadController(self.batcher.window_s, engines=engines)
        self.busy: list[tuple[float, float]] = []  # batches: start, seconds
        self.utilisations: list[tuple[float, float]] = []
        self._cost_s = cost_s
        self._noise, self._jitter_s = noise, jitter_s
        self._random = random.Random(seed)
        self._free_s = [0.0] * engines
        self._running: list[list[EngineRequest]] = [[] for _ in range(engines)]
        self._by_name = {session.name: session for session in sessions}
        for samples in measured_samples:
            for windows in (1, 4, 16):
                for _ in range(3):
                    self.costs.observe(windows, samples, HORIZON, cost_s(windows, samples))

    def run(self, end_s: float) -> None:
        events: list[tuple[float, int, Iterator[float], SimulatedSession, list[int]]] = []
        order = count()
        for session in self.sessions:
            groups = [list(range(session.avatars))] if session.together else [[i] for i in range(session.avatars)]
            for index, group in enumerate(groups):
                times = self._times(session, index / len(groups))
                heapq.heappush(events, (next(times), next(order), times, session, group))
        wakes: list[float] = []
        while events:
            now_s = min(events[0][0], *self._busy_until(), *(wakes or [float("inf")]))
            if now_s >= end_s:
                break
            wakes.clear()
            self._complete(now_s)
            while events and events[0][0] <= now_s:
                _, _, times, session, group = heapq.heappop(events)
                self._frames(session, group, now_s)
                if (following := next(times)) < session.until_s:
                    heapq.heappush(events, (following, next(order), times, session, group))
            wait_s = self._start(now_s)
            if wait_s is not None:
                wakes.append(now_s + max(wait_s, 1e-4))

    def used(self, start_s: float, end_s: float) -> float:
        """Share of the engines' time that was computed in."""
        spent_s = sum(max(0.0, min(at_s + s, end_s) - max(at_s, start_s)) for at_s, s in self.busy)
        return spent_s / (end_s - start_s) / len(self._free_s)

    def _times(self, session: SimulatedSession, phase: float) -> Iterator[float]:
        for tick in count():
            jitter_s = self._random.uniform(0.0, self._jitter_s)
            yield session.since_s + (tick + phase) / session.hz + jitter_s

    def _busy_until(self) -> list[float]:
        return [free_s for free_s, batch in zip(self._free_s, self._running, strict=True) if batch] or [float("inf")]

    def _frames(self, session: SimulatedSession, group: list[int], now_s: float) -> None:
        allowance = self.load.allowance(session.name, now_s)
        session.allowances.append((now_s, allowance))
        self.utilisations.append((now_s, self.load.utilisation))
        for avatar in group:
            self.load.note_demand(session.name, session.samples, HORIZON, now_s)
            refused = avatar >= max(1, int(allowance.avatars_share * session.avatars))
            if refused:
                session.refused.append(now_s)
            level = session.passed.get(avatar, avatar * 0.618 % 1.0) + allowance.rate_share
            session.passed[avatar] = level % 1.0
            one = request(
                str(avatar),
                session_id=session.name,
                samples=round(session.samples * allowance.samples_share),
                horizon_frames=HORIZON,
                arrived_s=now_s,
                deadline_s=now_s + session.deadline_s,
            )
            if refused or level < 1.0 - 1e-9:
                self.batcher.refresh(one)
                continue
            try:
                self.batcher.offer(one, now_s, self._free_s)
            except ResourceExhausted:
                session.refused.append(now_s)

    def _start(self, now_s: float) -> float | None:
        for index, batch in enumerate(self._running):
            if batch:
                continue
            wait_s = self.batcher.wait_s(now_s)
            if wait_s is None or wait_s > 1e-9:
                return wait_s
            taken = self.batcher.take(now_s)
            self.load.note_backlog(self.batcher.backlog_s / len(self._free_s), now_s)
            for late in taken.expired:
                self._by_name[late.key.session_id].expired.append(now_s)
            if taken.run:
                noise = self._random.uniform(1 - self._noise, 1 + self._noise)
                seconds = self._cost_s(len(taken.run), taken.run[0].samples) * noise
                self._running[index] = taken.run
                self._free_s[index] = now_s + seconds
                self.busy.append((now_s, seconds))
        return None

    def _complete(self, now_s: float) -> None:
        for index, batch in enumerate(self._running):
            if batch and self._free_s[index] <= now_s:
                until_s = self._free_s[index]
                seconds = next(took_s for at_s, took_s in reversed(self.busy) if abs(at_s + took_s - until_s) < 1e-9)
                self.costs.observe(len(batch), batch[0].samples, HORIZON, seconds)
                for one in batch:
                    session = self._by_name[one.key.session_id]
                    session.done.append((now_s, now_s - one.arrived_s, one.samples))
                self._running[index] = []
