"""``AnomalyService`` over gRPC: alerts from the log, and verdicts as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message

from bridge import limits
from bridge.anomaly.desk import AnomalyDesk
from bridge.errors import BridgeError, InvalidInput, ResourceExhausted, Unavailable
from bridge.service.access import AccessControl
from bridge.service.alert_calls import AlertCalls
from bridge.service.grpc_calls import abort, bearer_token, serialize
from bridge.service.grpc_stream import Wakeups
from bridge.service.newest_verdicts import NewestVerdicts
from bridge.service.tokens import Scope
from bridge.telemetry import TransportTelemetry
from bridge.wire.codec import alert_query_from_message, alert_to_message, parse_message, require_filter
from bridge.wire.generated.posebridge.v1 import anomaly_pb2

_log = structlog.get_logger(__name__)
_Q = TypeVar("_Q", bound=Message)
_A = TypeVar("_A", bound=Message)

ANOMALY_SERVICE_NAME = anomaly_pb2.DESCRIPTOR.services_by_name["AnomalyService"].full_name

MAX_WATCHES = 128
"""WatchAlerts and WatchVerdicts calls at a time."""
HEARTBEAT_S = 10.0
"""A watch of alerts that has nothing to tell says so often that it is alive."""
_RETRY_MS = 1_000
_DEFAULT_VERDICT_RATE_HZ = 10.0
_CANCELLED_WITHIN_S = 5.0


class AnomalyGrpc:
    """The methods of ``AnomalyService``: watching and looking up takes the scope "watch", acknowledging "admin".

    A watch of alerts reads the log from its cursor on, a page at a time, and the next page when the client has taken
    the last: a slow client lags, and costs nobody anything. A watch of verdicts keeps the newest of each avatar.

    Args:
        calls: reads the log.
        access: who may do what.
        telemetry: counts the errors.
        draining: whether new watches are refused because the server is about to stop.
    """

    def __init__(
        self,
        calls: AlertCalls,
        *,
        access: AccessControl,
        telemetry: TransportTelemetry,
        draining: Callable[[], bool],
    ) -> None:
        self._calls = calls
        self._access = access
        self._telemetry = telemetry
        self._draining = draining
        self._wakeups: Wakeups | None = None
        self._watches: set[asyncio.Event] = set()
        self._ending = asyncio.Event()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the methods, for a server of the running event loop."""
        self._wakeups = Wakeups(asyncio.get_running_loop())
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods = {
            "WatchAlerts": stream(self._watch_alerts, response_serializer=serialize),
            "ListAlerts": unary(self._list_alerts, response_serializer=serialize),
            "AcknowledgeAlert": unary(self._acknowledge, response_serializer=serialize),
            "GetAlertSnapshot": unary(self._snapshot, response_serializer=serialize),
            "WatchVerdicts": stream(self._watch_verdicts, response_serializer=serialize),
        }
        return grpc.method_handlers_generic_handler(ANOMALY_SERVICE_NAME, methods)

    def end_watches(self) -> None:
        """Let every watch tell what is stored by now, then end it: the server is about to stop."""
        self._ending.set()
        for awake in self._watches:
            awake.set()

    # -- calls with one answer

    async def _list_alerts(self, data: bytes, context: grpc.aio.ServicerContext) -> anomaly_pb2.ListAlertsResponse:
        return await self._answer(data, context, Scope.WATCH, anomaly_pb2.ListAlertsRequest, self._calls.list_alerts)

    async def _acknowledge(
        self, data: bytes, context: grpc.aio.ServicerContext
    ) -> anomaly_pb2.AcknowledgeAlertResponse:
        request_type = anomaly_pb2.AcknowledgeAlertRequest
        return await self._answer(data, context, Scope.ADMIN, request_type, self._calls.acknowledge)

    async def _snapshot(self, data: bytes, context: grpc.aio.ServicerContext) -> anomaly_pb2.GetAlertSnapshotResponse:
        return await self._answer(data, context, Scope.WATCH, anomaly_pb2.GetAlertSnapshotRequest, self._calls.snapshot)

    async def _answer(
        self,
        data: bytes,
        context: grpc.aio.ServicerContext,
        scope: Scope,
        request_type: type[_Q],
        call: Callable[[_Q], Future[_A]],
    ) -> _A:
        try:
            request = self._taken_in(data, context, scope, request_type)
            return await asyncio.wrap_future(call(request))
        except BridgeError as error:
            await abort(context, error, self._telemetry)

    # -- watches

    async def _watch_alerts(self, data: bytes, context: grpc.aio.ServicerContext) -> None:
        await self._watch(data, context, anomaly_pb2.WatchAlertsRequest, self._tell_alerts)

    async def _watch_verdicts(self, data: bytes, context: grpc.aio.ServicerContext) -> None:
        await self._watch(data, context, anomaly_pb2.WatchVerdictsRequest, self._tell_verdicts)

    async def _watch(self, data: bytes, context: grpc.aio.ServicerContext, request_type: type[_Q], tell: _Tell) -> None:
        awake = asyncio.Event()
        try:
            request = self._taken_in(data, context, Scope.WATCH, request_type)
            desk = self._calls.require_desk()
            if self._ending.is_set() or self._draining():
                raise _stopping()
            if len(self._watches) >= MAX_WATCHES:
                problem = f"{len(self._watches)} watches are open"
                raise ResourceExhausted(problem, expected="a later try", retry_after_ms=_RETRY_MS)
            self._watches.add(awake)
            await tell(desk, request, context, awake)
        except BridgeError as error:
            await abort(context, error, self._telemetry)
        except _ClientGone:
            await asyncio.sleep(_CANCELLED_WITHIN_S)  # the call's cancellation is on its way: nobody is owed a status
        finally:
            self._watches.discard(awake)

    async def _tell_alerts(
        self,
        desk: AnomalyDesk,
        request: anomaly_pb2.WatchAlertsRequest,
        context: grpc.aio.ServicerContext,
        awake: asyncio.Event,
    ) -> None:
        """Tell of every change after a cursor, then of each new one, until the server is about to stop."""
        query = alert_query_from_message(
            anomaly_pb2.ListAlertsRequest(
                after_cursor=request.after_cursor, client_name=request.client_name, avatar_id=request.avatar_id
            )
        )
        unlisten = desk.hub.listen(lambda _: self._wake(awake))
        try:
            # Listening already: what is stored from here on is either found or wakes this watch.
            if not request.HasField("after_cursor"):
                last_cursor = await asyncio.wrap_future(self._calls.last_cursor())
                query = replace(query, after_cursor=last_cursor)
            now_s = asyncio.get_running_loop().time
            beat_s = now_s()  # a watch with nothing to tell says at once where it begins
            while True:
                awake.clear()
                ending = self._ending.is_set()
                page = await asyncio.wrap_future(self._calls.page(query))
                for alert in page.alerts:
                    message = alert_to_message(alert)
                    await _write(context, anomaly_pb2.WatchAlertsResponse(alert=message, cursor=alert.cursor))
                    beat_s = now_s() + HEARTBEAT_S
                if len(page.alerts) == query.limit:
                    query = replace(query, after_cursor=page.alerts[-1].cursor)
                    continue
                query = replace(query, after_cursor=page.last_cursor)
                if ending:
                    raise _stopping()
                if now_s() >= beat_s:
                    await _write(context, anomaly_pb2.WatchAlertsResponse(cursor=page.last_cursor))
                    beat_s = now_s() + HEARTBEAT_S
                await _set_within(awake, beat_s - now_s())
        finally:
            unlisten()

    async def _tell_verdicts(
        self,
        desk: AnomalyDesk,
        request: anomaly_pb2.WatchVerdictsRequest,
        context: grpc.aio.ServicerContext,
        awake: asyncio.Event,
    ) -> None:
        """Tell of the newest verdict of each avatar, not more often than asked for, until the server stops."""
        require_filter(request.client_name, request.avatar_id)
        rate_hz = request.rate_hz if request.HasField("rate_hz") else _DEFAULT_VERDICT_RATE_HZ
        if not 0.0 < rate_hz <= limits.MAX_VERDICT_RATE_HZ:
            expected = f"above 0, at most {limits.MAX_VERDICT_RATE_HZ:g}"
            raise InvalidInput(f"is {rate_hz:g}", field="rate_hz", expected=expected)
        newest = NewestVerdicts(request.client_name, request.avatar_id, lambda: self._wake(awake))
        unlisten = desk.monitor.listen_verdicts(newest.note)
        try:
            await context.send_initial_metadata(())  # so the client knows that the watch is on
            while not self._ending.is_set():
                awake.clear()
                for message in newest.take():
                    await _write(context, message)
                await _set_within(self._ending, 1.0 / rate_hz)  # what comes meanwhile waits, the newest of each avatar
                await awake.wait()
            raise _stopping()
        finally:
            unlisten()

    # -- what both need

    def _taken_in(self, data: bytes, context: grpc.aio.ServicerContext, scope: Scope, request_type: type[_Q]) -> _Q:
        grant = self._access.authenticate(bearer_token(context))
        grant.require(scope)
        grant.require_size(len(data))
        return parse_message(request_type, data)

    def _wake(self, awake: asyncio.Event) -> None:
        """Wake a watch; from any thread."""
        assert self._wakeups is not None
        self._wakeups.wake(awake)


_Tell = Callable[[AnomalyDesk, Any, grpc.aio.ServicerContext, asyncio.Event], Awaitable[None]]


class _ClientGone(Exception):
    """What was written found nobody."""


async def _write(context: grpc.aio.ServicerContext, message: Message) -> None:
    try:
        await context.write(message)
    except Exception as error:  # of no public type: the client has gone in this moment
        _log.debug("watch_not_written", exc_info=error)
        raise _ClientGone from None


async def _set_within(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until an event is set, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def _stopping() -> Unavailable:
    return Unavailable("the server is about to stop", expected="another try later, from the last cursor")
