from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.frames import Frame
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.wire.codec import checked_frame, frame_from_message, frame_to_message, parse_message
from bridge.wire.generated.posebridge.v1 import pose_pb2
from tests.support import TINY_LAYOUT

LAYOUTS = (MEDIAPIPE_POSE_33, TINY_LAYOUT)
names = st.text("ABCxyz0189_.:-", min_size=1, max_size=64)


def coordinates(limit_m: float) -> st.SearchStrategy[float]:
    return st.floats(-limit_m, limit_m, width=32)


@st.composite
def frames(draw: st.DrawFn) -> tuple[Frame, Layout]:
    layout = draw(st.sampled_from(LAYOUTS))
    landmarks = None
    if draw(st.booleans()):
        landmarks = np.empty((layout.joints, 4), np.float32)
        landmarks[:, :3] = draw(hnp.arrays(np.float32, (layout.joints, 3), elements=coordinates(100.0)))
        landmarks[:, 3] = draw(hnp.arrays(np.float32, layout.joints, elements=st.floats(0.0, 1.0, width=32)))
        landmarks[landmarks[:, 3] == 0.0, :3] = 0.0
    root_m = draw(st.none() | hnp.arrays(np.float32, 3, elements=coordinates(100_000.0)))
    frame = Frame(
        avatar_id=draw(names),
        sequence=draw(st.integers(0, 2**64 - 1)),
        timestamp_us=draw(st.integers(1, 2**62)),
        landmarks=landmarks,
        root_m=root_m,
    )
    return frame, layout


def standing(layout: Layout = MEDIAPIPE_POSE_33) -> NDArray[np.float32]:
    """A frame's landmarks (J, 4), all seen."""
    places = np.linspace(-1.0, 1.0, layout.joints * 3, dtype=np.float32).reshape(layout.joints, 3)
    return np.concatenate([places, np.ones((layout.joints, 1), np.float32)], axis=1)


def message(**changes: Any) -> pose_pb2.PoseFrame:
    fields: dict[str, Any] = {
        "avatar_id": "player1",
        "sequence": 7,
        "timestamp_us": 1_000_000,
        "landmarks": standing().ravel().tolist(),
    }
    return pose_pb2.PoseFrame(**(fields | changes))


@given(frames())
def test_a_frame_survives_the_wire_bit_for_bit(case: tuple[Frame, Layout]) -> None:
    frame, layout = case
    sent = frame_to_message(frame).SerializeToString()
    back = frame_from_message(parse_message(pose_pb2.PoseFrame, sent), layout)
    assert (back.avatar_id, back.sequence, back.timestamp_us) == (frame.avatar_id, frame.sequence, frame.timestamp_us)
    for was, came in ((frame.landmarks, back.landmarks), (frame.root_m, back.root_m)):
        if was is None or came is None:
            assert was is came
        else:
            assert came.dtype == np.float32
            np.testing.assert_array_equal(came, was)


def test_no_landmarks_at_all_means_that_nobody_was_detected() -> None:
    assert frame_from_message(message(landmarks=[]), MEDIAPIPE_POSE_33).landmarks is None


@pytest.mark.parametrize("count", [1, 4 * 32, 4 * 33 - 1, 4 * 33 + 1, 3 * 33, 4 * 600])
def test_a_wrong_number_of_landmarks_is_refused_with_the_right_one(count: int) -> None:
    with pytest.raises(InvalidInput, match=f"has {count} numbers") as caught:
        frame_from_message(message(landmarks=[0.5] * count), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.landmarks"
    assert "132" in caught.value.expected


def test_the_layout_decides_how_many_landmarks_are_right() -> None:
    frame = frame_from_message(message(landmarks=standing(TINY_LAYOUT).ravel().tolist()), TINY_LAYOUT)
    assert frame.landmarks is not None
    assert frame.landmarks.shape == (7, 4)
    with pytest.raises(InvalidInput):
        frame_from_message(message(), TINY_LAYOUT)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 100.1, -1e30, 3e38])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_seen_landmark_with_an_impossible_coordinate_is_refused_by_name(bad: float, axis: int) -> None:
    landmarks = standing()
    landmarks[15, axis] = bad
    with pytest.raises(InvalidInput, match="xyz"[axis] + " of left_wrist") as caught:
        frame_from_message(message(landmarks=landmarks.ravel().tolist()), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.landmarks[15]"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.01, 1.01])
def test_a_visibility_outside_0_to_1_is_refused(bad: float) -> None:
    landmarks = standing()
    landmarks[3, 3] = bad
    with pytest.raises(InvalidInput, match="visibility of left_eye_outer"):
        frame_from_message(message(landmarks=landmarks.ravel().tolist()), MEDIAPIPE_POSE_33)


def test_coordinates_of_an_unseen_landmark_are_never_read() -> None:
    landmarks = standing()
    landmarks[20] = (np.nan, np.inf, 1e30, 0.0)
    frame = frame_from_message(message(landmarks=landmarks.ravel().tolist()), MEDIAPIPE_POSE_33)
    assert frame.landmarks is not None
    np.testing.assert_array_equal(frame.landmarks[20], np.zeros(4))
    np.testing.assert_array_equal(np.delete(frame.landmarks, 20, axis=0), np.delete(landmarks, 20, axis=0))


@pytest.mark.parametrize("bad", ["", "a" * 65, "two words", "naïve", "line\n", "slash/", "x" * 10_000])
def test_an_avatar_id_outside_the_rule_is_refused_in_a_short_message(bad: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        frame_from_message(message(avatar_id=bad), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.avatar_id"
    assert "1 to 64 characters" in caught.value.expected
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("bad", [0, 2**62 + 1, 2**64 - 1])
def test_a_timestamp_that_cannot_be_a_capture_time_is_refused(bad: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        frame_from_message(message(timestamp_us=bad), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.timestamp_us"


@pytest.mark.parametrize("bad", [np.nan, np.inf, 100_001.0, -3e38])
def test_a_root_outside_every_world_is_refused(bad: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        frame_from_message(message(root=pose_pb2.Vec3(x=0.0, y=bad, z=0.0)), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.root"


def test_a_root_at_the_origin_is_a_root() -> None:
    root_m = frame_from_message(message(root=pose_pb2.Vec3()), MEDIAPIPE_POSE_33).root_m
    assert root_m is not None
    np.testing.assert_array_equal(root_m, np.zeros(3))


def test_a_senders_own_frame_is_checked_by_the_same_rules() -> None:
    with pytest.raises(InvalidInput, match="has shape"):
        checked_frame(Frame("a", 0, 1, np.zeros((32, 4), np.float32)), MEDIAPIPE_POSE_33)
    with pytest.raises(InvalidInput) as caught:
        checked_frame(Frame("a", -1, 1, None), MEDIAPIPE_POSE_33)
    assert caught.value.field == "frame.sequence"


def test_checking_leaves_the_callers_array_alone() -> None:
    landmarks = standing()
    landmarks[4, 3] = 0.0
    before = landmarks.copy()
    checked = checked_frame(Frame("a", 0, 1, landmarks), MEDIAPIPE_POSE_33).landmarks
    assert checked is not None
    np.testing.assert_array_equal(landmarks, before)
    np.testing.assert_array_equal(checked[4], np.zeros(4))
