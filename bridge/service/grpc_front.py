"""The gRPC front: translates calls to the session registry and back. No logic of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bridge import limits
from bridge.errors import BridgeError, InvalidInput, ResourceExhausted, Unavailable
from bridge.service.access import AccessControl, AccessGrant
from bridge.service.alert_calls import AlertCalls
from bridge.service.anomaly_grpc import ANOMALY_SERVICE_NAME, AnomalyGrpc
from bridge.service.grpc_calls import abort, bearer_token, serialize
from bridge.service.grpc_stream import ForecastStream, Submissions, Wakeups
from bridge.service.tokens import Scope
from bridge.service.watch import WatchPublisher
from bridge.session import Answer, SessionRegistry
from bridge.telemetry import TransportTelemetry
from bridge.wire.codec import parse_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2

_log = structlog.get_logger(__name__)

SERVICE_NAME = forecast_pb2.DESCRIPTOR.services_by_name["ForecastService"].full_name

_OPTIONS = (
    # Messages a little too long are answered with a typed error by us; from twice the limit on by the library.
    ("grpc.max_receive_message_length", 2 * limits.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # otherwise a second server on the same port starts without complaint
    # A game that pauses keeps its connection by a ping every 5 s or more, also between calls; some arrive early.
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Finds out about a client that vanished without a word.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Connections that never say what they want, or want nothing any more.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_concurrent_streams", 1_024),
)
_MAX_UNOPENED = 256
"""Streams that may be waiting for their client's first message."""
_UNOPENED_RETRY_MS = 1_000
_CHECK_S = 1.0
_CANCELLED_WITHIN_S = 5.0
_STOP_TIMEOUT_S = 5.0
"""Stopping takes so much longer than its grace at most."""


