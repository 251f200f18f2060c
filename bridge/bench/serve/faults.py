"""What others notice while someone crashes, stalls or attacks: the load of well-behaved sessions goes on meanwhile."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bridge.bench.serve.children import child
from bridge.bench.serve.figures import Figures, figures, troubles
from bridge.bench.serve.hostile import Orders
from bridge.bench.serve.job import READY
from bridge.bench.serve.measure import LoadOptions
from bridge.bench.serve.run import Action, RunLog, client_process, run_load, start_together
from bridge.bench.serve.schedule import plan_load
from bridge.bench.serve.target import ServiceOptions, Target, running_service
from bridge.bench.serve.usage import Usage, usage_of
from bridge.errors import InvalidInput

FAULTS = (
    "kill-client",
    "kill-ops-peer",
    "sigterm-under-load",
    "stalled-reader",
    "slow-loris",
    "connection-storm",
    "disk-full-logs",
)
_LEAST_PART_S = 1.0
_STORM_S = 2.0
_VICTIMS = 8
_SETTLE_S = 3.0
_EXIT_TIMEOUT_S = 15.0
FULL_DISK = Path("/dev/full")


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What the other sessions saw before, during and after, and what is left of it in the server.

    Attributes:
        fault: its name.
        before, during, after: figures of the well-behaved sessions; None for a part that there is not.
        idle_before, idle_after: what the service's process holds before the first session and after the last.
        troubles: what the server complained of to the well-behaved sessions, and how often.
        peak_rss_mb: most that it held meanwhile, resident, 10^6 bytes.
        still_serves: the server answers health checks at the end; None where it was to end.
        notes: what is particular to the fault.
    """

    fault: str
    before: Figures | None
    during: Figures | None
    after: Figures | None
    idle_before: Usage | None = None
    idle_after: Usage | None = None
    troubles: dict[str, int] = field(default_factory=dict)
    peak_rss_mb: float | None = None
    still_serves: bool | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def parse_faults(text: str) -> tuple[str, ...]:
    """Read names with commas, or "all".

    Raises:
        InvalidInput: if a name is not one of `FAULTS`.
    """
    names = FAULTS if text == "all" else tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in FAULTS:
            raise InvalidInput(f"{name!r}", field="fault", expected=f"all, or some of {', '.join(FAULTS)}")
    return names


