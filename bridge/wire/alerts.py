"""What is said of surprising motion, as typed values: verdicts on frames, and alerts as they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr, html_table


class AlertState(StrEnum):
    """The last that happened to an alert."""

    RAISED = "raised"
    UPDATED = "updated"
    """More severe, or other parts of the body; it is still on."""
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    """Someone has seen it; it may still be on."""


class Severity(StrEnum):
    """How far above the threshold: normal motion gets to medium ten, to high a hundred times as rarely."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ClearReason(StrEnum):
    """Why an alert ended."""

    NORMAL = "normal"
    """The motion was again what had been sampled."""
    STREAM_ENDED = "stream_ended"
    """The avatar's frames ended, or its client went away."""


class NoVerdict(StrEnum):
    """Why a frame has no p-value."""

    TOO_SHORT = "too_short"
    """The track is shorter than what the scores look back on."""
    TOO_FEW_LANDMARKS = "too_few_landmarks"
    NO_FORECAST = "no_forecast"
    """None was made that reaches the frame."""
    OFF = "off"
    """The session is not scored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one frame was found to be.

    Attributes:
        sequence, timestamp_us: of the frame, on the sender's clock.
        p_value: (0, 1], how often normal motion is at least as surprising; None where there is no verdict.
        no_verdict: why not; None where there is one.
        evidence: accumulated so far, over the threshold of an alert: 1 raises one.
        alert_id: the alert that is on; "" if none is.
    """

    sequence: int
    timestamp_us: int
    p_value: float | None
    no_verdict: NoVerdict | None = None
    evidence: float = 0.0
    alert_id: str = ""


