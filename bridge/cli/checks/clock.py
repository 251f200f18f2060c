"""The clocks that frames, deadlines and alerts are timed with."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

from bridge.cli.checks.finding import Finding, hint, ok, problem

_READINGS = 2000
_PAUSE_S = 0.01
_COARSE_S = 1e-3
_JUMP_S = 5e-3
_MOST_BETWEEN_S = 1e-3


def check_clock(
    seconds: float = 0.4,
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
    wall_s: Callable[[], float] = time.time,
) -> Finding:
    """Whether the monotonic clock is fine and the wall clock runs along with it, as watched for so many seconds."""
    readings_s = [monotonic_s() for _ in range(_READINGS)]
    offsets_s = []
    for _ in range(max(2, round(seconds / _PAUSE_S))):
        before_s, now_s, after_s = monotonic_s(), wall_s(), monotonic_s()
        readings_s += [before_s, after_s]
        if after_s - before_s <= _MOST_BETWEEN_S:  # else we were interrupted between the two
            offsets_s.append(now_s - (before_s + after_s) / 2)
        time.sleep(_PAUSE_S)
    steps_s = [after_s - before_s for before_s, after_s in pairwise(readings_s)]
    if min(steps_s) < 0:
        return problem("clock", "the monotonic clock goes back", "use another machine, or another clock source")
    step_s = min((step_s for step_s in steps_s if step_s > 0), default=0.0)
    jump_s = max(offsets_s, default=0.0) - min(offsets_s, default=0.0)
    detail = (
        f"monotonic steps of {1e6 * step_s:.3g} µs; wall clock within {1e3 * jump_s:.2f} ms of it over {seconds:g} s"
    )
    # A coarse clock alone makes the two differ by up to one of its steps.
    if jump_s > _JUMP_S + step_s:
        advice = "have time slewed, not set (chrony, ntpd -x), and stamp frames with a monotonic clock"
        return hint("clock", detail, advice)
    if step_s == 0 or step_s > _COARSE_S:
        return hint("clock", detail, "latencies are told no finer than that; use a better clock source")
    return ok("clock", detail)
