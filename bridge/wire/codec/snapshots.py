"""What was seen around an alert: `bridge.wire.alerts.AlertSnapshot` and ``GetAlertSnapshotResponse``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import MalformedMessage
from bridge.wire.alerts import Alert, AlertSnapshot
from bridge.wire.codec.alerts import alert_from_message, alert_to_message
from bridge.wire.codec.tensors import tensor_from_message, tensor_to_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2
from bridge.wire.values import Encoding


def alert_snapshot_to_message(alert: Alert, snapshot: AlertSnapshot | None) -> anomaly_pb2.GetAlertSnapshotResponse:
    """Return an alert and what was seen around its raise; samples in float16, an array without numbers is left out.

    Raises:
        InternalError: if a number is infinite or does not fit.
    """
    message = anomaly_pb2.GetAlertSnapshotResponse(alert=alert_to_message(alert))
    if snapshot is None:
        return message
    message.layout_id = snapshot.layout_id
    message.timestamps_us.extend(snapshot.timestamps_us.tolist())
    message.score_names.extend(snapshot.score_names)
    message.samples_from_us = snapshot.samples_from_us
    message.step_us = snapshot.step_us
    arrays: tuple[tuple[Any, NDArray[Any], Encoding], ...] = (
        (message.observed, snapshot.observed_m, Encoding.FLOAT32),
        (message.p_values, snapshot.p_values, Encoding.FLOAT32),
        (message.scores, snapshot.scores, Encoding.FLOAT32),
        (message.samples, snapshot.samples_m, Encoding.FLOAT16),
    )
    for tensor, array, encoding in arrays:
        if array.size:
            tensor.CopyFrom(tensor_to_message(array, encoding, nan_allowed=True))
    return message


def alert_snapshot_from_message(
    message: anomaly_pb2.GetAlertSnapshotResponse,
) -> tuple[Alert, AlertSnapshot | None]:
    """Read an alert and its snapshot; None where none was stored.

    Raises:
        MalformedMessage: if the alert or an array does not read, or their shapes contradict each other.
    """
    alert = alert_from_message(message.alert)
    if not message.layout_id:
        return alert, None
    frames = len(message.timestamps_us)
    names = tuple(message.score_names)
    observed_m = _tensor(message, "observed", (0, 0, 4))
    joints = observed_m.shape[1] if observed_m.ndim == 3 else 0
    samples_m = _tensor(message, "samples", (0, 0, joints, 3))
    snapshot = AlertSnapshot(
        layout_id=message.layout_id,
        timestamps_us=np.array(message.timestamps_us, np.uint64).astype(np.int64),
        observed_m=observed_m,
        p_values=_tensor(message, "p_values", (frames,)),
        scores=_tensor(message, "scores", (frames, len(names))),
        score_names=names,
        samples_m=samples_m,
        samples_from_us=message.samples_from_us,
        step_us=message.step_us,
    )
    for name, shape, wanted in (
        ("observed", observed_m.shape, (frames, joints, 4)),
        ("p_values", snapshot.p_values.shape, (frames,)),
        ("scores", snapshot.scores.shape, (frames, len(names))),
        ("samples", samples_m.shape, (*samples_m.shape[:2], joints, 3)),
    ):
        if shape != wanted:
            raise MalformedMessage(f"has shape {shape}", field=f"snapshot.{name}", expected=f"{wanted}")
    return alert, snapshot


def _tensor(message: anomaly_pb2.GetAlertSnapshotResponse, name: str, empty: tuple[int, ...]) -> NDArray[np.float32]:
    """Read an array; one that was left out has no numbers, or NaN where it must have some."""
    if not message.HasField(name):
        return np.full(empty, np.nan, np.float32)
    return tensor_from_message(getattr(message, name), field=f"snapshot.{name}", nan_allowed=True)
