from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.errors import InvalidInput
from bridge.geometry import hip_middle
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.training import build_motion_set, split_clips
from bridge.training.motion import sampling_weights
from tests.support import TINY_LAYOUT
from tests.training.builders import clip, motion


def test_clips_go_where_their_index_says_and_calibration_stays_untouched() -> None:
    clips = [
        clip(subject=f"s{i}", split=split) for i, split in enumerate(["train", "validation", "calibration", "train"])
    ]
    train, validation = split_clips(clips)
    assert [c.subject for c in train] == ["s0", "s3"]
    assert [c.subject for c in validation] == ["s1"]


@pytest.mark.parametrize("subjects", [2, 3, 7, 40])
def test_without_an_index_no_subject_is_on_both_sides(subjects: int) -> None:
    clips = [clip(subject=f"s{i % subjects}", clip_id=str(i)) for i in range(3 * subjects)]
    train, validation = split_clips(clips)
    on_train, on_validation = {c.subject for c in train}, {c.subject for c in validation}
    assert on_train and on_validation and not on_train & on_validation
    assert len(on_train | on_validation) == subjects
    assert len(train) + len(validation) == len(clips)
    assert len(on_validation) == max(1, round(0.15 * subjects))
    reordered = split_clips(reversed(clips))
    assert {c.subject for c in reordered[1]} == on_validation


def test_recordings_of_one_subject_alone_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two subjects") as caught:
        split_clips([clip(clip_id="a"), clip(clip_id="b")])
    assert caught.value.field == "data"


@pytest.mark.parametrize("only", ["train", "validation", "calibration"])
def test_data_for_one_purpose_alone_is_refused(only: str) -> None:
    with pytest.raises(InvalidInput, match="no clip is for"):
        split_clips([clip(split=only)])


def test_recordings_of_one_subject_may_join_an_indexed_set() -> None:
    clips = [clip(subject="a", split="train"), clip(subject="b", split="validation"), clip(subject="own")]
    train, validation = split_clips(clips)
    assert {c.subject for c in train} == {"a", "own"} and {c.subject for c in validation} == {"b"}


def test_windows_never_cross_segments() -> None:
    made = build_motion_set([clip(40, seed=i, clip_id=str(i)) for i in range(3)], TINY_LAYOUT, 30.0)
    assert len(made.segment) == 120
    for frames in (1, 2, 39, 40, 41):
        starts = made.window_starts(frames)
        assert len(starts) == 3 * max(0, 41 - frames)
        for start in starts:
            assert len(set(made.segment[start : start + frames].tolist())) == 1


def test_strides_count_from_each_segments_first_row() -> None:
    made = build_motion_set([clip(25, clip_id="a"), clip(33, clip_id="b")], TINY_LAYOUT, 30.0)
    assert made.window_starts(20, stride=5).tolist() == [0, 5, 25, 30, 35]
    assert made.window_starts(1000).tolist() == []


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0, 120.0])
def test_other_rates_are_resampled_to_the_right_instants(fps: float) -> None:
    made = build_motion_set([clip(round(3 * fps), fps=fps, seed=4)], TINY_LAYOUT, 30.0)
    rows = len(made.pose_m)
    assert abs(rows - 90) <= 2
    np.testing.assert_allclose(made.pose_m, motion(np.arange(rows) / 30.0, seed=4), atol=3e-3)
    np.testing.assert_allclose(made.root_m[:, 0], 0.8 * np.arange(rows) / 30.0, atol=3e-3)


def test_short_gaps_are_interpolated_and_long_ones_cut() -> None:
    short, long = clip(90, clip_id="short"), clip(90, clip_id="long")
    short.pose_m[40:44] = np.nan  # 167 ms between its neighbours
    long.pose_m[40:50, 2] = np.nan  # one landmark is enough
    bridged = build_motion_set([short], TINY_LAYOUT, 30.0)
    assert set(bridged.segment.tolist()) == {0} and len(bridged.pose_m) >= 89
    assert np.isfinite(bridged.pose_m).all()
    np.testing.assert_allclose(bridged.pose_m[:89], motion(np.arange(89) / 30.0), atol=0.02)
    cut = build_motion_set([long], TINY_LAYOUT, 30.0)
    assert np.bincount(cut.segment).tolist() == [40, 40]
    np.testing.assert_allclose(cut.pose_m[40:], motion(np.arange(50, 90) / 30.0), atol=1e-3)


