"""What the service puts between two frames that a saving client sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.frames import Frame
from bridge.geometry import hip_middle
from bridge.session.filling import GapFiller
from bridge.timeline import Timeline
from bridge.wire.values import Forecast, FrameSaving, Timing
from tests.ground.motion import LinearMotion, steady_times_us, undetected
from tests.support import TINY_LAYOUT

RATE_HZ = 30.0
PERIOD_US = 1e6 / RATE_HZ
STEP_US = round(PERIOD_US)
START_US = 1_000_000
HIPS = list(TINY_LAYOUT.hips)


@dataclass(frozen=True)
class Wave:
    """A body whose landmarks swing, about a middle of the hips that wanders, in coordinates whose origin drifts."""

    def pose_m(self, time_us: float) -> NDArray[np.float64]:
        """Hip-centred."""
        phase = 7.0 * time_us * 1e-6 + np.arange(TINY_LAYOUT.joints)[:, None] + np.arange(3)
        swing = 0.2 * np.sin(phase)
        swing[HIPS[1]] = -swing[HIPS[0]]
        pose_m = TINY_LAYOUT.template * 0.33 + swing
        return np.asarray(pose_m - hip_middle(pose_m, TINY_LAYOUT), np.float64)

    def hips_m(self, time_us: float) -> NDArray[np.float64]:
        """Middle of the hips in the world."""
        seconds = time_us * 1e-6
        return np.array([np.sin(3 * seconds), 0.5, 2.0 + np.cos(2 * seconds)])

    def offset_m(self, time_us: float) -> NDArray[np.float64]:
        """Middle of the hips in the sender's coordinates: moves evenly."""
        return np.array([0.1, -0.2, 0.3]) * time_us * 1e-6

    def frame(self, time_us: int, *, sequence: int = 0, unseen: tuple[int, ...] = (), root: bool = False) -> Frame:
        landmarks = np.full((TINY_LAYOUT.joints, 4), 0.9, np.float32)
        landmarks[:, :3] = self.pose_m(time_us) + self.offset_m(time_us)
        landmarks[list(unseen)] = (55.0, -55.0, 55.0, 0.0)
        root_m = (self.hips_m(time_us) - self.offset_m(time_us)).astype(np.float32) if root else None
        return Frame("someone", sequence, time_us, landmarks, root_m)

    def forecast(self, base_us: int, steps: int = 15, *, error_m: float = 0.0, root: bool = False) -> Forecast:
        """Two futures whose mean is the truth, wrong by an error that grows evenly from the base on."""
        times_us = base_us + STEP_US * np.arange(1, steps + 1)
        off_m = error_m * (times_us - base_us) * 1e-6
        futures_m = np.stack([self.pose_m(float(time_us)) for time_us in times_us]) + off_m[:, None, None]
        roots_m = np.stack([self.hips_m(float(time_us)) for time_us in times_us]) + off_m[:, None] if root else None
        return Forecast(
            avatar_id="someone",
            based_on_sequence=0,
            based_on_timestamp_us=base_us,
            step_us=STEP_US,
            futures_m=np.stack([futures_m + 0.3, futures_m - 0.7]).astype(np.float32),
            roots_m=None if roots_m is None else np.stack([roots_m + 0.3, roots_m - 0.7]).astype(np.float32),
            probabilities=np.array([0.7, 0.3], np.float32),
            spread_m=np.zeros((steps, TINY_LAYOUT.joints), np.float32),
            mode_ids=(0, 1),
            unobserved_landmarks=(),
            bridged_share=0.0,
            samples=4,
            acceptance_rate=None,
            timing=Timing(),
        )


def a_filler(max_silence_ms: int = 500) -> GapFiller:
    return GapFiller(TINY_LAYOUT, rate_hz=RATE_HZ, saving=FrameSaving(max_silence_ms))


def poses_m(frames: list[Frame]) -> NDArray[np.float32]:
    return np.stack([frame.landmarks[:, :3] for frame in frames if frame.landmarks is not None])


@given(gap_ms=st.floats(1.0, 600.0))
def test_a_gap_gets_a_marked_frame_every_period(gap_ms: float) -> None:
    wave, filler = Wave(), a_filler()
    gap_us = round(gap_ms * 1e3)
    assert filler.fill(wave.frame(START_US, sequence=7)) == []
    filled = filler.fill(wave.frame(START_US + gap_us, sequence=8))
    if not 1.5 * PERIOD_US < gap_us <= 500_000:
        assert filled == []
        return
    times_us = [START_US, *(frame.timestamp_us for frame in filled), START_US + gap_us]
    steps_us = np.diff(times_us)
    assert steps_us[:-1] == pytest.approx(PERIOD_US, abs=1)
    assert 0.25 * PERIOD_US - 1 <= steps_us[-1] <= 1.25 * PERIOD_US + 1
    assert all(frame.filled and frame.sequence == 7 and frame.avatar_id == "someone" for frame in filled)


