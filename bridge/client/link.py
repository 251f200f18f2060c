"""A client's connection kept alive on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from bridge.client.address import Address, TransportKind, parse_address
from bridge.client.backoff import Backoff
from bridge.client.core import ClientCore
from bridge.client.pinger import monotonic_us
from bridge.client.saver import FrameSaver
from bridge.client.security import NO_CREDENTIALS, Credentials
from bridge.client.stats import ConnectionState
from bridge.client.transport import Transport
from bridge.errors import BridgeError, InternalError, Unavailable
from bridge.frames import Frame, typed_frame
from bridge.wire.codec import forecast_from_message, frame_to_message, model_info_from_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Forecast, ModelInfo, SessionConfig

_log = structlog.get_logger(__name__)
_JOIN_TIMEOUT_S = 5.0


class Link:
    """Core, transport and the thread that reconnects: what the sync and the async client share.

    Raises:
        InvalidInput: if the address is none, the config cannot be put into a message, or the credentials do not fit.
        NotFound: if a file of the credentials does not exist.
    """

    def __init__(
        self,
        address: str,
        config: SessionConfig,
        credentials: Credentials = NO_CREDENTIALS,
        *,
        clock_us: Callable[[], int] = monotonic_us,
        saver: FrameSaver | None = None,
    ) -> None:
        self.address: Address = parse_address(address)
        credentials.require_fit(self.address)
        self.core: ClientCore = ClientCore(config, clock_us=clock_us, saver=saver)
        self._transport = _transport_for(self.address, credentials)
        self._thread = threading.Thread(target=self._keep_connected, name="posebridge-client", daemon=True)

    def __str__(self) -> str:
        """Where it leads and how it stands, in one line."""
        stats = self.core.stats()
        how = f"{stats.frames_sent} frames sent, {stats.forecasts} forecasts"
        trouble = stats.state in (ConnectionState.CONNECTING, ConnectionState.REFUSED) and stats.last_error
        return f"{self.address}, {self.core.config.client_name!r}, {stats.state.value}: {trouble or how}"

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End the session and the thread. May be called again."""
        self.core.close()
        self._transport.stop()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT_S)
        if not self._thread.is_alive():
            self._transport.close()

    def forecast(self, frames: list[Frame], timeout_s: float) -> Forecast:
        """Ask for one forecast from one window; see `bridge.client.Client.forecast`."""
        messages = [frame_to_message(typed_frame(frame)) for frame in frames]
        request = forecast_pb2.ForecastRequest(config=self.core.config_message, frames=messages)
        return forecast_from_message(self._transport.forecast(request, timeout_s).forecast)

    def model_info(self, timeout_s: float) -> ModelInfo:
        """Ask what the server runs; see `bridge.client.Client.model_info`."""
        return model_info_from_message(self._transport.model_info(timeout_s))

    def _keep_connected(self) -> None:
        backoff = Backoff()
        log = _log.bind(address=str(self.address), client=self.core.config.client_name)
        forecasts = 0
        again = True
        while again:
            connection = self.core.begin_connection()
            error: BridgeError = Unavailable("the server ended the session")
            try:
                self._transport.stream(self.core, connection)
            except BridgeError as caught:
                error = caught
            except Exception as bug:
                log.exception("client thread failed")
                self.core.fail(InternalError(f"the client's own thread failed: {bug!r}"))
                return
            again = self.core.end_connection(connection, error)
            stats = self.core.stats()
            if stats.forecasts > forecasts:
                forecasts = stats.forecasts
                backoff.reset()
            if again:
                wait_s = backoff.next_s(error.retry_after_ms / 1000)
                log.debug("connection ended", error=str(error), retry_in_s=round(wait_s, 3))
                self.core.pause(wait_s)


def _transport_for(address: Address, credentials: Credentials) -> Transport:
    # Each transport's library is loaded only by those who use it.
    if address.kind is TransportKind.GRPC:
        from bridge.client.grpc_transport import GrpcTransport

        return GrpcTransport(address.target, credentials)
    from bridge.client.zmq_transport import ZmqTransport

    return ZmqTransport(address.target, credentials)
