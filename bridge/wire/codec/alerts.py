"""Alerts, verdicts and questions for them: the values of `bridge.wire.alerts` and the messages of ``anomaly.proto``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge import limits
from bridge.errors import InvalidInput, MalformedMessage
from bridge.wire.alerts import (
    Alert,
    AlertPage,
    AlertState,
    ClearReason,
    JointContribution,
    NoVerdict,
    Severity,
    Verdict,
)
from bridge.wire.generated.posebridge.v1 import anomaly_pb2
from bridge.wire.values import checked_name

_STATE_TO_WIRE = {
    AlertState.RAISED: anomaly_pb2.ALERT_STATE_RAISED,
    AlertState.UPDATED: anomaly_pb2.ALERT_STATE_UPDATED,
    AlertState.CLEARED: anomaly_pb2.ALERT_STATE_CLEARED,
    AlertState.ACKNOWLEDGED: anomaly_pb2.ALERT_STATE_ACKNOWLEDGED,
}
_SEVERITY_TO_WIRE = {
    Severity.LOW: anomaly_pb2.ALERT_SEVERITY_LOW,
    Severity.MEDIUM: anomaly_pb2.ALERT_SEVERITY_MEDIUM,
    Severity.HIGH: anomaly_pb2.ALERT_SEVERITY_HIGH,
}
_REASON_TO_WIRE = {
    ClearReason.NORMAL: anomaly_pb2.CLEAR_REASON_NORMAL,
    ClearReason.STREAM_ENDED: anomaly_pb2.CLEAR_REASON_STREAM_ENDED,
}
_NO_VERDICT_TO_WIRE = {
    NoVerdict.TOO_SHORT: anomaly_pb2.NO_VERDICT_TOO_SHORT,
    NoVerdict.TOO_FEW_LANDMARKS: anomaly_pb2.NO_VERDICT_TOO_FEW_LANDMARKS,
    NoVerdict.NO_FORECAST: anomaly_pb2.NO_VERDICT_NO_FORECAST,
    NoVerdict.OFF: anomaly_pb2.NO_VERDICT_OFF,
}
_STATE_FROM_WIRE: dict[int, AlertState] = {number: value for value, number in _STATE_TO_WIRE.items()}
_SEVERITY_FROM_WIRE: dict[int, Severity] = {number: value for value, number in _SEVERITY_TO_WIRE.items()}
_REASON_FROM_WIRE: dict[int, ClearReason] = {number: value for value, number in _REASON_TO_WIRE.items()}
_NO_VERDICT_FROM_WIRE: dict[int, NoVerdict] = {number: value for value, number in _NO_VERDICT_TO_WIRE.items()}

_SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)
_HIGHEST_CURSOR = 2**63 - 1
"""The log counts in signed 64-bit integers."""


# -- verdicts


def verdict_to_message(verdict: Verdict) -> anomaly_pb2.Verdict:
    """Return the message of a verdict; a p-value that float32 would round to 0 becomes its smallest normal number."""
    message = anomaly_pb2.Verdict(
        sequence=verdict.sequence,
        timestamp_us=verdict.timestamp_us,
        evidence=verdict.evidence,
        alert_id=verdict.alert_id,
    )
    if verdict.p_value is not None:
        message.p_value = max(verdict.p_value, _SMALLEST_FLOAT32)
    if verdict.no_verdict is not None:
        message.no_verdict = _NO_VERDICT_TO_WIRE[verdict.no_verdict]
    return message


def verdict_from_message(message: anomaly_pb2.Verdict, *, field: str = "verdict") -> Verdict:
    """Read a verdict.

    Raises:
        MalformedMessage: if it has neither a p-value nor a reason that we know, or a number is out of its range.
    """
    p_value = _p_value(message.p_value, f"{field}.p_value") if message.HasField("p_value") else None
    no_verdict = _NO_VERDICT_FROM_WIRE.get(message.no_verdict)
    if (p_value is None) == (no_verdict is None):
        raise MalformedMessage(
            f"is {message.no_verdict} {'without' if p_value is None else 'beside'} a p-value",
            field=f"{field}.no_verdict",
            expected="a reason where there is no p-value, and only there",
        )
    return Verdict(
        sequence=message.sequence,
        timestamp_us=message.timestamp_us,
        p_value=p_value,
        no_verdict=no_verdict,
        evidence=_not_negative(message.evidence, f"{field}.evidence"),
        alert_id=message.alert_id,
    )


# -- alerts


def alert_to_message(alert: Alert) -> anomaly_pb2.Alert:
    """Return the message of an alert; score, threshold and shares are rounded to float32."""
    return anomaly_pb2.Alert(
        id=alert.id,
        revision=alert.revision,
        cursor=alert.cursor,
        state=_STATE_TO_WIRE[alert.state],
        client_name=alert.client_name,
        avatar_id=alert.avatar_id,
        session_id=alert.session_id,
        started_us=alert.started_us,
        raised_us=alert.raised_us,
        ended_us=alert.ended_us,
        p_value=alert.p_value,
        score=alert.score,
        threshold=alert.threshold,
        false_alarms_per_hour=alert.false_alarms_per_hour,
        severity=_SEVERITY_TO_WIRE[alert.severity],
        joints=[
            anomaly_pb2.JointContribution(landmark=joint.landmark, name=joint.name, share=joint.share)
            for joint in alert.joints
        ],
        cleared_because=None if alert.cleared_because is None else _REASON_TO_WIRE[alert.cleared_because],
        acknowledged_by=alert.acknowledged_by or None,
        acknowledged_unix_us=alert.acknowledged_unix_us,
        note=alert.note or None,
        recorded_unix_us=alert.recorded_unix_us,
    )


def alert_from_message(message: anomaly_pb2.Alert) -> Alert:
    """Read an alert.

    Raises:
        MalformedMessage: if it has no id, a state, severity or reason is none we know, or a number is out of its range.
    """
    if not message.id or message.revision < 1:
        raise MalformedMessage(
            f"is {message.id!r}, revision {message.revision}", field="alert.id", expected="an id, revision 1 or more"
        )
    return Alert(
        id=message.id,
        revision=message.revision,
        cursor=message.cursor,
        state=_known(_STATE_FROM_WIRE, message.state, "alert.state"),
        client_name=message.client_name,
        avatar_id=message.avatar_id,
        session_id=message.session_id,
        started_us=message.started_us,
        raised_us=message.raised_us,
        ended_us=message.ended_us if message.HasField("ended_us") else None,
        p_value=_p_value(message.p_value, "alert.p_value"),
        score=_not_negative(message.score, "alert.score"),
        threshold=_not_negative(message.threshold, "alert.threshold"),
        false_alarms_per_hour=_not_negative(message.false_alarms_per_hour, "alert.false_alarms_per_hour"),
        severity=_known(_SEVERITY_FROM_WIRE, message.severity, "alert.severity"),
        joints=tuple(
            JointContribution(joint.landmark, joint.name, _not_negative(joint.share, f"alert.joints[{index}].share"))
            for index, joint in enumerate(message.joints)
        ),
        cleared_because=(
            _known(_REASON_FROM_WIRE, message.cleared_because, "alert.cleared_because")
            if message.cleared_because
            else None
        ),
        acknowledged_by=message.acknowledged_by,
        acknowledged_unix_us=message.acknowledged_unix_us if message.HasField("acknowledged_unix_us") else None,
        note=message.note,
        recorded_unix_us=message.recorded_unix_us,
    )


# -- questions for alerts and their answers


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are asked for; see ``ListAlertsRequest``.

    Attributes:
        after_cursor: changes after this one, oldest first; None: the newest state of each alert, newest first.
        limit: at most so many.
        client_name, avatar_id: only of these; "" for all.
        active_only: only alerts that are on.
        before_cursor: without ``after_cursor``, only alerts raised before this one; 0: from the newest on.
    """

    after_cursor: int | None = None
    limit: int = limits.DEFAULT_ALERTS_PER_ANSWER
    client_name: str = ""
    avatar_id: str = ""
    active_only: bool = False
    before_cursor: int = 0


