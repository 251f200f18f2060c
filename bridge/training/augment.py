"""Augmentation of windows: what other people, other cameras and a worse tracker would have made of the same motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.skeleton import Layout

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly to augment; the defaults suit MediaPipe on real video (see the numbers at each field)."""

    mirror_share: float = 0.5
    speed_range: float = 0.25  # playback between 1 / (1 + r) and 1 + r times as fast
    bone_deviation: float = 0.06  # of a bone's length factor; people and trackers differ by about that much
    heading_deviation_rad: float = 0.08
    noise_share: float = 0.3  # of windows with tracker noise
    noise_max: float = 0.04  # of mean bone length (0.36 m): 15 mm per coordinate
    dropout_share: float = 0.2  # of windows with undetected landmarks
    root_share: float = 0.6  # of windows with a root keep it


def spanning_tree(layout: Layout) -> list[tuple[int, int]]:
    """(parent, child) pairs from the hips outwards that reach every landmark.

    Breadth-first along the bones; a landmark that no bone connects (MediaPipe's face) hangs on the reached landmark
    nearest to it in the template.
    """
    neighbours: dict[int, list[int]] = {j: [] for j in range(layout.joints)}
    for a, b in layout.bones:
        neighbours[a].append(b)
        neighbours[b].append(a)
    reached = list(layout.hips)
    tree: list[tuple[int, int]] = []
    cursor = 0
    while len(reached) < layout.joints:
        if cursor == len(reached):
            loose = [j for j in range(layout.joints) if j not in reached]
            gaps = np.linalg.norm(layout.template[loose][:, None] - layout.template[reached][None], axis=-1)
            nearest, parent = divmod(int(gaps.argmin()), len(reached))
            tree.append((reached[parent], loose[nearest]))
            reached.append(loose[nearest])
            continue
        for child in neighbours[reached[cursor]]:
            if child not in reached:
                tree.append((reached[cursor], child))
                reached.append(child)
        cursor += 1
    return tree


def change_proportions(pose: Array, layout: Layout, factors: Array) -> Array:
    """Lengthen every bone of the spanning tree by its factor, keeping directions.

    A landmark is the sum of the bones that lead to it, so this is one (J, J) matrix per window: paths * factors *
    differences.

    Args:
        pose: (B, T, J, 3) hip-centred. factors: (B, J), of the bone that leads to each landmark; for the hips, of their
            width.
    """
    windows, frames, joints, _ = pose.shape
    difference = np.eye(joints, dtype=np.float32)  # row c: the bone that leads to c
    path = np.eye(joints, dtype=np.float32)  # row j: which bones lead to j
    for parent, child in spanning_tree(layout):
        difference[child, parent] = -1.0
        path[child] += path[parent]
    change = torch.from_numpy(path * factors[:, None, :] @ difference)  # (B, J, J)
    flat = torch.from_numpy(pose).transpose(1, 2).reshape(windows, joints, frames * 3)
    changed = torch.bmm(change, flat).reshape(windows, joints, frames, 3).transpose(1, 2)
    return changed.contiguous().numpy()


def random_factors(rng: np.random.Generator, windows: int, layout: Layout, deviation: float) -> Array:
    """(B, J) length factors, the same for left and right."""
    factors = np.clip(rng.normal(1.0, deviation, (windows, layout.joints)), 0.8, 1.25).astype(np.float32)
    for left, right in layout.mirror_pairs:
        factors[:, right] = factors[:, left]
    return factors


def mirror(pose: Array, root: Array, layout: Layout) -> tuple[Array, Array]:
    """Mirror bodies (B, T, J, 3) and roots (B, T, 3) left to right, swapping the landmarks' names."""
    flip = np.array([-1.0, 1.0, 1.0], np.float32)
    return pose[:, :, layout.mirror_index] * flip, root * flip


def tracker_noise(rng: np.random.Generator, shape: tuple[int, int, int], size: Array) -> Array:
    """(B, T, J, 3) noise: half of it white, half wandering with a correlation of 0.85 from frame to frame.

    Args:
        size: (B,) standard deviation per coordinate.
    """
    windows, frames, joints = shape
    fresh = rng.standard_normal((windows, frames, joints, 3), np.float32)
    wander = np.empty_like(fresh)
    wander[:, 0] = fresh[:, 0]
    innovations = rng.standard_normal(fresh.shape, np.float32)
    keep, stir = np.float32(0.85), np.float32((1 - 0.85**2) ** 0.5)
    for t in range(1, frames):
        wander[:, t] = keep * wander[:, t - 1] + stir * innovations[:, t]
    each = rng.uniform(0.4, 1.6, (windows, 1, joints, 1)).astype(np.float32)
    return (fresh + wander) * np.float32(0.5**0.5) * each * size[:, None, None, None]


def drop_landmarks(
    rng: np.random.Generator, pose: Array, layout: Layout, share: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Make landmarks of some windows undetected for a while, filled in as a timeline would fill them.

    Args:
        pose: (B, C, J, 3) canonical contexts. share: of windows touched.

    Returns:
        Filled poses and ``observed`` (B, C, J). A landmark that drops out within the window is interpolated; one that
        does not come back is held; one never seen stands at its place in the layout's template.
    """
    windows, frames, joints, _ = pose.shape
    touched = np.less(rng.random(windows), share)
    some = rng.uniform(0.02, 0.35, (windows, 1))
    dropped = (rng.random((windows, joints)) < some) & touched[:, None]
    # Now and then all landmarks go at once: the tracker lost the person for up to 200 ms (6 frames).
    lost = touched & np.less(rng.random(windows), 0.2)
    length = rng.integers(1, frames, (windows, joints))
    length = np.where(rng.random((windows, joints)) < 0.15, frames, length)
    first = rng.integers(0, frames, (windows, joints))
    first = np.where(length == frames, 0, first)
    first[lost] = rng.integers(2, max(3, frames - 7), (windows, 1))[lost]
    length[lost] = rng.integers(1, 6, (windows, 1))[lost]
    dropped |= lost[:, None]
    time = np.arange(frames)[None, :, None]
    missing = dropped[:, None] & (time >= first[:, None]) & (time < (first + length)[:, None])
    # Each gap is one stretch: interpolate between the frames beside it, or hold the one that is there.
    before, after = first - 1, first + length
    before_known, after_known = before >= 0, after < frames
    left = np.where(before_known, before, after).clip(0, frames - 1)
    right = np.where(after_known, after, before).clip(0, frames - 1)
    batch, frame, joint = np.nonzero(missing)
    passed = ((frame - before[batch, joint]) / (length[batch, joint] + 1)).astype(np.float32)[:, None]
    filled = pose.copy()
    filled[batch, frame, joint] = (1 - passed) * pose[batch, left[batch, joint], joint] + (
        passed * pose[batch, right[batch, joint], joint]
    )
    never = ~(before_known | after_known)[batch, joint]
    filled[batch[never], frame[never], joint[never]] = layout.template[joint[never]]
    return filled, ~missing
