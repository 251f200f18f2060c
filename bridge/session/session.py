"""One client's connection: frames in, forecasts and frame errors out, whatever the transport."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bridge import limits
from bridge.anomaly.monitor import AnomalyMonitor
from bridge.clock_sync import OneWayClock
from bridge.engine import Allowance, Completed, Dispatcher, Dropped, DropReason, EngineRequest, Failed, Outcome
from bridge.errors import BridgeError, FailedPrecondition, InternalError, InvalidInput, ResourceExhausted
from bridge.frames import Frame
from bridge.session.avatar import Avatar, Due
from bridge.session.grant import UNLIMITED, Grant
from bridge.session.outbox import Item, Outbox, ReadyForecast
from bridge.session.places import Places
from bridge.session.roster import Roster
from bridge.telemetry import TransportTelemetry
from bridge.wire.alerts import Alert
from bridge.wire.codec import (
    alert_to_message,
    avatar_accepted_to_message,
    avatar_config_from_message,
    forecast_to_message,
    frame_fault_to_message,
    frame_from_message,
)
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from bridge.wire.values import FrameFault, SessionConfig

_log = structlog.get_logger(__name__)

_CLOCK_SILENCE_S = 5.0
"""The avatar whose times of capture tell the sender's clock is another one after so long without its frames."""
_REFUSAL_RETRY_MS = 500


