"""Forecasts and alerts for whoever wants to watch: an XPUB socket on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque

import structlog
import zmq

from bridge.errors import InvalidInput
from bridge.service.curve import CurveServer, ZapHandler
from bridge.service.zmq_address import bind, require_free
from bridge.wire.alerts import Alert
from bridge.wire.codec import alert_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2

_log = structlog.get_logger(__name__)

_SEND_QUEUE_MESSAGES = 64
"""Messages that libzmq holds for one watcher; one that reads too slowly misses what comes then."""
_WAITING_MESSAGES = 1024
_WAITING_ALERTS = 4096
_MAX_TOPICS = 4096
"""Topics that are told apart; with more of them everything is published."""
_LONGEST_RECEIVED = 4096
"""Bytes of what a watcher may send: a topic, or a step of the handshake."""
_LINGER_MS = 200
_HEARTBEAT_MS = 5_000
_HEARTBEAT_TIMEOUT_MS = 15_000


class WatchPublisher:
    """Publishes messages of two parts, a topic and a serialized message.

    ``forecast/<client>/<avatar>`` comes with a ``PoseForecast``, ``alerts/<client>/<avatar>`` with an ``Alert``. A
    watcher's SUB socket subscribes to a topic or the beginning of one: ``forecast/`` for all forecasts. One that reads
    too slowly misses messages: of alerts it can ask for the changes after the last cursor that it has seen. Ask `wants`
    before encoding. `start` and `stop` may be called from any one thread, the others from any.
    """

    def __init__(self, *, curve: CurveServer | None = None) -> None:
        self._curve = curve
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._topics: tuple[bytes, ...] = ()
        self._waiting: deque[tuple[bytes, bytes]] = deque(maxlen=_WAITING_MESSAGES)
        self._alerts: deque[tuple[bytes, bytes]] = deque(maxlen=_WAITING_ALERTS)
        self._rung = False
        self.published = 0

    def start(self, address: str) -> str:
        """Listen on ``tcp://HOST:PORT`` (port 0: any free one) or ``ipc://PATH``; return the address that is bound.

        Raises:
            InvalidInput: if the address does not read.
            Unavailable: if it cannot be bound; says why.
        """
        require_free(address, field="zmq_watch")
        self._context = zmq.Context()
        publisher = self._context.socket(zmq.XPUB)
        publisher.setsockopt(zmq.LINGER, 0)
        publisher.setsockopt(zmq.SNDHWM, _SEND_QUEUE_MESSAGES)
        publisher.setsockopt(zmq.MAXMSGSIZE, _LONGEST_RECEIVED)
        publisher.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        publisher.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        try:
            zap = None if self._curve is None else self._curve.protect(self._context, publisher)
            bound = bind(publisher, address, field="zmq_watch")
        except BaseException:
            self._context.destroy(linger=0)
            self._context = None
            raise
        self._bell, self._bell_button = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_button.setblocking(False)
        self._thread = threading.Thread(target=self._work, args=(publisher, zap), name="posebridge-watch", daemon=True)
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
            _log.warning("watch_thread_did_not_stop", timeout_s=timeout_s)
            return False
        self._thread = None
        self._bell.close()
        self._bell_button.close()
        return True

    def wants(self, client_name: str, avatar_id: str) -> bool:
        """Whether someone watches this avatar; costs next to nothing while nobody watches anything."""
        return bool(self._topics) and topic_of(client_name, avatar_id).startswith(self._topics)

    def note_sent(self, client_name: str, response: forecast_pb2.StreamForecastsResponse) -> None:
        """Publish what a session sent, if it is a forecast that someone watches."""
        if self._topics and response.HasField("forecast"):
            topic = topic_of(client_name, response.forecast.avatar_id)
            if topic.startswith(self._topics):
                self.publish(topic, response.forecast.SerializeToString())

    def note_alert(self, alert: Alert) -> None:
        """Publish a change of an alert, if someone watches; it goes before all forecasts that wait."""
        if self._topics:
            topic = topic_of(alert.client_name, alert.avatar_id, kind="alerts")
            if topic.startswith(self._topics):
                self._alerts.append((topic, alert_to_message(alert).SerializeToString()))
                self._call()

    def publish(self, topic: bytes, data: bytes) -> None:
        """Hand a message over; never waits. When watchers are too slow the oldest messages are lost."""
        self._waiting.append((topic, data))
        self._call()

    def _call(self) -> None:
        if not self._rung:
            self._rung = True
            self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._bell_button.send(b"\0")

    # -- everything below runs on the publisher's thread

    def _work(self, publisher: zmq.Socket[bytes], zap: ZapHandler | None) -> None:
        poller = zmq.Poller()
        poller.register(publisher, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        if zap is not None:
            poller.register(zap.socket, zmq.POLLIN)
        topics: set[bytes] = set()
        try:
            while not self._stopping:
                events = dict(poller.poll())
                if self._bell.fileno() in events:
                    self._bell.recv(4096)
                if zap is not None and zap.socket in events:
                    zap.answer()
                if publisher in events:
                    self._note_subscriptions(publisher, topics)
                self._rung = False  # before looking: who comes after this rings again
                while self._alerts or self._waiting:
                    waiting = self._alerts or self._waiting
                    publisher.send_multipart(waiting.popleft(), zmq.NOBLOCK)
                    self.published += 1
        finally:
            self._topics = ()
            assert self._context is not None
            self._context.destroy(linger=_LINGER_MS)

    def _note_subscriptions(self, publisher: zmq.Socket[bytes], topics: set[bytes]) -> None:
        """XPUB tells when a topic gets its first watcher (1) and loses its last (0)."""
        before = len(topics)
        with contextlib.suppress(zmq.Again):
            while True:
                message = publisher.recv(zmq.NOBLOCK)
                if message[:1] == b"\1":
                    topics.add(message[1:])
                elif message[:1] == b"\0":
                    topics.discard(message[1:])
        self._topics = tuple(topics) if len(topics) <= _MAX_TOPICS else (b"",)
        if bool(before) != bool(topics):
            _log.info("watching" if topics else "not_watching")


def topic_of(client_name: str, avatar_id: str, *, kind: str = "forecast") -> bytes:
    """Return the topic under which an avatar's forecasts are published, or its ``"alerts"``."""
    return f"{kind}/{client_name}/{avatar_id}".encode("ascii")


def require_watchers_known(*, tokens: bool, curve: CurveServer | None) -> None:
    """Check that a server which asks for tokens does not show its forecasts to whoever connects.

    Raises:
        InvalidInput: if there are tokens and no list of keys that may watch.
    """
    if tokens and (curve is None or curve.allowed is None):
        raise InvalidInput(
            "tokens are in force, and a subscription carries none",
            field="zmq_watch",
            expected="curve_secret_key and curve_allow, so that only listed keys watch; or no zmq_watch",
        )
