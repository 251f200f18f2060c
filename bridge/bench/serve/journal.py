"""What a client process saw: when every frame was sent and what came back for it, and when."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.bench.serve.schedule import LoadPlan

NEVER = -1
_ARRAYS = ("sent_ns", "answered_ns", "age_us", "compute_us", "batch_size", "samples", "degraded")


@dataclass(frozen=True, slots=True)
class Fault:
    """A frame error: the avatar's row and the frame's tick (-1 where it did not tell), the wire's code of the error."""

    row: int
    tick: int
    at_ns: int
    code: int
    retry_after_ms: int
    frame_kept: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a session: "draining", "ended" (in good order) or "broke"."""

    session: str
    at_ns: int
    kind: str
    problem: str = ""


class Journal:
    """One row per avatar, one column per tick; times are nanoseconds since the start, -1 for what never happened.

    Attributes:
        sent_ns: when a frame was handed to the transport. answered_ns: when the forecast based on it was there.
        age_us, compute_us, batch_size, samples, degraded: as that forecast says.
        reply_bytes: size of the last message with a forecast; request_bytes: of the last message that was sent.
        cpu_s: processor time of the process from the start to the end.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        shape = (plan.avatars, plan.ticks)
        self.sent_ns = np.full(shape, NEVER, np.int64)
        self.answered_ns = np.full(shape, NEVER, np.int64)
        self.age_us = np.zeros(shape, np.int64)
        self.compute_us = np.zeros(shape, np.int64)
        self.batch_size = np.zeros(shape, np.int32)
        self.samples = np.zeros(shape, np.int32)
        self.degraded = np.zeros(shape, np.bool_)
        self.faults: list[Fault] = []
        self.events: list[Event] = []
        self.reply_bytes = 0
        self.request_bytes = 0
        self.cpu_s = 0.0
        sizes = [len(session.avatars) for session in plan.sessions]
        self._first_row = [sum(sizes[:number]) for number in range(len(sizes))]

    def row(self, session: int, avatar: int) -> int:
        """Row of an avatar, both counted as the plan has them."""
        return self._first_row[session] + avatar

    def row_of_name(self, session: int) -> dict[str, int]:
        """Rows of a session's avatars by their names."""
        avatars = self.plan.sessions[session].avatars
        return {avatar.name: self.row(session, number) for number, avatar in enumerate(avatars)}

    def due_ns(self) -> NDArray[np.int64]:
        """When every frame is due, (rows, ticks)."""
        ticks = range(self.plan.ticks)
        due = [
            [self.plan.due_ns(number, tick) for tick in ticks]
            for number, session in enumerate(self.plan.sessions)
            for _ in session.avatars
        ]
        return np.array(due, np.int64).reshape(self.sent_ns.shape)

    def present(self) -> NDArray[np.bool_]:
        """Whether there is such a frame at all, (rows, ticks)."""
        ticks = np.arange(self.plan.ticks)
        avatars = [avatar for session in self.plan.sessions for avatar in session.avatars]
        there = [(avatar.first_tick <= ticks) & (ticks < avatar.end_tick) for avatar in avatars]
        return np.array(there, np.bool_).reshape(self.sent_ns.shape)

    def save(self, path: Path) -> None:
        """Write it all to an npz file."""
        notes = {
            "plan": self.plan.to_json(),
            "faults": [asdict(fault) for fault in self.faults],
            "events": [asdict(event) for event in self.events],
            "reply_bytes": self.reply_bytes,
            "request_bytes": self.request_bytes,
            "cpu_s": self.cpu_s,
        }
        np.savez(path, notes=np.array(json.dumps(notes)), **{name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read what `save` wrote."""
        with np.load(path) as file:
            notes = json.loads(str(file["notes"]))
            journal = cls(LoadPlan.from_json(notes["plan"]))
            for name in _ARRAYS:
                setattr(journal, name, file[name])
        journal.faults = [Fault(**fault) for fault in notes["faults"]]
        journal.events = [Event(**event) for event in notes["events"]]
        journal.reply_bytes, journal.request_bytes = notes["reply_bytes"], notes["request_bytes"]
        journal.cpu_s = notes["cpu_s"]
        return journal
