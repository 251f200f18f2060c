"""The ZeroMQ front: a ROUTER socket on its own thread, the same messages and sessions as over gRPC."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from functools import partial
from pathlib import Path

import structlog
import zmq

from bridge import limits
from bridge.errors import BridgeError, InternalError, InvalidInput, MalformedMessage, Unavailable
from bridge.session import Answer, Session, SessionRegistry
from bridge.wire.codec import error_to_detail, parse_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2

_log = structlog.get_logger(__name__)

_SEND_QUEUE_MESSAGES = 64
"""Messages that libzmq holds for one client that does not read; what is newer waits in the session's outbox."""
_RECEIVED_IN_A_ROW = 256
_RETRY_MS = 5
_LINGER_MS = 200
_CHECK_S = 1.0
_HEARTBEAT_MS = 5_000
_HEARTBEAT_TIMEOUT_MS = 15_000


class ZmqFront:
    """Serves sessions, one per connection, on one endpoint. `start` and `stop` may be called from any one thread.

    ROUTER does not tell when a client is gone: a session ends when a message to it finds nobody (one that is silent
    gets a heartbeat every second, to find out), or when nothing was heard from it for ``idle_timeout_s``.
    """

    def __init__(self, registry: SessionRegistry, *, idle_timeout_s: float) -> None:
        self._registry = registry
        self._idle_timeout_s = idle_timeout_s
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Other threads append to these and then ring; this thread empties them.
        self._ready: deque[bytes] = deque()
        self._answers: deque[tuple[bytes, envelope_pb2.ServerEnvelope]] = deque()
        self._sessions: dict[bytes, Session] = {}
        self._blocked: set[bytes] = set()

    def start(self, address: str) -> str:
        """Listen on ``tcp://HOST:PORT`` (port 0: any free one) or ``ipc://PATH``; return the address that is bound.

        Raises:
            InvalidInput: if the address does not read.
            Unavailable: if it cannot be bound; says why.
        """
        _require_free(address)
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.SNDHWM, _SEND_QUEUE_MESSAGES)
        # Messages a little too long get a typed error; from twice the limit on libzmq drops the connection.
        self._router.setsockopt(zmq.MAXMSGSIZE, 2 * limits.MAX_MESSAGE_BYTES)
        self._router.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._router.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        self._router.setsockopt(zmq.HEARTBEAT_TTL, _HEARTBEAT_TIMEOUT_MS)
        try:
            self._router.bind(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            self._context = None
            if error.errno in (zmq.EINVAL, zmq.EPROTONOSUPPORT):
                raise _not_an_address(address) from None
            raise _unavailable(address, error.strerror or str(error)) from None
        self._bell, self._bell_button = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_button.setblocking(False)
        self._thread = threading.Thread(target=self._work, name="posebridge-zmq", daemon=True)
        bound = self._router.getsockopt_string(zmq.LAST_ENDPOINT)
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

    def _ring(self) -> None:
        # Full of rings that were not yet heard: one more says nothing new. Closed: there is nobody to wake.
        with contextlib.suppress(OSError):
            self._bell_button.send(b"\0")

    # -- everything below runs on the front's thread

    def _work(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        check_s = min(_CHECK_S, self._idle_timeout_s / 4)
        checked_s = time.monotonic()
        try:
            while not self._stopping:
                events = dict(poller.poll(_RETRY_MS if self._blocked else max(1, int(check_s * 1000))))
                if self._bell.fileno() in events:
                    self._bell.recv(4096)
                if self._router in events:
                    self._receive()
                self._send_what_is_ready()
                if time.monotonic() - checked_s >= check_s:
                    checked_s = time.monotonic()
                    self._look_after_silent_sessions()
        finally:
            for session in self._sessions.values():
                self._registry.close(session)
            self._sessions.clear()
            assert self._context is not None
            self._context.destroy(linger=_LINGER_MS)

    def _receive(self) -> None:
        for _ in range(_RECEIVED_IN_A_ROW):
            try:
                identity, *parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._handle(identity, _envelope(parts))
            except BridgeError as error:
                # Bytes that are no envelope belong to the session of this connection, if there is one.
                if (session := self._sessions.get(identity)) is not None:
                    session.report(error)
                else:
                    self._send(identity, _call_error(error, session_ended=True))
            except Exception as error:  # our fault: it costs this message, not everyone's connection
                _log.error("message_failed", exc_info=error)
                fault = InternalError(f"the message failed ({type(error).__name__}); the server's log has details")
                self._send(identity, _call_error(fault, session_ended=identity not in self._sessions))

    def _handle(self, identity: bytes, envelope: envelope_pb2.ClientEnvelope) -> None:
        session = self._sessions.get(identity)
        payload = envelope.WhichOneof("payload")
        if payload == "stream":
            if session is None:
                self._open(identity, envelope.stream)
            else:
                session.handle(envelope.stream)
        elif payload == "forecast":
            self._forecast(identity, envelope)
        elif payload == "get_model_info":
            info = self._registry.model_info()
            self._send(identity, envelope_pb2.ServerEnvelope(request_id=envelope.request_id, get_model_info=info))
        elif payload == "heartbeat":
            if session is not None:
                session.touch()
            beat = envelope_pb2.Heartbeat()
            self._send(identity, envelope_pb2.ServerEnvelope(request_id=envelope.request_id, heartbeat=beat))
        elif payload == "goodbye":
            self._close(identity)
        else:
            raise InvalidInput(
                "the envelope is empty", field="payload", expected="one of the payloads of ClientEnvelope"
            )

    def _open(self, identity: bytes, request: forecast_pb2.StreamForecastsRequest) -> None:
        self._sessions[identity] = self._registry.open(request, partial(self._wake, identity))

    def _wake(self, identity: bytes) -> None:
        self._ready.append(identity)
        self._ring()

    def _forecast(self, identity: bytes, envelope: envelope_pb2.ClientEnvelope) -> None:
        request_id = envelope.request_id

        def take(answer: Answer) -> None:
            self._answers.append((identity, _answered(answer, request_id)))
            self._ring()

        try:
            self._registry.forecast(envelope.forecast, take)
        except BridgeError as error:
            self._send(identity, _call_error(error, request_id=request_id))

    def _send_what_is_ready(self) -> None:
        while self._answers:
            self._send(*self._answers.popleft())
        due = self._blocked
        self._blocked = set()
        while self._ready:
            due.add(self._ready.popleft())
        for identity in due:
            if (session := self._sessions.get(identity)) is not None:
                self._flush(identity, session)

    def _flush(self, identity: bytes, session: Session) -> None:
        while (item := session.next_item()) is not None:
            if not self._send(identity, envelope_pb2.ServerEnvelope(stream=session.encode(item))):
                session.put_back(item)
                self._blocked.add(identity)
                return
        if session.finished:
            self._end(identity, Unavailable("the server has stopped", expected="another try later"))

    def _look_after_silent_sessions(self) -> None:
        for identity, session in list(self._sessions.items()):
            silent_s = session.idle_s()
            if silent_s >= self._idle_timeout_s:
                problem = f"nothing was heard for {self._idle_timeout_s:g} s"
                self._end(identity, Unavailable(problem, field="session", expected="frames, or a heartbeat"))
            elif silent_s >= _CHECK_S:
                self._send(identity, envelope_pb2.ServerEnvelope(heartbeat=envelope_pb2.Heartbeat()))

    def _end(self, identity: bytes, error: BridgeError) -> None:
        self._send(identity, _call_error(error, session_ended=True))
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
            self._close(identity)
        return True

    def _close(self, identity: bytes) -> None:
        if (session := self._sessions.pop(identity, None)) is not None:
            self._registry.close(session)


def _envelope(parts: list[bytes]) -> envelope_pb2.ClientEnvelope:
    if len(parts) != 1:
        raise MalformedMessage(f"the message has {len(parts)} parts", expected="one part: a serialized ClientEnvelope")
    return parse_message(envelope_pb2.ClientEnvelope, parts[0])


def _answered(answer: Answer, request_id: int) -> envelope_pb2.ServerEnvelope:
    if isinstance(answer, BridgeError):
        return _call_error(answer, request_id=request_id)
    return envelope_pb2.ServerEnvelope(request_id=request_id, forecast=answer)


def _call_error(error: BridgeError, *, request_id: int = 0, session_ended: bool = False) -> envelope_pb2.ServerEnvelope:
    call_error = envelope_pb2.CallError(error=error_to_detail(error), session_ended=session_ended)
    return envelope_pb2.ServerEnvelope(request_id=request_id, error=call_error)


def _require_free(address: str) -> None:
    """Raise if someone listens on an ipc path already: libzmq would take the path away from them without a word."""
    scheme, _, path = address.partition("://")
    if scheme not in ("tcp", "ipc") or not path:
        raise _not_an_address(address)
    if scheme != "ipc" or not Path(path).exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return  # a leftover of a server that is gone
    raise _unavailable(address, "Address already in use")


def _not_an_address(address: str) -> InvalidInput:
    expected = "tcp://HOST:PORT or ipc://PATH, for example tcp://127.0.0.1:50552"
    return InvalidInput(f"{address!r} is not an address", field="zmq", expected=expected)


def _unavailable(address: str, reason: str) -> Unavailable:
    return Unavailable(
        f"cannot listen on {address}: {reason}", field="zmq", expected="a free address, or port 0 for any"
    )
