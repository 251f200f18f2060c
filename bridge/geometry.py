"""The canonical frame: a body without its place, its heading and its size, and the exact way back.

A canonical window is hip-centred at every frame, turned about the vertical so that the hips' left-right axis at the
LAST frame points along +x, and divided by the body's own mean bone length. The same similarity transform serves every
frame of the window and every future, so the inverse is exact (up to rounding) and the model never learns sizes and
headings.

World axes are MediaPipe's: metres, x image right, y down, z away. Heading is an angle about the vertical y: the angle
of the right-hip-to-left-hip direction in the (x, z) plane, from +x towards +z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.skeleton import Layout

# Share of an axis' length that must be horizontal before it alone tells the heading / below which it tells nothing.
_CLEAR_HORIZONTALITY = 0.6
_UNCLEAR_HORIZONTALITY = 0.25
# 25 degrees a frame is 750 degrees a second at 30 Hz: above a fast spin, below the flip of a body that turns over.
MAX_HEADING_STEP_RAD = float(np.deg2rad(25.0))

FloatArray = NDArray[np.float64]
_AS_COMPLEX = np.array([1.0, 1.0j])
_Real = TypeVar("_Real", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class CanonicalFrame:
    """Similarity transforms between world and canonical coordinates, one per window of a batch (leading axes ``...``).

    Attributes:
        heading_rad: (...) heading at the last frame.
        scale_m: (...) mean bone length, metres, > 0.
        origin_m: (..., 3) position of the hips' middle in the sender's world at the last frame (0 without a root).
    """

    heading_rad: FloatArray
    scale_m: FloatArray
    origin_m: FloatArray

    def pose_to_canonical(self, pose_m: NDArray[np.floating]) -> NDArray[np.float32]:
        """Hip-centred world poses (..., T, J, 3) in metres to canonical poses of the same shape."""
        pose_m = np.asarray(pose_m, np.float32)
        return _turn(pose_m, -self.heading_rad[..., None, None], 1.0 / self.scale_m[..., None, None])

    def pose_to_world(self, pose: NDArray[np.floating]) -> NDArray[np.float32]:
        """Canonical poses (..., T, J, 3) to hip-centred world poses in metres."""
        pose = np.asarray(pose, np.float32)
        return _turn(pose, self.heading_rad[..., None, None], self.scale_m[..., None, None])

    def root_to_canonical(self, root_m: NDArray[np.floating]) -> NDArray[np.float32]:
        """World positions of the hips' middle (..., T, 3) in metres to canonical ones, zero at the last frame."""
        relative = np.asarray(root_m, np.float64) - self.origin_m[..., None, :]
        return _turn(relative, -self.heading_rad[..., None], 1.0 / self.scale_m[..., None]).astype(np.float32)

    def root_to_world(self, root: NDArray[np.floating]) -> FloatArray:
        """Canonical positions (..., T, 3) to world positions in metres (float64: worlds are large)."""
        turned = _turn(np.asarray(root, np.float64), self.heading_rad[..., None], self.scale_m[..., None])
        return turned + self.origin_m[..., None, :]


@dataclass(frozen=True, slots=True)
class CanonicalWindow:
    """Windows in canonical coordinates: ``pose`` (..., C, J, 3), ``root`` (..., C, 3) or None, and the way back."""

    pose: NDArray[np.float32]
    root: NDArray[np.float32] | None
    frame: CanonicalFrame

    __repr__ = brief_repr


def hip_middle(pose_m: NDArray[np.floating], layout: Layout) -> NDArray[np.floating]:
    """Middle of the hips (..., 3) of poses (..., J, 3)."""
    left, right = layout.hips
    return 0.5 * (pose_m[..., left, :] + pose_m[..., right, :])


