"""All sessions of a server, over both transports: admission and draining."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable

import structlog

import bridge
from bridge import limits
from bridge.anomaly.monitor import AnomalyMonitor
from bridge.engine import Dispatcher, EngineRequest
from bridge.errors import FailedPrecondition, ResourceExhausted, Unavailable
from bridge.session.grant import UNLIMITED, Grant
from bridge.session.places import Places
from bridge.session.session import Session
from bridge.session.single import Answer, SingleForecast, served_config
from bridge.wire.codec import accepted_to_message, model_info_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import ModelInfo, SessionAccepted

_log = structlog.get_logger(__name__)

_NO_PLACE_RETRY_MS = 1000


class SessionRegistry:
    """Opens and closes sessions. All methods may be called from any thread.

    Args:
        dispatcher: computes forecasts.
        max_sessions: sessions at a time.
        max_avatars: avatars of all sessions together; what comes beyond costs the newcomer's frames.
        avatar_idle_s: an avatar that is silent for so long is forgotten.
        monitor: judges the avatars' motion and raises alerts; None where nobody does.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        max_sessions: int,
        max_avatars: int = 16_384,
        avatar_idle_s: float = 60.0,
        monitor: AnomalyMonitor | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._max_sessions = max_sessions
        self._places = Places(max_avatars)
        self._avatar_idle_s = avatar_idle_s
        self._monitor = monitor
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[str, Session, Grant]] = {}
        self._draining = False

    def __len__(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    @property
    def avatars(self) -> int:
        """Avatars of all sessions."""
        return self._places.taken

    @property
    def nbytes(self) -> int:
        """Memory held by all sessions for frames and forecasts, bytes."""
        return sum(session.nbytes for session in self.sessions())

    @property
    def draining(self) -> bool:
        """Whether new sessions are refused because the server is about to stop."""
        return self._draining

    def sessions_by_transport(self) -> dict[str, int]:
        """Open sessions of each transport that has any."""
        with self._lock:
            return dict(Counter(transport for transport, _, _ in self._sessions.values()))

    def open(
        self,
        first: forecast_pb2.StreamForecastsRequest,
        wake: Callable[[], None],
        *,
        transport: str = "",
        grant: Grant = UNLIMITED,
    ) -> Session:
        """Open a session with a stream's first message; the first one out says what was accepted.

        `close` the session when the client is gone. ``transport`` names where it is counted; ``grant`` limits it.

        Raises:
            FailedPrecondition: if the message is not a config.
            VersionMismatch, NotFound, InvalidInput: if the config cannot be served.
            ResourceExhausted: if there are too many sessions, here or for this grant, or no room for one's forecasts.
            Unavailable: if the server is draining.
        """
        info = self._dispatcher.info
        if (payload := first.WhichOneof("payload")) != "config":
            raise FailedPrecondition(f"the first message is {payload or 'empty'}", field="config", expected="a config")
        config = served_config(first.config, info)
        telemetry = self._dispatcher.telemetry.transports[transport]
        session = Session(
            f"s-{secrets.token_hex(8)}",
            config,
            self._dispatcher,
            wake=wake,
            grant=grant,
            places=self._places,
            telemetry=telemetry,
            avatar_idle_s=self._avatar_idle_s,
            monitor=self._monitor,
        )
        with self._lock:
            self._require_open()
            self._require_place()
            grant.open_session()
            self._sessions[session.id] = (transport, session, grant)
        telemetry.sessions_opened += 1
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

    def submit(self, sessions: Iterable[Session]) -> None:
        """Give the dispatcher what these sessions' messages made due, all at once."""
        due: list[EngineRequest] = []
        fresher: list[EngineRequest] = []
        for session in sessions:
            of_session = session.collect()
            due += of_session[0]
            fresher += of_session[1]
        if due:
            self._dispatcher.submit(due)
        if fresher:
            self._dispatcher.refresh(fresher)

    def require_room(self) -> None:
        """Check that another session would find a place; for a transport that can refuse before it reads.

        Raises:
            ResourceExhausted: if there are too many sessions, or no room for another's forecasts.
            Unavailable: if the server is draining.
        """
        with self._lock:
            self._require_open()
            self._require_place()

    def close(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            known = self._sessions.pop(session.id, None)
        if known is not None:
            transport, _, grant = known
            session.close()
            grant.close_session()
            self._dispatcher.telemetry.transports[transport].sessions_closed += 1

    def forecast(
        self,
        request: forecast_pb2.ForecastRequest,
        answer: Callable[[Answer], None],
        *,
        grant: Grant = UNLIMITED,
        time_left_s: float | None = None,
    ) -> SingleForecast:
        """Compute one forecast without a session; ``answer`` gets it. The call counts like a frame of a session.

        Raises:
            Unavailable: if the server is draining.
            ResourceExhausted: if the grant allows no more frames at present.
            BridgeError: as `SingleForecast`.
        """
        with self._lock:
            self._require_open()
        grant.take_frame(self._dispatcher.now_s())
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
            return [session for _, session, _ in self._sessions.values()]

    def _require_place(self) -> None:
        if len(self._sessions) >= self._max_sessions:
            raise ResourceExhausted(
                f"{self._max_sessions} sessions are open",
                field="session",
                expected="a free place; several avatars can share one session",
                retry_after_ms=_NO_PLACE_RETRY_MS,
            )
        retry_after_ms = self._dispatcher.load.refuses_new_sessions(self._dispatcher.now_s())
        if retry_after_ms:
            raise ResourceExhausted(
                "the server is at its capacity",
                field="session",
                expected="another server, or a later try",
                retry_after_ms=retry_after_ms,
            )

    def _require_open(self) -> None:
        if self._draining:
            raise Unavailable("the server is about to stop", expected="another server, or this one when it is back")
