"""The ZeroMQ front: a ROUTER socket on its own thread, the same messages and sessions as over gRPC."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
import zmq
from google.protobuf.message import Message

from bridge import limits
from bridge.errors import (
    BridgeError,
    InternalError,
    InvalidInput,
    MalformedMessage,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from bridge.service.access import AccessControl, AccessGrant
from bridge.service.alert_calls import AlertCalls
from bridge.service.curve import CurveServer, ZapHandler
from bridge.service.tokens import Scope
from bridge.service.turns import Turns
from bridge.service.watch import WatchPublisher
from bridge.service.zmq_address import bind, require_free
from bridge.session import Session, SessionRegistry
from bridge.telemetry import TransportTelemetry
from bridge.wire.codec import error_to_detail, parse_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2

_log = structlog.get_logger(__name__)

TRANSPORT = "zmq"
_SEND_QUEUE_MESSAGES = 64
"""Messages that libzmq holds for one client that does not read; what is newer waits in the session's outbox."""
_RECEIVE_QUEUE_MESSAGES = 128
"""Messages that libzmq holds from one client that sends faster than they are looked at; then that client must wait."""
_RECEIVED_IN_A_ROW = 4096
_RECEIVE_TURN_S = 0.02
_HANDLE_TURN_S = 0.08
"""Long, so that a front that falls behind catches up: of piled up frames only each avatar's newest is forecast from.
Then what waits to be sent has its turn."""
_WAITING_BYTES = 2 * limits.MAX_MESSAGE_BYTES
"""Of one client, taken off the wire and not yet looked at; what it sends beyond that is dropped, and it is told."""
_REFUSE_EVERY_S = 1.0
_RETRY_MS = 5
_LINGER_MS = 200
_CHECK_S = 1.0
_HANDSHAKE_MS = 10_000
_HEARTBEAT_MS = 5_000
_HEARTBEAT_TIMEOUT_MS = 15_000
_SCOPES_OF_ALERT_CALLS = {
    "list_alerts": Scope.WATCH,
    "get_alert_snapshot": Scope.WATCH,
    "acknowledge_alert": Scope.ADMIN,
}


@dataclass(slots=True)
class _Peer:
    """A connection that has a session, and when it was last told that it sends too much."""

    session: Session
    grant: AccessGrant
    refused_s: float = float("-inf")


