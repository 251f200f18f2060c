"""Which frames a saving client sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import limits
from bridge.client.saver import FrameSaver
from bridge.errors import InvalidInput
from bridge.frames import Frame
from bridge.wire.codec import frame_to_message
from bridge.wire.values import Forecast, FrameSaving
from tests.client.helpers import forecast, frame
from tests.support import TINY_LAYOUT

PERIOD_US = round(1e6 / 30)


def a_saver(**settings: Any) -> FrameSaver:
    return FrameSaver(layout=TINY_LAYOUT, **settings)


def standing(index: int, *, off_m: float = 0.0, origin_m: float = 0.0) -> Frame:
    """A body that stands still, its feet and head off by a distance along x, in some coordinates."""
    shown = frame(index)
    landmarks = np.ones((TINY_LAYOUT.joints, 4), np.float32)
    landmarks[:, :3] = TINY_LAYOUT.template * 0.33 + origin_m
    landmarks[[0, 5, 6], 0] += np.float32(off_m)
    return replace(shown, landmarks=landmarks)


def still(index: int, steps: int = 30) -> Forecast:
    """Two futures that expect the body to go on standing, based on frame number ``index``."""
    pose_m = TINY_LAYOUT.template * np.float32(0.33)
    futures_m = np.tile(pose_m, (2, steps, 1, 1))
    futures_m += np.array([0.25, -0.75], np.float32)[:, None, None, None]
    return replace(forecast(frame(index).timestamp_us), futures_m=futures_m)


def undetected(index: int) -> Frame:
    return replace(frame(index), landmarks=None)


def test_everything_is_sent_until_there_is_a_forecast() -> None:
    saver = a_saver(every_nth=3)
    assert all(saver.should_send(standing(index), None) for index in range(40))
    assert (saver.frames_seen, saver.frames_sent, saver.bytes_saved) == (40, 40, 0)


def test_then_every_nth_frame_is_sent_and_what_is_saved_is_counted() -> None:
    saver = a_saver(every_nth=3)
    saver.should_send(standing(0), None)
    sent = [saver.should_send(standing(index), still(0)) for index in range(1, 10)]
    assert sent == [False, False, True] * 3
    assert (saver.frames_seen, saver.frames_sent) == (10, 4)
    left_out = [index for index in range(1, 10) if index % 3]
    assert saver.bytes_saved == sum(frame_to_message(standing(index)).ByteSize() for index in left_out)


def test_with_a_threshold_frames_are_sent_that_left_the_forecast() -> None:
    saver = a_saver(threshold_m=0.03)
    saver.should_send(standing(0), None)
    # Three of seven landmarks are off by 6 or 8 cm: 2.6 and 3.4 cm on average. Where the origin lies says nothing.
    for index, off_m, needed in ((1, 0.0, False), (2, 0.06, False), (3, 0.08, True), (4, -0.08, True), (5, 0.0, False)):
        assert saver.should_send(standing(index, off_m=off_m, origin_m=7.0), still(0)) is needed


def test_unseen_landmarks_are_not_compared() -> None:
    saver = a_saver(threshold_m=0.03)
    saver.should_send(standing(0), None)
    hidden = standing(1, off_m=5.0)
    assert hidden.landmarks is not None
    hidden.landmarks[[0, 5, 6], 3] = 0.05
    assert not saver.should_send(hidden, still(0))


def test_both_rules_together_send_what_either_asks_for() -> None:
    saver = a_saver(every_nth=3, threshold_m=0.03)
    saver.should_send(standing(0), None)
    offs_m = (0.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0)
    sent = [saver.should_send(standing(index, off_m=off_m), still(0)) for index, off_m in enumerate(offs_m, 1)]
    assert sent == [False, False, True, False, True, False, False, True]


@given(
    max_silence_ms=st.integers(limits.MIN_SILENCE_MS, limits.MAX_SILENCE_MS),
    rate_hz=st.floats(10.0, 240.0),
    seed=st.integers(0, 1000),
)
def test_the_silence_never_gets_longer_than_allowed(max_silence_ms: int, rate_hz: float, seed: int) -> None:
    saver, random = a_saver(threshold_m=1.0, max_silence_ms=max_silence_ms), np.random.default_rng(seed)
    period_us = 1e6 / rate_hz
    time_us = sent_us = 1_000_000
    for index in range(200):
        shown = replace(standing(index), timestamp_us=time_us)
        known = replace(still(0), based_on_timestamp_us=sent_us) if index else None
        if saver.should_send(shown, known):
            sent_us = time_us
        next_us = time_us + round(period_us * random.uniform(0.9, 1.1))
        assert next_us - sent_us <= max(max_silence_ms * 1000, next_us - time_us)
        time_us = next_us
    if period_us * 3 < max_silence_ms * 1000:
        assert saver.frames_sent < saver.frames_seen


def test_appearing_and_disappearing_is_told_at_once_and_forecasts_from_before_do_not_count() -> None:
    saver = a_saver(every_nth=4)
    saver.should_send(standing(0), None)
    assert not saver.should_send(standing(1), still(0))
    assert saver.should_send(undetected(2), still(0))
    assert not saver.should_send(undetected(3), still(0))
    assert saver.should_send(standing(4), still(0))
    assert saver.should_send(standing(5), still(0))
    assert not saver.should_send(standing(6), still(4))


def test_a_forecast_that_does_not_reach_so_far_tells_nothing() -> None:
    saver = a_saver(every_nth=4)
    saver.should_send(standing(0), None)
    assert not saver.should_send(standing(1), still(0, steps=2))
    assert not saver.should_send(standing(2), still(0, steps=2))
    assert saver.should_send(standing(3), still(0, steps=2))


def test_after_the_senders_own_pause_everything_is_sent_until_there_is_a_new_forecast() -> None:
    saver = a_saver(every_nth=4)
    saver.should_send(standing(0), None)
    assert saver.should_send(standing(20), still(0))
    assert saver.should_send(standing(21), still(0))
    assert not saver.should_send(standing(22), still(20))


def test_a_clock_that_went_back_starts_anew() -> None:
    saver = a_saver(every_nth=4)
    saver.should_send(standing(100), None)
    assert not saver.should_send(standing(101), still(100))
    assert saver.should_send(standing(5), still(100))
    assert saver.should_send(standing(6), still(100))
    assert not saver.should_send(standing(7), still(6))


def test_avatars_are_told_apart_and_the_longest_silent_one_is_forgotten() -> None:
    saver = a_saver(every_nth=2)
    for number in range(limits.MAX_AVATARS_PER_SESSION + 1):
        assert saver.should_send(replace(standing(0), avatar_id=f"a{number}"), None)
    assert not saver.should_send(replace(standing(1), avatar_id="a1"), still(0))
    assert saver.should_send(replace(standing(1), avatar_id="a0"), still(0))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "every_nth"),
        ({"every_nth": 1}, "every_nth"),
        ({"threshold_m": 0.0}, "threshold_m"),
        ({"threshold_m": float("nan")}, "threshold_m"),
        ({"every_nth": 2, "max_silence_ms": 33}, "max_silence_ms"),
        ({"every_nth": 2, "max_silence_ms": 1001}, "max_silence_ms"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        a_saver(**settings)
    assert caught.value.field == field


def test_a_saver_tells_the_service_how_long_a_silence_may_be() -> None:
    assert a_saver(every_nth=2, max_silence_ms=300).frame_saving == FrameSaving(300)