@dataclass(frozen=True, slots=True)
class JointContribution:
    """A landmark (index and name) and its share of the surprise, (0, 1]."""

    landmark: int
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands after one of its changes; see ``Alert`` in ``anomaly.proto``.

    Attributes:
        id: unique, sortable by time of raising; with ``revision`` the key for leaving out what came twice.
        revision: 1 when raised, one more with every change.
        state: the change that this tells of.
        client_name, avatar_id, session_id: whose.
        started_us: first frame of the evidence, on the sender's clock. raised_us: the frame with which it was raised.
        ended_us: last frame that was outside; None while the alert is on.
        p_value: smallest since it started.
        score: evidence at its highest. threshold: of the rate that was set.
        false_alarms_per_hour: of the avatar, that was set.
        joints: most surprising first, at most 8; their shares add up to at most 1.
        cleared_because: None while it is on.
        acknowledged_by, acknowledged_unix_us, note: "" / None / "" until someone does.
        recorded_unix_us: when this change was stored, microseconds since 1970, UTC. cursor: its place in the log. Both
            are the log's to give: 0 before.
    """

    id: str
    revision: int
    state: AlertState
    client_name: str
    avatar_id: str
    session_id: str
    started_us: int
    raised_us: int
    p_value: float
    score: float
    threshold: float
    false_alarms_per_hour: float
    severity: Severity
    joints: tuple[JointContribution, ...] = ()
    ended_us: int | None = None
    cleared_because: ClearReason | None = None
    acknowledged_by: str = ""
    acknowledged_unix_us: int | None = None
    note: str = ""
    recorded_unix_us: int = 0
    cursor: int = 0

    def __repr__(self) -> str:
        """What it is, in one line."""
        lasted = "still on" if self.ended_us is None else f"{(self.ended_us - self.started_us) / 1e6:.2f} s long"
        where = ", ".join(f"{joint.name} {joint.share:.0%}" for joint in self.joints[:3])
        return (
            f"Alert({self.id!r}, {self.state.value}, {self.severity.value}, {self.client_name}/{self.avatar_id}, "
            f"from {self.started_us} us, {lasted}, p {self.p_value:.2g}{': ' + where if where else ''})"
        )

    @property
    def active(self) -> bool:
        """Whether it is still on."""
        return self.ended_us is None


@dataclass(frozen=True, slots=True, eq=False)
class AlertSnapshot:
    """What was seen, forecast and scored up to the raise: T frames, J landmarks, N scores, S samples of H steps.

    Attributes:
        layout_id: of the landmarks.
        timestamps_us: (T,) on the sender's clock.
        observed_m: (T, J, 4) metres (hip-centred, MediaPipe's axes) and visibility; NaN coordinates where unseen.
        p_values: (T,) combined; NaN where there was no verdict.
        scores: (T, N); NaN where one is missing. score_names: N.
        samples_m: (S, H, J, 3) what the motion was compared with; (0, 0, J, 3) if there was nothing.
        samples_from_us: step h (from 0) is at ``samples_from_us + (h + 1) * step_us``.
    """

    layout_id: str
    timestamps_us: NDArray[np.int64]
    observed_m: NDArray[np.float32]
    p_values: NDArray[np.float32]
    scores: NDArray[np.float32]
    score_names: tuple[str, ...]
    samples_m: NDArray[np.float32]
    samples_from_us: int
    step_us: int

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class AlertPage:
    """An answer to a question for alerts.

    Attributes:
        alerts: as asked for.
        last_cursor: of the newest change in the log.
        forgotten_cursor: changes up to it are no longer kept.
    """

    alerts: tuple[Alert, ...]
    last_cursor: int
    forgotten_cursor: int

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"AlertPage({len(self.alerts)} alert{'s' * (len(self.alerts) != 1)}, last cursor {self.last_cursor})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        head = ("alert", "state", "severity", "client/avatar", "seconds", "p-value", "landmarks")
        rows = [
            (
                *(alert.id, alert.state.value, alert.severity.value, f"{alert.client_name}/{alert.avatar_id}"),
                None if alert.ended_us is None else f"{(alert.ended_us - alert.started_us) / 1e6:.2f}",
                f"{alert.p_value:.2g}",
                ", ".join(joint.name for joint in alert.joints[:3]),
            )
            for alert in self.alerts
        ]
        return html_table(repr(self), head, rows)


def alert_to_json(alert: Alert) -> dict[str, Any]:
    """Return an alert as what JSON can say: for the log, webhooks and ``--json``."""
    return {
        "id": alert.id,
        "revision": alert.revision,
        "cursor": alert.cursor,
        "state": alert.state.value,
        "client_name": alert.client_name,
        "avatar_id": alert.avatar_id,
        "session_id": alert.session_id,
        "started_us": alert.started_us,
        "raised_us": alert.raised_us,
        "ended_us": alert.ended_us,
        "p_value": alert.p_value,
        "score": alert.score,
        "threshold": alert.threshold,
        "false_alarms_per_hour": alert.false_alarms_per_hour,
        "severity": alert.severity.value,
        "joints": [{"landmark": j.landmark, "name": j.name, "share": j.share} for j in alert.joints],
        "cleared_because": None if alert.cleared_because is None else alert.cleared_because.value,
        "acknowledged_by": alert.acknowledged_by or None,
        "acknowledged_unix_us": alert.acknowledged_unix_us,
        "note": alert.note or None,
        "recorded_unix_us": alert.recorded_unix_us,
    }


def alert_from_json(values: Mapping[str, Any]) -> Alert:
    """Inverse of `alert_to_json`.

    Raises:
        KeyError, TypeError, ValueError: if it is not what `alert_to_json` gives.
    """
    reason = values["cleared_because"]
    return Alert(
        id=values["id"],
        revision=values["revision"],
        cursor=values["cursor"],
        state=AlertState(values["state"]),
        client_name=values["client_name"],
        avatar_id=values["avatar_id"],
        session_id=values["session_id"],
        started_us=values["started_us"],
        raised_us=values["raised_us"],
        ended_us=values["ended_us"],
        p_value=values["p_value"],
        score=values["score"],
        threshold=values["threshold"],
        false_alarms_per_hour=values["false_alarms_per_hour"],
        severity=Severity(values["severity"]),
        joints=tuple(JointContribution(j["landmark"], j["name"], j["share"]) for j in values["joints"]),
        cleared_because=None if reason is None else ClearReason(reason),
        acknowledged_by=values["acknowledged_by"] or "",
        acknowledged_unix_us=values["acknowledged_unix_us"],
        note=values["note"] or "",
        recorded_unix_us=values["recorded_unix_us"],
    )
