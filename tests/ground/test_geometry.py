from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.geometry import MAX_HEADING_STEP_RAD, body_scale, canonicalise, hip_middle, track_heading
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from tests.support import TINY_LAYOUT

Array = NDArray[np.float64]

LAYOUTS = st.sampled_from([MEDIAPIPE_POSE_33, TINY_LAYOUT])
ANGLES = st.floats(-10, 10)
SCALES = st.floats(0.1, 0.8)
SEEDS = st.integers(0, 2**32 - 1)


def about_vertical(angle_rad: float) -> Array:
    """Rotation matrix about y, from +x towards +z."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])


def about_depth(angle_rad: float) -> Array:
    """Rotation matrix about z: a body falls onto its side."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def about_side(angle_rad: float) -> Array:
    """Rotation matrix about x: a body pitches forwards or back."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def moving_body(layout: Layout, seed: int, frames: int = 31, scale_m: float = 0.33) -> Array:
    """A body (T, J, 3) in metres that stays upright, drifts and moves every landmark."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6, (1, layout.joints, 3)), rng.uniform(0.1, 0.4, (1, layout.joints, 3))
    wave = 0.05 * np.sin(phase + pace * np.arange(frames)[:, None, None])
    drift = np.arange(frames)[:, None, None] * rng.normal(0, 0.02, (1, 1, 3))
    return (layout.template + wave) * scale_m + drift


@settings(max_examples=60)
@given(layout=LAYOUTS, seed=SEEDS, angle=ANGLES, scale_m=SCALES, far_m=st.floats(0, 1000))
def test_round_trip_is_exact(layout: Layout, seed: int, angle: float, scale_m: float, far_m: float) -> None:
    pose_m = moving_body(layout, seed, scale_m=scale_m) @ about_vertical(angle).T
    root_m = far_m + np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (31, 3)), axis=0)
    window = canonicalise(pose_m, layout, root_m=root_m)
    assert window.root is not None
    middle_m = hip_middle(pose_m, layout)
    assert np.abs(window.frame.pose_to_world(window.pose) - (pose_m - middle_m[:, None])).max() < 1e-5
    assert np.abs(window.frame.root_to_world(window.root) - (root_m + middle_m)).max() < 1e-5


@settings(max_examples=60)
@given(layout=LAYOUTS, seed=SEEDS, angle=ANGLES, grow=st.floats(0.3, 3), shift=st.tuples(*[st.floats(-50, 50)] * 3))
def test_turning_moving_and_resizing_the_world_leaves_the_canonical_window_unchanged(
    layout: Layout, seed: int, angle: float, grow: float, shift: tuple[float, float, float]
) -> None:
    pose_m = moving_body(layout, seed)
    root_m = np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (31, 3)), axis=0)
    turn = grow * about_vertical(angle).T
    here = canonicalise(pose_m, layout, root_m=root_m)
    there = canonicalise(pose_m @ turn, layout, root_m=root_m @ turn + np.array(shift))
    assert here.root is not None and there.root is not None
    assert np.abs(here.pose - there.pose).max() < 1e-5
    assert np.abs(here.root - there.root).max() < 1e-5
    turned_rad = float(there.frame.heading_rad - here.frame.heading_rad) - angle
    assert np.cos(turned_rad) == pytest.approx(1, abs=1e-9)
    assert float(there.frame.scale_m / here.frame.scale_m) == pytest.approx(grow, rel=1e-6)


@settings(max_examples=30)
@given(layout=LAYOUTS, seed=SEEDS)
def test_canonical_window_is_centred_aligned_and_of_unit_size(layout: Layout, seed: int) -> None:
    window = canonicalise(moving_body(layout, seed) @ about_vertical(seed).T, layout)
    assert window.root is None
    assert np.abs(hip_middle(window.pose, layout)).max() < 1e-6
    left, right = layout.hips
    axis = window.pose[-1, left] - window.pose[-1, right]
    assert axis[0] > 0
    assert axis[2] == pytest.approx(0, abs=1e-5)
    assert float(body_scale(window.pose, layout)) == pytest.approx(1, abs=1e-5)


