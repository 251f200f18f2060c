"""What ``pose-bridge score`` says of a recording, in a few lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bridge.anomaly import ReplayedTrack, ScoredAlert


def to_text(
    track: ReplayedTrack, alerts: Sequence[ScoredAlert], p_values: Sequence[float | None], false_alarms_per_hour: float
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
