"""The part of a client that knows no transport: its state, what is to be sent, what came back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.client.incoming import Incoming
from bridge.client.outgoing import Outgoing
from bridge.client.pinger import Pinger, monotonic_us
from bridge.client.saver import FrameSaver
from bridge.client.stats import ClientStats, ConnectionState
from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from bridge.frames import Frame, typed_frame
from bridge.skeleton import get_layout, layout_ids
from bridge.wire.alerts import Alert
from bridge.wire.codec import (
    accepted_from_message,
    alert_from_message,
    avatar_config_to_message,
    checked_frame,
    config_to_message,
    forecast_from_message,
    frame_fault_from_message,
    frame_to_message,
)
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import AvatarConfig, Forecast, FrameFault, SessionAccepted, SessionConfig

_FINAL_REFUSALS = (InvalidInput, NotFound, VersionMismatch, Unauthenticated, PermissionDenied)
"""Answers to a config that will not change by asking again."""


class ClientCore:
    """State shared by the caller's threads and the one thread that owns the connection.

    A connection is a number: `begin_connection` gives it out, and everything that a transport says under an older
    number is ignored, so nothing late from a dead connection can disturb the living one.

    Args:
        config: what the session asks for. Checked by the server, which knows its layouts and limits.
        clock: seconds, monotonic.
        clock_us: microseconds, of the clock that frames are stamped with.
        saver: decides which frames are sent; None sends all.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        clock_us: Callable[[], int] = monotonic_us,
        saver: FrameSaver | None = None,
    ) -> None:
        if saver is not None:
            if saver.layout.id != config.layout_id:
                raise InvalidInput(f"is for {saver.layout.id}", field="saver.layout", expected=config.layout_id)
            config = replace(config, frame_saving=saver.frame_saving)
        self.config: SessionConfig = config
        self._saver = saver
        try:
            self.config_message: forecast_pb2.SessionConfig = config_to_message(config)
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidInput(str(error), field="config", expected="values that fit the fields") from error
        self._layout = get_layout(config.layout_id) if config.layout_id in layout_ids() else None
        self._clock = clock
        self._changed = threading.Condition()
        self._outgoing = Outgoing()
        self._incoming = Incoming()
        self._pinger = Pinger(clock_us)
        self._state = ConnectionState.CONNECTING
        self._connection = 0
        self._sessions = 0
        self._accepted: SessionAccepted | None = None
        self._draining = False
        self._last_error: BridgeError | None = None
        self.on_outgoing: Callable[[], None] = _nothing
        """Called (from any thread, outside the lock) when there may be something to send; set by the transport."""
        self.on_change: Callable[[], None] = _nothing
        """Called (from any thread, outside the lock) when something came in or the state changed; for asyncio."""

    # -- the caller's side

    def send(self, frame: Frame) -> bool:
        """Hand a frame over; never waits. False if the saver leaves it out.

        Raises:
            InvalidInput: if the frame itself is wrong (for a layout that is known here).
            FailedPrecondition: after `close`.
            BridgeError: the server's, if it refused the session for good.
        """
        frame = typed_frame(frame)
        frame = checked_frame(frame, self._layout) if self._layout else frame
        message = frame_to_message(frame)
        with self._changed:
            self._require_usable()
            latest = self._incoming.latest(frame.avatar_id)
            if self._saver is not None and not self._saver.should_send(frame, latest):
                return False
            self._outgoing.add(message, self._clock())
            self._changed.notify_all()
        self.on_outgoing()
        return True

    def configure(self, config: AvatarConfig) -> None:
        """Give an avatar settings of its own, in this session and in those after a reconnect; never waits.

        Raises:
            InvalidInput: if a field is wrong; ``field`` says which, as ``avatar_config.<name>``.
            FailedPrecondition: after `close`.
            BridgeError: the server's, if it refused the session for good.
        """
        config.within(self.config)
        with self._changed:
            self._require_usable()
            self._outgoing.configure(avatar_config_to_message(config))
            self._changed.notify_all()
        self.on_outgoing()

    def latest(self, avatar_id: str) -> Forecast | None:
        """Return the newest forecast of an avatar, None before the first."""
        with self._changed:
            return self._incoming.latest(avatar_id)

    def take_forecast(self) -> Forecast | None:
        """Return an unread forecast if there is one.

        Raises:
            BridgeError: the server's, if it refused the session for good.
        """
        with self._changed:
            forecast = self._incoming.take()
            if forecast is None:
                self._raise_refusal()
            return forecast

    def next_forecast(self, timeout_s: float | None) -> Forecast | None:
        """Wait for an unread forecast; None once the client is closed.

        Raises:
            DeadlineExceeded: if none comes in time.
            BridgeError: the server's, if it refused the session for good.
        """
        deadline_s = None if timeout_s is None else self._clock() + timeout_s
        with self._changed:
            while (forecast := self._incoming.take()) is None:
                self._raise_refusal()
                if self._state is ConnectionState.CLOSED:
                    return None
                self._wait(deadline_s, f"no forecast within {timeout_s} s")
            return forecast

    def wait_connected(self, timeout_s: float) -> SessionAccepted:
        """Wait until the server accepted the session and return the settings in force.

        Raises:
            Unavailable: if that does not happen in time; says what the last attempt met.
            FailedPrecondition: after `close`.
            BridgeError: the server's, if it refused the session for good.
        """
        deadline_s = self._clock() + timeout_s
        with self._changed:
            while self._state is not ConnectionState.CONNECTED or self._accepted is None:
                self._require_usable()
                try:
                    self._wait(deadline_s, "")
                except DeadlineExceeded:
                    reason = f": {self._last_error}" if self._last_error else ""
                    raise Unavailable(f"no session within {timeout_s:g} s{reason}") from self._last_error
            return self._accepted

    def take_faults(self) -> Sequence[FrameFault]:
        """Return the frames that the server did not use since the last call."""
        with self._changed:
            return self._incoming.take_faults()

    def take_alerts(self) -> Sequence[Alert]:
        """Return the changes of alerts since the last call."""
        with self._changed:
            return self._incoming.take_alerts()

    @property
    def accepted(self) -> SessionAccepted | None:
        """The settings in force, None before the first session."""
        with self._changed:
            return self._accepted

    @property
    def state(self) -> ConnectionState:
        """Where the client stands."""
        with self._changed:
            return self._state

    def stats(self) -> ClientStats:
        """Return a snapshot of the counters."""
        with self._changed:
            return ClientStats(
                state=self._state,
                sessions=self._sessions,
                frames_sent=self._outgoing.sent,
                frames_resent=self._outgoing.resent,
                frames_dropped=self._outgoing.dropped,
                forecasts=self._incoming.received,
                forecasts_replaced=self._incoming.replaced,
                forecasts_outdated=self._incoming.outdated,
                frame_faults=self._incoming.faults,
                latencies_ms=self._incoming.latencies_ms,
                last_error=self._last_error,
                clock_offset_us=self._pinger.clock.offset_us,
                clock_drift_ppm=self._pinger.clock.drift_ppm,
                round_trip_ms=self._pinger.round_trip_ms,
                capture_offset_us=self._pinger.capture_offset_us,
                capture_drift_ppm=self._pinger.capture_drift_ppm,
                frames_saved=self._saver.frames_seen - self._saver.frames_sent if self._saver else 0,
                bytes_saved=self._saver.bytes_saved if self._saver else 0,
            )

    def close(self) -> None:
        """End everything; waiting callers return."""
        with self._changed:
            self._state = ConnectionState.CLOSED
            self._changed.notify_all()
        self.on_outgoing()
        self.on_change()

    # -- the connection's side

    def begin_connection(self) -> int:
        """Start a connection and return its number."""
        with self._changed:
            self._connection += 1
            self._draining = False
            return self._connection

    def is_current(self, connection: int) -> bool:
        """Whether this connection is still the one in use."""
        with self._changed:
            return self._is_current(connection)

    def next_requests(self, connection: int, timeout_s: float) -> list[forecast_pb2.StreamForecastsRequest] | None:
        """Wait for something to send; empty if nothing comes up in time, None when this connection sends no more."""
        deadline_s = self._clock() + timeout_s
        with self._changed:
            while self._is_current(connection) and not self._draining:
                now_s = self._clock()
                wake_s = deadline_s
                if self._state is ConnectionState.CONNECTED:
                    requests = self._pinger.take(now_s) + self._outgoing.take()
                    if requests:
                        return requests
                    wake_s = min(deadline_s, self._pinger.due_s)
                if deadline_s <= now_s:
                    return []
                self._changed.wait(wake_s - now_s)
            return None

    def receive(self, connection: int, response: forecast_pb2.StreamForecastsResponse) -> None:
        """Take what the server sent.

        Raises:
            VersionMismatch: if the server that accepted speaks another version.
            MalformedMessage: if a forecast or an alert does not read.
        """
        payload = response.WhichOneof("payload")
        arrived_us = self._pinger.now_us()
        accepted = accepted_from_message(response.accepted) if payload == "accepted" else None
        forecast = forecast_from_message(response.forecast) if payload == "forecast" else None
        alert = alert_from_message(response.alert) if payload == "alert" else None
        with self._changed:
            if not self._is_current(connection):
                return
            if alert is not None:
                self._incoming.add_alert(alert)
            if accepted is not None:
                self._accepted = accepted
                self._state = ConnectionState.CONNECTED
                self._sessions += 1
                self._pinger.begin(self._clock())
                self._outgoing.rewind(self._clock())
            elif forecast is not None:
                self._add_forecast(forecast)
            elif payload == "clock_pong":
                self._pinger.receive(response.clock_pong, arrived_us)
            elif payload == "frame_error":
                self._incoming.add_fault(frame_fault_from_message(response.frame_error))
            elif payload == "draining":
                self._draining = True
            self._changed.notify_all()
        if accepted is not None or payload == "draining":
            self.on_outgoing()
        self.on_change()

    def receive_fault(self, connection: int, fault: FrameFault) -> None:
        """Take a complaint of the server that did not come as a message of the stream."""
        with self._changed:
            if self._is_current(connection):
                self._incoming.add_fault(fault)

    def end_connection(self, connection: int, error: BridgeError) -> bool:
        """Say that a connection is over and why; True if another is to be tried."""
        with self._changed:
            if self._is_current(connection):
                self._connection += 1
                self._last_error = error
                never_accepted = self._state is ConnectionState.CONNECTING
                refused = never_accepted and isinstance(error, _FINAL_REFUSALS)
                self._state = ConnectionState.REFUSED if refused else ConnectionState.CONNECTING
            self._changed.notify_all()
            again = self._state is ConnectionState.CONNECTING
        self.on_change()
        return again

    def fail(self, error: BridgeError) -> None:
        """End everything for a reason that no further attempt will cure."""
        with self._changed:
            self._connection += 1
            self._last_error = error
            if self._state is not ConnectionState.CLOSED:
                self._state = ConnectionState.REFUSED
            self._changed.notify_all()
        self.on_change()

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt; `close` ends the wait."""
        deadline_s = self._clock() + seconds
        with self._changed:
            while self._state is ConnectionState.CONNECTING and (left_s := deadline_s - self._clock()) > 0:
                self._changed.wait(left_s)

    # -- under the lock

    def _is_current(self, connection: int) -> bool:
        return connection == self._connection and self._state is not ConnectionState.CLOSED

    def _add_forecast(self, forecast: Forecast) -> None:
        given_s = self._outgoing.given_s(forecast.avatar_id, forecast.based_on_sequence, forecast.based_on_timestamp_us)
        self._incoming.add(
            forecast,
            newest_sent_us=self._outgoing.newest_timestamp_us(forecast.avatar_id),
            latency_ms=None if given_s is None else (self._clock() - given_s) * 1e3,
        )

    def _wait(self, deadline_s: float | None, problem: str) -> None:
        left_s = None if deadline_s is None else deadline_s - self._clock()
        if left_s is not None and left_s <= 0:
            raise DeadlineExceeded(problem)
        self._changed.wait(left_s)

    def _raise_refusal(self) -> None:
        if self._state is ConnectionState.REFUSED and self._last_error is not None:
            raise self._last_error

    def _require_usable(self) -> None:
        self._raise_refusal()
        if self._state is ConnectionState.CLOSED:
            raise FailedPrecondition("the client is closed", expected="a new client")


def _nothing() -> None:
    """Nobody listens."""