@settings(max_examples=30)
@given(layout=LAYOUTS, seeds=st.lists(SEEDS, min_size=1, max_size=4), fall=st.booleans())
def test_batch_equals_singles(layout: Layout, seeds: list[int], fall: bool) -> None:
    bodies = np.stack([moving_body(layout, seed) @ about_vertical(seed).T for seed in seeds])
    if fall:
        bodies[0] = fallen(bodies[0], np.linspace(0, np.pi / 2, 31))
    observed = np.random.default_rng(seeds[0]).random(bodies.shape[:-1]) < 0.8
    roots = np.random.default_rng(seeds[0]).normal(0, 1, (len(seeds), 31, 3))
    batch = canonicalise(bodies, layout, root_m=roots, observed=observed)
    assert batch.root is not None
    for index, body in enumerate(bodies):
        single = canonicalise(body, layout, root_m=roots[index], observed=observed[index])
        assert single.root is not None
        assert np.allclose(batch.pose[index], single.pose, atol=1e-6)
        assert np.allclose(batch.root[index], single.root, atol=1e-5)
        assert np.allclose(batch.frame.heading_rad[index], single.frame.heading_rad)


@settings(max_examples=20)
@given(layout=LAYOUTS, seed=SEEDS, context=st.integers(2, 25))
def test_what_comes_after_the_context_does_not_change_the_frame(layout: Layout, seed: int, context: int) -> None:
    pose_m = moving_body(layout, seed)
    other_m = pose_m.copy()
    other_m[context:] += np.random.default_rng(seed).normal(0, 1, other_m[context:].shape)
    root_m = np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (31, 3)), axis=0)
    one = canonicalise(pose_m, layout, root_m=root_m, context_frames=context)
    two = canonicalise(other_m, layout, root_m=root_m, context_frames=context)
    assert one.root is not None and two.root is not None
    assert np.array_equal(one.pose[:context], two.pose[:context])
    assert np.array_equal(one.root[:context], two.root[:context])
    assert np.abs(one.root[context - 1]).max() == 0
    assert one.frame.heading_rad == two.frame.heading_rad


def fallen(pose_m: Array, angles_rad: Array) -> Array:
    """The same body, tilted about the depth axis by each frame's angle."""
    return np.stack([frame @ about_depth(angle).T for frame, angle in zip(pose_m, angles_rad, strict=True)])


def largest_step_rad(heading_rad: Array) -> float:
    return float(np.abs(np.diff(heading_rad)).max())


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
@pytest.mark.parametrize("start_rad", [0.0, 1.0, 3.1, -2.5])
def test_heading_stays_put_while_a_body_falls_onto_its_side(layout: Layout, start_rad: float) -> None:
    standing = np.repeat(layout.template[None] * 0.33, 60, axis=0).astype(np.float64)
    angles = np.concatenate([np.linspace(0, np.pi / 2, 30), np.full(30, np.pi / 2)])
    body = fallen(standing, angles) @ about_vertical(start_rad).T
    hips = body[-1, layout.hips[0]] - body[-1, layout.hips[1]]
    assert np.hypot(hips[0], hips[2]) < 1e-6, "the hips end up vertical: they tell no heading"
    heading = track_heading(body, layout)
    assert np.abs(heading - heading[0]).max() < 0.15
    assert np.cos(heading[0] - start_rad) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
