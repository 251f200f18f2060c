"""Watches all avatars of a server, on one thread of its own: judges frames, raises alerts, stores and tells them.

Sessions hand over frames and forecasts and go on; scoring, and writing to the disk, never hold up a transport or an
engine.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from bridge.anomaly.calibration import Calibration
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.pacing import DensityPacer, ReferencePacer
from bridge.anomaly.rule import RuleChange
from bridge.anomaly.watcher import TrackWatcher, WatchedFrame, missing_reason
from bridge.forecaster.results import ForecastResult
from bridge.frames import Frame
from bridge.skeleton import Layout
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import Alert, AlertState, ClearReason, JointContribution, Verdict

_log = structlog.get_logger(__name__)

_MAX_WAITING = 20_000
_TICK_S = 0.5
_RETRY_S = 1.0
_GATHER_S = 0.01
"""What comes within so short a time is judged in one go: waking a thread for every frame costs more."""

VerdictListener = Callable[[str, str, Verdict], None]


@dataclass(frozen=True, slots=True)
class AvatarName:
    """Whose frames they are."""

    client_name: str
    avatar_id: str
    session_id: str


class AvatarWatch:
    """A session's handle on one watched avatar; its calls return at once. Any thread may make them.

    Attributes:
        verdict: the newest one; None before the first.
    """

    def __init__(
        self,
        name: AvatarName,
        watcher: TrackWatcher,
        put: Callable[[Callable[[], None]], bool],
        false_alarms_per_hour: float,
    ) -> None:
        self.name = name
        self.verdict: Verdict | None = None
        self._watcher = watcher
        self._put = put
        self._pacer = ReferencePacer()
        self._density_pacer = DensityPacer()
        # The monitor's own:
        self.false_alarms_per_hour = false_alarms_per_hour
        self.alert: Alert | None = None
        self.judged: Callable[[AvatarWatch, list[WatchedFrame]], None] = _ignore

    def wants_samples(self, timestamp_us: int) -> bool:
        """Whether the forecast of this frame is to bring samples to compare later frames with."""
        return self._pacer.wants(timestamp_us)

    def wants_density(self, timestamp_us: int) -> bool:
        """Whether the forecast of this frame is to bring the density of the block that it ends."""
        return self._density_pacer.wants(timestamp_us)

    def observe(self, frame: Frame, *, awaits: bool, restarted: bool = False) -> None:
        """Hand over the newest frame; ``awaits`` if `resolve` will say what became of its forecast."""
        self._put(lambda: self.judged(self, self._watcher.observe(frame, awaits=awaits, restarted=restarted)))

    def resolve(self, timestamp_us: int, result: ForecastResult | None) -> None:
        """Hand over the forecast of a frame, or that it is not coming."""
        if result is None or result.scored_m is None:
            self._pacer.not_coming(timestamp_us)
        self._put(lambda: self.judged(self, self._watcher.resolve(timestamp_us, result)))

    @property
    def watcher(self) -> TrackWatcher:
        """What judges its frames; the monitor's thread only."""
        return self._watcher


def _ignore(_: AvatarWatch, __: list[WatchedFrame]) -> None:
    """Before the monitor has taken a watch over."""