class ZmqFront:
    """Serves sessions, one per connection, on one endpoint. `start` and `stop` may be called from any one thread.

    ROUTER does not tell when a client is gone: a session ends when a message to it finds nobody (one that is silent
    gets a heartbeat every second, to find out), or when nothing was heard from it for ``idle_timeout_s``.

    Args:
        registry: opens and closes sessions.
        idle_timeout_s: see above.
        access: who may do what; by default everyone may.
        curve: makes the endpoint a CURVE server.
        watch: gets every forecast that is sent.
        calls: answers what is asked about alerts; by default they are off.
        telemetry: counts the errors that do not belong to a session.
    """

    def __init__(
        self,
        registry: SessionRegistry,
        *,
        idle_timeout_s: float,
        access: AccessControl | None = None,
        curve: CurveServer | None = None,
        watch: WatchPublisher | None = None,
        calls: AlertCalls | None = None,
        telemetry: TransportTelemetry | None = None,
    ) -> None:
        self._registry = registry
        self._idle_timeout_s = idle_timeout_s
        self._access = access or AccessControl()
        self._curve = curve
        self._watch = watch
        self._calls = calls or AlertCalls(None)
        self._telemetry = telemetry or TransportTelemetry()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._zap: ZapHandler | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Other threads append to these and then ring, if nobody has; this thread empties them.
        self._ready: deque[bytes] = deque()
        self._answers: deque[tuple[bytes, int, str, Message | BridgeError]] = deque()
        self._rung = False
        self._peers: dict[bytes, _Peer] = {}
        self._blocked: set[bytes] = set()
        self._turns = Turns(_WAITING_BYTES)

    def start(self, address: str) -> str:
        """Listen on ``tcp://HOST:PORT`` (port 0: any free one) or ``ipc://PATH``; return the address that is bound.

        Raises:
            InvalidInput: if the address does not read.
            Unavailable: if it cannot be bound; says why.
        """
        require_free(address, field="zmq")
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.SNDHWM, _SEND_QUEUE_MESSAGES)
        self._router.setsockopt(zmq.RCVHWM, _RECEIVE_QUEUE_MESSAGES)
        # Messages a little too long get a typed error; from twice the limit on libzmq drops the connection.
        self._router.setsockopt(zmq.MAXMSGSIZE, 2 * limits.MAX_MESSAGE_BYTES)
        self._router.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        self._router.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._router.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        self._router.setsockopt(zmq.HEARTBEAT_TTL, _HEARTBEAT_TIMEOUT_MS)
        try:
            if self._curve is not None:
                self._zap = self._curve.protect(self._context, self._router)
            bound = bind(self._router, address, field="zmq")
        except BaseException:
            self._context.destroy(linger=0)
            self._context = None
            raise
        self._bell, self._bell_button = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_button.setblocking(False)
        self._thread = threading.Thread(target=self._work, name="posebridge-zmq", daemon=True)
        self._thread.start()
        return bound

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread and close every connection; False if the thread did not end in time."""
        if self._thread is None:
            return True
        self._stopping = True
        self._ring()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("zmq_thread_did_not_stop", timeout_s=timeout_s)
            return False
        self._bell.close()
        self._bell_button.close()
        return True

    def _take_answer(self, identity: bytes, request_id: int, payload: str, answer: Message | BridgeError) -> None:
        self._answers.append((identity, request_id, payload, answer))
        self._ring()

    def _wake(self, identity: bytes) -> None:
        self._ready.append(identity)
        self._ring()

    def _ring(self) -> None:
        if self._rung and not self._stopping:
            return
        self._rung = True
        # Full of rings that were not yet heard: one more says nothing new. Closed: there is nobody to wake.
        with contextlib.suppress(OSError):
            self._bell_button.send(b"\0")

    # -- everything below runs on the front's thread

    def _work(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        if self._zap is not None:
            poller.register(self._zap.socket, zmq.POLLIN)
        check_s = min(_CHECK_S, self._idle_timeout_s / 4)
        checked_s = time.monotonic()
        try:
            while not self._stopping:
                patience_ms = _RETRY_MS if self._blocked else max(1, int(check_s * 1000))
                events = dict(poller.poll(0 if len(self._turns) else patience_ms))
                self._rung = True  # awake: nobody need ring
                if self._bell.fileno() in events:
                    self._bell.recv(4096)
                if self._zap is not None and self._zap.socket in events:
                    self._zap.answer()
                if self._router in events:
                    self._receive()
                if len(self._turns):
                    self._look_at_what_came()
                self._rung = False  # from here on they must: what comes now may be overlooked
                self._send_what_is_ready()
                if time.monotonic() - checked_s >= check_s:
                    checked_s = time.monotonic()
                    self._look_after_silent_sessions()
        finally:
            for peer in self._peers.values():
                self._registry.close(peer.session)
            self._peers.clear()
            assert self._context is not None
            self._context.destroy(linger=_LINGER_MS)

    def _receive(self) -> None:
        """Take off the wire what has come, up to a bound."""
        until_s = now_s = time.monotonic()
        until_s += _RECEIVE_TURN_S
        for _ in range(_RECEIVED_IN_A_ROW):
            try:
                identity, *parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if not self._turns.put(identity, parts):
                self._refuse_flood(identity, now_s)
            began_s, now_s = now_s, time.monotonic()
            self._turns.note_used(identity, now_s - began_s)
            if now_s >= until_s:
                return

    def _look_at_what_came(self) -> None:
        """Handle messages for one turn; what they make due is submitted together, the newest of each avatar."""
        touched: dict[Session, None] = {}
        now_s = time.monotonic()
        until_s = now_s + _HANDLE_TURN_S
        while now_s < until_s and (waiting := self._turns.next()) is not None:
            identity, parts = waiting
            peer = self._peers.get(identity)
            try:
                self._handle(identity, peer, parts)
            except BridgeError as error:
                # Bytes that are no envelope belong to the session of this connection, if there is one.
                if peer is not None:
                    peer.session.report(error)
                else:
                    self._send_error(identity, error, session_ended=True)
            except Exception as error:  # our fault: it costs this message, not everyone's connection
                _log.error("message_failed", exc_info=error)
                fault = InternalError(f"the message failed ({type(error).__name__}); the server's log has details")
                self._send_error(identity, fault, session_ended=identity not in self._peers)
            if peer is not None:
                touched[peer.session] = None
            began_s, now_s = now_s, time.monotonic()
            self._turns.note_used(identity, now_s - began_s)
        self._registry.submit(touched)

    def _refuse_flood(self, identity: bytes, now_s: float) -> None:
        """Say, once a second, that a client sends more than is looked at; without a session nothing is owed to it."""
        peer = self._peers.get(identity)
        if peer is not None and now_s - peer.refused_s >= _REFUSE_EVERY_S:
            peer.refused_s = now_s
            error = ResourceExhausted(
                "messages come faster than they can be looked at, some were dropped",
                expected="fewer or smaller messages",
                retry_after_ms=round(_REFUSE_EVERY_S * 1000),
            )
            peer.session.report(error)

    def _handle(self, identity: bytes, peer: _Peer | None, parts: list[bytes]) -> None:
        if len(parts) != 1:
            problem = f"the message has {len(parts)} parts"
            raise MalformedMessage(problem, expected="one part: a serialized ClientEnvelope")
        data = parts[0]
        if peer is not None:
            peer.grant.require_size(len(data))
        envelope = parse_message(envelope_pb2.ClientEnvelope, data)
        payload = envelope.WhichOneof("payload")
        if payload == "stream":
            if peer is not None:
                peer.session.take_in(envelope.stream)
            else:
                self._open(identity, envelope, len(data))
        elif payload == "forecast":
            self._forecast(identity, envelope, len(data))
        elif payload == "get_model_info":
            self._get_model_info(identity, envelope)
        elif payload in _SCOPES_OF_ALERT_CALLS:
            self._call_about_alerts(identity, envelope, payload, len(data))
        elif payload == "heartbeat":
            if peer is not None:
                peer.session.touch()
            beat = envelope_pb2.Heartbeat()
            self._send(identity, envelope_pb2.ServerEnvelope(request_id=envelope.request_id, heartbeat=beat))
        elif payload == "goodbye":
            self._close(identity)
        else:
            raise InvalidInput(
                "the envelope is empty", field="payload", expected="one of the payloads of ClientEnvelope"
            )

    def _open(self, identity: bytes, envelope: envelope_pb2.ClientEnvelope, size: int) -> None:
        grant = self._granted(envelope, size)
        if self._access.required and identity[:1] != b"\0":
            # Whoever connected under the same id after this client is gone would be taken for it.
            raise Unauthenticated("the connection chose its own routing id", field="routing_id", expected="none")
        wake = partial(self._wake, identity)
        session = self._registry.open(envelope.stream, wake, transport=TRANSPORT, grant=grant)
        self._peers[identity] = _Peer(session, grant)

    def _forecast(self, identity: bytes, envelope: envelope_pb2.ClientEnvelope, size: int) -> None:
        take = partial(self._take_answer, identity, envelope.request_id, "forecast")
        try:
            self._registry.forecast(envelope.forecast, take, grant=self._granted(envelope, size))
        except BridgeError as error:
            self._send_error(identity, error, request_id=envelope.request_id)

    def _call_about_alerts(
        self, identity: bytes, envelope: envelope_pb2.ClientEnvelope, payload: str, size: int
    ) -> None:
        def take(answered: Future[Any]) -> None:
            if answered.cancelled():
                return  # the server stops
            error = answered.exception()
            answer = error if isinstance(error, BridgeError) else answered.result()
            self._take_answer(identity, envelope.request_id, payload, answer)

        try:
            self._granted(envelope, size, _SCOPES_OF_ALERT_CALLS[payload])
            answer: Future[Any]
            if payload == "list_alerts":
                answer = self._calls.list_alerts(envelope.list_alerts)
            elif payload == "acknowledge_alert":
                answer = self._calls.acknowledge(envelope.acknowledge_alert)
            else:
                answer = self._calls.snapshot(envelope.get_alert_snapshot)
            answer.add_done_callback(take)
        except BridgeError as error:
            self._send_error(identity, error, request_id=envelope.request_id)

    def _get_model_info(self, identity: bytes, envelope: envelope_pb2.ClientEnvelope) -> None:
        try:
            self._access.authenticate(envelope.token)
        except BridgeError as error:
            self._send_error(identity, error, request_id=envelope.request_id)
            return
        info = self._registry.model_info()
        self._send(identity, envelope_pb2.ServerEnvelope(request_id=envelope.request_id, get_model_info=info))

    def _granted(self, envelope: envelope_pb2.ClientEnvelope, size: int, scope: Scope = Scope.STREAM) -> AccessGrant:
        grant = self._access.authenticate(envelope.token)
        grant.require(scope)
        grant.require_size(size)
        return grant

    def _answer(self, identity: bytes, request_id: int, payload: str, answer: Message | BridgeError) -> None:
        if isinstance(answer, BridgeError):
            self._send_error(identity, answer, request_id=request_id)
        else:
            # An answer lies in the field that is called like its question's.
            answered: dict[str, Any] = {payload: answer}
            self._send(identity, envelope_pb2.ServerEnvelope(request_id=request_id, **answered))

    def _send_what_is_ready(self) -> None:
        while self._answers:
            self._answer(*self._answers.popleft())
        due = self._blocked
        self._blocked = set()
        while self._ready:
            due.add(self._ready.popleft())
        for identity in due:
            if (peer := self._peers.get(identity)) is None:
                continue
            try:
                self._flush(identity, peer.session)
            except Exception as error:  # our fault: it costs this session, not everyone's connection
                _log.error("session_failed", session=peer.session.id, exc_info=error)
                fault = InternalError(f"the session failed ({type(error).__name__}); the server's log has details")
                self._end(identity, fault)

    def _flush(self, identity: bytes, session: Session) -> None:
        while (item := session.next_item()) is not None:
            response = session.encode(item)
            if not self._send(identity, envelope_pb2.ServerEnvelope(stream=response)):
                session.put_back(item)
                self._blocked.add(identity)
                return
            session.note_sent(item)
            if self._watch is not None:
                self._watch.note_sent(session.config.client_name, response)
        if session.finished:
            self._end(identity, Unavailable("the server has stopped", expected="another try later"))

    def _look_after_silent_sessions(self) -> None:
        self._turns.settle()
        for identity, peer in list(self._peers.items()):
            silent_s = peer.session.idle_s()
            if silent_s >= self._idle_timeout_s:
                problem = f"nothing was heard for {self._idle_timeout_s:g} s"
                self._end(identity, Unavailable(problem, field="session", expected="frames, or a heartbeat"))
            elif silent_s >= _CHECK_S:
                self._send(identity, envelope_pb2.ServerEnvelope(heartbeat=envelope_pb2.Heartbeat()))

    def _end(self, identity: bytes, error: BridgeError) -> None:
        self._send_error(identity, error, session_ended=True)
        self._close(identity)

    def _send(self, identity: bytes, envelope: envelope_pb2.ServerEnvelope) -> bool:
        """Hand a message to libzmq; False if this client's queue is full. To a client that is gone nothing is owed."""
        try:
            self._router.send_multipart((identity, envelope.SerializeToString()), zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._turns.forget(identity)
            self._close(identity)
        return True

    def _send_error(
        self, identity: bytes, error: BridgeError, *, request_id: int = 0, session_ended: bool = False
    ) -> None:
        self._telemetry.errors[error.kind.name] += 1
        call_error = envelope_pb2.CallError(error=error_to_detail(error), session_ended=session_ended)
        self._send(identity, envelope_pb2.ServerEnvelope(request_id=request_id, error=call_error))

    def _close(self, identity: bytes) -> None:
        if (peer := self._peers.pop(identity, None)) is not None:
            self._registry.close(peer.session)