def test_a_forecast_that_is_right_fills_in_what_a_straight_line_cannot() -> None:
    wave = Wave()
    end_us = START_US + round(6 * PERIOD_US)
    told, straight = a_filler(), a_filler()
    for filler in (told, straight):
        filler.fill(wave.frame(START_US))
    told.remember(wave.forecast(START_US))
    filled, lines = told.fill(wave.frame(end_us)), straight.fill(wave.frame(end_us))
    assert len(filled) == len(lines) == 5
    truth_m = poses_m([wave.frame(frame.timestamp_us) for frame in filled])
    assert poses_m(filled) == pytest.approx(truth_m, abs=0.003)
    assert np.abs(poses_m(lines) - truth_m).max() > 0.03
    assert all(frame.filled for frame in lines)


@pytest.mark.parametrize("base_us", [START_US, START_US - STEP_US, START_US - 3 * STEP_US, START_US - 10_000])
def test_an_error_that_grows_evenly_is_bent_away(base_us: int) -> None:
    wave, filler = Wave(), a_filler()
    filler.fill(wave.frame(START_US))
    filler.remember(wave.forecast(base_us, error_m=0.5))
    filled = filler.fill(wave.frame(START_US + round(6 * PERIOD_US)))
    truth_m = poses_m([wave.frame(frame.timestamp_us) for frame in filled])
    assert poses_m(filled) == pytest.approx(truth_m, abs=0.008)


@given(jump_m=st.floats(-0.5, 0.5), periods=st.floats(1.6, 14.0), base=st.integers(-2, 0))
def test_the_path_meets_the_real_frames_however_wrong_the_forecast_is(jump_m: float, periods: float, base: int) -> None:
    wave = Wave()
    end_us = START_US + round(periods * PERIOD_US)
    filler = GapFiller(TINY_LAYOUT, rate_hz=240.0, saving=FrameSaving(500))
    filler.fill(wave.frame(START_US))
    forecast = wave.forecast(START_US + base * STEP_US, steps=20)
    filler.remember(replace(forecast, futures_m=forecast.futures_m + np.float32(jump_m)))
    filled = filler.fill(wave.frame(end_us))
    path_m = poses_m([wave.frame(START_US), *filled, wave.frame(end_us)])
    # At 240 Hz no landmark of the wave goes 2 cm from frame to frame; a jump the forecast itself makes is spread.
    steps_m = np.linalg.norm(np.diff(path_m, axis=0), axis=-1).max(axis=1)
    assert max(steps_m[0], steps_m[-1]) <= 0.02 + abs(jump_m) / 4


def test_what_the_older_frame_did_not_show_stays_unseen() -> None:
    wave, filler = Wave(), a_filler()
    filler.fill(wave.frame(START_US, unseen=(0, 5)))
    filler.remember(wave.forecast(START_US))
    filled = filler.fill(wave.frame(START_US + 150_000, unseen=(6,)))
    assert filled
    for frame in filled:
        assert frame.landmarks is not None
        assert frame.landmarks[[0, 5]].tolist() == [[0, 0, 0, 0]] * 2
        assert frame.landmarks[[1, 2, 3, 4, 6], 3] == pytest.approx(0.9)
    # Seen before but not after the gap: it follows the forecast from where it was.
    truth_m = poses_m([wave.frame(frame.timestamp_us) for frame in filled])
    assert poses_m(filled)[:, 6] == pytest.approx(truth_m[:, 6], abs=0.003)


def test_with_a_hip_hidden_the_path_is_straight_in_the_senders_coordinates() -> None:
    motion = LinearMotion.random(TINY_LAYOUT, 3)
    wave, filler = Wave(), a_filler()
    filler.fill(motion.frame(START_US, unseen=(HIPS[0],)))
    filler.remember(wave.forecast(START_US))
    filled = filler.fill(motion.frame(START_US + 200_000))
    truth_m = poses_m([motion.frame(frame.timestamp_us) for frame in filled])
    others = [joint for joint in range(TINY_LAYOUT.joints) if joint != HIPS[0]]
    assert len(filled) == 5
    assert poses_m(filled)[:, others] == pytest.approx(truth_m[:, others], abs=1e-5)


