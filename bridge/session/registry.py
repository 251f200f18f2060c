"""All sessions of a server, over both transports: admission and draining."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import structlog

import bridge
from bridge import limits
from bridge.engine import Dispatcher
from bridge.errors import FailedPrecondition, ResourceExhausted, Unavailable
from bridge.session.session import Session
from bridge.session.single import Answer, SingleForecast, served_config
from bridge.wire.codec import accepted_to_message, model_info_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import ModelInfo, SessionAccepted

_log = structlog.get_logger(__name__)


class SessionRegistry:
    """Opens and closes sessions. All methods may be called from any thread."""

    def __init__(self, dispatcher: Dispatcher, *, max_sessions: int) -> None:
        self._dispatcher = dispatcher
        self._max_sessions = max_sessions
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._draining = False

    def __len__(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    def open(self, first: forecast_pb2.StreamForecastsRequest, wake: Callable[[], None]) -> Session:
        """Open a session with a stream's first message; the first one out says what was accepted.

        `close` the session when the client is gone.

        Raises:
            FailedPrecondition: if the message is not a config.
            VersionMismatch, NotFound, InvalidInput: if the config cannot be served.
            ResourceExhausted: if there are too many sessions.
            Unavailable: if the server is draining.
        """
        info = self._dispatcher.info
        if (payload := first.WhichOneof("payload")) != "config":
            raise FailedPrecondition(f"the first message is {payload or 'empty'}", field="config", expected="a config")
        config = served_config(first.config, info)
        session = Session(f"s-{secrets.token_hex(8)}", config, self._dispatcher, wake=wake)
        with self._lock:
            self._require_open()
            if len(self._sessions) >= self._max_sessions:
                raise ResourceExhausted(
                    f"{self._max_sessions} sessions are open",
                    field="session",
                    expected="a free place; several avatars can share one session",
                )
            self._sessions[session.id] = session
        accepted = SessionAccepted(
            config=config,
            server_version=bridge.__version__,
            session_id=session.id,
            context_frames=info.context_frames,
            rate_hz=info.rate_hz,
        )
        session.notify(forecast_pb2.StreamForecastsResponse(accepted=accepted_to_message(accepted)))
        _log.info("session_opened", session=session.id, client=config.client_name)
        return session

    def close(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            known = self._sessions.pop(session.id, None)
        if known is not None:
            known.close()

    def forecast(
        self,
        request: forecast_pb2.ForecastRequest,
        answer: Callable[[Answer], None],
        *,
        time_left_s: float | None = None,
    ) -> SingleForecast:
        """Compute one forecast without a session; ``answer`` gets it.

        Raises:
            Unavailable: if the server is draining.
            BridgeError: as `SingleForecast`.
        """
        with self._lock:
            self._require_open()
        call_id = f"c-{secrets.token_hex(8)}"
        return SingleForecast(call_id, request, self._dispatcher, answer, time_left_s=time_left_s)

    def model_info(self) -> forecast_pb2.GetModelInfoResponse:
        """Return what this server runs and what it can serve."""
        info = self._dispatcher.info
        return model_info_to_message(
            ModelInfo(
                server_version=bridge.__version__,
                layout_id=info.layout.id,
                landmark_names=info.layout.names,
                bones=info.layout.bones,
                context_frames=info.context_frames,
                rate_hz=info.rate_hz,
                max_horizon_ms=min(limits.MAX_HORIZON_MS, int(limits.MAX_HORIZON_STEPS * 1000 / info.rate_hz)),
                max_samples=limits.MAX_SAMPLES,
                max_futures=limits.MAX_FUTURES,
                refinement=info.refinement,
                weights_id=info.weights_id,
                device=info.device,
            )
        )

    def drain(self, grace_ms: int) -> None:
        """Refuse what is new, tell every client, and let what is under way finish."""
        with self._lock:
            self._draining = True
        for session in self.sessions():
            session.drain(grace_ms)

    def sessions(self) -> list[Session]:
        """Return the sessions that are open now."""
        with self._lock:
            return list(self._sessions.values())

    def _require_open(self) -> None:
        if self._draining:
            raise Unavailable("the server is about to stop", expected="another server, or this one when it is back")
