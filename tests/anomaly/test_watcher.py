"""Frames and forecasts in any order of arrival, verdicts in the frames' order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.anomaly.watcher import TrackWatcher, WatchedFrame, missing_reason
from bridge.wire.alerts import AlertState, NoVerdict
from tests.anomaly.builders import LAYOUT, PERIOD_US, calibration, frame, reference, result_of, swaying

NORMAL = calibration()
FRAMES = 60


def time_of(index: int) -> int:
    return 1 + index * PERIOD_US


def run(delays: list[int] | None = None, *, lost: frozenset[int] = frozenset()) -> list[WatchedFrame]:
    """Watch a swaying body; forecast i comes after ``delays[i]`` more frames, or not at all."""
    rng = np.random.default_rng(4)
    poses = [swaying(time_of(i), rng) for i in range(FRAMES)]
    results = [result_of(reference(time_of(i), rng)) for i in range(FRAMES)]
    watcher = TrackWatcher(LAYOUT, rate_hz=1e6 / PERIOD_US)
    judged: list[WatchedFrame] = []
    coming: list[tuple[int, int]] = []
    for i in range(FRAMES):
        judged += watcher.observe(frame(time_of(i), poses[i], i), awaits=True)
        coming.append((i + (0 if delays is None else delays[i]), i))
        for due in sorted(c for c in coming if c[0] <= i):
            coming.remove(due)
            judged += watcher.resolve(time_of(due[1]), None if due[1] in lost else results[due[1]])
    for _, i in sorted(coming):
        judged += watcher.resolve(time_of(i), results[i])
    return judged


AT_ONCE = run()


@settings(max_examples=10)
@given(st.lists(st.integers(0, 12), min_size=FRAMES, max_size=FRAMES))
def test_scores_do_not_depend_on_how_long_forecasts_take(delays: list[int]) -> None:
    judged = run(delays)
    assert [w.sequence for w in judged] == list(range(FRAMES))
    for now, later in zip(AT_ONCE, judged, strict=True):
        np.testing.assert_array_equal(now.scores.scores, later.scores.scores)


def test_a_forecast_that_never_comes_costs_its_own_frame_at_most() -> None:
    judged = run(lost=frozenset({20, 21, 22}))
    assert [w.sequence for w in judged] == list(range(FRAMES))
    assert sum(w.scores.missing is None for w in judged) == sum(w.scores.missing is None for w in AT_ONCE)


def test_frames_that_wait_for_nothing_are_judged_at_once() -> None:
    watcher = TrackWatcher(LAYOUT, rate_hz=30.0)
    assert len(watcher.observe(frame(1, swaying(1)), awaits=False)) == 1


def test_what_waits_is_judged_when_nothing_more_is_coming() -> None:
    watcher = TrackWatcher(LAYOUT, rate_hz=30.0)
    assert watcher.observe(frame(1, swaying(1)), awaits=True) == []
    assert watcher.observe(frame(40_000, swaying(40_000)), awaits=False) == []
    assert len(watcher.give_up()) == 2


def test_one_forecast_that_is_forgotten_holds_up_only_so_many_frames() -> None:
    watcher = TrackWatcher(LAYOUT, rate_hz=30.0)
    watcher.observe(frame(1, swaying(1)), awaits=True)
    judged = [watcher.observe(frame(1 + i, swaying(1)), awaits=False) for i in range(1, 400)]
    assert sum(map(len, judged)) == 400


def test_nobody_in_sight_is_no_verdict_and_no_fault() -> None:
    watcher = TrackWatcher(LAYOUT, rate_hz=30.0, calibration=NORMAL, rule=NORMAL.rule(1.0))
    (judged,) = watcher.observe(frame(1, None), awaits=False)
    assert missing_reason(judged) is NoVerdict.TOO_FEW_LANDMARKS
    nan = swaying(1)
    nan[:] = np.nan
    (judged,) = watcher.observe(frame(2, nan), awaits=False)
    assert missing_reason(judged) is NoVerdict.TOO_FEW_LANDMARKS


def test_hips_that_are_not_seen_give_no_verdict() -> None:
    watcher = TrackWatcher(LAYOUT, rate_hz=30.0)
    hidden = frame(1, swaying(1))
    assert hidden.landmarks is not None
    hidden.landmarks[LAYOUT.hips[0], 3] = 0.0
    (judged,) = watcher.observe(hidden, awaits=False)
    assert missing_reason(judged) is NoVerdict.TOO_FEW_LANDMARKS


def test_an_alert_comes_with_joints_and_a_snapshot_of_what_was_seen() -> None:
    rng = np.random.default_rng(5)
    # Thresholds of made scores: real ones of this body are far from them, so every frame is outside.
    watcher = TrackWatcher(LAYOUT, rate_hz=1e6 / PERIOD_US, calibration=NORMAL, rule=NORMAL.rule(1000.0))
    changes = []
    wrist = LAYOUT.names.index("left_wrist")
    for i in range(80):
        pose_m = swaying(time_of(i), rng)
        if i >= 50:
            pose_m[wrist] += (0.0, -0.6, 0.0)
        for judged in watcher.observe(frame(time_of(i), pose_m, i), awaits=False):
            if judged.change is not None and judged.change.state is AlertState.RAISED:
                changes.append(judged)
        watcher.resolve(time_of(i), None)
        if i % 3 == 0:
            watcher.resolve(time_of(i), result_of(reference(time_of(i), rng)))
    snapshot = watcher.snapshot()
    assert snapshot.observed_m.shape == (80, LAYOUT.joints, 4)
    assert snapshot.samples_m.shape[0] == 16
    assert snapshot.samples_from_us <= time_of(79) - 495_000
    assert np.isfinite(snapshot.scores[-1]).sum() >= 8
    assert watcher.joints()[0].name == "left_wrist"
    assert sum(joint.share for joint in watcher.joints()) <= 1.0 + 1e-6


def test_another_track_begins_after_a_restart() -> None:
    rng = np.random.default_rng(6)
    watcher = TrackWatcher(LAYOUT, rate_hz=1e6 / PERIOD_US)
    for i in range(20):
        watcher.observe(frame(time_of(i), swaying(time_of(i), rng)), awaits=False)
        watcher.resolve(time_of(i), result_of(reference(time_of(i), rng)))
    (judged,) = watcher.observe(frame(time_of(40), swaying(time_of(40))), awaits=False, restarted=True)
    assert missing_reason(judged) is NoVerdict.TOO_SHORT
