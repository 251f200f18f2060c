"""The gRPC front: translates calls to the session registry and back. No logic of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import NoReturn

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bridge import limits
from bridge.errors import BridgeError, InvalidInput, Unavailable
from bridge.session import Answer, Session, SessionRegistry
from bridge.wire.codec import error_to_detail, parse_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2

_log = structlog.get_logger(__name__)

SERVICE_NAME = forecast_pb2.DESCRIPTOR.services_by_name["ForecastService"].full_name
ERROR_METADATA_KEY = "posebridge-error-bin"
"""Trailing metadata of a call that failed: a serialized ``ErrorDetail``."""

# Messages a little too long are answered with a typed error by us; from twice the limit on the library ends the call.
_OPTIONS = (
    ("grpc.max_receive_message_length", 2 * limits.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # otherwise a second server on the same port starts without complaint
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)


class GrpcFront:
    """Serves ``ForecastService``, health (per service and overall) and reflection on one address."""

    def __init__(self, registry: SessionRegistry) -> None:
        self._registry = registry
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str) -> str:
        """Listen on ``HOST:PORT`` (port 0: any free one) and return the address that is bound.

        Raises:
            InvalidInput: if the address does not read.
            Unavailable: if it cannot be bound; says why.
        """
        host = _require_bindable(address)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise Unavailable(f"cannot listen on {address}: {error}", field="grpc", expected="a free address") from None
        await server.start()
        self._server = server
        for name in (SERVICE_NAME, health.OVERALL_HEALTH):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return f"{host}:{port}"

    async def announce_stop(self) -> None:
        """Say NOT_SERVING from now on."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give open ones ``grace_s`` seconds, then end them."""
        if self._server is not None:
            await self._server.stop(grace_s)

    def _handlers(self) -> grpc.GenericRpcHandler:
        # Requests arrive as bytes: parsing is ours, so that both transports say the same of what does not parse.
        methods = {
            "Forecast": grpc.unary_unary_rpc_method_handler(self._forecast, response_serializer=_serialize),
            "StreamForecasts": grpc.stream_stream_rpc_method_handler(
                self._stream_forecasts, response_serializer=_serialize
            ),
            "GetModelInfo": grpc.unary_unary_rpc_method_handler(self._get_model_info, response_serializer=_serialize),
        }
        return grpc.method_handlers_generic_handler(SERVICE_NAME, methods)

    async def _get_model_info(
        self, data: bytes, context: grpc.aio.ServicerContext
    ) -> forecast_pb2.GetModelInfoResponse:
        try:
            parse_message(forecast_pb2.GetModelInfoRequest, data)
        except BridgeError as error:
            await _abort(context, error)
        return self._registry.model_info()

    async def _forecast(self, data: bytes, context: grpc.aio.ServicerContext) -> forecast_pb2.ForecastResponse:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            loop.call_soon_threadsafe(_settle, answered, answer)

        try:
            request = parse_message(forecast_pb2.ForecastRequest, data)
            call = self._registry.forecast(request, take, time_left_s=context.time_remaining())
        except BridgeError as error:
            await _abort(context, error)
        try:
            answer = await answered
        finally:
            call.cancel()
        if isinstance(answer, BridgeError):
            await _abort(context, answer)
        return answer

    async def _stream_forecasts(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        stream = _Stream(self._registry, requests, context)
        try:
            await stream.open()
        except BridgeError as error:
            await _abort(context, error)
        session = stream.session
        if session is None:
            return
        try:
            await stream.converse()
        finally:
            self._registry.close(session)


class _Stream:
    """One StreamForecasts call."""

    def __init__(
        self, registry: SessionRegistry, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self.session: Session | None = None

    async def open(self) -> None:
        """Read the config and open the session; no session if the client left without a word."""
        first = await anext(self._requests, None)
        if first is None:
            return
        request = parse_message(forecast_pb2.StreamForecastsRequest, first)
        self.session = self._registry.open(request, self._wake)

    async def converse(self) -> None:
        """Read and write until the session is finished; returns or is cancelled with the call."""
        assert self.session is not None
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(self.session))
            await self._write(self.session)
            reader.cancel()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._awake.set)

    async def _read(self, session: Session) -> None:
        async for data in self._requests:
            try:
                request = parse_message(forecast_pb2.StreamForecastsRequest, data)
            except BridgeError as error:
                session.report(error)
                continue
            session.handle(request)
        session.finish()

    async def _write(self, session: Session) -> None:
        while True:
            self._awake.clear()
            while (item := session.next_item()) is not None:
                await self._context.write(session.encode(item))
            if session.finished:
                return
            await self._awake.wait()


async def _abort(context: grpc.aio.ServicerContext, error: BridgeError) -> NoReturn:
    metadata = ((ERROR_METADATA_KEY, error_to_detail(error).SerializeToString()),)
    await context.abort(grpc.StatusCode[error.kind.grpc_status], str(error), metadata)
    raise AssertionError("abort does not return")


def _settle(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():  # the call may have been cancelled meanwhile
        answered.set_result(answer)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


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
