from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.errors import InvalidInput, NotFound
from bridge.evaluation.conditions import CLEAN, CONDITIONS, Condition
from bridge.evaluation.windows import (
    EvaluationWindow,
    cut_under_conditions,
    cut_windows,
    even_subset,
    select_clips,
)
from bridge.recordings import Clip
from tests.support import TINY_LAYOUT

CONTEXT, HORIZON, STRIDE = 16, 30, 15


def test_one_window_every_stride_of_a_clip_that_is_long_enough() -> None:
    clip = _clip(np.arange(100) / 30)
    windows = _cut(clip)
    assert [w.first_future_frame for w in windows] == [16, 31, 46, 61]
    for item in windows:
        first = item.first_future_frame
        np.testing.assert_allclose(item.window.pose_m, clip.pose_m[first - CONTEXT : first], atol=1e-5)
        np.testing.assert_allclose(item.truth_m, clip.pose_m[first : first + HORIZON], atol=1e-4)


@pytest.mark.parametrize(("frames", "windows"), [(CONTEXT + HORIZON - 1, 0), (CONTEXT + HORIZON, 1)])
def test_the_shortest_useful_clip_has_exactly_context_and_horizon(frames: int, windows: int) -> None:
    clips = [_clip(np.arange(frames) / 30), _clip(np.arange(CONTEXT + HORIZON) / 30, clip_id="other")]
    cut = cut_windows(clips, TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON)
    assert sum(w.clip_id == "clip" for w in cut) == windows


@pytest.mark.parametrize("fps", [24.0, 50.0, 60.0, 120.0])
def test_recordings_at_other_rates_are_asked_and_answered_at_30_hz(fps: float) -> None:
    windows = _cut(_clip(np.arange(round(4 * fps)) / fps, fps=fps))
    assert len(windows) >= 4
    for item in windows:
        end_s = item.window.timestamp_us / 1e6 - 1e-6  # frames of a clip start at 1 microsecond
        np.testing.assert_allclose(item.truth_m, _pose_at(end_s + np.arange(1, HORIZON + 1) / 30), atol=5e-3)
        np.testing.assert_allclose(item.window.pose_m, _pose_at(end_s + np.arange(1 - CONTEXT, 1) / 30), atol=5e-3)


def test_truth_is_hip_centred_when_the_recording_is_not() -> None:
    clip = _clip(np.arange(60) / 30)
    shifted = replace(clip, pose_m=clip.pose_m + np.array([0.3, -0.8, 2.0], np.float32))
    np.testing.assert_allclose(_cut(shifted)[0].truth_m, _cut(clip)[0].truth_m, atol=1e-5)


def test_an_answer_that_would_have_to_be_invented_is_skipped_and_the_context_may_be_bridged() -> None:
    clip = _clip(np.arange(150) / 30)
    everything = {w.first_future_frame for w in _cut(clip)}
    kept = _cut(_lose(clip, slice(62, 65)))  # 100 ms: bridged in a context
    skipped = everything - {w.first_future_frame for w in kept}
    assert skipped == {first for first in everything if first < 65 and first + HORIZON > 62} == {46, 61}
    assert [w.first_future_frame for w in kept if w.window.bridged.any()] == [76]


def test_a_long_gap_starts_a_new_context() -> None:
    lost = _lose(_clip(np.arange(200) / 30), slice(80, 95))
    for item in _cut(lost):
        seen = range(item.first_future_frame - CONTEXT, item.first_future_frame + HORIZON)
        assert not any(80 <= row < 95 for row in seen)
    assert any(w.first_future_frame > 95 for w in _cut(lost))


def test_one_undetected_landmark_in_the_answer_is_enough_to_skip_it() -> None:
    clip = _clip(np.arange(CONTEXT + HORIZON) / 30)
    clip.pose_m[30:34, 5] = np.nan
    clip.visibility[30:34, 5] = 0.0
    with pytest.raises(NotFound, match="long enough"):
        _cut(clip)


