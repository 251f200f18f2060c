"""One forecast from one window of frames, without a session: the same path through a throwaway avatar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge import limits
from bridge.engine import Completed, Dispatcher, Dropped, DropReason, EngineInfo, EngineRequest, Failed, Outcome
from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    FailedPrecondition,
    InternalError,
    InvalidInput,
    NotFound,
    Unavailable,
)
from bridge.session.avatar import Avatar
from bridge.timeline import Snapshot
from bridge.wire.codec import config_from_message, forecast_to_message, frame_from_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import SessionConfig

Answer = forecast_pb2.ForecastResponse | BridgeError


def served_config(message: forecast_pb2.SessionConfig, info: EngineInfo) -> SessionConfig:
    """Read a config and check it against what the engine serves.

    Raises:
        VersionMismatch, NotFound, InvalidInput: naming the field, as ``config.<name>``.
    """
    config = config_from_message(message)
    if config.layout_id != info.layout.id:
        raise NotFound(
            f"this server has no weights for {config.layout_id!r}",
            field="config.layout_id",
            expected=f"{info.layout.id!r}",
        )
    config.require_reply_fits(joints=info.layout.joints, rate_hz=info.rate_hz)
    return config


class SingleForecast:
    """One unary call: checks its frames, submits the window, turns the outcome into the answer.

    ``answer`` is called exactly once if the constructor does not raise, on the dispatcher's thread or on this one.

    Raises:
        VersionMismatch, NotFound: as `served_config`.
        InvalidInput: if a frame cannot be used; names it, as ``frames[i].<name>``.
        FailedPrecondition: if the frames do not make a full window.
    """

    def __init__(
        self,
        call_id: str,
        request: forecast_pb2.ForecastRequest,
        dispatcher: Dispatcher,
        answer: Callable[[Answer], None],
        *,
        time_left_s: float | None = None,
    ) -> None:
        self.call_id = call_id
        self._dispatcher = dispatcher
        self._answer = answer
        arrived_s = dispatcher.now_s()
        self._config = served_config(request.config, dispatcher.info)
        self._avatar, snapshot = self._snapshot_of(request)
        allowed_s = self._config.deadline_ms / 1000
        if time_left_s is not None:
            allowed_s = min(allowed_s, time_left_s)
        dispatcher.submit(
            [
                self._avatar.request(
                    snapshot, arrived_s=arrived_s, deadline_s=arrived_s + allowed_s, done=self._take_outcome
                )
            ]
        )

    def cancel(self) -> None:
        """Forget the call if it has not started."""
        self._dispatcher.discard(self.call_id)

    def _snapshot_of(self, request: forecast_pb2.ForecastRequest) -> tuple[Avatar, Snapshot]:
        info = self._dispatcher.info
        if not 1 <= len(request.frames) <= limits.MAX_FRAMES_PER_MESSAGE:
            raise InvalidInput(
                f"has {len(request.frames)} frames",
                field="frames",
                expected=f"1 to {limits.MAX_FRAMES_PER_MESSAGE} frames of one avatar",
            )
        avatar = Avatar(request.frames[0].avatar_id, self.call_id, self._config, info)
        for index, message in enumerate(request.frames):
            try:
                frame = frame_from_message(message, info.layout)
                if frame.avatar_id != avatar.avatar_id:
                    raise InvalidInput(
                        f"is {frame.avatar_id!r}",
                        field="frame.avatar_id",
                        expected=f"{avatar.avatar_id!r} in all frames",
                    )
                avatar.add(frame)
            except InvalidInput as error:
                path = error.field.replace("frame", f"frames[{index}]", 1)
                raise InvalidInput(error.problem, field=path, expected=error.expected) from None
        snapshot = avatar.snapshot()
        if snapshot is None:
            raise FailedPrecondition(
                f"{len(request.frames)} frames make no full window",
                field="frames",
                expected=f"{info.context_frames} frames at {info.rate_hz:g} Hz, without a gap above 200 ms",
            )
        return avatar, snapshot

    def _take_outcome(self, request: EngineRequest, outcome: Outcome) -> None:
        if isinstance(outcome, Completed):
            self._answer(self._encoded(request, outcome))
        elif isinstance(outcome, Failed):
            self._answer(outcome.error)
        else:
            self._answer(_dropped(outcome, self._config))

    def _encoded(self, request: EngineRequest, completed: Completed) -> Answer:
        forecast = self._avatar.forecast(request, completed)
        age_us = round((self._dispatcher.now_s() - request.arrived_s) * 1e6)
        forecast = replace(forecast, timing=replace(forecast.timing, age_us=age_us))
        try:
            return forecast_pb2.ForecastResponse(forecast=forecast_to_message(forecast, self._config.encoding))
        except InternalError as error:
            return error


def _dropped(dropped: Dropped, config: SessionConfig) -> BridgeError:
    if dropped.reason is DropReason.EXPIRED:
        return DeadlineExceeded(
            "the forecast did not start in time",
            field="config.deadline_ms",
            expected=f"an answer in {config.deadline_ms} ms",
        )
    return Unavailable(f"the forecast was {dropped.reason.value}", expected="another try")