def test_roots_and_the_senders_own_origin_are_filled_in_consistently() -> None:
    wave, filler = Wave(), a_filler()
    filler.fill(wave.frame(START_US, root=True))
    filler.remember(wave.forecast(START_US, root=True, error_m=0.2))
    filled = filler.fill(wave.frame(START_US + round(5 * PERIOD_US), root=True))
    for frame in filled:
        assert frame.landmarks is not None and frame.root_m is not None
        middle_m = hip_middle(frame.landmarks[:, :3].astype(np.float64), TINY_LAYOUT)
        assert middle_m == pytest.approx(wave.offset_m(frame.timestamp_us), abs=1e-6)
        assert frame.root_m + middle_m == pytest.approx(wave.hips_m(frame.timestamp_us), abs=0.002)


def test_without_roots_in_the_forecast_the_root_goes_straight() -> None:
    motion, filler = LinearMotion.random(TINY_LAYOUT, 5), a_filler()
    filler.fill(motion.frame(START_US, root=True))
    filled = filler.fill(motion.frame(START_US + 300_000, root=True))
    for frame in filled:
        expected = motion.frame(frame.timestamp_us, root=True)
        assert frame.root_m == pytest.approx(expected.root_m, abs=1e-5)
        assert frame.landmarks == pytest.approx(expected.landmarks, abs=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_forecast_that_ends_too_early_or_begins_too_late_is_not_used(steps: int) -> None:
    wave = Wave()
    end = wave.frame(START_US + round(5 * PERIOD_US))
    fillers = [a_filler() for _ in range(3)]
    for filler in fillers:
        filler.fill(wave.frame(START_US))
    straight, early, late = fillers
    early.remember(wave.forecast(START_US, steps=steps))
    late.remember(wave.forecast(START_US + 10_000, steps=20))
    lines_m = poses_m(straight.fill(end))
    assert (poses_m(early.fill(end)) == lines_m).all()
    assert (poses_m(late.fill(end)) == lines_m).all()


def test_nothing_is_filled_across_frames_without_anybody() -> None:
    wave, filler = Wave(), a_filler()
    filler.fill(wave.frame(START_US))
    assert filler.fill(undetected(START_US + 100_000)) == []
    assert filler.fill(wave.frame(START_US + 200_000)) == []
    assert filler.fill(wave.frame(START_US + 300_000, unseen=tuple(range(7)))) == []
    assert filler.fill(wave.frame(START_US + 400_000)) == []
    assert len(filler.fill(wave.frame(START_US + 500_000))) == 2


def test_late_frames_and_clocks_that_change_fill_nothing_and_do_no_harm() -> None:
    wave, filler = Wave(), a_filler()
    filler.fill(wave.frame(START_US))
    assert filler.fill(wave.frame(START_US - 100_000)) == []
    assert filler.fill(wave.frame(START_US + 3_600_000_000)) == []  # one wrong time
    assert filler.fill(wave.frame(START_US + 100_000)) == []
    assert len(filler.fill(wave.frame(START_US + 200_000))) == 2


def test_a_saved_stream_makes_a_whole_window_that_says_what_was_filled_in() -> None:
    wave, filler = Wave(), a_filler()
    timeline = Timeline(TINY_LAYOUT, context_frames=13, rate_hz=RATE_HZ)
    times_us = steady_times_us(1.2, RATE_HZ)
    for index in range(0, len(times_us), 9):  # 300 ms: more than a timeline would bridge
        filler.remember(wave.forecast(times_us[max(0, index - 9)]))
        frame = wave.frame(times_us[index], sequence=index)
        for each in [*filler.fill(frame), frame]:
            timeline.add(each)
    window = timeline.window()
    assert window is not None and window.filled is not None
    assert window.sequence == 36
    assert np.flatnonzero(~window.filled).tolist() == [3, 12]  # of the rows 24 to 36 the sent ones: 27 and 36
    assert window.filled_share == pytest.approx(11 / 13)
    assert window.observed.all() and not window.bridged.any()
    truth_m = np.stack([wave.pose_m(time_us) for time_us in times_us[24:]])
    assert window.pose_m == pytest.approx(truth_m, abs=0.005)


def test_memory_is_one_frame_and_one_future() -> None:
    wave, filler = Wave(), a_filler()
    for index in range(100):
        filler.fill(wave.frame(START_US + index * 100_000, root=True))
        filler.remember(wave.forecast(START_US + index * 100_000, root=True))
    assert filler.nbytes == 15 * 7 * 3 * 4 + 15 * 3 * 8 + 7 * 4 * 4
