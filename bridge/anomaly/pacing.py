"""Which forecasts bring samples to compare with: about ten a second, whatever the rate of frames."""

from __future__ import annotations

from bridge.anomaly.track import REFERENCE_SPACING_US


class ReferencePacer:
    """Says of every forecast that is asked for whether its samples are wanted."""

    def __init__(self) -> None:
        self._newest_us: int | None = None

    def wants(self, timestamp_us: int) -> bool:
        """Whether samples drawn from the frame of this time are wanted; if so they count as asked for."""
        newest_us = self._newest_us
        if newest_us is not None and 0 <= timestamp_us - newest_us < REFERENCE_SPACING_US:
            return False
        self._newest_us = timestamp_us
        return True

    def not_coming(self, timestamp_us: int) -> None:
        """What was asked for at this time was not made: the next one is wanted in its place."""
        if self._newest_us == timestamp_us:
            self._newest_us = None