def test_clips_of_a_split_are_chosen_and_plain_recordings_are_all_taken() -> None:
    clips = [_clip(np.arange(3) / 30, clip_id=split, split=split) for split in ("train", "validation")]
    assert [c.clip_id for c in select_clips(clips, "validation")] == ["validation"]
    plain = [_clip(np.arange(3) / 30, split=None)]
    assert select_clips(plain, "validation") == plain
    with pytest.raises(NotFound, match=r"no clip of split 'tset'.*train, validation"):
        select_clips(clips, "tset")


def test_a_clip_of_another_layout_is_refused() -> None:
    with pytest.raises(InvalidInput, match="layout"):
        _cut(replace(_clip(np.arange(60) / 30), layout_id="mediapipe.pose.33"))


def test_a_subset_is_spread_evenly_and_holds_the_same_windows_as_the_whole() -> None:
    clips = [_clip(np.arange(600) / 30), _clip(np.arange(300) / 30, clip_id="other")]
    sizes = {"context_frames": CONTEXT, "horizon_frames": HORIZON}
    whole = {(w.clip_id, w.first_future_frame): w for w in cut_windows(clips, TINY_LAYOUT, **sizes)}
    subset = cut_windows(clips, TINY_LAYOUT, **sizes, max_windows=6)
    assert len(subset) == 6
    keys = [(w.clip_id, w.first_future_frame) for w in subset]
    positions = [list(whole).index(key) for key in keys]
    assert (positions[0], positions[-1]) == (0, len(whole) - 1)
    assert np.ptp(np.diff(positions)) <= 1
    for key, item in zip(keys, subset, strict=True):
        np.testing.assert_allclose(item.window.pose_m, whole[key].window.pose_m, atol=1e-6)
        np.testing.assert_array_equal(item.truth_m, whole[key].truth_m)
        assert item.window.initial_heading_rad == pytest.approx(whole[key].window.initial_heading_rad, abs=1e-6)


def test_a_larger_limit_than_there_is_takes_everything() -> None:
    assert even_subset([1, 2, 3], 10) == even_subset([1, 2, 3], None) == [1, 2, 3]
    assert even_subset(list(range(101)), 3) == [0, 50, 100]
    assert even_subset([1, 2, 3], 1) == [1]


def test_under_every_condition_a_window_has_the_same_time_and_the_same_answer() -> None:
    clips = [_clip(np.arange(150) / 30), _clip(np.arange(120) / 30, clip_id="other")]
    plain = cut_windows(clips, TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON)
    views = cut_under_conditions(clips, TINY_LAYOUT, CONDITIONS, context_frames=CONTEXT, horizon_frames=HORIZON)
    assert [len(seen) for seen in views] == [len(plain)] * len(CONDITIONS)
    changed = {
        condition.name: _same_question_other_context(plain, seen)
        for condition, seen in zip(CONDITIONS, views, strict=True)
    }
    assert changed == {
        "clean": False,
        "landmarks_dropped_10": True,
        "landmarks_dropped_30": True,
        "tracker_noise": True,
        "input_24_hz": True,
        "input_60_hz": False,
        "gap_200_ms": True,
    }


def test_what_happens_to_a_window_does_not_depend_on_the_others_and_changes_with_the_seed() -> None:
    clip = _clip(np.arange(300) / 30)
    conditions = [CLEAN, next(c for c in CONDITIONS if c.name == "tracker_noise")]
    sizes = {"context_frames": CONTEXT, "horizon_frames": HORIZON}
    _, whole = cut_under_conditions([clip], TINY_LAYOUT, conditions, **sizes)
    _, few = cut_under_conditions([clip], TINY_LAYOUT, conditions, **sizes, max_windows=3)
    _, other = cut_under_conditions([clip], TINY_LAYOUT, conditions, **sizes, max_windows=3, seed=1)
    by_frame = {item.first_future_frame: item for item in whole if item is not None}
    assert len(few) == len(other) == 3
    for item, reseeded in zip(few, other, strict=True):
        assert item is not None and reseeded is not None
        np.testing.assert_array_equal(item.window.pose_m, by_frame[item.first_future_frame].window.pose_m)
        assert not np.array_equal(item.window.pose_m, reseeded.window.pose_m)


