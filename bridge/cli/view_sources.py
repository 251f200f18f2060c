"""Where the view's frames and forecasts come from: a recording here, a session with a server, a server's publisher."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol, cast

import numpy as np
import zmq

from bridge.anomaly import Calibration, alerts_of, identity_of, replay
from bridge.cli.performance import FIRST_TIMESTAMP_US, PAUSE_US, endless
from bridge.client import Client, CurveKeys
from bridge.client.security import Credentials
from bridge.errors import BridgeError, InvalidInput, MalformedMessage
from bridge.forecaster import Forecaster
from bridge.limits import MAX_MESSAGE_BYTES
from bridge.recordings import Clip, clip_frames
from bridge.viewer import AlertMark, History, LocalForecasts, Readouts, SessionFeed, WatchFeed
from bridge.wire.codec import alert_from_message, forecast_from_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, forecast_pb2

_FIRST_US = 1
_POLL_MS = 200
_ALERTS_EVERY_S = 0.2


class Source(Protocol):
    """Writes a history from `start` until `stop`; ``error`` says why it ended by itself."""

    error: BridgeError | None

    def start(self) -> None:
        """Begin, on threads of its own."""

    def stop(self) -> None:
        """End them; may be called again."""


def phase_shifted(clip: Clip, phase: float) -> Clip:
    """The clip from a later row on, then a pause, then what comes before that row; ``phase`` (0 to 1) is its share."""
    row = round(phase * clip.frames) % clip.frames
    if row == 0:
        return clip
    first_us, last_us = int(clip.timestamp_us[0]), int(clip.timestamp_us[-1])
    wrapped_us = clip.timestamp_us[:row] + (last_us - first_us) + PAUSE_US
    return replace(
        clip,
        pose_m=np.roll(clip.pose_m, -row, axis=0),
        visibility=np.roll(clip.visibility, -row, axis=0),
        root_m=None if clip.root_m is None else np.roll(clip.root_m, -row, axis=0),
        timestamp_us=np.concatenate([clip.timestamp_us[row:], wrapped_us]),
    )


class RecordedSource:
    """A recording: its frames at once, the forecasts of the moment that is shown, p-values and alerts once scored."""

    def __init__(
        self,
        forecaster: Forecaster,
        clips: dict[str, Clip],
        history: History,
        readouts: Readouts,
        forecasts: LocalForecasts,
        *,
        calibration: Calibration | None,
        false_alarms_per_hour: float,
        seed: int,
    ) -> None:
        self._forecaster = forecaster
        self._clips = clips
        self._history = history
        self._readouts = readouts
        self._forecasts = forecasts
        self._calibration = calibration
        self._false_alarms_per_hour = false_alarms_per_hour
        self._seed = seed
        self._stopping = False
        self._own_error: BridgeError | None = None
        self._thread = threading.Thread(target=self._score, name="view-scores", daemon=True)

    @property
    def error(self) -> BridgeError | None:
        """Why forecasts or scores ended by themselves."""
        return self._own_error or self._forecasts.error

    def start(self) -> None:
        """See `Source.start`."""
        for name, clip in self._clips.items():
            for frame in clip_frames(clip, name, start_us=_FIRST_US):
                self._history.add_frame(name, frame.timestamp_us, frame)
        self._forecasts.start()
        self._thread.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopping = True
        self._forecasts.stop()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def _score(self) -> None:
        if self._calibration is None:
            self._readouts.note = "no p-values: no calibration for these weights"
            return
        try:
            for number, (name, clip) in enumerate(self._clips.items(), start=1):
                self._readouts.note = f"scoring motion, {number} of {len(self._clips)} ..."
                self._score_one(name, clip, self._calibration)
        except _Stopped:
            return
        except BridgeError as error:
            self._own_error = error
        self._readouts.note = ""

    def _score_one(self, name: str, clip: Clip, calibration: Calibration) -> None:
        (track,) = replay(
            cast(Forecaster, _UntilStopped(self._forecaster, lambda: self._stopping)),
            [clip],
            calibration=calibration,
            false_alarms_per_hour=self._false_alarms_per_hour,
            seed=self._seed,
            avatar_id=name,
        )
        for frame in track.frames:
            self._history.add_p_value(name, frame.timestamp_us, frame.judgement.p_value)
        to_view_us = _FIRST_US - int(clip.timestamp_us[0])
        for alert in alerts_of(track):
            self._history.add_alert(
                AlertMark(
                    id=f"{name}-{alert.id}",
                    avatar=name,
                    started_us=alert.started_us + to_view_us,
                    raised_us=alert.raised_us + to_view_us,
                    ended_us=None if alert.ended_us is None else alert.ended_us + to_view_us,
                    severity=alert.severity.value,
                    p_value=alert.p_value,
                    where=tuple(joint.name for joint in alert.joints[:3]),
                )
            )


class _Stopped(Exception):
    """Nobody waits for the scores any more."""


class _UntilStopped:
    """A forecaster that is none any more once ``stopped`` says so: scoring a long recording ends at its next batch."""

    def __init__(self, forecaster: Forecaster, stopped: Callable[[], bool]) -> None:
        self._forecaster = forecaster
        self._stopped = stopped

    def __getattr__(self, name: str) -> Any:
        if self._stopped():
            raise _Stopped
        return getattr(self._forecaster, name)


def calibration_for(forecaster: Forecaster) -> Calibration | None:
    """The bundled calibration, None if it is not for these weights."""
    from bridge.anomaly import BUNDLED_CALIBRATION

    calibration = Calibration.load(BUNDLED_CALIBRATION)
    try:
        calibration.require(identity_of(forecaster))
    except BridgeError:
        return None
    return calibration


class StreamedSource:
    """A recording that goes to a server at its true speed, again and again, and what comes back."""

    def __init__(self, client: Client, clip: Clip, avatars: int, history: History, readouts: Readouts) -> None:
        self._client = client
        self._frames = endless(clip, avatars)
        self._feed = SessionFeed(history, readouts)
        self._readouts = readouts
        self._stopping = threading.Event()
        self.error: BridgeError | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (("view-sender", "send"), ("view-listener", "listen"))
        ]

    def start(self) -> None:
        """See `Source.start`."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopping.set()
        self._client.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(5.0)

    def _guarded(self, work: str) -> None:
        try:
            if work == "send":
                self._send()
            else:
                self._listen()
        except BridgeError as error:
            if not self._stopping.is_set():
                self.error = error

    def _send(self) -> None:
        begun_s = time.monotonic()
        look_s = 0.0
        for frame in self._frames:
            due_s = begun_s + (frame.timestamp_us - FIRST_TIMESTAMP_US) / 1e6
            if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                return
            self._feed.note_frame(frame)
            self._client.send(frame)
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + _ALERTS_EVERY_S
                self._feed.note_alerts(self._client.alerts())
                self._readouts.note = f"{self._client.address}: {self._client.stats().state.value}"

    def _listen(self) -> None:
        for forecast in self._client.forecasts():
            self._feed.note_forecast(forecast)


