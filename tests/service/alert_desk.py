"""A real alert log, hub and monitor for a server whose alerts and verdicts a test makes by hand; and raw clients."""

from __future__ import annotations

import queue
import threading
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.calibration import Calibration, CalibrationIdentity
from bridge.anomaly.desk import AnomalyDesk
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.monitor import AnomalyMonitor
from bridge.anomaly.scored import SCORE_NAMES, ScoredTrack
from bridge.service import Endpoints
from bridge.wire.alerts import Alert, AlertSnapshot, AlertState, ClearReason, JointContribution, Severity, Verdict
from bridge.wire.generated.posebridge.v1 import anomaly_pb2
from tests.service_fixtures import PATIENCE_S, Metadata, call_failure
from tests.support import TINY_LAYOUT

_FRAMES = 1000
ANOMALY_SERVICE = "/posebridge.v1.AnomalyService"
M = TypeVar("M", bound=Message)


@cache
def calibration() -> Calibration:
    """A calibration on numbers that stand for no motion."""
    draw = np.random.default_rng(0)
    tracks = [
        ScoredTrack(
            track_id=f"track{number}",
            subject=f"subject{number % 4}",
            family="drawn",
            timestamps_us=(np.arange(1, _FRAMES + 1) * 33_333).astype(np.int64),
            scores=draw.gamma(2.0, size=(_FRAMES, len(SCORE_NAMES))).astype(np.float32),
            log_speed=draw.normal(size=_FRAMES).astype(np.float32),
        )
        for number in range(12)
    ]
    identity = CalibrationIdentity(weights_id="0" * 64, refinement="none", layout_id=TINY_LAYOUT.id, rate_hz=30.0)
    return Calibration.fit(tracks, identity)


class HandMonitor(AnomalyMonitor):
    """The real one, and a way to tell a verdict without frames."""

    def tell(self, client_name: str, avatar_id: str, verdict: Verdict) -> None:
        for listener in self._verdict_listeners:
            listener(client_name, avatar_id, verdict)

    @property
    def watched(self) -> bool:
        return bool(self._verdict_listeners)


class HandDesk(AnomalyDesk):
    """The real one with a `HandMonitor`."""

    @classmethod
    def open(cls, folder: Path) -> HandDesk:
        hub = AlertHub(AlertLog.open(folder / "alerts.sqlite3"))
        return cls(hub, HandMonitor(calibration(), hub, layout=TINY_LAYOUT, rate_hz=30.0))

    @property
    def hand(self) -> HandMonitor:
        assert isinstance(self.monitor, HandMonitor)
        return self.monitor

    def raise_alert(
        self, number: int = 1, *, client_name: str = "game", avatar_id: str = "player1", session_id: str = "s-1"
    ) -> Alert:
        """Store and tell an alert; returns it as it was handed in."""
        made = alert(number, client_name=client_name, avatar_id=avatar_id, session_id=session_id)
        self.hub.publish(made, snapshot())
        return made

    def clear(self, raised: Alert) -> None:
        self.hub.publish(cleared(raised))


def alert(number: int = 1, *, client_name: str = "game", avatar_id: str = "player1", session_id: str = "s-1") -> Alert:
    """An alert that was just raised."""
    return Alert(
        id=f"alert-{number:06d}",
        revision=1,
        state=AlertState.RAISED,
        client_name=client_name,
        avatar_id=avatar_id,
        session_id=session_id,
        started_us=1_000_000,
        raised_us=1_300_000,
        p_value=1e-4,
        score=12.0,
        threshold=10.0,
        false_alarms_per_hour=1.0,
        severity=Severity.LOW,
        joints=(JointContribution(0, "head", 0.5),),
    )


def cleared(raised: Alert) -> Alert:
    """The same alert when it is over."""
    values = {name: getattr(raised, name) for name in Alert.__slots__}
    over = {"ended_us": 2_000_000, "cleared_because": ClearReason.NORMAL, "state": AlertState.CLEARED}
    return Alert(**(values | over | {"revision": raised.revision + 1}))


