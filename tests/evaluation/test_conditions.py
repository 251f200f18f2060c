from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.evaluation.conditions import (
    BONE_WOBBLE,
    CONDITIONS,
    NOISE_DRIFT_MS,
    NOISE_WHITE_SHARE,
    RUN_MS,
    UNSEEN_VISIBILITY,
    Condition,
    add_tracker_noise,
    change_rate,
    cut_gap,
    drop_landmarks,
)
from bridge.recordings import Clip, clip_frames, load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.timeline import Timeline
from tests.support import REPOSITORY, TINY_LAYOUT


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_condition_keeps_the_newest_time_and_its_argument_and_repeats_itself(condition: Condition) -> None:
    clip = _clip(60)
    before = replace(clip, pose_m=clip.pose_m.copy(), visibility=clip.visibility.copy())
    received, again = (condition.degrade(clip, np.random.default_rng(5)) for _ in range(2))
    assert received.timestamp_us[-1] == clip.timestamp_us[-1]
    assert (np.diff(received.timestamp_us) > 0).all()
    for name in ("pose_m", "visibility", "timestamp_us"):
        np.testing.assert_array_equal(getattr(clip, name), getattr(before, name))
        np.testing.assert_array_equal(getattr(received, name), getattr(again, name))
        assert getattr(received, name).dtype == getattr(clip, name).dtype
    np.testing.assert_array_equal(np.isnan(received.pose_m).all(axis=-1), received.visibility == 0)


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_the_stated_share_of_landmarks_is_lost_half_in_runs_and_half_in_single_frames(share: float, fps: float) -> None:
    clip = _clip(3000, fps=fps)
    received = drop_landmarks(clip, np.random.default_rng(0), share=share)
    gone, unseen = _lost(received), received.visibility == np.float32(UNSEEN_VISIBILITY)
    assert (gone | unseen).mean() == pytest.approx(share, abs=0.01)
    assert gone.mean() == pytest.approx(unseen.mean(), rel=0.25)
    starts = gone[1:] & ~gone[:-1]
    assert gone.sum() / starts.sum() * 1e3 / fps == pytest.approx(RUN_MS, rel=0.1)
    kept = ~gone
    np.testing.assert_array_equal(received.pose_m[kept], clip.pose_m[kept])
    assert (received.visibility[kept & ~unseen] == 1.0).all()


def test_lost_landmarks_are_not_observed_by_a_timeline() -> None:
    received = drop_landmarks(_clip(40), np.random.default_rng(1), share=0.3)
    timeline = Timeline(MEDIAPIPE_POSE_33, context_frames=16)
    _feed(timeline, received)
    window = timeline.window()
    assert window is not None
    assert window.observed.mean() == pytest.approx((received.visibility[-16:] > UNSEEN_VISIBILITY).mean(), abs=0.01)


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
@pytest.mark.parametrize("fps", [30.0, 60.0])
@pytest.mark.parametrize("size_m", [0.36, 0.18])
def test_limb_bones_wobble_by_three_to_five_percent_whatever_the_body_and_the_rate(
    layout: Layout, fps: float, size_m: float
) -> None:
    clip = _clip(2000, layout=layout, fps=fps, size_m=size_m)
    received = add_tracker_noise(clip, np.random.default_rng(2))
    lengths = _limb_lengths(received, layout)
    wobble = float((lengths.std(axis=0) / lengths.mean(axis=0)).mean())
    assert wobble == pytest.approx(BONE_WOBBLE, abs=0.004)
    assert 0.03 < wobble < 0.05


