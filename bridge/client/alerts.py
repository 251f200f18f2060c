"""Alerts of all of a server's avatars: looked up, watched without a gap, acknowledged."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from bridge.client.address import TransportKind, parse_address
from bridge.client.backoff import Backoff
from bridge.client.security import Credentials, CurveKeys, TlsFiles
from bridge.errors import DeadlineExceeded, InvalidInput, ResourceExhausted, Unavailable
from bridge.wire.alerts import Alert, AlertPage, AlertSnapshot, Verdict
from bridge.wire.codec import (
    AlertQuery,
    alert_from_message,
    alert_page_from_message,
    alert_query_to_message,
    alert_snapshot_from_message,
    verdict_from_message,
)
from bridge.wire.generated.posebridge.v1 import anomaly_pb2

if TYPE_CHECKING:
    import grpc
    import zmq

    from bridge.client.grpc_transport import GrpcTransport
    from bridge.client.zmq_transport import ZmqTransport

_PAGE = 500
_REMEMBERED = 4096
_LOOK_AGAIN_S = 5.0
_POLL_MS = 250
_PASSING = (Unavailable, DeadlineExceeded, ResourceExhausted)
"""Errors that another try may cure."""


class AlertsClient:
    """Reads and acknowledges the alerts of a server; keeps no connection between calls. Any thread may use it.

    Use it in a ``with`` statement, or call `close`.

    Args:
        address: ``HOST:PORT`` or ``grpc://HOST:PORT`` for gRPC, ``tcp://HOST:PORT`` or ``ipc://PATH`` for ZeroMQ.
        token: of the scope "watch"; `acknowledge` takes "admin".
        tls: for gRPC over TLS. curve: for ZeroMQ over CURVE.
        publisher: for `watch` over ZeroMQ: the server's ``zmq_watch`` address.

    Raises:
        InvalidInput: if an address is none, or the token or a file cannot be used.
        NotFound: if a file does not exist.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        tls: TlsFiles | None = None,
        curve: CurveKeys | None = None,
        publisher: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        parsed = parse_address(address)
        credentials = Credentials(token, tls, curve)
        credentials.require_fit(parsed)
        self._grpc: GrpcTransport | None = None
        self._zmq: ZmqTransport | None = None
        # Each transport is loaded by those who use it.
        if parsed.kind is TransportKind.GRPC:
            from bridge.client.grpc_transport import GrpcTransport

            self._grpc = GrpcTransport(parsed.target, credentials)
        else:
            from bridge.client.zmq_transport import ZmqTransport

            self._zmq = ZmqTransport(parsed.target, credentials)
        self._address = parsed
        self._publisher = publisher
        self._timeout_s = timeout_s
        self._closed = threading.Event()
        self._calls: list[grpc.Call] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Where it leads, in one line."""
        return f"AlertsClient({self._address}{', closed' if self._closed.is_set() else ''})"

    # -- questions with one answer

    def newest(
        self,
        *,
        limit: int = 100,
        before_cursor: int = 0,
        client_name: str = "",
        avatar_id: str = "",
        active_only: bool = False,
    ) -> AlertPage:
        """Return each alert as it stands, last raised first; empty names stand for all.

        Raises:
            BridgeError: the server's answer if it is an error; `Unavailable` or `DeadlineExceeded` if there is none.
        """
        return self._list(AlertQuery(None, limit, client_name, avatar_id, active_only, before_cursor))

    def changes_after(
        self, cursor: int, *, limit: int = 100, client_name: str = "", avatar_id: str = "", active_only: bool = False
    ) -> AlertPage:
        """Return changes after a cursor, oldest first.

        Raises:
            BridgeError: as `newest`.
        """
        return self._list(AlertQuery(cursor, limit, client_name, avatar_id, active_only))

    def acknowledge(self, alert_id: str, by: str, note: str = "") -> Alert:
        """Note that ``by`` saw an alert, and return it; the first one who does counts.

        Raises:
            BridgeError: as `newest`.
        """
        request = anomaly_pb2.AcknowledgeAlertRequest(alert_id=alert_id, acknowledged_by=by, note=note)
        answer = cast(anomaly_pb2.AcknowledgeAlertResponse, self._transport.alert_call(request, self._timeout_s))
        return alert_from_message(answer.alert)

    def snapshot(self, alert_id: str) -> tuple[Alert, AlertSnapshot | None]:
        """Return an alert and what was seen, drawn and scored when it was raised.

        Raises:
            BridgeError: as `newest`.
        """
        request = anomaly_pb2.GetAlertSnapshotRequest(alert_id=alert_id)
        answer = cast(anomaly_pb2.GetAlertSnapshotResponse, self._transport.alert_call(request, self._timeout_s))
        return alert_snapshot_from_message(answer)

    # -- watching

    def watch(self, after_cursor: int | None = None, *, client_name: str = "", avatar_id: str = "") -> Iterator[Alert]:
        """Yield every change of every alert in order, each once, until `close`; reconnects by itself and misses none.

        Args:
            after_cursor: changes after this one; 0 gives the whole log, None only what comes from now on.
            client_name, avatar_id: only of these; empty for all.

        Raises:
            InvalidInput: over ZeroMQ without the publisher's address.
            BridgeError: the server's, if it refuses for good.
        """
        if self._zmq is not None and self._publisher is None:
            raise InvalidInput("is missing", field="publisher", expected="the server's zmq_watch address, or gRPC")
        wait, seen = Backoff(), _Seen()
        cursor = after_cursor
        while not self._closed.is_set():
            try:
                if cursor is None:
                    cursor = self._list(AlertQuery(0, 1, client_name, avatar_id)).last_cursor
                if self._zmq is not None:
                    stream = self._watch_zmq(self._zmq, cursor, client_name, avatar_id)
                else:
                    stream = self._watch_grpc(cursor, client_name, avatar_id)
                for alert in stream:
                    wait.reset()
                    # As it is, not the highest: a server with a new log begins anew.
                    cursor = alert.cursor
                    if seen.is_new(alert):
                        yield alert
            except _PASSING as error:
                if self._closed.wait(wait.next_s(error.retry_after_ms / 1000)):
                    return

    def verdicts(
        self, *, client_name: str = "", avatar_id: str = "", rate_hz: float = 10.0
    ) -> Iterator[tuple[str, str, Verdict]]:
        """Yield (client, avatar, verdict) as they come, at most so many a second and avatar, until `close`; gRPC only.

        Raises:
            InvalidInput: over ZeroMQ.
            BridgeError: the server's, if it refuses for good.
        """
        if self._grpc is None:
            raise InvalidInput("is ZeroMQ", field="address", expected="gRPC")
        from bridge.wire.generated.posebridge.v1 import anomaly_pb2_grpc

        request = anomaly_pb2.WatchVerdictsRequest(client_name=client_name, avatar_id=avatar_id, rate_hz=rate_hz)
        wait = Backoff()
        while not self._closed.is_set():
            try:
                with self._grpc.channel() as channel:
                    stub = anomaly_pb2_grpc.AnomalyServiceStub(channel)
                    for answer in self._streamed(stub.WatchVerdicts(request, metadata=self._grpc.metadata)):
                        wait.reset()
                        yield answer.client_name, answer.avatar_id, verdict_from_message(answer.verdict)
            except _PASSING as error:
                if self._closed.wait(wait.next_s(error.retry_after_ms / 1000)):
                    return

    def close(self) -> None:
        """End `watch` and `verdicts`; may be called again."""
        self._closed.set()
        with self._lock:
            for call in self._calls:
                call.cancel()
        if self._zmq is not None:
            self._zmq.stop()

    # -- how

    @property
    def _transport(self) -> GrpcTransport | ZmqTransport:
        transport = self._grpc or self._zmq
        assert transport is not None
        return transport

    def _list(self, query: AlertQuery) -> AlertPage:
        answer = self._transport.alert_call(alert_query_to_message(query), self._timeout_s)
        return alert_page_from_message(cast(anomaly_pb2.ListAlertsResponse, answer))

    def _watch_grpc(self, cursor: int, client_name: str, avatar_id: str) -> Iterator[Alert]:
        from bridge.wire.generated.posebridge.v1 import anomaly_pb2_grpc

        assert self._grpc is not None
        request = anomaly_pb2.WatchAlertsRequest(after_cursor=cursor, client_name=client_name, avatar_id=avatar_id)
        with self._grpc.channel() as channel:
            stub = anomaly_pb2_grpc.AnomalyServiceStub(channel)
            for answer in self._streamed(stub.WatchAlerts(request, metadata=self._grpc.metadata)):
                if answer.HasField("alert"):
                    yield alert_from_message(answer.alert)
        if not self._closed.is_set():
            raise Unavailable("the server ended the watch")

    def _streamed(self, call: grpc.Call) -> Iterator[Any]:
        import grpc

        from bridge.client.grpc_transport import error_of_call

        with self._lock:
            self._calls.append(call)
        try:
            if self._closed.is_set():
                call.cancel()
            yield from call
        except grpc.RpcError as error:
            if not self._closed.is_set():
                raise error_of_call(error) from error
        finally:
            call.cancel()
            with self._lock:
                self._calls.remove(call)

    def _watch_zmq(self, transport: ZmqTransport, cursor: int, client_name: str, avatar_id: str) -> Iterator[Alert]:
        """What is published, and from the log what was not: at the start, at a gap, and every few seconds."""
        import zmq

        assert self._publisher is not None
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        subscriber = context.socket(zmq.SUB)
        subscriber.linger = 0
        transport.protect(subscriber)
        topic = f"alerts/{client_name}/{avatar_id}" if client_name else "alerts/"
        try:
            subscriber.subscribe(topic)
            subscriber.connect(self._publisher)
            look_at_s = 0.0
            while not self._closed.is_set():
                told = subscriber.poll(_POLL_MS) > 0
                while told and subscriber.poll(0):
                    # The log tells it all in order; a message only says that it is time to look.
                    subscriber.recv_multipart()
                if not told and time.monotonic() < look_at_s:
                    continue
                look_at_s = time.monotonic() + _LOOK_AGAIN_S
                while page := self.changes_after(
                    cursor, limit=_PAGE, client_name=client_name, avatar_id=avatar_id
                ).alerts:
                    yield from page
                    cursor = page[-1].cursor
        except zmq.ZMQError as error:
            raise Unavailable(f"{self._publisher}: {error.strerror}") from error
        finally:
            subscriber.close()


class _Seen:
    """Changes that were told before."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def is_new(self, alert: Alert) -> bool:
        key = alert.id, alert.revision, alert.recorded_unix_us
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)
        return True