class WatchedSource:
    """What a server publishes for watchers: everyone's forecasts and alerts. It only listens.

    Raises:
        InvalidInput: if the address is none.
    """

    def __init__(
        self, address: str, history: History, readouts: Readouts, *, joints: int, curve: CurveKeys | None = None
    ) -> None:
        readouts.latency_means = "server: frame in to forecast out"
        self._address = address
        self._readouts = readouts
        self._feed = WatchFeed(history, readouts, joints=joints)
        self._stopping = threading.Event()
        self.error: BridgeError | None = None
        pairs = Credentials(curve=curve).curve_pairs()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        if pairs is not None:
            server_public, own = pairs
            self._socket.curve_serverkey = server_public.encode("ascii")
            self._socket.curve_publickey = own.public.encode("ascii")
            self._socket.curve_secretkey = own.secret.encode("ascii")
        self._socket.subscribe(b"forecast/")
        self._socket.subscribe(b"alerts/")
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise InvalidInput(
                f"{address!r} is no address: {error.strerror}", field="watch", expected="tcp://HOST:PORT or ipc://PATH"
            ) from None
        self._thread = threading.Thread(target=self._work, name="view-watcher", daemon=True)

    def start(self) -> None:
        """See `Source.start`."""
        self._thread.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._context.destroy(linger=0)

    def _work(self) -> None:
        begun_s = heard_s = time.monotonic()
        strange = 0
        while not self._stopping.is_set():
            for topic, data in self._messages():
                heard_s = time.monotonic()
                try:
                    strange += not self._take(topic, data, round((heard_s - begun_s) * 1e6))
                except MalformedMessage:
                    strange += 1
            silent_s = time.monotonic() - heard_s
            if silent_s > 2.0:
                self._readouts.note = f"{self._address}: nothing published for {silent_s:.0f} s"
            else:
                self._readouts.note = f"{self._address}: {strange} messages not understood" if strange else ""

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        if self._socket.poll(_POLL_MS):
            parts = self._socket.recv_multipart()
            if len(parts) == 2:
                yield parts[0].decode("ascii", "replace"), parts[1]

    def _take(self, topic: str, data: bytes, arrived_us: int) -> bool:
        from google.protobuf.message import DecodeError

        kind, _, avatar = topic.partition("/")
        try:
            if kind == "forecast":
                forecast = forecast_from_message(forecast_pb2.PoseForecast.FromString(data))
                return self._feed.note_forecast(avatar, arrived_us, forecast)
            self._feed.note_alert(avatar, arrived_us, alert_from_message(anomaly_pb2.Alert.FromString(data)))
        except DecodeError:
            return False
        return True