def test_noise_drifts_like_a_real_trackers_and_is_largest_in_depth() -> None:
    (real,) = load_clips(REPOSITORY / "bridge" / "cli" / "data" / "sports2d_demo.npz")
    received = add_tracker_noise(_clip(2000), np.random.default_rng(3))
    low, high = np.quantile(_correlations(_limb_lengths(real, MEDIAPIPE_POSE_33)), [0.0, 1.0])
    assert low - 0.05 < _correlations(_limb_lengths(received, MEDIAPIPE_POSE_33)).mean() < high
    noise = (received.pose_m - _clip(2000).pose_m).std(axis=0)
    np.testing.assert_allclose(noise[:, 2], 2.0 * noise[:, 0], rtol=0.15)
    np.testing.assert_allclose(noise[:, 1], noise[:, 0], rtol=0.15)
    trunk = [*MEDIAPIPE_POSE_33.hips, *MEDIAPIPE_POSE_33.shoulders]
    others = np.delete(np.arange(33), trunk)
    assert noise[trunk].mean() == pytest.approx(0.5 * noise[others].mean(), rel=0.1)


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_noise_drifts_in_time_not_in_frames(fps: float) -> None:
    clip = _clip(round(60 * fps), fps=fps)
    noise = (add_tracker_noise(clip, np.random.default_rng(6)).pose_m - clip.pose_m).astype(np.float64)
    later = round(0.1 * fps)
    correlation = (noise[later:] * noise[:-later]).mean() / (noise**2).mean()
    assert correlation == pytest.approx((1 - NOISE_WHITE_SHARE) * np.exp(-100.0 / NOISE_DRIFT_MS), abs=0.04)


def test_noise_leaves_lost_landmarks_lost_and_survives_a_clip_without_anybody() -> None:
    clip = _clip(30)
    clip.pose_m[3:6, 4], clip.visibility[3:6, 4] = np.nan, 0.0
    received = add_tracker_noise(clip, np.random.default_rng(4))
    np.testing.assert_array_equal(np.isnan(received.pose_m), np.isnan(clip.pose_m))
    nobody = replace(clip, pose_m=np.full_like(clip.pose_m, np.nan), visibility=np.zeros_like(clip.visibility))
    assert np.isnan(add_tracker_noise(nobody, np.random.default_rng(4)).pose_m).all()


@pytest.mark.parametrize("rate_hz", [24.0, 25.0, 60.0])
def test_another_rate_sees_the_motion_where_it_was_at_that_time(rate_hz: float) -> None:
    clip = _clip(90)
    received = change_rate(clip, np.random.default_rng(0), rate_hz=rate_hz)
    assert received.fps == rate_hz
    np.testing.assert_allclose(np.diff(received.timestamp_us), 1e6 / rate_hz, atol=1)
    assert received.timestamp_us[0] < 1e6 / rate_hz
    inner = (received.timestamp_us > 1e5) & (received.timestamp_us < 2.8e6)
    expected = _poses(MEDIAPIPE_POSE_33, received.timestamp_us / 1e6)
    np.testing.assert_allclose(received.pose_m[inner], expected[inner], atol=2e-4)
    np.testing.assert_allclose(received.pose_m, expected, atol=2e-3)


def test_twice_the_rate_keeps_every_recorded_frame() -> None:
    clip = _clip(60)
    received = change_rate(clip, np.random.default_rng(0), rate_hz=60.0)
    np.testing.assert_array_equal(received.pose_m[::2], clip.pose_m)


def test_another_rate_makes_nothing_up_where_nothing_was_seen() -> None:
    clip = _clip(60)
    clip.pose_m[20:24], clip.visibility[20:24] = np.nan, 0.0
    clip.pose_m[40:42, 7], clip.visibility[40:42, 7] = np.nan, 0.0
    received = change_rate(clip, np.random.default_rng(0), rate_hz=60.0)
    lost = _lost(received)
    np.testing.assert_array_equal(lost, received.visibility == 0)
    assert np.flatnonzero(lost.all(axis=1)).tolist() == list(range(39, 48))
    assert np.flatnonzero(lost[:, 7]).tolist() == [*range(39, 48), *range(79, 84)]
    assert not np.delete(lost, range(39, 48), axis=0)[:, :7].any()


def test_another_rate_does_not_bridge_a_gap_of_the_recording() -> None:
    clip = _clip(60)
    kept = np.delete(np.arange(60), range(20, 26))
    holed = replace(
        clip, pose_m=clip.pose_m[kept], visibility=clip.visibility[kept], timestamp_us=clip.timestamp_us[kept]
    )
    received = change_rate(holed, np.random.default_rng(0), rate_hz=60.0)
    inside = (received.timestamp_us > 19.1e6 / 30) & (received.timestamp_us < 25.9e6 / 30)
    np.testing.assert_array_equal(np.isnan(received.pose_m).any(axis=(1, 2)), inside)


