from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.cli.clips import choose_clip
from bridge.cli.performance import FIRST_TIMESTAMP_US, PAUSE_US, default_seconds, in_order_of_time, perform
from bridge.recordings import Clip
from tests.cli.helpers import make_recording

FRAME_US = 33_333


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return choose_clip(make_recording(tmp_path_factory.mktemp("clip") / "c.npz", count=30, lost=(4,)), None)


def test_by_default_two_rounds_with_a_pause_between(clip: Clip) -> None:
    frames = perform(clip, "a", seconds=default_seconds(clip))
    assert [frame.sequence for frame in frames] == list(range(60))
    steps_us = np.diff([frame.timestamp_us for frame in frames])
    assert frames[0].timestamp_us == FIRST_TIMESTAMP_US
    assert steps_us[29] == pytest.approx(PAUSE_US + FRAME_US, abs=2)
    assert np.delete(steps_us, 29) == pytest.approx(FRAME_US, abs=2)
    opening, again = frames[0].landmarks, frames[30].landmarks
    assert opening is not None and again is not None
    np.testing.assert_array_equal(again, opening)


def test_frames_without_a_detection_are_sent_as_such(clip: Clip) -> None:
    frames = perform(clip, "a", seconds=default_seconds(clip))
    assert [frame.sequence for frame in frames if frame.landmarks is None] == [4, 34]


def test_streaming_ends_when_the_time_is_over(clip: Clip) -> None:
    assert len(perform(clip, "a", seconds=0.5)) == 15
    assert len(perform(clip, "a", seconds=10.0)) > 150


def test_phase_shifted_avatars_do_the_same_at_other_times(clip: Clip) -> None:
    first = perform(clip, "a", seconds=4.0)
    second = perform(clip, "b", seconds=4.0, phase=0.25)
    opening = first[0].landmarks
    assert opening is not None
    same = next(f for f in second if f.landmarks is not None and np.array_equal(f.landmarks, opening))
    shift_us = first[0].timestamp_us - same.timestamp_us
    round_us = 1_000_000 + PAUSE_US
    assert shift_us % round_us == pytest.approx(0.25 * round_us, abs=FRAME_US)
    assert second[0].timestamp_us - FIRST_TIMESTAMP_US < FRAME_US
    both = in_order_of_time([first, second])
    assert len(both) == len(first) + len(second)
    assert (np.diff([frame.timestamp_us for frame in both]) >= 0).all()


def test_the_recordings_own_rate_is_kept(tmp_path: Path) -> None:
    fast = choose_clip(make_recording(tmp_path / "fast.npz", count=60, fps=60.0), None)
    frames = perform(fast, "a", seconds=1.0)
    assert np.diff([frame.timestamp_us for frame in frames]) == pytest.approx(16_667, abs=2)
