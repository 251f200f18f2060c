"""How often normal motion alarms at a threshold, and so which threshold gives a rate of false alarms.

The alert rule itself is run over the tracks at rising thresholds. Beyond the last of them, where too few alarms are
left to count, evidence is taken to have an exponential tail (peaks over threshold, Davison and Smith 1990). The number
of alarms and the tail's mean excess both enter with upper limits, because few subjects say little about the next one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.rule import AlertRule, RuleSettings, Thresholds, excursion_peaks, run_rule
from bridge.errors import InvalidInput
from bridge.wire.alerts import AlertState

_UPPER_QUANTILE = 1.2816  # of the standard normal: 90 %
_TAIL_QUANTILE = 0.8416  # 80 %
_TAIL_PEAKS = 25
_CURVE_POINTS = 12
_NEVER = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class AlarmCurve:
    """What the alert rule did on normal motion.

    Attributes:
        alarms: (G, 2) rising thresholds, nats, and how many alarms were raised at each; the tail begins at the last.
        excess: upper limit of the mean by which peaks of evidence exceed the last threshold, nats.
        hours: of motion.
    """

    alarms: NDArray[np.float64]
    excess: float
    hours: float

    @classmethod
    def fit(
        cls, tracks: Sequence[tuple[Sequence[int], Sequence[float]]], hours: float, settings: RuleSettings
    ) -> AlarmCurve:
        """Run the rule over tracks: times of capture in microseconds, and surprises in nats, NaN without a verdict."""
        peaks = sorted((peak for track in tracks for peak in excursion_peaks(*track, settings)), reverse=True)
        least = 2.0 * settings.drift
        count = min(_TAIL_PEAKS, len(peaks))
        start = max(least, peaks[count - 1] if count else least)
        beyond = [peak - start for peak in peaks if peak > start]
        upper = 1.0 + _TAIL_QUANTILE / math.sqrt(max(len(beyond), 1))
        excess = float(np.mean(beyond)) * upper if beyond else settings.cap
        thresholds = [least, *np.geomspace(least, start, _CURVE_POINTS)[1:].tolist()] if start > least else [least]
        curve = [(threshold, float(_alarms(tracks, threshold, settings))) for threshold in thresholds]
        return cls(np.array(curve), max(excess, 1.0), hours)

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Evidence that normal motion reaches so often, at most: the rate's upper 90 % limit is held to what was asked.

        Raises:
            InvalidInput: if the rate is not above 0.
        """
        rate = false_alarms_per_hour
        if not rate > 0.0:
            raise InvalidInput(f"is {rate:g}", field="false_alarms_per_hour", expected="above 0")
        start, seen = (float(x) for x in self.alarms[-1])
        at_start = _upper_count(round(seen)) / self.hours
        if rate <= at_start:
            return start + self.excess * math.log(at_start / rate)
        # Down from the tail: where motion is wild a low threshold has few alarms too, because they never clear.
        lowest = start
        for threshold, count in reversed(self.alarms.tolist()):
            if _upper_count(round(count)) / self.hours > rate:
                break
            lowest = float(threshold)
        return lowest

    def check(self) -> None:
        """Check what came from a file.

        Raises:
            ValueError: if it cannot be a curve.
        """
        if self.alarms.ndim != 2 or self.alarms.shape[1] != 2 or not len(self.alarms):
            raise ValueError(f"the alarms have shape {self.alarms.shape}")
        if not np.isfinite(self.alarms).all() or (np.diff(self.alarms[:, 0]) < 0.0).any() or (self.alarms < 0.0).any():
            raise ValueError("the thresholds do not rise")
        if not 0.0 < self.excess < math.inf or not 0.0 < self.hours < math.inf:
            raise ValueError(f"it has a tail of {self.excess:g} over {self.hours:g} hours")


def _alarms(tracks: Sequence[tuple[Sequence[int], Sequence[float]]], threshold: float, settings: RuleSettings) -> int:
    thresholds = Thresholds(threshold, _NEVER, _NEVER)
    return sum(
        change.state is AlertState.RAISED
        for times_us, surprises in tracks
        for change in run_rule(AlertRule(thresholds, settings), times_us, surprises, surprises)
    )


def _upper_count(count: int) -> float:
    """Upper 90 % limit of a Poisson mean of which ``count`` events were seen (chi-square of Wilson and Hilferty)."""
    degrees = 2.0 * (count + 1)
    share = 2.0 / (9.0 * degrees)
    return 0.5 * degrees * (1.0 - share + _UPPER_QUANTILE * math.sqrt(share)) ** 3