def canonicalise(
    pose_m: NDArray[np.floating],
    layout: Layout,
    *,
    root_m: NDArray[np.floating] | None = None,
    observed: NDArray[np.bool_] | None = None,
    initial_heading_rad: NDArray[np.floating] | float | None = None,
    context_frames: int | None = None,
) -> CanonicalWindow:
    """Bring windows into the canonical frame of their last context frame.

    Args:
        pose_m: (..., T, J, 3) world positions, any origin; finite.
        layout: of the J landmarks.
        root_m: (..., T, 3) position of the origin of ``pose_m`` in a fixed world; None without one.
        observed: (..., T, J) which landmarks to measure size with; None: all.
        initial_heading_rad: (...) heading just before the window, for continuity while neither hips nor shoulders tell
            it; None or NaN where it is not known.
        context_frames: the frame is that of row ``context_frames - 1``, measured on rows up to it; None: all T rows.

    Returns:
        The canonical window of all T rows.

    Raises:
        InvalidInput: if shapes do not fit or the body has no measurable size.
    """
    pose_m = np.asarray(pose_m)
    if pose_m.shape[-2:] != (layout.joints, 3):
        raise InvalidInput(f"shape {pose_m.shape}", field="pose_m", expected=f"(..., T, {layout.joints}, 3)")
    context = pose_m.shape[-3] if context_frames is None else context_frames
    middle = hip_middle(pose_m, layout)
    centred = pose_m - middle[..., None, :]
    seen = None if observed is None else observed[..., :context, :]
    heading = track_heading(centred[..., :context, :, :], layout, initial_heading_rad)[..., -1]
    scale = body_scale(centred[..., :context, :, :], layout, seen)
    if root_m is None:
        frame = CanonicalFrame(heading, scale, np.zeros((*heading.shape, 3)))
        return CanonicalWindow(frame.pose_to_canonical(centred), None, frame)
    world_root = np.asarray(root_m, np.float64) + middle
    frame = CanonicalFrame(heading, scale, world_root[..., context - 1, :])
    return CanonicalWindow(frame.pose_to_canonical(centred), frame.root_to_canonical(world_root), frame)


def body_scale(pose_m: NDArray[np.floating], layout: Layout, observed: NDArray[np.bool_] | None = None) -> FloatArray:
    """Mean length (...) of the layout's scale bones, metres, over the frames (..., T, J, 3) where both ends were seen.

    Bones that were never observed count with their length in the layout's template, relative to those that were.

    Raises:
        InvalidInput: if a window has no extent at all.
    """
    ends = np.asarray(layout.scale_bones, np.intp)
    lengths = np.linalg.norm(pose_m[..., ends[:, 1], :] - pose_m[..., ends[:, 0], :], axis=-1)  # (..., T, bones)
    if observed is None:
        scale = np.asarray(lengths.mean(axis=(-1, -2)), np.float64)
    else:
        seen = (observed[..., ends[:, 0]] & observed[..., ends[:, 1]]).astype(np.float64)
        # With next to nothing observed, the filled-in body still has a size: give it a vanishing weight.
        weight = seen + 1e-6
        template = np.linalg.norm(layout.template[ends[:, 1]] - layout.template[ends[:, 0]], axis=-1)
        expected = (weight * template).sum(axis=(-1, -2))
        scale = (weight * lengths).sum(axis=(-1, -2)) / expected * template.mean()
    if not (scale > 1e-4).all():
        raise InvalidInput("the body has no extent", field="pose_m", expected="bones longer than 0.1 mm")
    return scale


