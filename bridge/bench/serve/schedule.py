"""The load: which frame of which avatar is due when. Open loop: nothing that a server does moves a due time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bridge.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class AvatarPlan:
    """One avatar; it has a frame at every tick from ``first_tick`` up to, not including, ``end_tick``."""

    name: str
    first_tick: int
    end_tick: int


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One game: its avatars share a tick, ``offset_s`` after the beginning of every frame period."""

    name: str
    offset_s: float
    avatars: tuple[AvatarPlan, ...]


@dataclass(frozen=True, slots=True)
class Surge:
    """So many more avatars, spread over all sessions, from one time to another (seconds since the start)."""

    avatars: int
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """All sessions, ``ticks`` frame periods long; with ``batched`` the frames of a tick go in one message."""

    hz: float
    ticks: int
    sessions: tuple[SessionPlan, ...]
    batched: bool = False

    @property
    def seconds(self) -> float:
        """From the first tick to the end of the last frame period."""
        return self.ticks / self.hz

    @property
    def avatars(self) -> int:
        """Avatars of all sessions, whenever they are there."""
        return sum(len(session.avatars) for session in self.sessions)

    def due_ns(self, session: int, tick: int) -> int:
        """Nanoseconds from the start to a session's tick."""
        return round(1e9 * (self.sessions[session].offset_s + tick / self.hz))

    def share(self, clients: int) -> list[LoadPlan]:
        """Deal the sessions out to client processes; due times stay what they are."""
        dealt = (self.sessions[client::clients] for client in range(clients))
        return [LoadPlan(self.hz, self.ticks, sessions, self.batched) for sessions in dealt if sessions]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LoadPlan:
        """Read what `to_json` gave."""
        sessions = tuple(
            SessionPlan(**{**session, "avatars": tuple(AvatarPlan(**avatar) for avatar in session["avatars"])})
            for session in values["sessions"]
        )
        return cls(**{**values, "sessions": sessions})


def plan_load(
    *,
    avatars: int,
    sessions: int,
    hz: float,
    seconds: float,
    batched: bool = False,
    surges: Sequence[Surge] = (),
    prefix: str = "bench",
) -> LoadPlan:
    """Spread avatars over sessions as evenly as whole numbers allow, and sessions evenly over the frame period.

    Raises:
        InvalidInput: if there are fewer avatars than sessions, or nothing to do.
    """
    if not 1 <= sessions <= avatars:
        raise InvalidInput(f"{sessions} sessions for {avatars} avatars", field="sessions", expected="1 to avatars")
    ticks = round(seconds * hz)
    if ticks < 1:
        raise InvalidInput(f"{seconds:g} s at {hz:g} Hz are no frame", field="seconds", expected="at least one frame")
    members: list[list[AvatarPlan]] = [[] for _ in range(sessions)]
    for number in range(avatars):
        members[number % sessions].append(AvatarPlan(f"avatar{number}", 0, ticks))
    for wave, surge in enumerate(surges):
        first, end = round(surge.from_s * hz), min(ticks, round(surge.until_s * hz))
        for number in range(surge.avatars):
            members[number % sessions].append(AvatarPlan(f"surge{wave}-{number}", first, end))
    plans = (
        SessionPlan(f"{prefix}-{number}", number / sessions / hz, tuple(group)) for number, group in enumerate(members)
    )
    return LoadPlan(hz, ticks, tuple(plans), batched)


class Due(NamedTuple):
    """A session's tick and the time it is due, nanoseconds on the caller's clock."""

    session: int
    tick: int
    due_ns: int


class Metronome:
    """Says what is due, in order, once each; whoever asks late gets everything that has become due meanwhile."""

    def __init__(self, plan: LoadPlan, start_ns: int) -> None:
        self._plan = plan
        self._start_ns = start_ns
        self._order = sorted(range(len(plan.sessions)), key=lambda session: plan.sessions[session].offset_s)
        self._given = 0

    def next_due(self) -> Due | None:
        """What comes next, whether it is due or not; None after the last."""
        tick, place = divmod(self._given, len(self._order))
        if tick >= self._plan.ticks:
            return None
        session = self._order[place]
        return Due(session, tick, self._start_ns + self._plan.due_ns(session, tick))

    def take(self, now_ns: int) -> Iterator[Due]:
        """Give everything that is due by now."""
        while (due := self.next_due()) is not None and due.due_ns <= now_ns:
            self._given += 1
            yield due
