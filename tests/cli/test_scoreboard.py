from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.cli.scoreboard import METHODS, Scoreboard, future_distance_mm, score_forecast
from bridge.figures.observed import Observed
from tests.figures.builders import BASE_US, JOINTS, STEP_US, head_forecast, moving_frames
from tests.support import TINY_LAYOUT


def test_errors_are_mean_joint_distances_in_millimetres() -> None:
    observed = Observed(moving_frames(), TINY_LAYOUT, 0.1)
    # True speed 10 mm a frame; 1 s is 30 frames: 300 mm of the head, shared by 7 landmarks.
    scores = score_forecast(head_forecast(10, [0.0, 0.01, 0.02]), observed, 1000)
    assert scores is not None
    assert scores["best_of_k"] == pytest.approx(0.0, abs=0.1)
    assert scores["most_probable"] == pytest.approx(300 / JOINTS, rel=1e-3)
    assert scores["last_pose"] == pytest.approx(300 / JOINTS, rel=1e-3)


def test_horizons_between_steps_are_interpolated() -> None:
    observed = Observed(moving_frames(), TINY_LAYOUT, 0.1)
    for horizon_ms in (50, 100, 333):
        scores = score_forecast(head_forecast(10, [0.01]), observed, horizon_ms)
        assert scores is not None
        assert scores["best_of_k"] == pytest.approx(0.0, abs=0.05)
        assert scores["last_pose"] == pytest.approx(horizon_ms * 1e3 / STEP_US * 10 / JOINTS, rel=1e-3)


def test_only_landmarks_seen_now_and_then_count() -> None:
    observed = Observed(moving_frames(hidden=(0,)), TINY_LAYOUT, 0.1)
    scores = score_forecast(head_forecast(10, [0.05]), observed, 1000)
    assert scores is not None and set(scores) == set(METHODS)
    assert max(scores.values()) == pytest.approx(0.0, abs=0.05)


def test_what_is_not_known_is_not_scored() -> None:
    frames = moving_frames(30)
    observed = Observed(frames, TINY_LAYOUT, 0.1)
    assert score_forecast(head_forecast(10, [0.01]), observed, 1000) is None  # the recording ends before
    assert score_forecast(head_forecast(10, [0.01], steps=5), observed, 333) is None  # the forecast does
    lost = [replace(frame, landmarks=None) if 12 <= frame.sequence <= 20 else frame for frame in frames]
    assert score_forecast(head_forecast(10, [0.01]), Observed(lost, TINY_LAYOUT, 0.1), 200) is None
    assert score_forecast(head_forecast(10, [0.01]), Observed(lost, TINY_LAYOUT, 0.1), 500) is not None


def test_what_comes_after_a_pause_of_the_stream_is_not_what_the_person_did_next() -> None:
    first = moving_frames(20)
    pause_us = 500_000
    again = [replace(f, sequence=20 + f.sequence, timestamp_us=f.timestamp_us + 20 * STEP_US + pause_us) for f in first]
    observed = Observed([*first, *again], TINY_LAYOUT, 0.1)
    forecast = head_forecast(15, [0.01])
    assert observed.at(forecast.based_on_timestamp_us + 1_000_000) is not None
    assert score_forecast(forecast, observed, 100) is not None
    assert score_forecast(forecast, observed, 1000) is None


def test_every_method_is_scored_on_the_same_forecasts() -> None:
    observed = Observed(moving_frames(50), TINY_LAYOUT, 0.1)
    board = Scoreboard({"a": observed})
    for row in range(5, 45):
        board.add(head_forecast(row, [0.01, 0.0]))
    board.settle(BASE_US)
    assert board.scored() == {"100": 0, "333": 0, "1000": 0}
    assert board.mpjpe_mm("best_of_k") == {"100": None, "333": None, "1000": None}
    board.settle(None)
    # 30 steps of 33333 microseconds end a hair before 1 s: a forecast 30 rows before the last cannot be scored there.
    assert board.scored() == {"100": 40, "333": 35, "1000": 14}
    board.settle(None)
    assert board.scored()["100"] == 40
    assert board.mpjpe_mm("best_of_k")["1000"] == pytest.approx(0.0, abs=0.1)
    assert board.mpjpe_mm("last_pose")["1000"] == pytest.approx(300 / JOINTS, rel=1e-3)


def test_a_forecast_is_scored_once_its_future_is_past() -> None:
    board = Scoreboard({"a": Observed(moving_frames(), TINY_LAYOUT, 0.1)})
    board.add(head_forecast(5, [0.01]))
    board.settle(BASE_US + 5 * STEP_US + 900_000)
    assert board.scored()["100"] == 0
    board.settle(BASE_US + 5 * STEP_US + 1_300_000)
    assert board.scored() == {"100": 1, "333": 1, "1000": 1}


def test_distance_between_futures() -> None:
    # Heads 30 steps x (10, 20, 10) mm apart in the three pairs, over 7 landmarks.
    assert future_distance_mm(head_forecast(0, [0.0, 0.01, 0.02])) == pytest.approx(400 / JOINTS, rel=1e-3)
    assert future_distance_mm(head_forecast(0, [0.01])) is None
