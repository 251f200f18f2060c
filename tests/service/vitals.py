"""What the system and the ops port tell of a server in a process of its own, and whether it has come to rest."""

from __future__ import annotations

import contextlib
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.service import Endpoints
from tests.service_fixtures import PATIENCE_S, wait_until

REST_S = 30.0
"""Patience until what others left behind is cleared away: the slowest timeouts of the fronts, twice."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a server holds that must not become more."""

    threads: Counter[str]
    """By their names."""
    files: int
    sessions: int
    avatars: int

    def within(self, other: Belongings) -> bool:
        """Whether this is no more than the other."""
        return (
            self.threads.total() <= other.threads.total()
            and self.files <= other.files
            and self.sessions <= other.sessions
            and self.avatars <= other.avatars
        )


class Vitals:
    """Looks at a process by its id and at its ops port."""

    def __init__(self, pid: int, endpoints: Endpoints) -> None:
        self.pid = pid
        self._endpoints = endpoints

    def belongings(self) -> Belongings:
        """Count what the server holds now."""
        metrics = self.metrics()
        return Belongings(
            threads=Counter(self._thread_names()),
            files=len(os.listdir(f"/proc/{self.pid}/fd")),
            sessions=round(sum(value for name, value in metrics.items() if name.startswith("posebridge_sessions{"))),
            avatars=round(metrics["posebridge_avatars"]),
        )

    def belongings_at_rest(self, sessions: int, *, quiet_s: float = 1.0) -> Belongings:
        """Wait until so many sessions are open and nothing becomes less any more; return what is held then."""
        patience = time.monotonic() + PATIENCE_S
        least, since = self.belongings(), time.monotonic()
        while least.sessions != sessions or time.monotonic() - since < quiet_s:
            assert time.monotonic() < patience, f"no rest with {sessions} sessions: {least}"
            time.sleep(0.05)
            now = self.belongings()
            if not least.within(now) or least.sessions != sessions:
                least, since = now, time.monotonic()
        return least

    def expect_no_more_than(self, before: Belongings) -> None:
        """Wait until nothing is held that was not held before."""
        held: list[Belongings] = []

        def at_rest() -> bool:
            held[:] = [self.belongings()]
            return held[0].within(before)

        try:
            wait_until(at_rest, patience_s=REST_S)
        except AssertionError:
            raise AssertionError(f"left behind: {held[0]}, before: {before}") from None

    def _thread_names(self) -> Iterator[str]:
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                yield (task / "comm").read_text(encoding="utf-8").strip()

    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES

    def children(self) -> list[int]:
        """Processes that the server started and that live."""
        return children_of(self.pid)

    def metrics(self) -> dict[str, float]:
        """Every sample on the ops port's page, by name with labels."""
        samples = {}
        for line in self.get("/metrics").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def get(self, path: str) -> str:
        """Ask the ops port."""
        with urllib.request.urlopen(f"http://{self._endpoints.ops}{path}", timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text


def children_of(pid: int) -> list[int]:
    """Living processes whose parent this is."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (status := _status_of(int(folder.name))) is not None:
            state, parent = status
            if parent == pid and state != "Z":
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is there and not only waiting to be buried."""
    status = _status_of(pid)
    return status is not None and status[0] != "Z"


def _status_of(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)