def track_heading(
    pose_m: NDArray[np.floating], layout: Layout, initial_rad: NDArray[np.floating] | float | None = None
) -> FloatArray:
    """Heading (..., T) in radians of poses (..., T, J, 3), continuous in time (unwrapped).

    The hips tell the heading while their axis is level enough; as it steepens (a body lying on its side) the shoulders
    take over smoothly, then the heading of the frame before. From one frame to the next it moves by at most
    ``MAX_HEADING_STEP_RAD``, so a body that turns over, whose left-right axis reverses within a few frames, swings
    round instead of jumping.

    Args:
        initial_rad: (...) heading before the first frame; None or NaN: take it from the first frame itself.
    """
    hips, hips_level = _level_axis(pose_m, layout.hips)
    shoulders, shoulders_level = _level_axis(pose_m, layout.shoulders)
    fallback = shoulders_level[..., 0, None] * shoulders[..., 0, :] + 1e-6 * hips[..., 0, :]
    clear = hips_level[..., 0, None]
    first = clear * hips[..., 0, :] + (1 - clear) * fallback
    previous = np.arctan2(first[..., 1], first[..., 0])
    if initial_rad is not None:
        initial = np.broadcast_to(np.asarray(initial_rad, np.float64), previous.shape)
        previous = np.where(np.isnan(initial), previous, initial)
    direct = np.unwrap(np.arctan2(hips[..., 1], hips[..., 0]), axis=-1)
    direct += (2 * np.pi * np.round((previous - direct[..., 0]) / (2 * np.pi)))[..., None]
    steps = np.diff(direct, axis=-1, prepend=previous[..., None])
    unclear = np.any((hips_level < 1.0) | (np.abs(steps) > MAX_HEADING_STEP_RAD), axis=-1)
    if not unclear.any():
        return direct
    tracked = _track(
        (hips[unclear], hips_level[unclear]), (shoulders[unclear], shoulders_level[unclear]), previous[unclear]
    )
    direct[unclear] = tracked
    return direct


def _track(
    hips: tuple[FloatArray, FloatArray], shoulders: tuple[FloatArray, FloatArray], previous: FloatArray
) -> FloatArray:
    """Headings (n, T), frame by frame, from (direction (n, T, 2), trust (n, T)) of hips and shoulders, and a start."""
    # Directions as complex numbers: what hips and shoulders say, and the weight left for the heading before.
    clear, fallback = hips[1], (1 - hips[1]) * shoulders[1]
    seen = clear * (hips[0] @ _AS_COMPLEX) + fallback * (shoulders[0] @ _AS_COMPLEX)
    held = 1 - clear - fallback
    headings = np.empty_like(clear)
    for t in range(headings.shape[1]):
        # Seen from the heading before, that heading itself points along the real axis.
        there = seen[:, t] * np.exp(-1j * previous) + held[:, t]
        turn = np.arctan2(there.imag, there.real)
        previous = previous + np.minimum(np.maximum(turn, -MAX_HEADING_STEP_RAD), MAX_HEADING_STEP_RAD)
        headings[:, t] = previous
    return headings


def _level_axis(pose_m: NDArray[np.floating], pair: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Horizontal unit direction (..., T, 2) from right to left of a pair, and how far to trust it (..., T), 0 to 1."""
    axis = np.asarray(pose_m[..., pair[0], :] - pose_m[..., pair[1], :], np.float64)
    level = np.hypot(axis[..., 0], axis[..., 2])
    share = level / np.maximum(np.linalg.norm(axis, axis=-1), 1e-9)
    trust = np.clip((share - _UNCLEAR_HORIZONTALITY) / (_CLEAR_HORIZONTALITY - _UNCLEAR_HORIZONTALITY), 0.0, 1.0)
    return axis[..., (0, 2)] / np.maximum(level, 1e-9)[..., None], trust


def _turn(points: NDArray[_Real], angle_rad: FloatArray, scale: FloatArray | float = 1.0) -> NDArray[_Real]:
    """Turn points (..., 3) about the vertical by ``angle_rad``, from +x towards +z, and scale them; dtype is kept."""
    dtype = points.dtype
    cos, sin = (np.cos(angle_rad) * scale).astype(dtype), (np.sin(angle_rad) * scale).astype(dtype)
    turned = np.empty_like(points)
    turned[..., 0] = cos * points[..., 0] - sin * points[..., 2]
    turned[..., 1] = points[..., 1] * np.asarray(scale, dtype)
    turned[..., 2] = sin * points[..., 0] + cos * points[..., 2]
    return turned