def alert_query_to_message(query: AlertQuery) -> anomaly_pb2.ListAlertsRequest:
    """Return the message of a question, unchecked: `alert_query_from_message` checks."""
    return anomaly_pb2.ListAlertsRequest(
        after_cursor=query.after_cursor,
        limit=query.limit,
        client_name=query.client_name,
        avatar_id=query.avatar_id,
        active_only=query.active_only,
        before_cursor=query.before_cursor,
    )


def alert_query_from_message(message: anomaly_pb2.ListAlertsRequest) -> AlertQuery:
    """Read and check a question for alerts.

    Raises:
        InvalidInput: if a field is out of its range, or two contradict each other; ``field`` says which.
    """
    limit = message.limit if message.HasField("limit") else limits.DEFAULT_ALERTS_PER_ANSWER
    if not 1 <= limit <= limits.MAX_ALERTS_PER_ANSWER:
        raise InvalidInput(f"is {limit}", field="limit", expected=f"1 to {limits.MAX_ALERTS_PER_ANSWER}")
    after_cursor = _cursor(message.after_cursor, "after_cursor") if message.HasField("after_cursor") else None
    if after_cursor is not None and message.before_cursor:
        raise InvalidInput("comes together with after_cursor", field="before_cursor", expected="one of the two")
    require_filter(message.client_name, message.avatar_id)
    return AlertQuery(
        after_cursor=after_cursor,
        limit=limit,
        client_name=message.client_name,
        avatar_id=message.avatar_id,
        active_only=message.active_only,
        before_cursor=_cursor(message.before_cursor, "before_cursor"),
    )


