from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.training.augment import (
    change_proportions,
    drop_landmarks,
    mirror,
    random_factors,
    spanning_tree,
    tracker_noise,
)
from tests.support import TINY_LAYOUT

LAYOUTS = pytest.mark.parametrize("layout", [TINY_LAYOUT, MEDIAPIPE_POSE_33], ids=lambda layout: layout.id)


def _poses(layout: Layout, *, windows: int = 3, frames: int = 16, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    pose = layout.template + 0.1 * rng.standard_normal((windows, frames, layout.joints, 3))
    return np.asarray(pose - pose[:, :, list(layout.hips)].mean(axis=2, keepdims=True), np.float32)


@LAYOUTS
def test_mirroring_twice_changes_nothing(layout: Layout) -> None:
    pose = _poses(layout)
    root = np.random.default_rng(1).standard_normal((3, 16, 3)).astype(np.float32)
    once = mirror(pose, root, layout)
    assert not np.array_equal(once[0], pose)
    twice = mirror(*once, layout)
    assert np.array_equal(twice[0], pose) and np.array_equal(twice[1], root)


@LAYOUTS
def test_mirrored_left_is_where_right_was_across_the_middle(layout: Layout) -> None:
    pose, root = _poses(layout), np.ones((3, 16, 3), np.float32)
    mirrored, mirrored_root = mirror(pose, root, layout)
    left, right = (
        layout.names.index(next(n for n in layout.names if n.startswith(side))) for side in ("left", "right")
    )
    assert layout.names[left].removeprefix("left") == layout.names[right].removeprefix("right")
    np.testing.assert_array_equal(mirrored[:, :, left], pose[:, :, right] * [-1, 1, 1])
    np.testing.assert_array_equal(mirrored[:, :, right], pose[:, :, left] * [-1, 1, 1])
    np.testing.assert_array_equal(mirrored[:, :, 0], pose[:, :, 0] * [-1, 1, 1])  # head, nose: their own mirror images
    np.testing.assert_array_equal(mirrored_root, root * [-1, 1, 1])


@LAYOUTS
def test_bones_are_as_long_mirrored_as_before(layout: Layout) -> None:
    pose = _poses(layout)
    mirrored, _ = mirror(pose, np.zeros((3, 16, 3), np.float32), layout)
    swap = layout.mirror_index
    for a, b in layout.bones:
        before = np.linalg.norm(pose[:, :, swap[a]] - pose[:, :, swap[b]], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(mirrored[:, :, a] - mirrored[:, :, b], axis=-1), before, rtol=1e-5)


@LAYOUTS
def test_tree_reaches_every_landmark_once_from_the_hips(layout: Layout) -> None:
    reached = set(layout.hips)
    for parent, child in spanning_tree(layout):
        assert parent in reached and child not in reached
        reached.add(child)
    assert reached == set(range(layout.joints))


@LAYOUTS
def test_factors_of_one_change_nothing(layout: Layout) -> None:
    pose = _poses(layout)
    changed = change_proportions(pose, layout, np.ones((3, layout.joints), np.float32))
    np.testing.assert_allclose(changed, pose, atol=1e-6)


@LAYOUTS
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_one_bone_gets_longer_and_nothing_else_of_the_tree_does(layout: Layout, factor: float) -> None:
    pose = _poses(layout)
    tree = spanning_tree(layout)
    for _, longer in tree:
        factors = np.ones((3, layout.joints), np.float32)
        factors[1, longer] = factor
        changed = change_proportions(pose, layout, factors)
        np.testing.assert_allclose(changed[[0, 2]], pose[[0, 2]], atol=1e-6)
        for parent, child in tree:
            before = pose[1, :, child] - pose[1, :, parent]
            expected = before * (factor if child == longer else 1.0)
            np.testing.assert_allclose(changed[1, :, child] - changed[1, :, parent], expected, atol=1e-5)
        np.testing.assert_allclose(changed[1][:, list(layout.hips)], pose[1][:, list(layout.hips)], atol=1e-6)


@LAYOUTS
def test_random_factors_are_the_same_left_and_right_so_hips_stay_centred(layout: Layout) -> None:
    factors = random_factors(np.random.default_rng(0), 50, layout, 0.06)
    assert factors.shape == (50, layout.joints)
    np.testing.assert_array_equal(factors, factors[:, layout.mirror_index])
    assert 0.8 <= factors.min() < 0.95 and 1.05 < factors.max() <= 1.25
    changed = change_proportions(_poses(layout, windows=50), layout, factors)
    np.testing.assert_allclose(changed[:, :, list(layout.hips)].mean(axis=2), 0.0, atol=1e-6)


def test_tracker_noise_has_the_size_asked_for_and_wanders() -> None:
    size = np.array([0.0, 0.01, 0.04], np.float32).repeat(40)
    noise = tracker_noise(np.random.default_rng(0), (120, 60, 33), size)
    assert not noise[:40].any()
    deviation = noise.std(axis=(1, 2, 3)).reshape(3, 40).mean(axis=1)
    np.testing.assert_allclose(deviation[1:] / [0.01, 0.04], 1.05, atol=0.1)
    lively = noise[80:]
    lag_one = (lively[:, 1:] * lively[:, :-1]).mean() / (lively**2).mean()
    assert lag_one == pytest.approx(0.5 * 0.85, abs=0.03)


@given(st.integers(0, 200), st.integers(4, 31))
def test_seen_landmarks_stay_and_gaps_are_interpolated_or_held_or_from_the_template(seed: int, frames: int) -> None:
    layout = TINY_LAYOUT
    pose = _poses(layout, windows=6, frames=frames, seed=seed)
    filled, observed = drop_landmarks(np.random.default_rng(seed), pose, layout, share=0.8)
    assert filled.shape == pose.shape and observed.shape == pose.shape[:3]
    np.testing.assert_array_equal(filled[observed], pose[observed])
    for window, joint in zip(*np.nonzero(~observed.all(axis=1)), strict=True):
        seen = np.flatnonzero(observed[window, :, joint])
        track = pose[window, :, joint]
        if len(seen) == 0:
            expected = np.repeat(layout.template[joint][None], frames, axis=0)
        else:
            columns = [np.interp(np.arange(frames), seen, track[seen, axis]) for axis in range(3)]
            expected = np.stack(columns, axis=-1)  # np.interp holds the border values
        np.testing.assert_allclose(filled[window, :, joint], expected, atol=1e-5)


def test_dropouts_touch_the_share_of_windows_asked_for() -> None:
    pose = _poses(TINY_LAYOUT, windows=2000, frames=31)
    for share in (0.0, 0.5):
        _, observed = drop_landmarks(np.random.default_rng(0), pose, TINY_LAYOUT, share)
        touched = (~observed).any(axis=(1, 2)).mean()
        assert touched <= share + 0.05
        assert touched >= 0.5 * share
    lost_entirely = np.any(np.all(~observed, axis=2), axis=1).mean()
    never_seen = np.any(np.all(~observed, axis=1), axis=1).mean()
    assert lost_entirely > 0.05 and never_seen > 0.02


def test_dropping_leaves_its_input_alone() -> None:
    pose = _poses(TINY_LAYOUT, frames=31)
    before = pose.copy()
    drop_landmarks(np.random.default_rng(0), pose, TINY_LAYOUT, 1.0)
    assert np.array_equal(pose, before)
