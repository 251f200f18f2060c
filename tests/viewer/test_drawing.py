from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.frames import Frame
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.viewer.drawing import (
    bone_segments,
    centred,
    drawn_steps,
    fan_offsets,
    future_colours,
    future_strengths,
    places_in_rows,
    to_scene,
)
from tests.support import TINY_LAYOUT
from tests.viewer.motion import swaying

BONES = np.asarray(MEDIAPIPE_POSE_33.bones)


def test_down_becomes_minus_z_and_away_becomes_y_and_left_stays_left() -> None:
    right, down, away = np.eye(3)
    assert to_scene(right).tolist() == [1, 0, 0]
    assert to_scene(down).tolist() == [0, 0, -1]
    assert to_scene(away).tolist() == [0, 1, 0]
    assert np.linalg.det(to_scene(np.eye(3))) == pytest.approx(1.0)  # a turn, no mirror


def test_a_frame_is_drawn_about_its_hips_and_without_what_is_not_seen() -> None:
    landmarks = swaying(0.3) + np.array([0.5, -0.2, 1.0, 0.0], np.float32)
    landmarks[0, 3] = 0.05
    landmarks[5, 1] = np.nan
    pose_m, seen = centred(Frame("a", 0, 1, landmarks), MEDIAPIPE_POSE_33, 0.1)
    assert np.isfinite(pose_m).all()
    assert (~seen).nonzero()[0].tolist() == [0, 5]
    np.testing.assert_allclose((pose_m[23] + pose_m[24]) / 2, 0.0, atol=1e-6)


def test_without_hips_what_is_seen_is_drawn_about_its_middle() -> None:
    landmarks = swaying(0.0) + np.array([0.5, -0.2, 1.0, 0.0], np.float32)
    landmarks[[23, 24], 3] = 0.0
    pose_m, seen = centred(Frame("a", 0, 1, landmarks), MEDIAPIPE_POSE_33, 0.1)
    np.testing.assert_allclose(pose_m[seen].mean(axis=0), 0.0, atol=1e-5)


def test_nobody_detected_is_nobody_seen() -> None:
    pose_m, seen = centred(Frame("a", 0, 1, None), TINY_LAYOUT, 0.1)
    assert pose_m.shape == (7, 3) and not seen.any()


def test_each_bone_is_a_segment_and_hidden_ones_shrink_to_nothing() -> None:
    pose_m = swaying(0.0)[:, :3]
    visible = np.ones(33, bool)
    visible[15] = False
    segments = bone_segments(pose_m, BONES, visible)
    assert segments.shape == (len(BONES), 2, 3)
    for (one, other), segment in zip(BONES, segments, strict=True):
        expected = np.zeros((2, 3)) if 15 in (one, other) else pose_m[[one, other]]
        np.testing.assert_array_equal(segment, expected)
    pose_m[0, 2] = np.nan
    assert np.isfinite(bone_segments(pose_m, BONES)).all()
    assert bone_segments(np.zeros((4, 2, 33, 3)), BONES, visible).shape == (4, 2, len(BONES), 2, 3)


@given(st.integers(1, 90), st.integers(1, 8))
def test_drawn_steps_rise_and_end_with_the_last(steps: int, count: int) -> None:
    chosen = drawn_steps(steps, count)
    assert len(chosen) == min(steps, count)
    assert chosen[-1] == steps - 1 and chosen[0] >= 0
    assert (np.diff(chosen) > 0).all()


def test_futures_fade_with_time_and_with_improbability() -> None:
    strengths = future_strengths(np.array([0.6, 0.3, 0.1]), 4)
    assert (np.diff(strengths, axis=0) < 0).all() and (np.diff(strengths, axis=1) < 0).all()
    assert strengths.min() > 0 and strengths.max() <= 1
    colours = future_colours(np.array([0.6, 0.3, 0.1]), (0, 1, 2), 4, 35)
    assert colours.shape == (3 * 4 * 35, 2, 3) and colours.dtype == np.uint8
    # In the order of the segments: all of the first step of the first future first.
    assert (colours[:35] == colours[0]).all() and (colours[35] != colours[0]).any()


def test_the_most_probable_future_stands_nearest_and_none_where_another_does() -> None:
    offsets = fan_offsets(5, 0.8)[:, 0]
    np.testing.assert_allclose(offsets, [0.8, -0.8, 1.6, -1.6, 2.4])
    assert not fan_offsets(3, 0.0).any()


def test_avatars_stand_in_rows_about_the_middle() -> None:
    places = np.array(places_in_rows(6))
    assert len({tuple(place) for place in places}) == 6
    assert (places[:4, 1] == 0).all() and (places[4:, 1] > 1).all()
    np.testing.assert_allclose([places[:4, 0].mean(), places[4:, 0].mean()], 0.0, atol=1e-9)
    assert places_in_rows(1) == [[0.0, 0.0]]
