"""Three times what fits: a load that is easy, then one that is far too much, then the easy one again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.bench.serve.figures import Figures, figures, per_second, recovered_s, troubles
from bridge.bench.serve.measure import TAIL_S, LoadOptions
from bridge.bench.serve.run import run_load
from bridge.bench.serve.schedule import Surge, plan_load
from bridge.bench.serve.target import Target

EASY_SHARE = 0.7
_LEAST_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Overload:
    """What happened before, during and after.

    Attributes:
        during: from the time that the windows of the additional avatars are full.
        recovery_s: from the end of the overload until every frame of the others is answered in full; None: never.
        rss_before_mb, rss_during_mb, rss_after_mb: of service and engine together, at the end of each part, 10^6 bytes.
        series: per second, see `bridge.bench.serve.figures.per_second`.
        troubles: what the server complained of, and how often.
    """

    capacity_avatars: int
    easy_avatars: int
    overload_avatars: int
    before: Figures
    during: Figures
    after: Figures
    recovery_s: float | None
    rss_before_mb: float
    rss_during_mb: float
    rss_after_mb: float
    series: list[dict[str, Any]]
    troubles: dict[str, int]


def overload(target: Target, load: LoadOptions, *, capacity: int, factor: float) -> Overload:
    """Load a server with `EASY_SHARE` of its capacity, then ``factor`` times its capacity, then as before.

    Raises:
        Unavailable, DeadlineExceeded: if a client fails.
    """
    easy = max(1, round(EASY_SHARE * capacity))
    heavy = max(easy + 1, round(factor * capacity))
    filling_s = target.warmup_s - 1.0
    begin_s = target.warmup_s + load.seconds
    end_s = begin_s + filling_s + load.seconds
    over_s = end_s + max(load.seconds, _LEAST_AFTER_S)
    sessions = load.sessions_of(easy)
    surge = Surge(heavy - easy, begin_s, end_s)
    plan = plan_load(
        avatars=easy, sessions=sessions, hz=load.hz, seconds=over_s + TAIL_S, batched=load.batched, surges=(surge,)
    )
    log = run_load(
        target,
        load.transport,
        plan,
        clients=load.clients_of(sessions),
        cores=load.pinning.clients,
        marks_s=(target.warmup_s, begin_s, end_s),
    )
    recovery = recovered_s(log.journals, end_s, over_s)
    settled_s = end_s + (recovery if recovery is not None else 2.0)

    def rss_mb(from_s: float, until_s: float) -> float:
        return max(moment.service.rss_mb + moment.engine.rss_mb for moment in log.between(from_s, until_s))

    return Overload(
        capacity_avatars=capacity,
        easy_avatars=easy,
        overload_avatars=heavy,
        before=figures(log.journals, target.warmup_s, begin_s),
        during=figures(log.journals, begin_s + filling_s, end_s - TAIL_S),
        after=figures(log.journals, min(settled_s, over_s - 1.0), over_s),
        recovery_s=recovery,
        rss_before_mb=rss_mb(begin_s - 0.6, begin_s + 0.1),
        rss_during_mb=rss_mb(begin_s, end_s),
        rss_after_mb=rss_mb(over_s - 1.0, over_s + 0.1),
        series=per_second(log.journals, target.warmup_s, over_s),
        troubles=troubles(log.journals),
    )
