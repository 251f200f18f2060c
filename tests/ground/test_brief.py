"""What values say of themselves, in a terminal and in a notebook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, CalibrationIdentity, ScoredTrack
from bridge.brief import Share, html_table
from bridge.client import Alert, AlertPage, ClientStats, ConnectionState, Forecast, FrameSaver, ModelInfo
from bridge.errors import Unavailable
from bridge.forecaster import ForecastResult
from bridge.frames import Frame
from bridge.recordings import BUNDLED_RECORDING, load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.alerts import AlertState, ClearReason, JointContribution, Severity
from tests.figures.builders import head_forecast, moving_frames
from tests.forecaster.builders import small_forecaster

ALERT = Alert(
    id="01J",
    revision=2,
    state=AlertState.CLEARED,
    client_name="game",
    avatar_id="player1",
    session_id="s",
    started_us=1_000_000,
    raised_us=1_200_000,
    ended_us=2_500_000,
    p_value=0.00123,
    score=2.0,
    threshold=1.0,
    false_alarms_per_hour=1.0,
    severity=Severity.HIGH,
    joints=(JointContribution(15, "left_wrist", 0.4), JointContribution(13, "left_elbow", 0.25)),
    cleared_because=ClearReason.NORMAL,
)
STATS = ClientStats(
    state=ConnectionState.CONNECTING,
    sessions=1,
    frames_sent=120,
    frames_resent=0,
    frames_dropped=3,
    forecasts=90,
    forecasts_replaced=0,
    forecasts_outdated=0,
    frame_faults=0,
    latencies_ms=tuple(float(value) for value in range(1, 4097)),
    last_error=Unavailable("the connection to <there> broke"),
)


def html_of(value: object) -> str:
    """What IPython shows of a value where HTML can be shown."""
    formatter = InteractiveShell.instance().display_formatter
    assert formatter is not None
    shown, _ = formatter.format(value)
    html: str = shown["text/html"]
    return html


def result(futures: int = 3) -> ForecastResult:
    forecaster = small_forecaster()
    window = forecaster.window(moving_frames(40))
    assert repr(window) == (
        f"Window('a', test.tiny.7, {forecaster.context_frames} frames at 30 Hz up to 2299987 us, "
        "100% of landmarks seen, 0% bridged)"
    )
    return forecaster.forecast(window, samples=8, futures=futures)


def test_frames_say_who_when_and_how_much_was_seen() -> None:
    frame = moving_frames(2, hidden=(0, 6))[1]
    assert repr(frame) == "Frame('a', 1, 1033333 us, 5 of 7 landmarks seen)"
    rooted = replace(frame, root_m=np.zeros(3, np.float32), filled=True)
    assert repr(rooted) == "Frame('a', 1, 1033333 us, 5 of 7 landmarks seen, with root, filled in)"
    assert repr(Frame("a", 1, 5, None)) == "Frame('a', 1, 5 us, nobody detected)"
    # What cannot be used is said as well as it can be.
    assert repr(Frame("a", 1, 5, np.zeros((2, 3), np.float32))) == "Frame('a', 1, 5 us, landmarks of shape (2, 3))"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            load_clips(BUNDLED_RECORDING)[0],
            "Clip('sports2d_demo', subject sports2d_demo, demo video of Sports2D, mediapipe.pose.33, 230 frames in "
            "7.63 s at 30 Hz, 221 with a body)",
        ),
        (MEDIAPIPE_POSE_33, "Layout('mediapipe.pose.33', 33 landmarks, 35 bones)"),
        (head_forecast(4, [0.1, 0.2]), "Forecast('a' from frame 4: 2 futures of 30 steps, 7 landmarks: 50%, 50%)"),
        (
            ALERT,
            "Alert('01J', cleared, high, game/player1, from 1000000 us, 1.50 s long, p 0.0012: left_wrist 40%, "
            "left_elbow 25%)",
        ),
        (
            replace(ALERT, ended_us=None, joints=()),
            "Alert('01J', cleared, high, game/player1, from 1000000 us, still on, p 0.0012)",
        ),
        (AlertPage((ALERT,), 7, 0), "AlertPage(1 alert, last cursor 7)"),
        (
            STATS,
            "ClientStats(connecting: 120 frames sent, 90 forecasts, latency p50 2048.5 ms, p99 4055.1 ms, 3 frames "
            "dropped, last error the connection to <there> broke)",
        ),
        (FrameSaver(every_nth=3), "FrameSaver(every_nth=3, max_silence_ms=500: 0 of 0 frames sent)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_say_what_they_are_in_one_line(value: object, said: str) -> None:
    assert repr(value) == said


def test_a_calibration_says_what_it_rests_on() -> None:
    said = repr(Calibration.load(BUNDLED_CALIBRATION))
    assert said.startswith("Calibration(mediapipe.pose.33, weights ") and "subjects, p-values down to 0.00" in said
    assert len(said) < 160


def test_arrays_are_said_by_their_shape_and_long_lists_by_their_length() -> None:
    track = ScoredTrack(
        "t", "anna", "cmu", np.zeros(400, np.int64), np.zeros((400, 15), np.float32), np.zeros(400, np.float32)
    )
    assert repr(track) == (
        "ScoredTrack(track_id='t', subject='anna', family='cmu', timestamps_us=int64 (400,), "
        "scores=float32 (400, 15), log_speed=float32 (400,))"
    )
    assert "scores=(" in repr(CalibrationIdentity("w", "pcn", "l", 30.0))  # names are no arrays
    info = ModelInfo("0.1", "l", tuple("abcdef"), ((0, 1),) * 9, 30, 30.0, 3000, 256, 16, "pcn", "w", "cpu")
    assert "landmark_names=6 items, bones=9 items" in repr(info)


@pytest.mark.parametrize("futures", [1, 3])
def test_a_result_is_a_table_of_its_futures(futures: int) -> None:
    made = result(futures)
    html = html_of(made)
    assert html.count("<tr>") == 1 + futures and html.count("min-width:160px") == futures
    for probability in made.probabilities:
        assert f"{probability:.0%}" in html
    moved_mm = 1e3 * np.linalg.norm(made.futures_m[0, -1] - made.futures_m[0, 0], axis=-1).mean()
    assert f"{moved_mm:.0f} mm" in html
    assert ("from the first" in html) == (futures > 1)
    assert "hips move" not in html


def test_a_clients_forecast_shows_mode_ids_and_where_the_hips_go() -> None:
    roots_m = np.zeros((2, 30, 3), np.float32)
    roots_m[1, -1] = (0.3, 0.0, 0.4)
    forecast: Forecast = replace(head_forecast(4, [0.01, 0.02]), mode_ids=(17, 4), roots_m=roots_m)
    html = html_of(forecast)
    assert ">17<" in html and ">500 mm<" in html and "hips move" in html
    # Of a landmark that is no number the mean is over the others; where none is left, nothing is said.
    forecast.futures_m[1] = np.nan
    assert "\N{EN DASH}" in html_of(forecast) and "nan" not in html_of(forecast)


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    for value in (replace(head_forecast(1, [0.0]), avatar_id=evil), AlertPage((replace(ALERT, avatar_id=evil),), 1, 0)):
        assert "<script>" not in html_of(value) and "&lt;script&gt;" in html_of(value)
    assert "broke" in html_of(STATS) and "<there>" not in html_of(STATS)
    assert "<b>" not in html_table("<b>", ["<b>"], [["<b>"]])


def test_numbers_that_are_no_share_do_not_break_a_bar() -> None:
    html = html_table("", ["p"], [[Share(1.5)], [Share(-0.5)], [Share("nan")]])
    assert "width:100.0%" in html and html.count("width:0.0%") == 2