def snapshot() -> AlertSnapshot:
    """Three frames with one score."""
    joints = TINY_LAYOUT.joints
    return AlertSnapshot(
        layout_id=TINY_LAYOUT.id,
        timestamps_us=np.array([1_000_000, 1_033_333, 1_066_666]),
        observed_m=np.full((3, joints, 4), 0.5, np.float32),
        p_values=np.array([np.nan, 0.5, 0.001], np.float32),
        scores=np.array([[np.nan], [1.0], [9.0]], np.float32),
        score_names=("likelihood",),
        samples_m=np.zeros((2, 4, joints, 3), np.float32),
        samples_from_us=966_666,
        step_us=33_333,
    )


class Watch(Generic[M]):
    """A call that goes on; takes messages off the wire as they come, or only when asked to."""

    def __init__(self, call: grpc.Call) -> None:
        self._call = call
        self._incoming: queue.SimpleQueue[M | Exception] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def next(self) -> M:
        """The next message; from the first on all are taken off the wire.

        Raises:
            CallFailed: when the call has ended.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()
        message = self._incoming.get(timeout=PATIENCE_S)
        if isinstance(message, Exception):
            raise message
        return message

    def wait_until_on(self) -> None:
        """Wait until the server has said that the call is accepted."""
        self._call.initial_metadata()

    def cancel(self) -> None:
        self._call.cancel()

    def _read(self) -> None:
        try:
            for message in self._call:
                self._incoming.put(message)
        except grpc.RpcError as error:
            self._incoming.put(call_failure(error))


class AlertStub:
    """Raw calls of ``AnomalyService``."""

    def __init__(self, endpoints: Endpoints, *, metadata: Metadata = ()) -> None:
        self._channel = grpc.insecure_channel(endpoints.grpc)
        self._metadata = metadata

    def close(self) -> None:
        self._channel.close()

    def list(self, **request: object) -> anomaly_pb2.ListAlertsResponse:
        message = anomaly_pb2.ListAlertsRequest(**request)  # type: ignore[arg-type]
        return self._unary("ListAlerts", message, anomaly_pb2.ListAlertsResponse)

    def acknowledge(self, **request: str) -> anomaly_pb2.AcknowledgeAlertResponse:
        message = anomaly_pb2.AcknowledgeAlertRequest(**request)
        return self._unary("AcknowledgeAlert", message, anomaly_pb2.AcknowledgeAlertResponse)

    def snapshot(self, alert_id: str) -> anomaly_pb2.GetAlertSnapshotResponse:
        message = anomaly_pb2.GetAlertSnapshotRequest(alert_id=alert_id)
        return self._unary("GetAlertSnapshot", message, anomaly_pb2.GetAlertSnapshotResponse)

    def watch(self, **request: object) -> Watch[anomaly_pb2.WatchAlertsResponse]:
        message = anomaly_pb2.WatchAlertsRequest(**request)  # type: ignore[arg-type]
        return self._stream("WatchAlerts", message, anomaly_pb2.WatchAlertsResponse)

    def watch_verdicts(self, **request: object) -> Watch[anomaly_pb2.WatchVerdictsResponse]:
        message = anomaly_pb2.WatchVerdictsRequest(**request)  # type: ignore[arg-type]
        return self._stream("WatchVerdicts", message, anomaly_pb2.WatchVerdictsResponse)

    def _unary(self, name: str, request: Message, answer_type: type[M]) -> M:
        method = self._channel.unary_unary(
            f"{ANOMALY_SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        try:
            answer: M = method(request, timeout=PATIENCE_S, metadata=self._metadata)
            return answer
        except grpc.RpcError as error:
            raise call_failure(error) from None

    def _stream(self, name: str, request: Message, answer_type: type[M]) -> Watch[M]:
        method = self._channel.unary_stream(
            f"{ANOMALY_SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        return Watch(method(request, metadata=self._metadata))
