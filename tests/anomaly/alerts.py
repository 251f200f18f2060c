"""Alerts to store and tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.wire.alerts import Alert, AlertSnapshot, AlertState, ClearReason, JointContribution, Severity

RAISED = Alert(
    id="000000000001aaaa",
    revision=1,
    state=AlertState.RAISED,
    client_name="game",
    avatar_id="p1",
    session_id="s-1",
    started_us=1_000_000,
    raised_us=1_200_000,
    p_value=0.002,
    score=70.0,
    threshold=60.0,
    false_alarms_per_hour=1.0,
    severity=Severity.MEDIUM,
    joints=(JointContribution(15, "left_wrist", 0.5),),
)


def raised(number: int, **changes: object) -> Alert:
    return replace(RAISED, id=f"{number:012x}bbbb", **changes)  # type: ignore[arg-type]


def cleared(alert: Alert, revision: int = 2) -> Alert:
    return replace(
        alert, revision=revision, state=AlertState.CLEARED, ended_us=3_000_000, cleared_because=ClearReason.NORMAL
    )


def snapshot() -> AlertSnapshot:
    rng = np.random.default_rng(0)
    return AlertSnapshot(
        layout_id="mediapipe.pose.33",
        timestamps_us=np.arange(4, dtype=np.int64),
        observed_m=rng.normal(size=(4, 33, 4)).astype(np.float32),
        p_values=np.array([0.5, np.nan, 0.1, 0.01], np.float32),
        scores=rng.normal(size=(4, 2)).astype(np.float32),
        score_names=("a", "b"),
        samples_m=rng.normal(size=(2, 3, 33, 3)).astype(np.float16).astype(np.float32),
        samples_from_us=7,
        step_us=33_333,
    )
