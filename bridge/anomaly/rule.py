"""When surprising frames become an alert: evidence accumulated over time against one threshold.

The statistic is a CUSUM (Page 1954) of the frames' surprise s = -log p, with p the combined p-value of
`bridge.anomaly.calibration`, continued beyond the calibration's smallest one by its exponential tail::

    W <- max(0, W + (min(s, cap) - drift) * 30 dt)        dt: seconds since the frame before

so that a frame that one in e^drift normal ones exceeds changes nothing, the ordinary ones take evidence away, and it
does not matter how many frames a second there are. An alert is raised when W reaches the threshold. Frames of one
person follow from each other, so no bound for independent p-values applies; the threshold is found by running this very
rule over normal motion (`bridge.anomaly.calibration.Calibration.threshold`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.wire.alerts import AlertState, Severity

_RATE_HZ = 30.0
_LONGEST_STEP_S = 0.1
_MOST = 1.25


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """How evidence adds up.

    Attributes:
        drift: nats that a frame must exceed to be evidence.
        cap: most nats of one frame: no single frame, however wrong, raises an alert by itself.
        min_duration_ms: evidence must have kept coming for so long: one frame is a glitch, at any frame rate.
        clear_ms: evidence must have been below half the threshold so long before an alert is cleared.
        cool_down_ms: no other alert is raised so soon after one was cleared.
        gap_ms: after a longer time without a frame, or a jump of the clock, evidence begins anew.
    """

    drift: float = 4.0
    cap: float = 30.0
    min_duration_ms: int = 60
    clear_ms: int = 1000
    cool_down_ms: int = 2000
    gap_ms: int = 500


DEFAULT_RULE = RuleSettings()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence at which an alert is raised, and from which it is of medium and of high severity; rising."""

    low: float
    medium: float
    high: float


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a frame changed.

    Attributes:
        state: RAISED, UPDATED (it became more severe) or CLEARED.
        started_us: first frame of the evidence. raised_us: the frame with which the alert was raised.
        ended_us: last frame that was evidence, never before ``raised_us``; None while the alert is on.
        p_value: smallest since it started.
        score: evidence at its highest.
        severity: by the evidence at its highest.
    """

    state: AlertState
    started_us: int
    raised_us: int
    ended_us: int | None
    p_value: float
    score: float
    severity: Severity


class AlertRule:
    """The rule for one avatar: `step` with every frame in order of capture."""

    def __init__(self, thresholds: Thresholds, settings: RuleSettings = DEFAULT_RULE) -> None:
        self._settings = settings
        self.thresholds = thresholds
        self.active: bool = False
        self._evidence = 0.0
        self._newest_us: int | None = None
        self._not_before_us: int | None = None
        self._begin(0)

    def _begin(self, timestamp_us: int) -> None:
        self._evidence = self._total = 0.0
        self._started_us = self._last_outside_us = self._raised_us = timestamp_us
        self._p_value = 1.0
        self._highest = 0.0
        self._severity = Severity.LOW
        self._quiet_since_us: int | None = None

    @property
    def evidence(self) -> float:
        """What has accumulated, over the threshold: 1 raises an alert."""
        return self._evidence / self.thresholds.low

    @property
    def statistic(self) -> float:
        """What has accumulated, nats."""
        return self._evidence

    def adopt(self, started_us: int, raised_us: int, p_value: float, score: float, severity: Severity) -> None:
        """Go on with an alert that was on before: it clears as if it had been raised here.

        What was said of it is kept; evidence begins at the threshold.
        """
        self.active = True
        self._begin(started_us)
        self._raised_us = self._last_outside_us = raised_us
        self._evidence = self._total = self.thresholds.low
        self._p_value, self._highest, self._severity = p_value, score, severity

    def step(self, timestamp_us: int, surprise: float | None, p_value: float | None = None) -> RuleChange | None:
        """Take in a frame and say what it changed, if anything.

        Args:
            timestamp_us: of its capture; a frame of the same time as the one before is no more evidence.
            surprise: nats; None for a frame without a verdict, which neither adds nor takes away.
            p_value: its combined p-value, for the record.
        """
        first = self._newest_us is None
        step_us = 0 if self._newest_us is None else timestamp_us - self._newest_us
        jumped = step_us < 0 or step_us > self._settings.gap_ms * 1000
        self._newest_us = timestamp_us
        if jumped:
            self._start_anew(timestamp_us, backwards=step_us < 0)
        if surprise is None:
            return None
        step_s = 1.0 / _RATE_HZ if first or jumped else min(step_us * 1e-6, _LONGEST_STEP_S)
        self._accumulate(timestamp_us, surprise, step_s, p_value)
        return self._while_on(timestamp_us) if self.active else self._while_off(timestamp_us)

    def _start_anew(self, timestamp_us: int, *, backwards: bool) -> None:
        if not self.active:
            self._begin(timestamp_us)
        else:
            self._quiet_since_us = None
        if backwards:
            self._not_before_us = None

    def _accumulate(self, timestamp_us: int, surprise: float, step_s: float, p_value: float | None) -> None:
        settings = self._settings
        if self._evidence == 0.0 and not self.active:
            self._begin(timestamp_us)
        gained = (min(surprise, settings.cap) - settings.drift) * _RATE_HZ * step_s
        # Bounded, so that what took long to accumulate does not take as long to clear; how severe it was is kept.
        self._total = max(0.0, self._total + gained)
        self._evidence = min(max(0.0, self._evidence + gained), _MOST * self.thresholds.low)
        if gained > 0.0:
            self._last_outside_us = timestamp_us
        if self._evidence > 0.0:
            self._highest = max(self._highest, self._total)
            if p_value is not None:
                self._p_value = min(self._p_value, p_value)

    def _while_off(self, timestamp_us: int) -> RuleChange | None:
        if self._evidence < self.thresholds.low:
            return None
        if self._last_outside_us - self._started_us < self._settings.min_duration_ms * 1000:
            return None
        if self._not_before_us is not None and timestamp_us < self._not_before_us:
            return None
        self.active = True
        self._raised_us = timestamp_us
        self._severity = self._severity_now()
        return self._change(AlertState.RAISED)

    def _while_on(self, timestamp_us: int) -> RuleChange | None:
        if self._evidence >= 0.5 * self.thresholds.low:
            self._quiet_since_us = None
        elif self._quiet_since_us is None:
            self._quiet_since_us = timestamp_us
        if self._quiet_since_us is not None:
            if timestamp_us - self._quiet_since_us < self._settings.clear_ms * 1000:
                return None
            change = self._change(AlertState.CLEARED)
            self.active = False
            self._not_before_us = timestamp_us + self._settings.cool_down_ms * 1000
            self._begin(timestamp_us)
            return change
        severity = self._severity_now()
        if _RANK[severity] > _RANK[self._severity]:
            self._severity = severity
            return self._change(AlertState.UPDATED)
        return None

    def end(self) -> RuleChange | None:
        """The track is over: clear what is on."""
        if not self.active:
            return None
        change = self._change(AlertState.CLEARED)
        self.active = False
        return change

    def _severity_now(self) -> Severity:
        if self._highest >= self.thresholds.high:
            return Severity.HIGH
        return Severity.MEDIUM if self._highest >= self.thresholds.medium else Severity.LOW

    def _change(self, state: AlertState) -> RuleChange:
        # A clock that was set back may have put later frames before the raise.
        ended_us = max(self._last_outside_us, self._raised_us) if state is AlertState.CLEARED else None
        return RuleChange(
            state, self._started_us, self._raised_us, ended_us, self._p_value, self._highest, self._severity
        )


_RANK = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


def run_rule(
    rule: AlertRule, timestamps_us: Iterable[int], surprises: Iterable[float], p_values: Iterable[float]
) -> list[RuleChange]:
    """Run a rule over a whole track; NaN stands for a frame without a verdict. An alert at its end is cleared."""
    changes = []
    for timestamp_us, surprise, p_value in zip(timestamps_us, surprises, p_values, strict=True):
        known = surprise == surprise  # not NaN
        change = rule.step(int(timestamp_us), float(surprise) if known else None, float(p_value) if known else None)
        if change is not None:
            changes.append(change)
    last = rule.end()
    return changes if last is None else [*changes, last]


def excursion_peaks(
    timestamps_us: Iterable[int], surprises: Iterable[float], settings: RuleSettings = DEFAULT_RULE
) -> list[float]:
    """Highest evidence of every stretch of it over a track; stretches that one alert might span are taken together."""
    never = Thresholds(1e30, 1e30, 1e30)
    rule = AlertRule(never, settings)
    apart_us = (settings.clear_ms + settings.cool_down_ms) * 1000
    peaks: list[float] = []
    last_us = -apart_us
    for timestamp_us, surprise in zip(timestamps_us, surprises, strict=True):
        rule.step(int(timestamp_us), float(surprise) if surprise == surprise else None)
        if rule.statistic > 0.0:
            if peaks and timestamp_us - last_us < apart_us:
                peaks[-1] = max(peaks[-1], rule.statistic)
            else:
                peaks.append(rule.statistic)
            last_us = int(timestamp_us)
    return peaks