class Session:
    """The avatars of one client.

    A transport calls `take_in` for every message that comes in, and `collect` when it has read what there was. When
    ``wake`` is called (from any thread) it sends what `next_item` and `encode` give, says so by `note_sent` or returns
    it by `put_back`, until there is nothing left, then looks at `finished`. The thread that owns the transport makes
    all these calls; outcomes come in on the dispatcher's threads; `drain` may come from any.

    Args:
        session_id: unique, for logs and the dispatcher.
        config: checked settings.
        dispatcher: computes forecasts and says how many of them this session may have.
        wake: tells the transport that there is something to send.
        grant: who the client is and what it may have.
        places: of the server's avatars.
        telemetry: of the transport.
        avatar_idle_s: an avatar that is silent for so long is forgotten.
        monitor: judges the avatars' motion and raises alerts; None where nobody does.
    """

    def __init__(
        self,
        session_id: str,
        config: SessionConfig,
        dispatcher: Dispatcher,
        *,
        wake: Callable[[], None],
        grant: Grant = UNLIMITED,
        places: Places | None = None,
        telemetry: TransportTelemetry | None = None,
        avatar_idle_s: float = 60.0,
        monitor: AnomalyMonitor | None = None,
    ) -> None:
        self.id = session_id
        self.config = config
        self._dispatcher = dispatcher
        self._wake = wake
        self._grant = grant
        self._telemetry = telemetry or TransportTelemetry()
        self._log = _log.bind(session=session_id, client=config.client_name)
        self._heard_s = dispatcher.now_s()
        self._roster = Roster(
            session_id,
            config,
            dispatcher.info,
            grant=grant,
            places=places or Places(limits.MAX_AVATARS_PER_SESSION),
            idle_s=avatar_idle_s,
            now_s=self._heard_s,
            monitor=monitor,
        )
        self._monitor = monitor
        if monitor is not None:
            monitor.join(session_id, self.notify_alert)
        self._clock = OneWayClock()
        self._clock_avatar: Avatar | None = None
        self._allowance = Allowance()
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._due: dict[str, EngineRequest] = {}
        self._fresher: dict[str, EngineRequest] = {}
        self._unwatched: dict[str, Avatar] = {}
        self._pending = 0
        self._closing = False
        self._closed = False
        self._frames = 0
        self._sent = 0

    # -- what comes in

    def handle(self, request: forecast_pb2.StreamForecastsRequest) -> None:
        """`take_in` one message and submit at once what it makes due."""
        self.take_in(request)
        self.submit()

    def take_in(self, request: forecast_pb2.StreamForecastsRequest) -> None:
        """Take one message of the stream after the config; what is wrong with it becomes a frame error.

        What it makes due waits for `collect` or `submit`: so a transport can hand over together what came together, and
        an avatar whose frames piled up asks for its newest window only.
        """
        self.touch()
        if self._closing:
            return
        payload = request.WhichOneof("payload")
        if payload == "frame":
            self._take_frames((request.frame,))
        elif payload == "frames":
            if len(request.frames.frames) > limits.MAX_FRAMES_PER_MESSAGE:
                count = len(request.frames.frames)
                expected = f"at most {limits.MAX_FRAMES_PER_MESSAGE} frames a message"
                self.report(InvalidInput(f"has {count} frames", field="frames", expected=expected))
                return
            self._take_frames(request.frames.frames)
        elif payload == "avatar_config":
            self._configure(request.avatar_config)
        elif payload == "clock_ping":
            self._answer_ping(request.clock_ping)
        elif payload == "config":
            self.report(FailedPrecondition("the session has its config", field="config", expected="one, at the start"))
        else:
            self.report(InvalidInput("the message is empty", field="payload", expected="a frame or frames"))

    def collect(self) -> tuple[list[EngineRequest], list[EngineRequest]]:
        """Hand over what is due, and what may take the place of an older window that waits; see `Dispatcher`."""
        due, self._due = self._due, {}
        fresher, self._fresher = self._fresher, {}
        if self._closed:
            return [], []
        unwatched, self._unwatched = self._unwatched, {}
        for avatar in unwatched.values():
            awaited = due.get(avatar.avatar_id)
            avatar.hand_over(None if awaited is None else awaited.snapshot.timestamp_us)
        if due:
            with self._lock:
                self._pending += len(due)
                for avatar_id in due:
                    self._roster[avatar_id].pending += 1
        return list(due.values()), [request for name, request in fresher.items() if name not in due]

    def submit(self) -> None:
        """Give the dispatcher what is due of this session alone."""
        due, fresher = self.collect()
        if due:
            self._dispatcher.submit(due)
        if fresher:
            self._dispatcher.refresh(fresher)

    def report(self, error: BridgeError, *, avatar_id: str = "", sequence: int = 0, frame_kept: bool = False) -> None:
        """Tell the client that a frame, or a message that could not be read, was not used.

        With ``frame_kept`` the frame was, and only its forecast is refused or failed.
        """
        fault = FrameFault(avatar_id[:64], sequence, error, frame_kept)
        self._telemetry.errors[error.kind.name] += 1
        if self._outbox.put_error(forecast_pb2.StreamForecastsResponse(frame_error=frame_fault_to_message(fault))):
            self._wake()

    @property
    def waiting(self) -> int:
        """Messages that wait to be sent."""
        return len(self._outbox)

    @property
    def avatars(self) -> int:
        """Avatars that are known."""
        return len(self._roster)

    @property
    def nbytes(self) -> int:
        """Memory held for the avatars' frames and futures and for what waits to be sent, bytes."""
        return self._roster.nbytes + self._outbox.nbytes

    def touch(self) -> None:
        """Note that the client is there."""
        self._heard_s = self._dispatcher.now_s()

    def idle_s(self) -> float:
        """Seconds since the client was heard."""
        return self._dispatcher.now_s() - self._heard_s

    def _take_frames(self, messages: Sequence[pose_pb2.PoseFrame]) -> None:
        arrived_s = self._heard_s
        self._allowance = self._dispatcher.load.allowance(self.id, arrived_s)
        self._roster.sweep(arrived_s)
        self._frames += len(messages)
        self._telemetry.frames += len(messages)
        due_now: set[str] = set()
        for message in messages:
            try:
                self._add_frame(message, arrived_s, due_now)
            except BridgeError as error:
                self.report(error, avatar_id=message.avatar_id, sequence=message.sequence)
            except Exception as error:  # our fault: it costs this frame, not the session
                self._log.error("frame_failed", avatar=repr(message.avatar_id[:64]), exc_info=error)
                fault = InternalError(f"the frame failed ({type(error).__name__}); the server's log has details")
                self.report(fault, avatar_id=message.avatar_id, sequence=message.sequence)

    def _add_frame(self, message: pose_pb2.PoseFrame, arrived_s: float, due_now: set[str]) -> None:
        """Take a frame in, and note what it makes due, or what may replace a window that waits.

        ``due_now`` are the avatars for which a frame of the same message has made one due: of frames that a client
        sends together, as after a reconnect, only the newest is to be forecast from, and none is missed.
        """
        self._grant.take_frame(arrived_s)
        frame = frame_from_message(message, self._dispatcher.info.layout)
        avatar = self._roster.avatar(frame.avatar_id, arrived_s)
        filled = avatar.frames_filled
        wanted = avatar.add(frame)
        self._telemetry.frames_filled += avatar.frames_filled - filled
        if avatar.has_unwatched:
            self._unwatched[frame.avatar_id] = avatar
        if self._clock_avatar is None or arrived_s - self._clock_avatar.last_seen_s > _CLOCK_SILENCE_S:
            self._clock_avatar = avatar
        if avatar is self._clock_avatar:
            self._clock.add(frame.timestamp_us, round(arrived_s * 1e6))
        if wanted is Due.NOTHING:
            return
        if wanted is Due.FORECAST and frame.avatar_id in due_now:
            wanted = Due.REFRESH
        elif wanted is Due.FORECAST:
            due_now.add(frame.avatar_id)
            if not self._may_have(avatar, frame, arrived_s):
                wanted = Due.REFRESH
        is_due = frame.avatar_id in self._due
        if wanted is Due.REFRESH and not (is_due or avatar.pending):
            return
        snapshot = avatar.snapshot()
        if snapshot is None:
            return
        request = avatar.request(
            snapshot,
            arrived_s=arrived_s,
            deadline_s=arrived_s + avatar.config.deadline_ms / 1000,
            done=partial(self._take_outcome, avatar),
            allowance=self._allowance,
        )
        if wanted is Due.FORECAST and is_due:
            self._miss(avatar, "superseded", self._due[frame.avatar_id].snapshot.timestamp_us)
        if wanted is Due.FORECAST or is_due:
            self._due[frame.avatar_id] = request
        else:
            self._fresher[frame.avatar_id] = request

    def _may_have(self, avatar: Avatar, frame: Frame, now_s: float) -> bool:
        """Count a forecast that is due, and say whether it is asked for."""
        self._dispatcher.load.note_demand(self.id, avatar.samples, avatar.horizon_frames, now_s)
        if now_s < avatar.refused_until_s:
            self._miss(avatar, "refused", frame.timestamp_us)
            return False
        if not self._roster.is_served(avatar, self._allowance.avatars_share):
            self._refuse(avatar, frame, now_s)
            return False
        if not avatar.passes(self._allowance.rate_share):
            self._miss(avatar, "paced", frame.timestamp_us)
            return False
        return True

    def _miss(self, avatar: Avatar, reason: str, timestamp_us: int) -> None:
        avatar.note_missed(timestamp_us)
        self._dispatcher.telemetry.drop(reason)

    def _refuse(self, avatar: Avatar, frame: Frame, now_s: float) -> None:
        """Tell the client that an avatar gets no forecasts for a while; its frames are taken in all the same."""
        retry_after_ms = self._allowance.retry_after_ms or _REFUSAL_RETRY_MS
        avatar.refused_until_s = now_s + retry_after_ms / 1000
        self._miss(avatar, "refused", frame.timestamp_us)
        error = ResourceExhausted(
            "the server is at its capacity",
            field="forecast",
            expected="fewer avatars, a lower forecast_rate_hz or fewer samples",
            retry_after_ms=retry_after_ms,
        )
        self.report(error, avatar_id=avatar.avatar_id, sequence=frame.sequence, frame_kept=True)

    def _configure(self, message: forecast_pb2.AvatarConfig) -> None:
        """Put settings of one avatar in force, or say what is wrong with them."""
        try:
            config = self._roster.configure(avatar_config_from_message(message))
        except BridgeError as error:
            self.report(error, avatar_id=message.avatar_id)
            return
        if config.anomaly.false_alarms_per_hour is None and self._monitor is not None:
            in_force = replace(config.anomaly, false_alarms_per_hour=self._monitor.false_alarms_per_hour)
            config = replace(config, anomaly=in_force)
        accepted = avatar_accepted_to_message(message.avatar_id, config)
        self.notify(forecast_pb2.StreamForecastsResponse(avatar_accepted=accepted))

    def _answer_ping(self, ping: forecast_pb2.ClockPing) -> None:
        now_us = round(self._heard_s * 1e6)
        offset_us, drift_ppm = self._clock.offset_us, self._clock.drift_ppm
        pong = forecast_pb2.ClockPong(
            client_time_us=ping.client_time_us,
            server_received_us=now_us,
            capture_offset_us=None if offset_us is None else round(offset_us),
            capture_drift_ppm=drift_ppm,
        )
        self.notify(forecast_pb2.StreamForecastsResponse(clock_pong=pong))

    # -- what the engine made of it (dispatcher's threads)

    def _take_outcome(self, avatar: Avatar, request: EngineRequest, outcome: Outcome) -> None:
        if avatar.watch is not None:
            made = outcome.result if isinstance(outcome, Completed) else None
            avatar.watch.resolve(request.snapshot.timestamp_us, made)
        if isinstance(outcome, Dropped) and outcome.reason is DropReason.REFRESHED:
            return  # a newer frame of the avatar has taken its place and will have its outcome
        try:
            if isinstance(outcome, Completed):
                with self._lock:
                    newest = avatar.is_newest(request)
                ready = ReadyForecast(avatar, request, outcome, self._allowance.rate_share)
                if newest and self._outbox.put_forecast(ready):
                    self._wake()
            elif isinstance(outcome, Failed):
                avatar.note_missed(request.snapshot.timestamp_us)
                if outcome.error.retry_after_ms:
                    avatar.refused_until_s = self._dispatcher.now_s() + outcome.error.retry_after_ms / 1000
                sequence = request.snapshot.sequence
                self.report(outcome.error, avatar_id=avatar.avatar_id, sequence=sequence, frame_kept=True)
            else:
                avatar.note_missed(request.snapshot.timestamp_us)
        finally:
            with self._lock:
                avatar.pending -= 1
                self._pending -= 1
                last = self._closing and self._pending == 0
            if last:
                self._wake()

    # -- what goes out

    def notify(self, message: forecast_pb2.StreamForecastsResponse) -> None:
        """Queue a message that goes before everything else."""
        if self._outbox.put_notice(message):
            self._wake()

    def notify_alert(self, alert: Alert) -> None:
        """Queue a change of an alert of one of the avatars; it is in the log already. From any thread."""
        if self._outbox.put_alert(forecast_pb2.StreamForecastsResponse(alert=alert_to_message(alert))):
            self._wake()

    def next_item(self) -> Item | None:
        """Return what is to be sent next, None if nothing is."""
        return self._outbox.pop(self._dispatcher.now_s())

    def encode(self, item: Item) -> forecast_pb2.StreamForecastsResponse:
        """Return the message of an item as of now."""
        now_s = self._dispatcher.now_s()
        if not isinstance(item, ReadyForecast):
            if item.HasField("clock_pong"):
                item.clock_pong.server_sent_us = round(now_s * 1e6)
            return item
        if item.message is None:
            item.message = self._message_of(item)
        if item.message.HasField("forecast"):
            item.message.forecast.timing.age_us = round((now_s - item.request.arrived_s) * 1e6)
        return item.message

    def _message_of(self, item: ReadyForecast) -> forecast_pb2.StreamForecastsResponse:
        forecast = item.avatar.forecast(item.request, item.completed, item.rate_share)
        try:
            half = item.completed.result.futures_f16
            message = forecast_to_message(forecast, item.avatar.config.encoding, futures_f16=half)
        except InternalError as error:
            self._log.error("forecast_not_encodable", avatar=forecast.avatar_id, error=str(error))
            fault = FrameFault(forecast.avatar_id, forecast.based_on_sequence, error, frame_kept=True)
            return forecast_pb2.StreamForecastsResponse(frame_error=frame_fault_to_message(fault))
        return forecast_pb2.StreamForecastsResponse(forecast=message)

    def note_sent(self, item: Item) -> None:
        """Note that the transport has taken an item that was encoded."""
        if isinstance(item, ReadyForecast) and item.message is not None:
            self._sent += 1
            telemetry = self._telemetry
            telemetry.forecasts += 1
            telemetry.degraded += item.message.forecast.degraded
            telemetry.age_s.observe(self._dispatcher.now_s() - item.request.arrived_s)

    def put_back(self, item: Item) -> None:
        """Return an item that the transport could not take; a newer forecast of the same avatar makes it void."""
        self._outbox.put_back(item)

    # -- how it ends

    @property
    def finished(self) -> bool:
        """True when the transport should end the stream: the end was asked for and nothing is left to send."""
        with self._lock:
            return self._closing and self._pending == 0 and not self._due and len(self._outbox) == 0

    def finish(self) -> None:
        """Take no more frames; the session is `finished` when what came in before is answered."""
        with self._lock:
            self._closing = True
        self._wake()

    def drain(self, grace_ms: int) -> None:
        """Tell the client that the server is about to stop, then `finish`."""
        draining = forecast_pb2.Draining(grace_ms=grace_ms)
        self.notify(forecast_pb2.StreamForecastsResponse(draining=draining))
        self.finish()

    def close(self) -> None:
        """Forget what is under way: the client is gone or the stream is over."""
        self._closing = self._closed = True
        self._dispatcher.discard(self.id)
        self._dispatcher.load.forget(self.id)
        self._roster.close()
        if self._monitor is not None:
            self._monitor.leave(self.id)
        self._dispatcher.telemetry.drop("replaced", self._outbox.forecasts_replaced)
        self._dispatcher.telemetry.drop("stale", self._outbox.forecasts_expired)
        self._log.info(
            "session_closed",
            frames=self._frames,
            frame_errors=self._outbox.errors_put,
            forecasts_sent=self._sent,
            forecasts_replaced=self._outbox.forecasts_replaced,
            forecasts_expired=self._outbox.forecasts_expired,
            avatars=len(self._roster),
        )