def test_a_root_is_seen_at_the_other_rate_too() -> None:
    clip = _clip(60)
    moving = replace(clip, root_m=(clip.timestamp_us[:, None] * np.array([1e-6, 0, 2e-6])).astype(np.float32))
    received = change_rate(moving, np.random.default_rng(0), rate_hz=24.0)
    assert received.root_m is not None
    np.testing.assert_allclose(received.root_m[:, 2], 2e-6 * received.timestamp_us, atol=1e-4)


def test_at_30_hz_the_gap_misses_five_frames_and_the_last_four_are_received() -> None:
    clip = _clip(40)
    received = cut_gap(clip, np.random.default_rng(0))
    age_ms = (clip.timestamp_us[-1] - received.timestamp_us) / 1e3
    np.testing.assert_allclose(age_ms[-6:], [333.3, 300.0, 100.0, 66.7, 33.3, 0.0], atol=0.1)
    assert received.frames == 35


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 50.0, 60.0, 120.0])
def test_the_gap_is_as_long_as_a_timeline_can_bridge_and_no_longer(fps: float) -> None:
    received = cut_gap(_clip(round(3 * fps), fps=fps), np.random.default_rng(0))
    longest_ms = np.diff(received.timestamp_us).max() / 1e3
    assert 200.0 - 1e3 / fps < longest_ms <= 200.0
    timeline = Timeline(MEDIAPIPE_POSE_33, context_frames=31)
    _feed(timeline, received)
    window = timeline.window()
    assert window is not None
    assert window.bridged.any()


def test_a_clip_too_short_for_the_gap_stays_whole() -> None:
    assert cut_gap(_clip(3), np.random.default_rng(0)).frames == 3


def _poses(layout: Layout, time_s: NDArray[np.floating], *, size_m: float = 0.36) -> NDArray[np.float32]:
    """A rigid body (T, J, 3) that rocks from side to side."""
    poses = np.repeat(layout.template[None].astype(np.float64) * size_m, len(time_s), axis=0)
    poses[..., 0] += 0.1 * np.sin(3.0 * time_s)[:, None]
    return poses.astype(np.float32)


def _clip(frames: int, *, layout: Layout = MEDIAPIPE_POSE_33, fps: float = 30.0, size_m: float = 0.36) -> Clip:
    time_s = np.arange(frames) / fps
    return Clip(
        clip_id="clip",
        subject="somebody",
        action="rock",
        split=None,
        family="recording",
        licence="",
        layout_id=layout.id,
        fps=fps,
        pose_m=_poses(layout, time_s, size_m=size_m),
        visibility=np.ones((frames, layout.joints), np.float32),
        root_m=None,
        root_has_vertical=False,
        timestamp_us=np.rint(time_s * 1e6).astype(np.int64),
    )


def _lost(clip: Clip) -> NDArray[np.bool_]:
    """(T, J) landmarks that have no place."""
    return np.asarray(np.isnan(clip.pose_m).any(axis=-1), np.bool_)


def _limb_lengths(clip: Clip, layout: Layout) -> NDArray[np.float32]:
    """(T, bones) metres, of the frames with somebody in them."""
    pose_m = clip.pose_m[np.isfinite(clip.pose_m).all(axis=(1, 2))]
    return np.stack([np.linalg.norm(pose_m[:, a] - pose_m[:, b], axis=-1) for a, b in layout.limb_bones], axis=-1)


def _correlations(lengths_m: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlation (bones,) of lengths with those of the frame before."""
    return np.array([np.corrcoef(length[1:], length[:-1])[0, 1] for length in lengths_m.T])


def _feed(timeline: Timeline, clip: Clip) -> None:
    for frame in clip_frames(clip, "somebody"):
        timeline.add(frame)
