"""From poses to what a renderer draws: line segments in a scene whose z points up, and their colours.

MediaPipe's axes (x image right, y down, z away, metres) become x right, y away, z up: a turn, so that left stays left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame, seen_landmarks
from bridge.geometry import hip_middle
from bridge.skeleton import Layout
from bridge.viewer.colours import colours_of, faded

NEAREST_STRENGTH, FARTHEST_STRENGTH = 1.0, 0.3
"""How strong the colour of a future is at its first and last drawn step."""
IMPROBABLE_STRENGTH = 0.55
"""Of a future's strength, how much an entirely improbable one has."""


def to_scene(points_m: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Turn points (..., 3) in MediaPipe's axes into the scene's: x right, y away, z up, metres."""
    return np.stack([points_m[..., 0], points_m[..., 2], -points_m[..., 1]], axis=-1).astype(np.float32)


def centred(frame: Frame, layout: Layout, visibility_threshold: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A frame's pose (J, 3) about the middle of its hips, metres, and which landmarks are seen (J,).

    What is not seen is at the origin. Without the hips, the middle of what is seen takes their place.
    """
    joints = layout.joints
    if frame.landmarks is None:
        return np.zeros((joints, 3), np.float32), np.zeros(joints, np.bool_)
    seen = seen_landmarks(frame.landmarks, visibility_threshold)
    pose_m = np.where(seen[:, None], frame.landmarks[:, :3], np.float32(0.0))
    if seen[list(layout.hips)].all():
        pose_m = pose_m - hip_middle(pose_m, layout)
    elif seen.any():
        pose_m = pose_m - pose_m[seen].mean(axis=0)
    return np.where(seen[:, None], pose_m, 0.0).astype(np.float32), seen


def bone_segments(
    pose_m: NDArray[np.floating[Any]], bones: NDArray[np.intp], visible: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Segments (..., N, 2, 3) of N bones (N, 2) of poses (..., J, 3), in the poses' axes.

    A bone with an end that is not ``visible`` (J,) or not finite shrinks to nothing at the origin: the number of
    segments never changes.
    """
    segments = np.asarray(pose_m[..., bones, :], np.float32)
    drawn = np.isfinite(segments).all(axis=(-1, -2), keepdims=True)
    if visible is not None:
        drawn &= np.asarray(visible[bones].all(axis=-1))[:, None, None]
    return np.where(drawn, segments, np.float32(0.0))


def drawn_steps(steps: int, count: int) -> NDArray[np.intp]:
    """Indices of at most ``count`` of H steps, evenly spread, the last one among them."""
    count = max(1, min(count, steps))
    return np.asarray([round((i + 1) * steps / count) - 1 for i in range(count)], np.intp)


def future_strengths(probabilities: NDArray[np.floating[Any]], steps: int) -> NDArray[np.float64]:
    """How strong the colours of K futures are at D drawn steps, (K, D) in (0, 1].

    They fade with time; what is less probable than the most probable future is fainter.
    """
    weight = IMPROBABLE_STRENGTH + (1 - IMPROBABLE_STRENGTH) * probabilities / max(float(probabilities.max()), 1e-9)
    strengths: NDArray[np.float64] = np.outer(weight, np.linspace(NEAREST_STRENGTH, FARTHEST_STRENGTH, steps))
    return strengths


def future_colours(
    probabilities: NDArray[np.floating[Any]], places: Sequence[int], steps: int, bones: int
) -> NDArray[np.uint8]:
    """Colours (K * D * N, 2, 3) of the segments of K futures at D steps with N bones each, in that order."""
    colours = faded(colours_of(places)[:, None], future_strengths(probabilities, steps))  # (K, D, 3)
    spread = np.broadcast_to(colours[:, :, None, None], (*colours.shape[:2], bones, 2, 3))
    return spread.reshape(-1, 2, 3)


def fan_offsets(count: int, apart_m: float) -> NDArray[np.float32]:
    """Where K futures stand beside the body that they start from, (K, 3) in the scene's axes, metres.

    The first, the most probable, stands nearest: right, left, farther right and so on; all on the body if not apart.
    """
    sides = [((i // 2) + 1) * (1 if i % 2 == 0 else -1) for i in range(count)]
    offsets = np.zeros((count, 3), np.float32)
    offsets[:, 0] = np.asarray(sides, np.float32) * np.float32(apart_m)
    return offsets


def places_in_rows(count: int, *, a_row: int = 4, apart_m: float = 1.7, rows_apart_m: float = 2.2) -> list[list[float]]:
    """Where so many avatars stand, in rows: ``[x, y]`` each in the scene's axes, metres, the middle of all near 0."""
    places = []
    for index in range(count):
        row, column = divmod(index, a_row)
        in_row = min(a_row, count - row * a_row)
        places.append([(column - (in_row - 1) / 2) * apart_m, row * rows_apart_m])
    return places
