"""ZeroMQ: one DEALER socket a session, on the client's own thread."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from bridge import limits
from bridge.client.core import ClientCore
from bridge.client.security import NO_CREDENTIALS, Credentials
from bridge.client.transport import AlertAnswer, AlertRequest
from bridge.errors import BridgeError, DeadlineExceeded, Unauthenticated, Unavailable
from bridge.wire.codec import error_from_detail, parse_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, envelope_pb2, forecast_pb2
from bridge.wire.values import FrameFault

_CONNECT_TIMEOUT_S = 3.0
"""Longest wait for the answer to the config."""
_HEARTBEAT_S = 1.0
_BAD_HANDSHAKE = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_ENDS = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | _BAD_HANDSHAKE
"""Events of a connection that is no good, or no more."""
_POLL_MS = 250
_GOODBYE_MS = 200
_SILENCE_S = 4.0
"""A server that answers no heartbeat for so long is gone."""


class ZmqTransport:
    """Reaches a server at ``tcp://HOST:PORT`` or ``ipc://PATH`` over ZeroMQ.

    Raises:
        NotFound, InvalidInput: if a file of the credentials cannot be read.
    """

    def __init__(self, target: str, credentials: Credentials = NO_CREDENTIALS) -> None:
        self._target = target
        self._token = credentials.token or ""
        self._curve = credentials.curve_pairs()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._stopped = False
        # A ZeroMQ socket belongs to one thread; other threads ring this bell to wake it.
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)

    def stream(self, core: ClientCore, connection: int) -> None:
        """See `bridge.client.transport.Transport.stream`."""
        if self._stopped:
            return
        core.on_outgoing = self._ring
        with self._open_dealer() as (dealer, monitor):
            _ZmqSession(core, connection, dealer, monitor, self._bell, self._target, self._token).run()

    def forecast(self, request: forecast_pb2.ForecastRequest, timeout_s: float) -> forecast_pb2.ForecastResponse:
        """See `bridge.client.transport.Transport.forecast`."""
        envelope = envelope_pb2.ClientEnvelope(request_id=1, forecast=request, token=self._token)
        return self._call(envelope, "forecast", timeout_s).forecast

    def model_info(self, timeout_s: float) -> forecast_pb2.GetModelInfoResponse:
        """See `bridge.client.transport.Transport.model_info`."""
        request = forecast_pb2.GetModelInfoRequest()
        envelope = envelope_pb2.ClientEnvelope(request_id=1, get_model_info=request, token=self._token)
        return self._call(envelope, "get_model_info", timeout_s).get_model_info

    def alert_call(self, request: AlertRequest, timeout_s: float) -> AlertAnswer:
        """See `bridge.client.transport.Transport.alert_call`."""
        envelope = envelope_pb2.ClientEnvelope(request_id=1, token=self._token)
        if isinstance(request, anomaly_pb2.ListAlertsRequest):
            envelope.list_alerts.CopyFrom(request)
            return self._call(envelope, "list_alerts", timeout_s).list_alerts
        if isinstance(request, anomaly_pb2.AcknowledgeAlertRequest):
            envelope.acknowledge_alert.CopyFrom(request)
            return self._call(envelope, "acknowledge_alert", timeout_s).acknowledge_alert
        envelope.get_alert_snapshot.CopyFrom(request)
        return self._call(envelope, "get_alert_snapshot", timeout_s).get_alert_snapshot

    def protect(self, subscriber: zmq.Socket[bytes]) -> None:
        """Give a socket of the caller's the CURVE keys of this client, if it has any."""
        if self._curve is not None:
            server_public, own = self._curve
            subscriber.curve_serverkey = server_public.encode("ascii")
            subscriber.curve_publickey = own.public.encode("ascii")
            subscriber.curve_secretkey = own.secret.encode("ascii")

    def stop(self) -> None:
        """See `bridge.client.transport.Transport.stop`."""
        self._stopped = True
        self._ring()

    def close(self) -> None:
        """See `bridge.client.transport.Transport.close`."""
        self._bell.close()
        self._ringer.close()

    @contextlib.contextmanager
    def _open_dealer(self) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[Any]]]:
        """A connecting DEALER, and a socket that becomes readable when the connection fails or breaks."""
        dealer: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        dealer.linger = 0
        # Nothing is queued for a server that is not there, and ZeroMQ's own reconnecting is left to our back-off.
        dealer.setsockopt(zmq.IMMEDIATE, 1)
        dealer.setsockopt(zmq.RECONNECT_IVL, -1)
        dealer.setsockopt(zmq.MAXMSGSIZE, limits.MAX_MESSAGE_BYTES)
        self.protect(dealer)
        monitor = dealer.get_monitor_socket(_ENDS)
        try:
            dealer.connect(self._target)
            yield dealer, monitor
        except zmq.ZMQError as error:
            raise Unavailable(f"{self._target}: {error.strerror}") from error
        finally:
            dealer.disable_monitor()
            dealer.close()

    def _call(
        self, envelope: envelope_pb2.ClientEnvelope, payload: str, timeout_s: float
    ) -> envelope_pb2.ServerEnvelope:
        deadline_s = time.monotonic() + timeout_s
        with self._open_dealer() as (dealer, monitor):
            poller = zmq.Poller()
            poller.register(monitor, zmq.POLLIN)
            poller.register(dealer, zmq.POLLOUT)
            while ready := dict(poller.poll(int(max(0.0, deadline_s - time.monotonic()) * 1e3))):
                if ready.get(dealer, 0) & zmq.POLLOUT:
                    dealer.send(envelope.SerializeToString())
                    poller.register(dealer, zmq.POLLIN)
                elif dealer in ready:
                    answer = parse_message(envelope_pb2.ServerEnvelope, dealer.recv())
                    if answer.WhichOneof("payload") == "error":
                        raise error_from_detail(answer.error.error)
                    if answer.request_id == envelope.request_id and answer.WhichOneof("payload") == payload:
                        return answer
                elif monitor in ready:
                    raise _broken(monitor, self._target)
        raise DeadlineExceeded(f"{self._target} gave no answer within {timeout_s:g} s")

    def _ring(self) -> None:
        # A full pipe is as good as another ring; a closed one has nobody left to wake.
        with contextlib.suppress(OSError):
            self._ringer.send(b"\0")