def require_filter(client_name: str, avatar_id: str) -> None:
    """Check the names that limit a question; "" stands for all.

    Raises:
        InvalidInput: if one is no name.
    """
    for name, field in ((client_name, "client_name"), (avatar_id, "avatar_id")):
        if name:
            checked_name(name, field=field)


def alert_page_to_message(page: AlertPage) -> anomaly_pb2.ListAlertsResponse:
    """Return the message of an answer."""
    return anomaly_pb2.ListAlertsResponse(
        alerts=[alert_to_message(alert) for alert in page.alerts],
        last_cursor=page.last_cursor,
        forgotten_cursor=page.forgotten_cursor,
    )


def alert_page_from_message(message: anomaly_pb2.ListAlertsResponse) -> AlertPage:
    """Read an answer.

    Raises:
        MalformedMessage: if an alert does not read.
    """
    alerts = tuple(alert_from_message(alert) for alert in message.alerts)
    return AlertPage(alerts, last_cursor=message.last_cursor, forgotten_cursor=message.forgotten_cursor)


# -- checks


def _cursor(value: int, field: str) -> int:
    if value > _HIGHEST_CURSOR:
        raise InvalidInput(f"is {value}", field=field, expected="a cursor that this server gave, or 0")
    return value


def _p_value(value: float, field: str) -> float:
    if not 0.0 < value <= 1.0:
        raise MalformedMessage(f"is {value}", field=field, expected="a number above 0, at most 1")
    return value


def _not_negative(value: float, field: str) -> float:
    if not (math.isfinite(value) and value >= 0.0):
        raise MalformedMessage(f"is {value}", field=field, expected="a finite number, 0 or more")
    return value


def _known(values: dict[int, Any], number: int, field: str) -> Any:
    value = values.get(number)
    if value is None:
        raise MalformedMessage(f"is {number}", field=field, expected=f"one of {sorted(values)}")
    return value
