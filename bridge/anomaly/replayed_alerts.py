"""What a replayed recording comes to: the alerts that a server would have raised, and a p-value for every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.anomaly.replay import FIRST_US, ReplayedTrack
from bridge.wire.alerts import AlertState, JointContribution, Severity


@dataclass(frozen=True, slots=True)
class ScoredAlert:
    """An alert that a recording raises; times are those of the recording, microseconds.

    Attributes:
        id: the clip's and a running number.
        started_us: first frame of the evidence. raised_us: the frame with which it was raised.
        ended_us: last frame that was outside; None for one that is on at the end.
        severity, p_value, score, joints: as in `bridge.wire.alerts.Alert`.
    """

    id: str
    started_us: int
    raised_us: int
    ended_us: int | None
    severity: Severity
    p_value: float
    score: float
    joints: tuple[JointContribution, ...]

    def to_json(self) -> dict[str, object]:
        """As ``--json`` says it."""
        return {
            "id": self.id,
            "started_us": self.started_us,
            "raised_us": self.raised_us,
            "ended_us": self.ended_us,
            "severity": self.severity.value,
            "p_value": self.p_value,
            "score": self.score,
            "joints": [{"landmark": j.landmark, "name": j.name, "share": j.share} for j in self.joints],
        }


def alerts_of(track: ReplayedTrack) -> list[ScoredAlert]:
    """The alerts of a replayed track, in order, each as it stood in the end."""
    offset_us = int(track.clip.timestamp_us[0]) - FIRST_US
    alerts: list[ScoredAlert] = []
    for frame in track.frames:
        change = frame.change
        if change is None:
            continue
        if change.state is AlertState.RAISED:
            alerts.append(
                ScoredAlert(
                    id=f"{track.clip.clip_id}-{len(alerts) + 1}",
                    started_us=change.started_us + offset_us,
                    raised_us=change.raised_us + offset_us,
                    ended_us=None,
                    severity=change.severity,
                    p_value=change.p_value,
                    score=change.score,
                    joints=frame.joints,
                )
            )
            continue
        ended_us = None if change.ended_us is None else change.ended_us + offset_us
        alerts[-1] = replace(
            alerts[-1], ended_us=ended_us, severity=change.severity, p_value=change.p_value, score=change.score
        )
    return alerts


def p_values_of(track: ReplayedTrack) -> list[float | None]:
    """The combined p-value of every frame of the clip; None where there is no verdict."""
    known = {frame.timestamp_us: frame.judgement.p_value for frame in track.frames}
    first_us = int(track.clip.timestamp_us[0]) - FIRST_US
    return [known.get(time_us - first_us) for time_us in track.clip.timestamp_us.tolist()]
