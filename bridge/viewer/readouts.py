"""What the page says about how it goes: rates and latencies, as numbers and as text."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.viewer.rates import Durations, RateMeter


@dataclass(slots=True)
class Readouts:
    """Counters that sources and the page write; any thread may.

    Attributes:
        frames, forecasts: taken in, of all avatars.
        ticks: looks of the page at the history; updates: avatars whose picture in the scene changed.
        latency_ms: from sending a frame to holding its forecast, or what the source can say of it instead.
        latency_means: what that is, in words.
        compute_ms: to compute a forecast (its batch).
        note: what the source has to say now, one line.
    """

    frames: RateMeter = field(default_factory=RateMeter)
    forecasts: RateMeter = field(default_factory=RateMeter)
    ticks: RateMeter = field(default_factory=RateMeter)
    updates: RateMeter = field(default_factory=RateMeter)
    latency_ms: Durations = field(default_factory=Durations)
    latency_means: str = "frame sent to forecast held"
    compute_ms: Durations = field(default_factory=Durations)
    note: str = ""

    def updates_per_avatar(self, avatars: int) -> float:
        """How often a second each avatar's picture changed, on average over the avatars."""
        return self.updates.per_second() / max(avatars, 1)

    def to_markdown(self, *, avatars: int, browsers: int) -> str:
        """The lines of the page."""
        many = "avatar" if avatars == 1 else "avatars, each"
        frames = f"**{self.frames.per_second():.0f}** frames/s, " if self.frames.total else ""
        lines = [
            f"**{avatars}** {many} updated **{self.updates_per_avatar(avatars):.0f}** times a second",
            f"{frames}**{self.forecasts.per_second():.0f}** new forecasts/s",
        ]
        p50, p99 = self.latency_ms.percentile(50), self.latency_ms.percentile(99)
        if p50 is not None and p99 is not None:
            lines.append(f"{self.latency_means}: **{p50:.0f} ms** (p99 {p99:.0f})")
        compute = self.compute_ms.percentile(50)
        if compute is not None:
            lines.append(f"computing a forecast: **{compute:.0f} ms**")
        lines.append(f"{browsers} page{'' if browsers == 1 else 's'} open")
        if self.note:
            lines.append(f"_{self.note}_")
        return "  \n".join(lines)
