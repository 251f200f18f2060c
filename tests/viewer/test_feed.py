from __future__ import annotations

import time
from dataclasses import replace

from bridge.frames import Frame
from bridge.viewer import History, Readouts, SessionFeed, WatchFeed
from bridge.wire.alerts import Alert, AlertState, JointContribution, Severity, Verdict
from tests.viewer.motion import FRAME_US, forecast_of, swaying


def alert_of(raised_us: int) -> Alert:
    return Alert(
        id="x",
        revision=1,
        state=AlertState.RAISED,
        client_name="game",
        avatar_id="a",
        session_id="s",
        started_us=raised_us - 200_000,
        raised_us=raised_us,
        p_value=0.001,
        score=2.0,
        threshold=1.0,
        false_alarms_per_hour=1.0,
        severity=Severity.HIGH,
        joints=(JointContribution(25, "left_knee", 0.5),),
    )


def test_a_session_is_shown_on_its_own_clock_and_its_latency_is_measured() -> None:
    history, readouts = History(), Readouts()
    feed = SessionFeed(history, readouts)
    at_us = 1 + 30 * FRAME_US
    feed.note_frame(Frame("a", 30, at_us, swaying(0.0)))
    time.sleep(0.02)
    verdict = Verdict(sequence=29, timestamp_us=at_us - FRAME_US, p_value=0.3)
    feed.note_forecast(replace(forecast_of("a", 30), anomaly=verdict))
    feed.note_alerts([alert_of(at_us)])
    moment = history.moment("a", at_us)
    assert moment.frame is not None and moment.forecast is not None and moment.p_value == 0.3
    assert moment.alert is not None and moment.alert.where == ("left_knee",)
    latency = readouts.latency_ms.percentile(50)
    assert latency is not None and 15 < latency < 2000
    assert readouts.frames.total == readouts.forecasts.total == 1


def test_a_watched_sender_is_brought_onto_the_views_clock_also_when_its_own_jumps() -> None:
    history, readouts = History(), Readouts()
    feed = WatchFeed(history, readouts, joints=33)
    assert feed.note_forecast("game/a", 2_000_000, forecast_of("a", 30))
    assert feed.note_forecast("game/a", 2_050_000, forecast_of("a", 31))  # 17 ms late: not its clock
    assert history.span_us == (2_000_000, 2_000_000 + FRAME_US)
    feed.note_alert("game/a", 2_060_000, alert_of(1 + 31 * FRAME_US))
    (alert,) = history.alerts
    assert alert.raised_us == 2_000_000 + FRAME_US and alert.avatar == "game/a"
    jumped = replace(forecast_of("a", 32), based_on_timestamp_us=10**15)
    assert feed.note_forecast("game/a", 2_100_000, jumped)
    assert history.span_us == (2_000_000, 2_100_000)


def test_forecasts_of_other_landmarks_are_not_shown() -> None:
    history = History()
    assert not WatchFeed(history, Readouts(), joints=21).note_forecast("game/a", 0, forecast_of("a", 30))
    assert history.avatars == ()
