from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.errors import InvalidInput
from bridge.evaluation.library import library_windows
from bridge.evaluation.windows import cut_windows
from bridge.recordings import Clip
from tests.support import TINY_LAYOUT

SIZES = {"context_frames": 10, "horizon_frames": 8, "stride_frames": 5}


def test_a_complete_clip_gives_the_windows_that_a_stream_of_it_would_give() -> None:
    clips = [_clip("a", 60), _clip("b", 41)]
    quick = library_windows(clips, TINY_LAYOUT, **SIZES, rate_hz=30.0)
    live = cut_windows(clips, TINY_LAYOUT, **SIZES, rate_hz=30.0)
    assert len(quick) == len(live) > 10
    for one, other in zip(quick, live, strict=True):
        assert (one.clip_id, one.first_future_frame) == (other.clip_id, other.first_future_frame)
        assert one.window.timestamp_us == pytest.approx(other.window.timestamp_us, abs=2)
        np.testing.assert_allclose(one.window.pose_m, other.window.pose_m, atol=1e-5)
        np.testing.assert_allclose(one.truth_m, other.truth_m, atol=1e-4)
        np.testing.assert_array_equal(one.window.observed, other.window.observed)


def test_a_clip_with_holes_or_another_rate_takes_the_long_way() -> None:
    holey = _clip("holey", 60)
    holey.visibility[20, 3] = 0.0
    holey.pose_m[20, 3] = np.nan
    fast = replace(_clip("fast", 120), timestamp_us=np.arange(120) * 16_667, fps=60.0)
    for clip in (holey, fast):
        quick = library_windows([clip], TINY_LAYOUT, **SIZES, rate_hz=30.0)
        live = cut_windows([clip], TINY_LAYOUT, **SIZES, rate_hz=30.0)
        assert [item.first_future_frame for item in quick] == [item.first_future_frame for item in live]
        np.testing.assert_array_equal(quick[-1].window.observed, live[-1].window.observed)


def test_as_many_windows_as_asked_for_are_spread_over_all_clips() -> None:
    windows = library_windows([_clip("a", 90), _clip("b", 90)], TINY_LAYOUT, **SIZES, rate_hz=30.0, max_windows=6)
    assert [item.clip_id for item in windows] == ["a"] * 3 + ["b"] * 3


def test_clips_that_are_too_short_give_an_empty_library() -> None:
    assert library_windows([_clip("a", 12)], TINY_LAYOUT, **SIZES, rate_hz=30.0) == []


def test_another_layout_is_refused() -> None:
    with pytest.raises(InvalidInput, match="layout"):
        library_windows([replace(_clip("a", 60), layout_id="other")], TINY_LAYOUT, **SIZES, rate_hz=30.0)


def _clip(name: str, frames: int) -> Clip:
    random = np.random.default_rng(len(name) + frames)
    moved = 0.01 * random.normal(size=(frames, TINY_LAYOUT.joints, 3)).cumsum(axis=0)
    return Clip(
        clip_id=name,
        subject="s",
        action="",
        split="train",
        family="recording",
        licence="",
        layout_id=TINY_LAYOUT.id,
        fps=30.0,
        pose_m=(0.4 * TINY_LAYOUT.template + moved).astype(np.float32),
        visibility=np.ones((frames, TINY_LAYOUT.joints), np.float32),
        root_m=None,
        root_has_vertical=False,
        timestamp_us=np.rint(np.arange(frames) * 1e6 / 30).astype(np.int64),
    )
