"""One run: a load from client processes on a server, with what every process used meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.bench.serve.children import Child, child
from bridge.bench.serve.job import OPEN_TIMEOUT_S, READY, ClientJob
from bridge.bench.serve.journal import Journal
from bridge.bench.serve.schedule import LoadPlan
from bridge.bench.serve.target import Target
from bridge.bench.serve.usage import MachineTime, Usage, descendants, machine_time, usage_of
from bridge.errors import Unavailable

_SAMPLE_S = 0.5
_LEAD_S = 0.3
"""From the word to the first frame."""
_END_TIMEOUT_S = 15.0
_CLIENT_START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What everyone had used up at a time (seconds since the start); ``ours`` includes clients and this process."""

    at_s: float
    service: Usage
    engine: Usage
    clients: Usage
    ours: Usage
    machine: MachineTime


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used between two moments: seconds of processor time, shares of all cores (0 to 1)."""

    seconds: float
    service_cpu_s: float
    engine_cpu_s: float
    clients_cpu_s: float
    other_share: float
    stolen_share: float


@dataclass(frozen=True, slots=True)
class RunLog:
    """Everything that was noted during a run."""

    plan: LoadPlan
    journals: list[Journal]
    moments: list[Moment]

    def spent(self, from_s: float, until_s: float) -> Spent:
        """Return what was used between the moments nearest to these times."""
        before, after = (min(self.moments, key=lambda moment: abs(moment.at_s - at_s)) for at_s in (from_s, until_s))
        machine_s = max(1e-9, after.machine.total_s - before.machine.total_s)
        busy_s = after.machine.busy_s - before.machine.busy_s
        ours_s = after.ours.cpu_s - before.ours.cpu_s
        return Spent(
            seconds=after.at_s - before.at_s,
            service_cpu_s=after.service.cpu_s - before.service.cpu_s,
            engine_cpu_s=after.engine.cpu_s - before.engine.cpu_s,
            clients_cpu_s=after.clients.cpu_s - before.clients.cpu_s,
            other_share=max(0.0, busy_s - ours_s) / machine_s,
            stolen_share=(after.machine.stolen_s - before.machine.stolen_s) / machine_s,
        )

    def between(self, from_s: float, until_s: float) -> list[Moment]:
        """Moments of a time."""
        return [moment for moment in self.moments if from_s <= moment.at_s <= until_s]


@dataclass(slots=True)
class Watch:
    """Takes moments of a server and of clients; a process that is gone keeps what it had used last."""

    server: int
    clients: Sequence[int]
    start_ns: int
    moments: list[Moment] = field(default_factory=list)
    _engine: list[int] = field(init=False)
    _last: dict[int, Usage] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._engine = descendants(self.server)

    def look(self) -> None:
        """Take a moment."""
        service, engine, clients = (
            sum((self._usage(pid) for pid in pids), Usage()) for pids in ([self.server], self._engine, self.clients)
        )
        ours = service + engine + clients + usage_of(os.getpid())
        at_s = (time.monotonic_ns() - self.start_ns) / 1e9
        self.moments.append(Moment(at_s, service, engine, clients, ours, machine_time()))

    def _usage(self, pid: int) -> Usage:
        now = usage_of(pid)
        if now.threads == 0:
            return Usage(cpu_s=self._last[pid].cpu_s) if pid in self._last else now
        self._last[pid] = now
        return now


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do at a time (seconds since the start); it must return at once."""

    at_s: float
    do: Callable[[], None]


def run_load(
    target: Target,
    transport: str,
    plan: LoadPlan,
    *,
    clients: int = 1,
    cores: tuple[int, ...] = (),
    marks_s: Sequence[float] = (),
    actions: Sequence[Action] = (),
    drain_s: float = 1.0,
) -> RunLog:
    """Put a load on a server, from so many client processes, and return what they saw.

    Args:
        target: the server. transport: "grpc" or "zmq".
        plan: the load. clients: processes that share its sessions. cores: theirs.
        marks_s: times at which what was used must be known exactly.
        actions: what else happens meanwhile.
        drain_s: longest wait for answers after the last frame.

    Raises:
        Unavailable: if a client fails; carries what it said.
        DeadlineExceeded: if one does not end.
    """
    with TemporaryDirectory(prefix="pose-bridge-bench-") as folder, ExitStack() as stack:
        shares = plan.share(clients)
        paths = [Path(folder) / f"journal{number}.npz" for number in range(len(shares))]
        processes = [
            stack.enter_context(client_process(target, transport, share, path, cores=cores, drain_s=drain_s))
            for share, path in zip(shares, paths, strict=True)
        ]
        start_ns = start_together(processes)
        watch = Watch(target.process.pid, [process.pid for process in processes], start_ns)
        events = [*actions, *(Action(at_s, watch.look) for at_s in _times(plan.seconds, marks_s))]
        for event in sorted(events, key=lambda event: event.at_s):
            wait_s = event.at_s - (time.monotonic_ns() - start_ns) / 1e9
            if wait_s > 0:
                time.sleep(wait_s)
            event.do()
        for process in processes:
            process.wait(drain_s + _END_TIMEOUT_S)
        watch.look()
        return RunLog(plan, [Journal.load(path) for path in paths], watch.moments)


@contextmanager
def client_process(
    target: Target,
    transport: str,
    plan: LoadPlan,
    journal: Path,
    *,
    cores: tuple[int, ...] = (),
    drain_s: float = 1.0,
) -> Iterator[Child]:
    """Start a client process; it connects, and begins when `start_together` says so."""
    job = ClientJob(transport, target.addresses[transport], plan, target.layout_id, target.echo, drain_s, str(journal))
    path = journal.with_suffix(".job.json")
    job.save(path)
    with child("bridge.bench.serve.client", [str(path)], cores=cores) as process:
        yield process


def start_together(processes: Sequence[Child]) -> int:
    """Wait until all clients are connected, name them one start, return it (nanoseconds of `time.monotonic_ns`)."""
    for process in processes:
        line = process.read_line(_CLIENT_START_TIMEOUT_S + OPEN_TIMEOUT_S)
        if line != READY:
            raise Unavailable(f"a client said {line!r}")
    start_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
    for process in processes:
        process.say(str(start_ns))
    return start_ns


def _times(seconds: float, marks_s: Sequence[float]) -> list[float]:
    regular = [number * _SAMPLE_S for number in range(int(seconds / _SAMPLE_S) + 1)]
    return sorted({*regular, *marks_s, seconds})
