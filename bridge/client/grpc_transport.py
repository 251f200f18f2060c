"""gRPC: one bidirectional stream a session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from bridge import limits
from bridge.client.core import ClientCore
from bridge.client.security import NO_CREDENTIALS, Credentials
from bridge.client.transport import AlertAnswer, AlertRequest
from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    FailedPrecondition,
    InternalError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from bridge.wire.codec import error_from_detail
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, anomaly_pb2_grpc, forecast_pb2, forecast_pb2_grpc

ERROR_DETAIL_KEY = "posebridge-error-bin"
"""Trailing metadata in which a server puts the serialized ``ErrorDetail`` behind a status."""
_IDLE_WAIT_S = 1.0
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.MAX_MESSAGE_BYTES),
    # A stalled reader is to hold the server's writer up at once, not after megabytes of stale forecasts.
    ("grpc.http2.bdp_probe", 0),
    # Every attempt is a real one: a shared subchannel would sit out gRPC's own back-off under ours.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    # Finds out about a peer that vanished without a word.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_ERROR_OF_STATUS: dict[grpc.StatusCode, type[BridgeError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNIMPLEMENTED: NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
}


class GrpcTransport:
    """Reaches a server at ``HOST:PORT`` over gRPC.

    Raises:
        NotFound, InvalidInput: if a file of the credentials cannot be read.
    """

    def __init__(self, target: str, credentials: Credentials = NO_CREDENTIALS) -> None:
        self._target = target
        self.metadata: Sequence[tuple[str, str]] | None = credentials.grpc_metadata()
        self._channel_credentials = credentials.grpc_channel_credentials()
        self._lock = threading.Lock()
        self._call: Any = None
        self._stopped = False

    def stream(self, core: ClientCore, connection: int) -> None:
        """See `bridge.client.transport.Transport.stream`."""
        with self.channel() as channel:
            with self._lock:
                if self._stopped:
                    return
                call = forecast_pb2_grpc.ForecastServiceStub(channel).StreamForecasts(
                    _requests(core, connection), metadata=self.metadata
                )
                self._call = call
            try:
                for response in call:
                    core.receive(connection, response)
            except grpc.RpcError as error:
                if not self._stopped:
                    raise error_of_call(error) from error
            finally:
                call.cancel()

    def forecast(self, request: forecast_pb2.ForecastRequest, timeout_s: float) -> forecast_pb2.ForecastResponse:
        """See `bridge.client.transport.Transport.forecast`."""
        answer: forecast_pb2.ForecastResponse = self._unary(
            lambda stub: stub.Forecast(request, timeout=timeout_s, metadata=self.metadata)
        )
        return answer

    def model_info(self, timeout_s: float) -> forecast_pb2.GetModelInfoResponse:
        """See `bridge.client.transport.Transport.model_info`."""
        request = forecast_pb2.GetModelInfoRequest()
        answer: forecast_pb2.GetModelInfoResponse = self._unary(
            lambda stub: stub.GetModelInfo(request, timeout=timeout_s, metadata=self.metadata)
        )
        return answer

    def alert_call(self, request: AlertRequest, timeout_s: float) -> AlertAnswer:
        """See `bridge.client.transport.Transport.alert_call`."""
        with self.channel() as channel:
            stub = anomaly_pb2_grpc.AnomalyServiceStub(channel)
            call = {
                anomaly_pb2.ListAlertsRequest: stub.ListAlerts,
                anomaly_pb2.AcknowledgeAlertRequest: stub.AcknowledgeAlert,
                anomaly_pb2.GetAlertSnapshotRequest: stub.GetAlertSnapshot,
            }[type(request)]
            try:
                answer: AlertAnswer = call(request, timeout=timeout_s, metadata=self.metadata)
            except grpc.RpcError as error:
                raise error_of_call(error) from error
            return answer

    def stop(self) -> None:
        """See `bridge.client.transport.Transport.stop`."""
        with self._lock:
            self._stopped = True
            if self._call is not None:
                self._call.cancel()

    def close(self) -> None:
        """See `bridge.client.transport.Transport.close`; every call has already closed its own channel."""

    def channel(self) -> grpc.Channel:
        """Return a new channel to the server; whoever asks closes it."""
        if self._channel_credentials is None:
            return grpc.insecure_channel(self._target, options=_OPTIONS)
        return grpc.secure_channel(self._target, self._channel_credentials, options=_OPTIONS)

    def _unary(self, call: Callable[[forecast_pb2_grpc.ForecastServiceStub], Any]) -> Any:
        with self.channel() as channel:
            try:
                return call(forecast_pb2_grpc.ForecastServiceStub(channel))
            except grpc.RpcError as error:
                raise error_of_call(error) from error


def error_of_call(error: grpc.RpcError) -> BridgeError:
    """Return what a failed call means: the server's own detail if it sent one, else the nearest error to the status."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_DETAIL_KEY:
            return error_from_detail(forecast_pb2.ErrorDetail.FromString(value))
    status = error.code()
    return _ERROR_OF_STATUS.get(status, InternalError)(f"{status.name}: {error.details() or 'no details'}")


def _requests(core: ClientCore, connection: int) -> Iterator[forecast_pb2.StreamForecastsRequest]:
    """What the stream sends: the config, then frames until the connection is over. gRPC runs this on its own thread."""
    yield forecast_pb2.StreamForecastsRequest(config=core.config_message)
    while (requests := core.next_requests(connection, _IDLE_WAIT_S)) is not None:
        yield from requests