def test_poses_are_centred_on_the_hips_and_the_root_takes_up_the_difference() -> None:
    made = clip(30)
    offset = np.array([0.2, -0.9, 0.4], np.float32)
    moved = build_motion_set([replace(made, pose_m=made.pose_m + offset)], TINY_LAYOUT, 30.0)
    plain = build_motion_set([made], TINY_LAYOUT, 30.0)
    np.testing.assert_allclose(hip_middle(moved.pose_m, TINY_LAYOUT), 0.0, atol=1e-6)
    np.testing.assert_allclose(moved.pose_m, plain.pose_m, atol=1e-6)
    np.testing.assert_allclose(moved.root_m, plain.root_m + offset, atol=1e-5)


def test_captured_axes_of_the_root_are_known_and_missing_roots_are_zero() -> None:
    clips = [
        clip(20, clip_id="full"),
        replace(clip(20, clip_id="flat"), root_has_vertical=False),
        clip(20, clip_id="none", with_root=False),
    ]
    made = build_motion_set(clips, TINY_LAYOUT, 30.0)
    assert made.has_root[[0, 20, 40]].tolist() == [[True] * 3, [True, False, True], [False] * 3]
    assert not made.root_m[40:].any() and made.root_m[:40].any()


def test_licences_and_subjects_are_kept() -> None:
    clips = [clip(20, subject="a"), replace(clip(20, subject="b"), licence="MIT"), replace(clip(20), licence="")]
    made = build_motion_set(clips, TINY_LAYOUT, 30.0)
    assert made.licences == ("CC0-1.0", "MIT")
    assert made.subjects == ("a", "b", "anna")


def test_another_layout_is_refused_and_so_is_nothing_at_all() -> None:
    with pytest.raises(InvalidInput, match=TINY_LAYOUT.id) as caught:
        build_motion_set([clip(20)], MEDIAPIPE_POSE_33, 30.0)
    assert caught.value.field == "data"
    empty = clip(20)
    empty.pose_m[:] = np.nan
    with pytest.raises(InvalidInput, match="no usable frames"):
        build_motion_set([empty], TINY_LAYOUT, 30.0)


def test_big_families_do_not_drown_small_ones() -> None:
    clips = [clip(220, family="big", clip_id="a"), clip(40, family="small", clip_id="b")]
    made = build_motion_set(clips, TINY_LAYOUT, 30.0)
    starts = made.window_starts(20)
    weights = sampling_weights(made, starts, 20)
    assert weights.sum() == pytest.approx(1.0) and (weights > 0).all()
    big = made.segment[starts] == 0
    share = weights[~big].sum() / weights[big].sum()
    assert share == pytest.approx(((~big).sum() / big.sum()) ** 0.5)
    assert share > 2 * (~big).sum() / big.sum()


def test_what_moves_is_sampled_more_often_than_what_stands() -> None:
    moving, still = clip(60, clip_id="moving"), clip(60, clip_id="still")
    still.pose_m[:] = still.pose_m[0]
    # Of the standing clip no window has moved at all, though it begins elsewhere than the moving one ends.
    made = build_motion_set([moving, still], TINY_LAYOUT, 30.0)
    starts = made.window_starts(20)
    weights = sampling_weights(made, starts, 20)
    stands = made.segment[starts] == 1
    even = 0.5 / len(starts)
    np.testing.assert_allclose(weights[stands], even, rtol=1e-4)
    assert weights[~stands].mean() == pytest.approx(3 * even, rel=1e-3)


def test_windows_of_motionless_data_are_sampled_evenly() -> None:
    still = clip(40)
    still.pose_m[:] = still.pose_m[0]
    made = build_motion_set([still], TINY_LAYOUT, 30.0)
    starts = made.window_starts(20)
    np.testing.assert_allclose(sampling_weights(made, starts, 20), 1 / len(starts), rtol=0.1)