@pytest.mark.parametrize("frames", [slice(-1, None), slice(-12, -2)], ids=["newest frame", "too long a gap"])
def test_a_window_that_a_condition_leaves_no_context_is_missing_in_its_place(frames: slice) -> None:
    def degrade(clip: Clip, rng: np.random.Generator) -> Clip:
        return _lose(clip, frames) if clip.clip_id == "other" else clip

    clips = [_clip(np.arange(100) / 30), _clip(np.arange(100) / 30, clip_id="other")]
    clean, lossy = cut_under_conditions(
        clips, TINY_LAYOUT, [CLEAN, Condition("lossy", "", degrade)], context_frames=CONTEXT, horizon_frames=HORIZON
    )
    assert [item is None for item in lossy] == [item is not None and item.clip_id == "other" for item in clean]
    assert None not in clean


def test_a_window_without_a_clean_context_is_in_no_list() -> None:
    clip = _lose(_clip(np.arange(300) / 30), slice(100, 110))
    sizes = {"context_frames": CONTEXT, "horizon_frames": HORIZON}
    clean, noisy = cut_under_conditions([clip], TINY_LAYOUT, [CLEAN, CONDITIONS[3]], **sizes)
    plain = cut_windows([clip], TINY_LAYOUT, **sizes)
    assert [item.first_future_frame for item in clean if item is not None] == [w.first_future_frame for w in plain]
    assert len(noisy) == len(clean) == len(plain)
    with pytest.raises(NotFound, match="long enough"):
        cut_under_conditions([_clip(np.arange(30) / 30)], TINY_LAYOUT, [CLEAN], **sizes)


def _same_question_other_context(plain: list[EvaluationWindow], seen: list[EvaluationWindow | None]) -> bool:
    """Whether any context differs, once all else is found equal."""
    for expected, item in zip(plain, seen, strict=True):
        assert item is not None
        assert (item.clip_id, item.first_future_frame) == (expected.clip_id, expected.first_future_frame)
        assert item.window.timestamp_us == expected.window.timestamp_us
        np.testing.assert_array_equal(item.truth_m, expected.truth_m)
    return not all(
        item is not None
        and np.allclose(item.window.pose_m, expected.window.pose_m, atol=1e-5)
        and np.array_equal(item.window.observed, expected.window.observed)
        for expected, item in zip(plain, seen, strict=True)
    )


def _cut(clip: Clip) -> list[EvaluationWindow]:
    return cut_windows(
        [clip], TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON, rate_hz=30.0, stride_frames=STRIDE
    )


def _pose_at(time_s: NDArray[np.floating]) -> NDArray[np.float32]:
    """A body that waves and nods (T, 7, 3), hip-centred."""
    pose = np.repeat(TINY_LAYOUT.template[None] * np.float32(0.4), len(time_s), axis=0)
    pose[:, 0, 2] += 0.1 * np.sin(3.0 * time_s)
    pose[:, 5:, 0] += 0.2 * np.sin(2.0 * time_s[:, None] + np.array([0.0, 1.0]))
    return pose.astype(np.float32)


def _clip(
    time_s: NDArray[np.floating], *, clip_id: str = "clip", split: str | None = "validation", fps: float = 30.0
) -> Clip:
    return Clip(
        clip_id=clip_id,
        subject="somebody",
        action="wave",
        split=split,
        family="recording",
        licence="",
        layout_id=TINY_LAYOUT.id,
        fps=fps,
        pose_m=_pose_at(time_s),
        visibility=np.ones((len(time_s), TINY_LAYOUT.joints), np.float32),
        root_m=None,
        root_has_vertical=False,
        timestamp_us=np.rint(time_s * 1e6).astype(np.int64),
    )


def _lose(clip: Clip, rows: slice) -> Clip:
    pose_m, visibility = clip.pose_m.copy(), clip.visibility.copy()
    pose_m[rows], visibility[rows] = np.nan, 0.0
    return replace(clip, pose_m=pose_m, visibility=visibility)
