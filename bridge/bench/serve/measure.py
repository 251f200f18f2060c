"""A load of so many avatars on a running server, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any

from bridge.bench.serve.cores import Pinning
from bridge.bench.serve.figures import Figures, figures, per_second, troubles
from bridge.bench.serve.run import RunLog, Spent, run_load
from bridge.bench.serve.schedule import plan_load
from bridge.bench.serve.target import Target

AVATARS_PER_SESSION = 8
"""Of a session, when nobody says how many sessions there are."""
MOST_SESSIONS = 64


TAIL_S = 0.5
"""The load goes on for so long: what was left out is told by an avatar's next forecast."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What all loads of an invocation have in common.

    Attributes:
        transport: "grpc" or "zmq". hz: frames per second and avatar, and forecasts asked for. seconds: measured.
        sessions, clients: connections, and processes that hold them; None: enough of them.
        batched: the frames that a session's avatars have at a tick go in one message, not in one each.
    """

    transport: str
    hz: float
    seconds: float
    sessions: int | None = None
    clients: int | None = None
    batched: bool = False
    pinning: Pinning = field(default_factory=Pinning)

    def sessions_of(self, avatars: int) -> int:
        """Sessions that this many avatars are in."""
        wanted = self.sessions or min(MOST_SESSIONS, ceil(avatars / AVATARS_PER_SESSION))
        return min(wanted, avatars)

    def clients_of(self, sessions: int) -> int:
        """Processes that hold this many sessions."""
        return min(self.clients or max(1, len(self.pinning.clients)), sessions)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load: its size, what became of its frames, and what it took.

    Attributes:
        service_rss_mb, engine_rss_mb: most that was resident in the service's process and in the engine's, 10^6 bytes.
        threads, fds: of the service at the end of the load.
        request_bytes, reply_bytes: sizes of a message with a frame and of one with a forecast.
        series: per second, see `bridge.bench.serve.figures.per_second`.
        troubles: what the server complained of, and how often, the warm-up included.
    """

    avatars: int
    sessions: int
    clients: int
    figures: Figures
    spent: Spent
    service_rss_mb: float
    engine_rss_mb: float
    threads: int
    fds: int
    request_bytes: int
    reply_bytes: int
    series: list[dict[str, Any]]
    troubles: dict[str, int]

    @property
    def service_cpu_us_per_frame(self) -> float | None:
        """Microseconds of processor time of the service's process per frame sent."""
        return _per_frame_us(self.spent.service_cpu_s, self.figures.frames_sent)

    @property
    def engine_cpu_us_per_frame(self) -> float | None:
        """The same of the engine's process, where it has one."""
        return _per_frame_us(self.spent.engine_cpu_s, self.figures.frames_sent)


def measure(target: Target, load: LoadOptions, avatars: int, *, seconds: float | None = None) -> Measurement:
    """Put a load on a server for ``seconds`` after the warm-up (by default the options').

    Raises:
        Unavailable, DeadlineExceeded: if a client fails.
    """
    log = run_avatars(target, load, avatars, seconds=seconds)
    return measurement_of(log, load, target.warmup_s)


def run_avatars(target: Target, load: LoadOptions, avatars: int, *, seconds: float | None = None) -> RunLog:
    """Run the load of `measure`; return what was noted."""
    sessions = load.sessions_of(avatars)
    end_s = target.warmup_s + (seconds or load.seconds) + TAIL_S
    plan = plan_load(avatars=avatars, sessions=sessions, hz=load.hz, seconds=end_s, batched=load.batched)
    return run_load(
        target,
        load.transport,
        plan,
        clients=load.clients_of(sessions),
        cores=load.pinning.clients,
        marks_s=(target.warmup_s,),
    )


def measured_until_s(log: RunLog) -> float:
    """When the time that counts ends; the load goes on for `TAIL_S`."""
    return log.plan.seconds - TAIL_S


def measurement_of(log: RunLog, load: LoadOptions, from_s: float) -> Measurement:
    """Return what a run says about the time from ``from_s`` to `measured_until_s`."""
    end_s = measured_until_s(log)
    counted = figures(log.journals, from_s, end_s)
    moments = log.between(from_s, end_s + 0.1)
    return Measurement(
        avatars=log.plan.avatars,
        sessions=len(log.plan.sessions),
        clients=len(log.journals),
        figures=counted,
        spent=log.spent(from_s, end_s),
        service_rss_mb=max(moment.service.rss_mb for moment in moments),
        engine_rss_mb=max(moment.engine.rss_mb for moment in moments),
        threads=moments[-1].service.threads,
        fds=moments[-1].service.fds,
        request_bytes=max(journal.request_bytes for journal in log.journals),
        reply_bytes=max(journal.reply_bytes for journal in log.journals),
        series=per_second(log.journals, from_s, end_s),
        troubles=troubles(log.journals),
    )


def _per_frame_us(cpu_s: float, frames: int) -> float | None:
    return 1e6 * cpu_s / frames if frames else None