def test_noise_on_vertical_hips_does_not_shake_the_heading(layout: Layout) -> None:
    rng = np.random.default_rng(5)
    standing = np.repeat(layout.template[None] * 0.33, 90, axis=0).astype(np.float64)
    angles = np.concatenate([np.linspace(0, np.pi / 2, 30), np.full(60, np.pi / 2)])
    body = fallen(standing, angles) + rng.normal(0, 0.004, (90, layout.joints, 3))
    heading = track_heading(body, layout)
    assert np.abs(heading[30:] - heading[0]).max() < 0.3


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
@pytest.mark.parametrize("frames", [12, 45, 120])
def test_heading_is_continuous_while_a_lying_body_turns_over(layout: Layout, frames: int) -> None:
    lying = np.asarray(layout.template * 0.33, np.float64) @ about_side(-np.pi / 2).T
    # About the body's long axis, which now lies along z: the left-right axis goes through the vertical and reverses.
    body = np.stack([lying @ about_depth(angle).T for angle in np.linspace(0, np.pi, frames)])
    body = np.concatenate([np.repeat(body[:1], 5, 0), body, np.repeat(body[-1:], 15, 0)])
    heading = track_heading(body, layout)
    assert largest_step_rad(heading) <= MAX_HEADING_STEP_RAD + 1e-9
    axis = body[-1, layout.hips[0]] - body[-1, layout.hips[1]]
    assert np.cos(heading[-1] - np.arctan2(axis[2], axis[0])) == pytest.approx(1, abs=1e-6), "it arrives in the end"
    assert np.abs(np.cos(heading[0])) == pytest.approx(1, abs=1e-6)


@settings(max_examples=40)
@given(layout=LAYOUTS, seed=SEEDS)
def test_heading_never_jumps_however_a_rigid_body_tumbles(layout: Layout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    yaw, roll, pitch = (np.cumsum(rng.normal(0, 0.08, 80)) for _ in range(3))
    body = np.stack(
        [
            np.asarray(layout.template * 0.33, np.float64)
            @ (about_vertical(yaw[t]) @ about_depth(roll[t]) @ about_side(pitch[t])).T
            for t in range(80)
        ]
    )
    heading = track_heading(body, layout)
    assert np.isfinite(heading).all()
    assert largest_step_rad(heading) <= MAX_HEADING_STEP_RAD + 1e-9


@settings(max_examples=30)
@given(layout=LAYOUTS, turns=st.floats(-3, 3), start=ANGLES)
def test_heading_of_a_spinning_body_is_unwrapped(layout: Layout, turns: float, start: float) -> None:
    angles = start + np.linspace(0, turns * 2 * np.pi, 90)
    body = np.stack([np.asarray(layout.template, np.float64) @ about_vertical(angle).T for angle in angles])
    heading = track_heading(body, layout)
    assert heading[-1] - heading[0] == pytest.approx(turns * 2 * np.pi, abs=1e-6)


@pytest.mark.parametrize("known_rad", [0.7, -2.0, 7.5])
def test_heading_from_before_the_window_decides_while_the_body_tells_nothing(known_rad: float) -> None:
    layout = TINY_LAYOUT
    upright_axis = fallen(
        np.repeat(layout.template[None] * 0.33, 10, axis=0).astype(np.float64), np.full(10, np.pi / 2)
    )
    assert np.allclose(track_heading(upright_axis, layout, known_rad), known_rad, atol=1e-6)


@settings(max_examples=30)
@given(layout=LAYOUTS, seed=SEEDS, scale_m=SCALES)
def test_size_is_measured_on_observed_bones_only(layout: Layout, seed: int, scale_m: float) -> None:
    pose_m = np.repeat(layout.template[None] * scale_m, 10, axis=0)
    template_mean = float(body_scale(layout.template[None], layout))
    observed = np.ones(pose_m.shape[:2], np.bool_)
    lost = layout.scale_bones[seed % len(layout.scale_bones)][1]
    observed[:, lost] = False
    pose_m[:, lost] += 5.0
    assert float(body_scale(pose_m, layout, observed)) == pytest.approx(scale_m * template_mean, rel=1e-3)


def test_body_without_extent_and_wrong_shape_are_refused() -> None:
    with pytest.raises(InvalidInput):
        canonicalise(np.zeros((5, 7, 3)), TINY_LAYOUT)
    with pytest.raises(InvalidInput):
        canonicalise(np.zeros((5, 33, 3)), TINY_LAYOUT)
