"""What ``pose-bridge score`` says of a recording: alerts, p-values by frame, a few lines for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from bridge.anomaly import ReplayedTrack
from bridge.wire.alerts import AlertState, JointContribution, Severity

_FIRST_US = 1


@dataclass(frozen=True, slots=True)
class ScoredAlert:
    """An alert that a recording raises; times are those of the recording, microseconds.

    ``ended_us`` is None for one that is on at the end.
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
    offset_us = int(track.clip.timestamp_us[0]) - _FIRST_US
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
    first_us = int(track.clip.timestamp_us[0]) - _FIRST_US
    return [known.get(time_us - first_us) for time_us in track.clip.timestamp_us.tolist()]


def to_text(
    track: ReplayedTrack, alerts: list[ScoredAlert], p_values: list[float | None], false_alarms_per_hour: float
) -> str:
    """A few lines for people."""
    verdicts = [p for p in p_values if p is not None]
    lines = [f"{track.clip.clip_id}: {len(p_values)} frames, {len(verdicts)} with a verdict"]
    missing = Counter(frame.scores.missing.value for frame in track.frames if frame.scores.missing is not None)
    lines += [f"  {count} without: {reason.replace('_', ' ')}" for reason, count in missing.most_common()]
    if verdicts:
        shares = "  ".join(
            f"p <= {a:g}: {sum(p <= a for p in verdicts) / len(verdicts):.1%}" for a in (0.1, 0.05, 0.01)
        )
        lines.append(f"  {shares}")
    plural = "alert" if len(alerts) == 1 else "alerts"
    lines.append(f"  {len(alerts)} {plural} at {false_alarms_per_hour:g} false alarms an hour")
    for alert in alerts:
        start_s = (alert.started_us - int(track.clip.timestamp_us[0])) * 1e-6
        until = "still on at the end"
        if alert.ended_us is not None:
            until = f"to {(alert.ended_us - int(track.clip.timestamp_us[0])) * 1e-6:.2f} s"
        where = ", ".join(joint.name.replace("_", " ") for joint in alert.joints[:3])
        lines.append(f"  {alert.severity.value:6} from {start_s:.2f} s {until}, p {alert.p_value:.4f}: {where}")
    return "\n".join(lines)
