"""Frames that were filled in, in a timeline and its windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.frames import AddOutcome, Frame
from bridge.interpolation import along
from bridge.timeline import Timeline
from tests.ground.motion import LinearMotion
from tests.support import TINY_LAYOUT

RATE_HZ = 30.0
PERIOD_US = 1e6 / RATE_HZ
MOTION = LinearMotion.random(TINY_LAYOUT, 1)


def a_timeline(frames: int = 7) -> Timeline:
    return Timeline(TINY_LAYOUT, context_frames=frames, rate_hz=RATE_HZ)


def frame_at(period: float, *, filled: bool = False, unseen: tuple[int, ...] = ()) -> Frame:
    return replace(MOTION.frame(round(1_000_000 + period * PERIOD_US), unseen=unseen), filled=filled)


def test_without_filled_frames_no_row_is_filled() -> None:
    timeline = a_timeline()
    for period in range(7):
        timeline.add(frame_at(period))
    window, snapshot = timeline.window(), timeline.snapshot()
    assert window is not None and snapshot is not None
    assert window.filled is None
    assert window.filled_share == snapshot.filled_share == 0.0


def test_rows_of_filled_frames_are_marked_and_count_as_observed() -> None:
    timeline = a_timeline()
    for period in range(7):
        timeline.add(frame_at(period, filled=period in (2, 3), unseen=(5,) if period in (2, 3) else ()))
    window, snapshot = timeline.window(), timeline.snapshot()
    assert window is not None and window.filled is not None and snapshot is not None
    assert window.filled.tolist() == [False, False, True, True, False, False, False]
    assert window.filled_share == snapshot.filled_share == pytest.approx(2 / 7)
    assert not window.bridged.any()
    # The filled frames do not show landmark 5: there it is interpolated as in any other frame.
    assert window.observed[2:4].sum(axis=1).tolist() == [6, 6]
    assert window.observed[[0, 1, 4, 5, 6]].all()


def test_a_row_between_a_real_and_a_filled_frame_is_filled_unless_it_lies_at_the_real_one() -> None:
    timeline = a_timeline(3)
    # Rows at 0, 1, 2; frames beside them.
    for period, filled in ((-0.9, False), (0.1, True), (0.8, False), (1.4, True), (2.0, False)):
        timeline.add(frame_at(period, filled=filled))
    window = timeline.window()
    assert window is not None and window.filled is not None
    # 0 is mixed with the filled frame at 0.1; 1 lies within a quarter of a period of the real one at 0.8.
    assert window.filled.tolist() == [True, False, False]


@pytest.mark.parametrize("filled_first", [True, False])
@pytest.mark.parametrize("apart", [0.0, 0.02, -0.02])
def test_a_real_frame_takes_the_place_of_a_filled_one_of_the_same_moment(filled_first: bool, apart: float) -> None:
    timeline = a_timeline(2)
    timeline.add(frame_at(-1.0))
    timeline.add(frame_at(1.0))
    real, filled = frame_at(0.05), frame_at(0.05 + apart, filled=True)
    assert int(real.timestamp_us * 240 // 1e6) == int(filled.timestamp_us * 240 // 1e6)
    first, second = (filled, real) if filled_first else (real, filled)
    assert timeline.add(first) is AddOutcome.INSERTED_LATE
    assert timeline.add(second) is (AddOutcome.INSERTED_LATE if filled_first else AddOutcome.DUPLICATE)
    assert len(timeline) == 3
    window = timeline.window()
    assert window is not None and window.filled is None


def test_values_between_steps_are_interpolated_and_beyond_them_go_on() -> None:
    values = np.array([[0.0, 10.0], [1.0, 30.0], [4.0, 30.0]])
    at_us = np.array([50, 100, 150, 200, 250, 300, 400])
    expected = [[-0.5, 0], [0, 10], [0.5, 20], [1, 30], [2.5, 30], [4, 30], [7, 30]]
    assert along(values, 100, 100, at_us) == pytest.approx(np.array(expected))
    assert along(values[:1], 100, 100, at_us[:2]) == pytest.approx(np.array([[0.0, 10.0]] * 2))
