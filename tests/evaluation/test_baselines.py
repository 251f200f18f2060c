from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.evaluation.baselines import (
    VELOCITY_DECAY_S,
    LastPose,
    Velocity,
    constant_velocity,
    damped_velocity,
)
from bridge.frames import Window

CONTEXT, JOINTS, HORIZON = 8, 4, 30


def test_last_pose_is_held() -> None:
    window = _window(np.random.default_rng(0).normal(size=(CONTEXT, JOINTS, 3)))
    futures = LastPose().futures([window, window], HORIZON, [1, 2])
    assert futures.shape == (2, 1, HORIZON, JOINTS, 3)
    assert futures.dtype == np.float32
    np.testing.assert_array_equal(futures, np.broadcast_to(window.pose_m[-1], futures.shape))


@pytest.mark.parametrize("rate_hz", [24.0, 30.0, 60.0])
def test_constant_velocity_continues_a_straight_line_exactly(rate_hz: float) -> None:
    line = _line(rate_hz)
    window = _window(line[:CONTEXT])
    futures = constant_velocity(rate_hz).futures([window], HORIZON, [0])
    np.testing.assert_allclose(futures[0, 0], line[CONTEXT:], atol=1e-5)


def test_damped_velocity_starts_like_the_motion_and_comes_to_rest() -> None:
    line = _line(30.0)
    futures = damped_velocity(30.0).futures([_window(line[:CONTEXT])], 300, [0])[0, 0]
    steps = np.linalg.norm(np.diff(futures, axis=0, prepend=line[CONTEXT - 1][None]), axis=-1)
    first = np.linalg.norm(line[CONTEXT] - line[CONTEXT - 1], axis=-1)
    np.testing.assert_allclose(steps[0], first * np.exp(-1 / (30 * VELOCITY_DECAY_S)), rtol=1e-3)
    assert (np.diff(steps[:30], axis=0) < 0).all()
    assert steps[-1].max() < 1e-5 * first.max()


def test_damping_lasts_equally_long_at_any_rate() -> None:
    ends = []
    for rate_hz in (30.0, 120.0):
        line = _line(rate_hz)
        start = line[CONTEXT - 1]
        end = damped_velocity(rate_hz).futures([_window(line[:CONTEXT])], round(2 * rate_hz), [0])[0, 0, -1]
        ends.append(end - start)
    np.testing.assert_allclose(ends[0], ends[1], rtol=0.15)


def test_velocity_over_several_frames_averages_noise() -> None:
    pose = np.zeros((CONTEXT, JOINTS, 3))
    pose[-2] = 1.0  # one wild frame
    over_one = Velocity("v", 30.0, span_s=1 / 30).futures([_window(pose)], 1, [0])
    over_four = Velocity("v", 30.0, span_s=4 / 30).futures([_window(pose)], 1, [0])
    assert np.abs(over_one).max() == pytest.approx(1.0)
    assert np.abs(over_four).max() == 0.0


def test_a_span_longer_than_the_context_uses_all_of_it() -> None:
    line = _line(30.0)
    futures = Velocity("v", 30.0, span_s=60.0).futures([_window(line[:CONTEXT])], HORIZON, [0])
    np.testing.assert_allclose(futures[0, 0], line[CONTEXT:], atol=1e-5)


def _line(rate_hz: float) -> NDArray[np.float32]:
    """A body whose landmarks go at 0.1 to 0.4 m/s each, frame by frame."""
    velocity = np.random.default_rng(1).uniform(0.1, 0.4, size=(JOINTS, 3))
    return (np.arange(CONTEXT + HORIZON)[:, None, None] / rate_hz * velocity).astype(np.float32)


def _window(pose_m: NDArray[np.floating]) -> Window:
    frames, joints = pose_m.shape[:2]
    return Window(
        layout_id="test.tiny.7",
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames - 1,
        timestamp_us=frames * 33_333,
    )