class _ZmqSession:
    """One connection, from the config to its end."""

    def __init__(
        self,
        core: ClientCore,
        connection: int,
        dealer: zmq.Socket[bytes],
        monitor: zmq.Socket[Any],
        bell: socket.socket,
        target: str,
        token: str,
    ) -> None:
        self._core = core
        self._connection = connection
        self._dealer = dealer
        self._monitor = monitor
        self._bell = bell
        self._target = target
        self._token = token
        self._unsent: list[envelope_pb2.ClientEnvelope] = []
        self._accepted = False
        self._drain_until_s: float | None = None

    def run(self) -> None:
        """Send and receive until the session ends."""
        started_s = time.monotonic()
        heard_s = started_s
        beat_s = started_s
        config = forecast_pb2.StreamForecastsRequest(config=self._core.config_message)
        self._unsent.append(envelope_pb2.ClientEnvelope(stream=config, token=self._token))
        poller = zmq.Poller()
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        while self._core.is_current(self._connection):
            poller.register(self._dealer, zmq.POLLIN | (zmq.POLLOUT if self._unsent else 0))
            ready = dict(poller.poll(_POLL_MS))
            self._silence_bell()
            while self._receive_one():
                heard_s = time.monotonic()
            if self._monitor in ready:
                raise _broken(self._monitor, self._target)
            now_s = time.monotonic()
            if self._drain_until_s is not None and now_s > self._drain_until_s:
                return
            if not self._accepted and now_s - started_s > _CONNECT_TIMEOUT_S:
                raise Unavailable(f"no answer from {self._target} within {_CONNECT_TIMEOUT_S:g} s")
            if self._accepted and now_s - heard_s > _SILENCE_S:
                raise Unavailable(f"{self._target} fell silent")
            if self._accepted and now_s - beat_s > _HEARTBEAT_S:
                beat_s = now_s
                self._unsent.append(envelope_pb2.ClientEnvelope(heartbeat=envelope_pb2.Heartbeat()))
            self._send_waiting()
        self._say_goodbye()

    def _send_waiting(self) -> None:
        """Send what is due while the socket takes it; what it does not take waits in the core, where newer wins."""
        while True:
            if not self._unsent:
                requests = self._core.next_requests(self._connection, 0.0) or ()
                self._unsent.extend(envelope_pb2.ClientEnvelope(stream=request) for request in requests)
            if not self._unsent:
                return
            try:
                self._dealer.send(self._unsent[0].SerializeToString(), zmq.NOBLOCK)
            except zmq.Again:
                return
            del self._unsent[0]

    def _receive_one(self) -> bool:
        try:
            data = self._dealer.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        envelope = parse_message(envelope_pb2.ServerEnvelope, data)
        payload = envelope.WhichOneof("payload")
        if payload == "stream":
            self._accepted |= envelope.stream.HasField("accepted")
            if envelope.stream.HasField("draining"):
                self._drain_until_s = time.monotonic() + envelope.stream.draining.grace_ms / 1e3
            self._core.receive(self._connection, envelope.stream)
        elif payload == "error":
            error = error_from_detail(envelope.error.error)
            if envelope.error.session_ended or not self._accepted:
                raise error
            self._core.receive_fault(self._connection, FrameFault("", 0, error))
        return True

    def _say_goodbye(self) -> None:
        # Without it the server would notice by itself, later; closing may wait this long for it to go out.
        self._dealer.linger = _GOODBYE_MS
        with contextlib.suppress(zmq.Again):
            self._dealer.send(
                envelope_pb2.ClientEnvelope(goodbye=envelope_pb2.Goodbye()).SerializeToString(), zmq.NOBLOCK
            )

    def _silence_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                continue


def _broken(monitor: zmq.Socket[Any], target: str) -> BridgeError:
    """Return what the event that waits means."""
    event = recv_monitor_message(monitor)["event"]
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        expected = "a client key that is on the server's list"
        return Unauthenticated(f"{target} refused the client's key", field="curve", expected=expected)
    if event & _BAD_HANDSHAKE:
        expected = "keys that fit the server's, or none for a server without CURVE"
        return Unavailable(f"no handshake with {target}", field="curve", expected=expected)
    return Unavailable(f"the connection to {target} broke")