class GrpcFront:
    """Serves ``ForecastService``, ``AnomalyService``, health (of each and overall) and reflection on one address.

    Health and reflection ask for no token: load balancers have none, and they tell nothing about clients.

    Args:
        registry: opens and closes sessions.
        idle_timeout_s: a session of which nothing was heard for so long is ended.
        config_timeout_s: a stream without a first message for so long is ended.
        access: who may do what; by default everyone may.
        credentials: TLS; by default the port is open.
        watch: gets every forecast that is sent.
        calls: answers what is asked about alerts; by default they are off.
        telemetry: counts the errors that do not belong to a session.
    """

    def __init__(
        self,
        registry: SessionRegistry,
        *,
        idle_timeout_s: float = 60.0,
        config_timeout_s: float = 10.0,
        access: AccessControl | None = None,
        credentials: grpc.ServerCredentials | None = None,
        watch: WatchPublisher | None = None,
        calls: AlertCalls | None = None,
        telemetry: TransportTelemetry | None = None,
    ) -> None:
        self._registry = registry
        self._idle_timeout_s = idle_timeout_s
        self._config_timeout_s = config_timeout_s
        self._access = access or AccessControl()
        self._credentials = credentials
        self._watch = watch
        self._telemetry = telemetry or TransportTelemetry()
        self._anomaly = AnomalyGrpc(
            calls or AlertCalls(None),
            access=self._access,
            telemetry=self._telemetry,
            draining=lambda: registry.draining,
        )
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._wakeups: Wakeups | None = None
        self._submissions: Submissions | None = None
        self._janitor: asyncio.Task[None] | None = None
        self._streams: set[ForecastStream] = set()
        self._unopened = 0

    async def start(self, address: str) -> str:
        """Listen on ``HOST:PORT`` (port 0: any free one) and return the address that is bound.

        Raises:
            InvalidInput: if the address does not read.
            Unavailable: if it cannot be bound; says why.
        """
        host = _require_bindable(address)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._handlers(), self._anomaly.handlers()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE_NAME, ANOMALY_SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        try:
            if self._credentials is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise Unavailable(f"cannot listen on {address}: {error}", field="grpc", expected="a free address") from None
        self._wakeups = Wakeups(asyncio.get_running_loop())
        self._submissions = Submissions(asyncio.get_running_loop(), self._registry)
        await server.start()
        self._server = server
        self._janitor = asyncio.create_task(self._look_after_silent_sessions())
        await self.set_serving(True)
        return f"{host}:{port}"

    async def set_serving(self, serving: bool) -> None:
        """Say to health checks whether calls make sense at present; after `announce_stop` it changes nothing."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in (SERVICE_NAME, ANOMALY_SERVICE_NAME, health.OVERALL_HEALTH):
            await self._health.set(name, status)

    async def announce_stop(self) -> None:
        """Say NOT_SERVING from now on."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give open ones ``grace_s`` seconds, then end them."""
        if self._janitor is not None:
            self._janitor.cancel()
        self._anomaly.end_watches()
        if self._server is not None:
            try:
                async with asyncio.timeout(grace_s + _STOP_TIMEOUT_S):
                    await self._server.stop(grace_s)
            except TimeoutError:
                _log.warning("grpc_server_did_not_stop", timeout_s=grace_s + _STOP_TIMEOUT_S)

    def _handlers(self) -> grpc.GenericRpcHandler:
        # Requests arrive as bytes: parsing is ours, so that both transports say the same of what does not parse.
        methods = {
            "Forecast": grpc.unary_unary_rpc_method_handler(self._forecast, response_serializer=serialize),
            "StreamForecasts": grpc.stream_stream_rpc_method_handler(
                self._stream_forecasts, response_serializer=serialize
            ),
            "GetModelInfo": grpc.unary_unary_rpc_method_handler(self._get_model_info, response_serializer=serialize),
        }
        return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)

    async def _get_model_info(
        self, data: bytes, context: grpc.aio.ServicerContext
    ) -> forecast_pb2.GetModelInfoResponse:
        try:
            self._access.authenticate(bearer_token(context)).require_size(len(data))
            parse_message(forecast_pb2.GetModelInfoRequest, data)
        except BridgeError as error:
            await abort(context, error, self._telemetry)
        return self._registry.model_info()

    async def _forecast(self, data: bytes, context: grpc.aio.ServicerContext) -> forecast_pb2.ForecastResponse:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, answered, answer)

        try:
            grant = self._granted(context)
            grant.require_size(len(data))
            request = parse_message(forecast_pb2.ForecastRequest, data)
            call = self._registry.forecast(request, take, grant=grant, time_left_s=context.time_remaining())
        except BridgeError as error:
            await abort(context, error, self._telemetry)
        try:
            answer = await answered
        finally:
            call.cancel()
        if isinstance(answer, BridgeError):
            await abort(context, answer, self._telemetry)
        return answer

    async def _stream_forecasts(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        assert self._wakeups is not None and self._submissions is not None
        try:
            grant = self._granted(context)
            self._registry.require_room()
            stream = ForecastStream(
                self._registry,
                requests,
                context,
                grant=grant,
                wakeups=self._wakeups,
                submissions=self._submissions,
                watch=self._watch,
            )
            await self._open(stream)
        except BridgeError as error:
            await abort(context, error, self._telemetry)
        if stream.session is None:
            return
        self._streams.add(stream)
        try:
            await stream.converse()
        finally:
            self._streams.discard(stream)
            self._registry.close(stream.session)
        if stream.client_gone:
            await asyncio.sleep(_CANCELLED_WITHIN_S)  # the call's cancellation is on its way: nobody is owed a status
        if stream.ended_by is not None:
            await abort(context, stream.ended_by, self._telemetry)

    async def _open(self, stream: ForecastStream) -> None:
        if self._unopened >= _MAX_UNOPENED:
            raise ResourceExhausted(
                f"{self._unopened} streams have not sent their config",
                expected="a later try",
                retry_after_ms=_UNOPENED_RETRY_MS,
            )
        self._unopened += 1
        try:
            await stream.open(self._config_timeout_s)
        finally:
            self._unopened -= 1

    async def _look_after_silent_sessions(self) -> None:
        while True:
            await asyncio.sleep(min(_CHECK_S, self._idle_timeout_s / 4))
            for stream in list(self._streams):
                stream.end_if_idle(self._idle_timeout_s)

    def _granted(self, context: grpc.aio.ServicerContext) -> AccessGrant:
        grant = self._access.authenticate(bearer_token(context))
        grant.require(Scope.STREAM)
        return grant


def _settle(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():  # the call may have been cancelled meanwhile
        answered.set_result(answer)


def _require_bindable(address: str) -> str:
    """Return the host of ``HOST:PORT``. Asking the system first gives its reason, which gRPC keeps to itself."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidInput(
            f"{address!r} is not an address", field="grpc", expected="HOST:PORT, for example 127.0.0.1:50551"
        )
    try:
        family, *_, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {address}: {error.strerror}", field="grpc", expected="a free address, or port 0 for any"
        ) from None
    return host
