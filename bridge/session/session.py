"""One client's connection: frames in, forecasts and frame errors out, whatever the transport."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bridge import limits
from bridge.engine import Completed, Dispatcher, EngineRequest, Failed, Outcome
from bridge.errors import BridgeError, FailedPrecondition, InternalError, InvalidInput, ResourceExhausted
from bridge.session.avatar import Avatar
from bridge.session.outbox import Item, Outbox, ReadyForecast
from bridge.wire.codec import forecast_to_message, frame_fault_to_message, frame_from_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from bridge.wire.values import FrameFault, SessionConfig

_log = structlog.get_logger(__name__)

AVATAR_IDLE_S = 60.0
"""An avatar that was silent for so long gives its place up when a session's places are all taken."""


class Session:
    """The avatars of one client.

    A transport calls `handle` for every message that comes in; when ``wake`` is called (from any thread) it sends what
    `next_item` and `encode` give until there is nothing left, then looks at `finished`. The thread that owns the
    transport makes all these calls; outcomes come in on the dispatcher's thread; `drain` may come from any.
    """

    def __init__(
        self, session_id: str, config: SessionConfig, dispatcher: Dispatcher, *, wake: Callable[[], None]
    ) -> None:
        self.id = session_id
        self.config = config
        self._dispatcher = dispatcher
        self._wake = wake
        self._log = _log.bind(session=session_id, client=config.client_name)
        self._avatars: dict[str, Avatar] = {}
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._pending = 0
        self._closing = False
        self._heard_s = dispatcher.now_s()
        self._frames = 0
        self._sent = 0

    # -- what comes in

    def handle(self, request: forecast_pb2.StreamForecastsRequest) -> None:
        """Take one message of the stream after the config; what is wrong with it becomes a frame error."""
        self.touch()
        if self._closing:
            return
        payload = request.WhichOneof("payload")
        if payload == "frame":
            self._handle_frames([request.frame])
        elif payload == "frames":
            if len(request.frames.frames) > limits.MAX_FRAMES_PER_MESSAGE:
                count = len(request.frames.frames)
                expected = f"at most {limits.MAX_FRAMES_PER_MESSAGE} frames a message"
                self.report(InvalidInput(f"has {count} frames", field="frames", expected=expected))
                return
            self._handle_frames(request.frames.frames)
        elif payload == "config":
            self.report(FailedPrecondition("the session has its config", field="config", expected="one, at the start"))
        else:
            self.report(InvalidInput("the message is empty", field="payload", expected="a frame or frames"))

    def report(self, error: BridgeError, *, avatar_id: str = "", sequence: int = 0) -> None:
        """Tell the client that a frame, or a message that could not be read, was not used."""
        fault = FrameFault(avatar_id[:64], sequence, error)
        message = forecast_pb2.StreamForecastsResponse(frame_error=frame_fault_to_message(fault))
        if self._outbox.put_error(message):
            self._wake()

    @property
    def waiting(self) -> int:
        """Messages that wait to be sent."""
        return len(self._outbox)

    def touch(self) -> None:
        """Note that the client is there."""
        self._heard_s = self._dispatcher.now_s()

    def idle_s(self) -> float:
        """Seconds since the client was heard."""
        return self._dispatcher.now_s() - self._heard_s

    def _handle_frames(self, messages: Sequence[pose_pb2.PoseFrame]) -> None:
        arrived_s = self._dispatcher.now_s()
        # A batch may hold several frames of one avatar: only its newest window is worth asking for.
        due: dict[str, EngineRequest] = {}
        for message in messages:
            self._frames += 1
            try:
                request = self._add_frame(message, arrived_s)
            except BridgeError as error:
                self.report(error, avatar_id=message.avatar_id, sequence=message.sequence)
                continue
            except Exception as error:  # our fault: it costs this frame, not the session
                self._log.error("frame_failed", avatar=repr(message.avatar_id[:64]), exc_info=error)
                fault = InternalError(f"the frame failed ({type(error).__name__}); the server's log has details")
                self.report(fault, avatar_id=message.avatar_id, sequence=message.sequence)
                continue
            if request is not None:
                due[request.key.avatar_id] = request
        if due:
            with self._lock:
                self._pending += len(due)
            self._dispatcher.submit(list(due.values()))

    def _add_frame(self, message: pose_pb2.PoseFrame, arrived_s: float) -> EngineRequest | None:
        frame = frame_from_message(message, self._dispatcher.info.layout)
        avatar = self._avatars.get(frame.avatar_id) or self._new_avatar(frame.avatar_id, arrived_s)
        avatar.last_seen_s = arrived_s
        window = avatar.due_window(frame)
        if window is None:
            return None
        return avatar.request(
            window,
            arrived_s=arrived_s,
            deadline_s=arrived_s + self.config.deadline_ms / 1000,
            done=partial(self._take_outcome, avatar),
        )

    def _new_avatar(self, avatar_id: str, now_s: float) -> Avatar:
        if len(self._avatars) >= limits.MAX_AVATARS_PER_SESSION:
            silent = min(self._avatars.values(), key=lambda avatar: avatar.last_seen_s)
            if now_s - silent.last_seen_s < AVATAR_IDLE_S:
                raise ResourceExhausted(
                    f"{avatar_id!r} would be one avatar too many",
                    field="frame.avatar_id",
                    expected=f"at most {limits.MAX_AVATARS_PER_SESSION} avatars a session",
                )
            del self._avatars[silent.avatar_id]
        avatar = Avatar(avatar_id, self.id, self.config, self._dispatcher.info)
        self._avatars[avatar_id] = avatar
        return avatar

    # -- what the engine made of it (dispatcher's thread)

    def _take_outcome(self, avatar: Avatar, request: EngineRequest, outcome: Outcome) -> None:
        try:
            if isinstance(outcome, Completed):
                forecast = avatar.forecast(request, outcome)
                ready = ReadyForecast(forecast, arrived_s=request.arrived_s, deadline_s=request.deadline_s)
                if self._outbox.put_forecast(ready):
                    self._wake()
            elif isinstance(outcome, Failed):
                self.report(outcome.error, avatar_id=avatar.avatar_id, sequence=request.window.sequence)
        finally:
            with self._lock:
                self._pending -= 1
                last = self._closing and self._pending == 0
            if last:
                self._wake()

    # -- what goes out

    def notify(self, message: forecast_pb2.StreamForecastsResponse) -> None:
        """Queue a message that goes before everything else."""
        if self._outbox.put_notice(message):
            self._wake()

    def next_item(self) -> Item | None:
        """Return what is to be sent next, None if nothing is."""
        return self._outbox.pop(self._dispatcher.now_s())

    def encode(self, item: Item) -> forecast_pb2.StreamForecastsResponse:
        """Return the message of an item as of now."""
        if not isinstance(item, ReadyForecast):
            return item
        age_us = round((self._dispatcher.now_s() - item.arrived_s) * 1e6)
        forecast = replace(item.forecast, timing=replace(item.forecast.timing, age_us=age_us))
        self._sent += 1
        try:
            return forecast_pb2.StreamForecastsResponse(forecast=forecast_to_message(forecast, self.config.encoding))
        except InternalError as error:
            self._log.error("forecast_not_encodable", avatar=forecast.avatar_id, error=str(error))
            fault = FrameFault(forecast.avatar_id, forecast.based_on_sequence, error)
            return forecast_pb2.StreamForecastsResponse(frame_error=frame_fault_to_message(fault))

    def put_back(self, item: Item) -> None:
        """Return an item that the transport could not take; a newer forecast of the same avatar makes it void."""
        self._sent -= isinstance(item, ReadyForecast)
        self._outbox.put_back(item)

    # -- how it ends

    @property
    def finished(self) -> bool:
        """True when the transport should end the stream: the end was asked for and nothing is left to send."""
        with self._lock:
            return self._closing and self._pending == 0 and len(self._outbox) == 0

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
        self._closing = True
        self._dispatcher.discard(self.id)
        self._log.info(
            "session_closed",
            frames=self._frames,
            frame_errors=self._outbox.errors_put,
            forecasts_sent=self._sent,
            forecasts_replaced=self._outbox.forecasts_replaced,
            forecasts_expired=self._outbox.forecasts_expired,
            avatars=len(self._avatars),
        )
