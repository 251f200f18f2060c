"""Events made from normal motion are what they say, where they say."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.evaluation.anomaly.made import GRADUAL, KINDS, LEAD_S, make
from bridge.geometry import hip_middle
from bridge.recordings import Clip
from bridge.skeleton import MEDIAPIPE_POSE_33

LAYOUT = MEDIAPIPE_POSE_33


def moving_clip(name: str = "walk", frames: int = 600, *, sway_m: float = 0.2, phase: float = 0.0) -> Clip:
    """A body whose landmarks all swing, hip-centred, at 30 Hz."""
    rng = np.random.default_rng(len(name))
    time_s = np.arange(frames) / 30.0
    swing = sway_m * np.sin(2 * np.pi * 0.8 * time_s[:, None, None] + rng.uniform(0, 6, (1, LAYOUT.joints, 3)) + phase)
    pose_m = 0.4 * LAYOUT.template + swing
    pose_m -= hip_middle(pose_m, LAYOUT)[:, None]
    return Clip(
        clip_id=name,
        subject="s",
        action="",
        split=None,
        family="recording",
        licence="",
        layout_id=LAYOUT.id,
        fps=30.0,
        pose_m=pose_m.astype(np.float32),
        visibility=np.ones((frames, LAYOUT.joints), np.float32),
        root_m=None,
        root_has_vertical=False,
        timestamp_us=np.rint(np.arange(frames) * 1e6 / 30).astype(np.int64),
    )


CLIP, DONOR = moving_clip(), moving_clip("run", phase=2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_begins_after_normal_motion_and_its_times_are_those_of_the_clip(kind: str) -> None:
    made = make(kind, CLIP, np.random.default_rng(3), [CLIP, DONOR])
    assert made is not None
    assert made.kind == kind
    assert made.severity
    assert made.start_s >= LEAD_S - 1e-6
    assert made.start_s < made.end_s <= made.clip.frames / 30.0 + 1e-6
    assert np.isfinite(made.clip.pose_m).all()
    assert (np.diff(made.clip.timestamp_us) > 0).all()
    lead = round(LEAD_S * 30.0)
    before = made.clip.pose_m[:lead]
    apart = [np.abs(before - CLIP.pose_m[i : i + lead]).max() for i in range(CLIP.frames - lead)]
    assert min(apart) < 1e-5, "the motion before the event is not the clip's own"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_event(kind: str) -> None:
    one, two = (make(kind, CLIP, np.random.default_rng(5), [CLIP, DONOR]) for _ in range(2))
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.clip.pose_m, two.clip.pose_m)
    assert (one.start_s, one.severity) == (two.start_s, two.severity)


def event_of(kind: str, seed: int = 3) -> tuple[np.ndarray, int, int]:
    made = make(kind, CLIP, np.random.default_rng(seed), [CLIP, DONOR])
    assert made is not None
    return made.clip.pose_m, round(made.start_s * 30), round(made.end_s * 30)


def test_lost_tracking_repeats_one_frame_exactly_and_a_freeze_does_not() -> None:
    pose_m, start, end = event_of("lost_tracking")
    assert (pose_m[start:end] == pose_m[start]).all()
    pose_m, start, end = event_of("freeze")
    moved_m = np.abs(np.diff(pose_m[start:end], axis=0)).max(axis=(1, 2))
    assert (moved_m > 0).all()
    assert moved_m.max() < 0.02


def test_a_swap_exchanges_left_and_right() -> None:
    pose_m, start, _end = event_of("swap")
    # Where limbs were exchanged, the mirrored landmark continues the path.
    jump = np.abs(pose_m[start] - pose_m[start - 1]).max(axis=-1)
    assert (jump > 0.2).sum() >= 4
    mirrored = pose_m[:, LAYOUT.mirror_index]
    far = jump > 0.2
    assert np.abs(mirrored[start] - pose_m[start - 1]).max(axis=-1)[far].max() < jump[far].max()


def test_double_speed_moves_twice_as_fast() -> None:
    pose_m, start, end = event_of("double_speed")
    steps = np.linalg.norm(np.diff(pose_m, axis=0), axis=-1).mean(axis=1)
    assert steps[start + 1 : end - 1].mean() == pytest.approx(2 * steps[: start - 1].mean(), rel=0.15)


def test_reversal_goes_back_the_way_it_came() -> None:
    pose_m, start, _end = event_of("reversal")
    np.testing.assert_allclose(pose_m[start : start + 10], pose_m[start - 10 : start][::-1], atol=1e-6)


def test_a_fall_ends_lying() -> None:
    pose_m, start, _end = event_of("fall")
    head, hips = pose_m[:, 0], hip_middle(pose_m, LAYOUT)
    upright = (hips[:, 1] - head[:, 1]) / np.linalg.norm(hips - head, axis=-1)
    assert upright[start - 20] > 0.8
    assert abs(upright[-1]) < 0.5


def test_drift_grows() -> None:
    pose_m, start, _ = event_of("drift")
    quarter = [np.abs(pose_m[start + i] - pose_m[start + i - 1]).max() for i in (1, 60)]
    assert max(quarter) < 0.15
    assert "drift" in GRADUAL


def test_clips_that_are_too_short_or_too_still_make_no_event() -> None:
    assert make("swap", moving_clip(frames=60), np.random.default_rng(0)) is None
    assert make("freeze", moving_clip(sway_m=0.001), np.random.default_rng(0)) is None
    assert make("splice", CLIP, np.random.default_rng(0), [CLIP]) is None
