"""The thread that watches all avatars: alerts that outlive sessions and servers."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.hub import AlertHub
from bridge.anomaly.monitor import AnomalyMonitor, AvatarName, AvatarWatch, new_alert_id
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import Alert, AlertState, ClearReason, NoVerdict
from tests.anomaly.builders import LAYOUT, PERIOD_US, calibration, frame, reference, result_of, swaying

NAME = AvatarName("game", "p1", "s-1")
PATIENCE_S = 20.0


class Stage:
    """A log, a hub and a monitor that a test can stop and start again."""

    def __init__(self, folder: Path, *, orphan_s: float = 60.0) -> None:
        self.telemetry = AnomalyTelemetry()
        self.log = AlertLog.open(folder / "alerts.sqlite3")
        self.hub = AlertHub(self.log, self.telemetry)
        self.told: queue.Queue[Alert] = queue.Queue()
        self.hub.listen(self.told.put)
        self.monitor = AnomalyMonitor(
            calibration(),
            self.hub,
            layout=LAYOUT,
            rate_hz=1e6 / PERIOD_US,
            telemetry=self.telemetry,
            orphan_s=orphan_s,
        )
        self.monitor.start()

    def stop(self) -> None:
        assert self.monitor.stop(PATIENCE_S)
        self.log.close()

    def next(self) -> Alert:
        return self.told.get(timeout=PATIENCE_S)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.stop()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.002)


def stream(watch: AvatarWatch, frames: range, *, wild: bool = False) -> None:
    """Frames of a swaying body; wild ones are nowhere near what was drawn. Scores of these bodies are all surprising to
    a calibration on made scores, so a still body that is what was drawn stands for calm."""
    rng = np.random.default_rng(frames.start)
    for i in frames:
        time_us = 1 + i * PERIOD_US
        pose_m = swaying(time_us)
        if wild:
            pose_m = pose_m + rng.normal(0.0, 0.5, pose_m.shape).astype(np.float32)
        watch.observe(frame(time_us, pose_m, i), awaits=True)
        watch.resolve(time_us, result_of(reference(time_us, rng, spread_m=0.05)) if i % 3 == 0 else None)


def test_every_frame_gets_a_verdict_or_a_reason(stage: Stage) -> None:
    seen: list[tuple[str, str, int]] = []
    stage.monitor.listen_verdicts(lambda client, avatar, verdict: seen.append((client, avatar, verdict.sequence)))
    watch = stage.monitor.open(NAME)
    stream(watch, range(40))
    wait_for(lambda: len(seen) == 40)
    assert seen == [("game", "p1", i) for i in range(40)]
    assert watch.verdict is not None
    assert stage.telemetry.verdicts + sum(stage.telemetry.no_verdicts.values()) == 40
    assert stage.telemetry.no_verdicts[NoVerdict.TOO_SHORT.value] > 0


def test_an_alert_is_stored_with_what_was_seen_and_told_to_its_session_only(stage: Stage) -> None:
    mine: queue.Queue[Alert] = queue.Queue()
    others: queue.Queue[Alert] = queue.Queue()
    stage.monitor.join("s-1", mine.put)
    stage.monitor.join("s-2", others.put)
    watch = stage.monitor.open(NAME, false_alarms_per_hour=100.0)
    stream(watch, range(30))
    stream(watch, range(30, 60), wild=True)
    alert = stage.next()
    assert (alert.state, alert.client_name, alert.avatar_id) == (AlertState.RAISED, "game", "p1")
    assert alert.false_alarms_per_hour == 100.0
    assert alert.score >= alert.threshold
    assert mine.get(timeout=PATIENCE_S) == alert
    assert others.empty()
    _, seen = stage.log.snapshot(alert.id)
    assert seen is not None
    assert seen.observed_m.shape[1:] == (33, 4)


def test_an_alert_goes_on_when_its_avatar_comes_back_after_a_restart(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    watch = first.monitor.open(NAME)
    stream(watch, range(30))
    stream(watch, range(30, 60), wild=True)
    alert = first.next()
    first.stop()
    second = Stage(tmp_path)
    again = second.monitor.open(AvatarName("game", "p1", "s-9"))
    stream(again, range(100, 400, 1))
    told = second.next()
    while told.state is not AlertState.CLEARED:
        told = second.next()
    assert told.id == alert.id
    assert told.session_id == "s-9"
    assert told.cleared_because is ClearReason.NORMAL
    second.stop()


def test_an_alert_whose_avatar_is_gone_is_cleared_for_that_reason(tmp_path: Path) -> None:
    stage = Stage(tmp_path, orphan_s=0.2)
    watch = stage.monitor.open(NAME)
    stream(watch, range(30))
    stream(watch, range(30, 60), wild=True)
    alert = stage.next()
    stage.monitor.close(watch)
    told = stage.next()
    while told.state is not AlertState.CLEARED:
        told = stage.next()
    assert (told.id, told.cleared_because) == (alert.id, ClearReason.STREAM_ENDED)
    assert not told.active
    stage.stop()


def test_another_rate_holds_from_then_on(stage: Stage) -> None:
    watch = stage.monitor.open(NAME)
    stage.monitor.configure(watch, 1000.0)
    stream(watch, range(30))
    stream(watch, range(30, 60), wild=True)
    assert stage.next().false_alarms_per_hour == 1000.0


def test_a_fault_of_ours_costs_one_frame(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = stage.monitor.open(NAME)
    calls = iter(range(100))
    whole = watch.watcher.observe

    def sometimes(*args: object, **kwargs: object) -> object:
        if next(calls) == 3:
            raise RuntimeError("boom")
        return whole(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(watch.watcher, "observe", sometimes)
    stream(watch, range(20))
    wait_for(lambda: stage.telemetry.verdicts + sum(stage.telemetry.no_verdicts.values()) == 19)


def test_when_scoring_is_too_slow_frames_go_unscored_and_nobody_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.anomaly.monitor._MAX_WAITING", 0)
    watch = stage.monitor.open(NAME)
    stream(watch, range(5))
    assert stage.telemetry.dropped > 0


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_alert_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert [i[:12] for i in ids] == sorted(i[:12] for i in ids)
