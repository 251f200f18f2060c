"""The largest number of avatars that is served in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.bench.serve.figures import Figures

MOST_SHED = 0.005
"""Share of the frames that may go without their own forecast."""
MOST_AVATARS = 4096
_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """One try: ``why`` says what was wrong, empty if nothing was."""

    avatars: int
    why: str
    p99_ms: float | None
    forecasts_per_s: float

    @property
    def passed(self) -> bool:
        """True if so many avatars were served in full."""
        return not self.why


def what_is_wrong(seen: Figures, hz: float) -> str:
    """Say why this is not full service, empty if it is.

    Full service: p99 latency under one frame, no forecast degraded, none refused, at most `MOST_SHED` of the frames
    without their own forecast.
    """
    frame_ms = 1e3 / hz
    unanswered = seen.frames_due - seen.forecasts
    if seen.refused or seen.frames_refused:
        return f"{seen.refused} refusals"
    if unanswered > MOST_SHED * seen.frames_due:
        return f"{unanswered} of {seen.frames_due} frames without a forecast"
    if seen.degraded > MOST_SHED * seen.frames_due:
        return f"{seen.degraded} forecasts degraded"
    if seen.latency_ms.p99 is None or seen.latency_ms.p99 >= frame_ms:
        return f"p99 {seen.latency_ms.p99 or float('nan'):.1f} ms, a frame has {frame_ms:.1f}"
    return ""


def find_capacity(attempt: Callable[[int], Trial], *, first: int, most: int = MOST_AVATARS) -> tuple[int, list[Trial]]:
    """Return the largest number of avatars that passes, 0 if not even one does, and all tries in order.

    Doubles (or halves) from ``first``, then bisects until what passes and what does not lie within 5 %. A try that
    fails is repeated once: other work on the machine can spoil one, but does not help one to pass.
    """
    trials: list[Trial] = []

    def passes(avatars: int) -> bool:
        for _ in range(2):
            trials.append(attempt(avatars))
            if trials[-1].passed:
                return True
        return False

    good, bad = 0, most + 1
    avatars = min(first, most)
    while bad - good > max(1, int(good * _TOLERANCE)):
        if passes(avatars):
            good = avatars
        else:
            bad = avatars
        if bad > most:
            avatars = min(2 * good, most)
        elif good == 0:
            avatars = bad // 2
        else:
            avatars = (good + bad) // 2
        if avatars in (good, bad) or avatars < 1:
            break
    return good, trials