def try_fault(name: str, options: ServiceOptions, load: LoadOptions, avatars: int) -> FaultReport:
    """Start a service, put a load on it, do what ``name`` says in the middle third, and report.

    Raises:
        Unavailable, DeadlineExceeded: if the service or a client of the load fails.
    """
    if name == "disk-full-logs":
        return _disk_full(options, load, avatars)
    with running_service(options, load.pinning.server) as target:
        if name == "sigterm-under-load":
            return _sigterm(target, load, avatars)
        if name == "kill-client":
            return _kill_client(target, load, avatars)
        return _mischief(name, target, load, avatars)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Times of a run, seconds since its start."""

    warm_s: float
    begin_s: float
    end_s: float
    over_s: float

    @classmethod
    def of(cls, target: Target, load: LoadOptions) -> _Parts:
        part_s = max(_LEAST_PART_S, load.seconds / 3)
        warm_s = target.warmup_s
        return cls(warm_s, warm_s + part_s, warm_s + 2 * part_s, warm_s + 3 * part_s)

    def figures(self, log: RunLog) -> dict[str, Figures]:
        times = (self.warm_s, self.begin_s, self.end_s, self.over_s)
        names = ("before", "during", "after")
        return {name: figures(log.journals, times[number], times[number + 1]) for number, name in enumerate(names)}


def _mischief(name: str, target: Target, load: LoadOptions, avatars: int) -> FaultReport:
    parts = _Parts.of(target, load)
    seconds = _STORM_S if name == "connection-storm" else parts.end_s - parts.begin_s
    orders = Orders(target.addresses, load.transport, target.layout_id, load.hz, seconds)
    arguments = [name, json.dumps(asdict(orders))]
    idle_before = usage_of(target.process.pid)
    with child("bridge.bench.serve.hostile", arguments, cores=load.pinning.clients) as culprit:
        assert culprit.read_line(_EXIT_TIMEOUT_S) == READY
        actions = [Action(parts.begin_s, lambda: culprit.say("go"))]
        if name == "kill-ops-peer":
            actions.append(Action((parts.begin_s + parts.end_s) / 2, culprit.process.kill))
        log = _run(target, load, avatars, parts, actions)
        notes = {} if name == "kill-ops-peer" else json.loads(culprit.read_line(seconds + _EXIT_TIMEOUT_S))
    return _report(name, target, parts, log, idle_before, notes)


def _kill_client(target: Target, load: LoadOptions, avatars: int) -> FaultReport:
    parts = _Parts.of(target, load)
    idle_before = usage_of(target.process.pid)
    plan = plan_load(avatars=_VICTIMS, sessions=1, hz=load.hz, seconds=parts.over_s, prefix="victim")
    with TemporaryDirectory(prefix="pose-bridge-bench-") as folder:
        journal = Path(folder) / "victim.npz"
        with client_process(target, load.transport, plan, journal, cores=load.pinning.clients) as victim:
            start_together([victim])
            log = _run(target, load, avatars, parts, [Action(parts.begin_s, victim.process.kill)])
    return _report("kill-client", target, parts, log, idle_before, {"killed_avatars": _VICTIMS})


def _sigterm(target: Target, load: LoadOptions, avatars: int) -> FaultReport:
    parts = _Parts.of(target, load)
    process = target.process.process
    asked_s: list[float] = []
    ended_s: list[float] = []

    def ask() -> None:
        asked_s.append(time.monotonic())
        process.terminate()

    def wait() -> None:
        process.wait()
        ended_s.append(time.monotonic())

    waiting = threading.Thread(target=wait, name="bench-exit", daemon=True)
    waiting.start()
    # In the middle between two sessions' ticks: a frame that crosses the notice on its way is nobody's fault.
    half_a_gap_s = 0.5 / load.hz / load.sessions_of(avatars)
    log = _run(target, load, avatars, parts, [Action(parts.begin_s + half_a_gap_s, ask)])
    waiting.join(_EXIT_TIMEOUT_S)
    sessions = len(log.plan.sessions)
    told = {event.session for journal in log.journals for event in journal.events if event.kind == "draining"}
    notes = {
        "exit_code": process.poll(),
        "exit_s": ended_s[0] - asked_s[0] if ended_s else None,
        "sessions": sessions,
        "sessions_told": len(told),
    }
    seen = parts.figures(log)
    return FaultReport("sigterm-under-load", seen["before"], seen["during"], None, notes=notes)


def _disk_full(options: ServiceOptions, load: LoadOptions, avatars: int) -> FaultReport:
    seen: list[Figures] = []
    for log_file in (None, FULL_DISK):
        chosen = replace(options, log_file=log_file, log_level="debug")
        with running_service(chosen, load.pinning.server) as target:
            parts = _Parts.of(target, load)
            idle_before = usage_of(target.process.pid)
            log = _run(target, load, avatars, parts, [])
            seen.append(figures(log.journals, parts.warm_s, parts.over_s))
            report = _report("disk-full-logs", target, parts, log, idle_before, {"log_file": str(FULL_DISK)})
    return replace(report, before=seen[0], during=seen[1], after=None)


def _run(target: Target, load: LoadOptions, avatars: int, parts: _Parts, actions: Sequence[Action]) -> RunLog:
    sessions = load.sessions_of(avatars)
    plan = plan_load(avatars=avatars, sessions=sessions, hz=load.hz, seconds=parts.over_s, batched=load.batched)
    return run_load(
        target,
        load.transport,
        plan,
        clients=load.clients_of(sessions),
        cores=load.pinning.clients,
        actions=actions,
    )


def _report(
    name: str, target: Target, parts: _Parts, log: RunLog, idle_before: Usage, notes: dict[str, Any]
) -> FaultReport:
    """Give the server time to notice that everyone is gone, then look at it."""
    _wait_until(lambda: usage_of(target.process.pid).fds <= idle_before.fds, _SETTLE_S)
    return FaultReport(
        name,
        **parts.figures(log),
        idle_before=idle_before,
        idle_after=usage_of(target.process.pid),
        troubles=troubles(log.journals),
        peak_rss_mb=max(moment.service.rss_mb for moment in log.moments),
        still_serves=_is_ready(target.addresses.get("ops", "")),
        notes=notes,
    )


def _wait_until(holds: Callable[[], bool], patience_s: float) -> None:
    deadline_s = time.monotonic() + patience_s
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _is_ready(ops: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{ops}/readyz", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
