"""When a client sends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Every n-th frame, or those further than a threshold from the forecast; see `bridge.client.FrameSaver`."""

    every_nth: int | None = None
    threshold_m: float | None = None

    @property
    def name(self) -> str:
        """In words."""
        if self.every_nth is not None:
            return f"every {self.every_nth}{ {2: 'nd', 3: 'rd'}.get(self.every_nth, 'th') }"
        return f"off by {1e3 * (self.threshold_m or 0):.0f} mm"


RULES = (*(Rule(every_nth=n) for n in (2, 3, 5)), *(Rule(threshold_m=metres) for metres in (0.02, 0.04, 0.08)))
