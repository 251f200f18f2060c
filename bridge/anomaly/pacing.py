"""Which forecasts bring what scores need: samples about ten times a second, a density fifteen times at most."""

from __future__ import annotations

from bridge.anomaly.track import DENSITY_SPACING_US, REFERENCE_SPACING_US


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


class DensityPacer:
    """Says of every forecast that is asked for whether the density of its frame's block is wanted.

    Blocks are three frames long, so at 30 Hz those that two frames apart end overlap. Time is cut in
    slots by the clock, not counted from a track's begin: avatars whose frames have the same times are due together, and
    are judged in one batch.
    """

    def __init__(self) -> None:
        self._slot: int | None = None

    def wants(self, timestamp_us: int) -> bool:
        """Whether a density is wanted of the frame of this time; if so it counts as asked for."""
        slot = timestamp_us // DENSITY_SPACING_US
        if slot == self._slot:
            return False
        self._slot = slot
        return True