class AnomalyMonitor:
    """Judges the frames of all sessions against one calibration.

    Args:
        calibration: what is normal.
        hub: stores and tells alerts.
        layout: of the landmarks. rate_hz: of forecasts' steps.
        false_alarms_per_hour: per avatar, where a session does not say.
        telemetry: is kept up to date.
        orphan_s: an alert whose avatar is gone is cleared after so long, unless the avatar comes back.
    """

    def __init__(
        self,
        calibration: Calibration,
        hub: AlertHub,
        *,
        layout: Layout,
        rate_hz: float,
        false_alarms_per_hour: float = 1.0,
        telemetry: AnomalyTelemetry | None = None,
        orphan_s: float = 60.0,
    ) -> None:
        self._calibration = calibration
        self._hub = hub
        self._layout = layout
        self._rate_hz = rate_hz
        self.false_alarms_per_hour = false_alarms_per_hour
        self._telemetry = telemetry or AnomalyTelemetry()
        self._orphan_s = orphan_s
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="posebridge-anomaly", daemon=True)
        self._lock = threading.Lock()
        self._sessions: dict[str, Callable[[Alert], None]] = {}
        self._verdict_listeners: tuple[VerdictListener, ...] = ()
        self._orphans: dict[tuple[str, str], tuple[Alert, float]] = {}
        self._next_tick_s = self._next_retry_s = 0.0
        self._behind = False
        self._stop_listening = hub.listen(self._forward)

    # -- life

    def start(self) -> None:
        """Take over the alerts that were on when the server last stopped, and begin."""
        now_s = time.monotonic()
        for alert in self._hub.log.active():
            self._orphans[alert.client_name, alert.avatar_id] = alert, now_s + self._orphan_s
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Judge what was handed over, then end; alerts that are on stay so in the log. False if time runs out."""
        self._stop_listening()
        if not self._thread.is_alive():
            return True
        self._events.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- sessions

    def join(self, session_id: str, tell: Callable[[Alert], None]) -> None:
        """Tell a session of its avatars' alerts from now on: ``tell`` is called on the thread that stored them."""
        with self._lock:
            self._sessions[session_id] = tell

    def leave(self, session_id: str) -> None:
        """A session is over."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def open(
        self, name: AvatarName, *, false_alarms_per_hour: float | None = None, visibility_threshold: float = 0.1
    ) -> AvatarWatch:
        """Watch an avatar. If one of the same name had an alert on, that goes on."""
        rate = self._rate(false_alarms_per_hour)
        watcher = TrackWatcher(
            self._layout,
            rate_hz=self._rate_hz,
            calibration=self._calibration,
            rule=self._calibration.rule(rate),
            visibility_threshold=visibility_threshold,
        )
        watch = AvatarWatch(name, watcher, self._put, rate)
        self._put(lambda: self._adopt(watch))
        return watch

    def configure(self, watch: AvatarWatch, false_alarms_per_hour: float | None) -> None:
        """Put another rate of false alarms in force for an avatar; what has accumulated stays."""
        rate = self._rate(false_alarms_per_hour)
        thresholds = self._calibration.thresholds(rate)

        def put_in_force() -> None:
            watch.false_alarms_per_hour = rate
            if watch.watcher.rule is not None:
                watch.watcher.rule.thresholds = thresholds

        self._put(put_in_force)

    def close(self, watch: AvatarWatch) -> None:
        """An avatar is gone: judge what waits; an alert that is on is cleared unless it comes back soon."""
        self._put(lambda: self._abandon(watch))

    def listen_verdicts(self, listener: VerdictListener) -> Callable[[], None]:
        """Call ``listener`` with (client, avatar, verdict) for every frame, on the monitor's thread; returns the end.

        It must be quick and must not raise.
        """
        with self._lock:
            self._verdict_listeners = (*self._verdict_listeners, listener)

        def stop() -> None:
            with self._lock:
                self._verdict_listeners = tuple(x for x in self._verdict_listeners if x is not listener)

        return stop

    def _rate(self, false_alarms_per_hour: float | None) -> float:
        return self.false_alarms_per_hour if false_alarms_per_hour is None else false_alarms_per_hour

    # -- the thread

    def _put(self, event: Callable[[], None]) -> bool:
        if self._events.qsize() >= _MAX_WAITING:
            self._telemetry.dropped += 1
            if not self._behind:
                self._behind = True
                _log.warning("scoring_too_slow", waiting=_MAX_WAITING, consequence="frames go unscored")
            return False
        self._events.put(event)
        return True

    def _work(self) -> None:
        while True:
            try:
                event = self._next()
            except queue.Empty:
                self._tick()
                continue
            if event is None:
                return
            try:
                event()
            except Exception as error:  # our fault: it costs one frame's verdict, not everyone's
                _log.error("scoring_failed", exc_info=error)
            self._telemetry.scoring_s = time.thread_time()
            if time.monotonic() >= self._next_tick_s:
                self._tick()

    def _next(self) -> Callable[[], None] | None:
        """What was handed over longest ago; waits for some time if there is nothing, and then for more of it.

        Raises:
            queue.Empty: if nothing came.
        """
        with contextlib.suppress(queue.Empty):
            return self._events.get_nowait()
        event = self._events.get(timeout=_TICK_S)
        time.sleep(_GATHER_S)
        return event

    def _tick(self) -> None:
        now_s = time.monotonic()
        self._next_tick_s = now_s + _TICK_S
        self._behind = self._behind and self._events.qsize() >= _MAX_WAITING // 2
        if self._telemetry.backlog and now_s >= self._next_retry_s:
            self._next_retry_s = now_s + _RETRY_S
            self._hub.retry()
        for key in [key for key, (_, until_s) in self._orphans.items() if until_s <= now_s]:
            alert, _ = self._orphans.pop(key)
            self._clear_lost(alert)

    def _adopt(self, watch: AvatarWatch) -> None:
        watch.judged = self._judged
        known = self._orphans.pop((watch.name.client_name, watch.name.avatar_id), None)
        if known is not None and watch.watcher.rule is not None:
            alert = replace(known[0], session_id=watch.name.session_id)
            watch.alert = alert
            watch.watcher.rule.adopt(alert.started_us, alert.raised_us, alert.p_value, alert.score, alert.severity)

    def _abandon(self, watch: AvatarWatch) -> None:
        self._judged(watch, watch.watcher.give_up())
        if watch.alert is not None:
            name = watch.name
            self._orphans[name.client_name, name.avatar_id] = watch.alert, time.monotonic() + self._orphan_s
            watch.alert = None

    def _clear_lost(self, alert: Alert) -> None:
        self._hub.publish(
            replace(
                alert,
                revision=alert.revision + 1,
                state=AlertState.CLEARED,
                ended_us=alert.raised_us,
                cleared_because=ClearReason.STREAM_ENDED,
            )
        )

    def _judged(self, watch: AvatarWatch, frames: list[WatchedFrame]) -> None:
        for frame in frames:
            if frame.change is not None:
                self._change(watch, frame.change, frame.joints)
            reason = missing_reason(frame)
            verdict = Verdict(
                frame.sequence,
                frame.timestamp_us,
                frame.judgement.p_value,
                reason,
                frame.evidence,
                "" if watch.alert is None else watch.alert.id,
            )
            watch.verdict = verdict
            if reason is None:
                self._telemetry.verdicts += 1
            else:
                self._telemetry.no_verdicts[reason.value] += 1
            for listener in self._verdict_listeners:
                listener(watch.name.client_name, watch.name.avatar_id, verdict)

    def _change(self, watch: AvatarWatch, change: RuleChange, joints: tuple[JointContribution, ...]) -> None:
        rule = watch.watcher.rule
        assert rule is not None
        if change.state is AlertState.RAISED:
            alert = Alert(
                id=new_alert_id(),
                revision=1,
                state=change.state,
                client_name=watch.name.client_name,
                avatar_id=watch.name.avatar_id,
                session_id=watch.name.session_id,
                started_us=change.started_us,
                raised_us=change.raised_us,
                p_value=change.p_value,
                score=change.score,
                threshold=rule.thresholds.low,
                false_alarms_per_hour=watch.false_alarms_per_hour,
                severity=change.severity,
                joints=joints,
            )
            watch.alert = alert
            self._hub.publish(alert, watch.watcher.snapshot())
            return
        if watch.alert is None:
            return
        alert = replace(
            watch.alert,
            revision=watch.alert.revision + 1,
            state=change.state,
            p_value=min(change.p_value, watch.alert.p_value),
            score=max(change.score, watch.alert.score),
            severity=change.severity,
        )
        if change.state is AlertState.CLEARED:
            watch.alert = None
            alert = replace(alert, ended_us=change.ended_us, cleared_because=ClearReason.NORMAL)
        else:
            watch.alert = alert = replace(alert, joints=joints)
        self._hub.publish(alert)

    def _forward(self, alert: Alert) -> None:
        with self._lock:
            tell = self._sessions.get(alert.session_id)
        if tell is not None:
            tell(alert)


def new_alert_id() -> str:
    """A unique id that sorts by time: milliseconds since 1970, then 64 random bits, hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
