"""From poses at any times to poses at fixed times: linear interpolation per landmark, and stand-ins for the unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.geometry import body_scale, hip_middle, track_heading
from bridge.skeleton import Layout

_Real = TypeVar("_Real", np.float32, np.float64)

CONNECTED_PERIODS = 1.5
"""Samples further apart than this many periods of the grid have a gap between them."""
COINCIDENT_PERIODS = 0.25
"""A grid instant this close to a sample counts as that sample."""
TYPICAL_BONE_M = 0.33
"""Mean bone length of an adult: the size of a body that shows a single landmark."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Detected poses of one body, oldest first.

    Attributes:
        time_us: (n,) float64, increasing.
        pose_m: (n, J, 3) metres; relative to ``middle_m`` where ``hips_seen``, else in the frame's own coordinates; 0
            where not ``seen``.
        seen: (n, J) which landmarks were seen; at least one in every pose.
        hips_seen: (n,) whether both hips were.
        middle_m: (n, 3) middle of the hips in the frame's own coordinates, float64; 0 where not ``hips_seen``.
        root_m: (n, 3) position of the frame's coordinate origin in the sender's world, float64; None without one.
    """

    time_us: NDArray[np.float64]
    pose_m: NDArray[np.float32]
    seen: NDArray[np.bool_]
    hips_seen: NDArray[np.bool_]
    middle_m: NDArray[np.float64]
    root_m: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Resampled:
    """Poses (C, J, 3), observed (C, J), root (C, 3) or None and bridged (C,), as in `bridge.frames.Window`."""

    pose_m: NDArray[np.float32]
    observed: NDArray[np.bool_]
    root_m: NDArray[np.float32] | None
    bridged: NDArray[np.bool_]


def resample(
    frames: Observations,
    grid_us: NDArray[np.float64],
    layout: Layout,
    period_us: float,
    initial_heading_rad: float | None = None,
) -> Resampled:
    """Poses at the times ``grid_us`` (C,), which end with the newest frame.

    Between the frames that show it a landmark moves linearly; before the first and after the last of them it is held.
    It counts as observed at an instant that coincides with such a frame, or lies between two that are connected. All
    this happens relative to the middle of the hips; a frame that does not show both hips takes it, in the frame's own
    coordinates, from the frames around it or from the last one before it. If no frame shows both hips, the layout's
    template, fitted to what was seen, says where they are. A landmark that no frame shows stands at its place in the
    template, scaled and turned as the body is at the end of the window.
    """
    count = len(frames.time_us)
    before = np.searchsorted(frames.time_us, grid_us, side="right") - 1
    np.maximum(before, 0, out=before)
    after = np.minimum(before + 1, count - 1)
    weight, near = _between(frames.time_us, before, after, grid_us, period_us)
    if frames.seen.all():
        pose_m = _mix(frames.pose_m, before, after, weight.astype(np.float32)[:, None, None])
        observed = np.broadcast_to(near[:, None], (len(grid_us), layout.joints)).copy()
        root_m = (
            None if frames.root_m is None else _mix(frames.root_m + frames.middle_m, before, after, weight[:, None])
        )
        return Resampled(pose_m, observed, None if root_m is None else root_m.astype(np.float32), ~near)

    centred_m, middle_m, usable = _centred(frames, layout)
    pose_m, observed = _resample_each(centred_m, usable, frames.time_us, before, after, grid_us, period_us)
    observed &= frames.seen.any(axis=0)
    _fill_unseen(pose_m, observed, np.asarray(usable.any(axis=0), np.bool_), layout, initial_heading_rad)
    shift_m = hip_middle(pose_m, layout)
    pose_m -= shift_m[:, None, :]
    if frames.root_m is None:
        return Resampled(pose_m, observed, None, ~near)
    root_m = _mix(frames.root_m + middle_m, before, after, weight[:, None]) + shift_m
    return Resampled(pose_m, observed, root_m.astype(np.float32), ~near)


def filled_rows(
    time_us: NDArray[np.float64], filled: NDArray[np.bool_], grid_us: NDArray[np.float64], period_us: float
) -> NDArray[np.bool_]:
    """Which of the instants ``grid_us`` (C,) rest on filled frames, (C,).

    Those between two frames of which one is filled, unless a frame that is not lies as close as `COINCIDENT_PERIODS`.

    Args:
        time_us: (n,) of the frames, increasing. filled: (n,). grid_us: (C,). period_us: of the grid.
    """
    if not filled.any():
        return np.zeros(len(grid_us), np.bool_)
    before = np.maximum(np.searchsorted(time_us, grid_us, side="right") - 1, 0)
    after = np.minimum(before + 1, len(time_us) - 1)
    near_us = COINCIDENT_PERIODS * period_us
    since_us, until_us = grid_us - time_us[before], time_us[after] - grid_us
    real = (~filled[before] & (np.abs(since_us) <= near_us)) | (~filled[after] & (np.abs(until_us) <= near_us))
    # An instant that meets a frame exactly takes nothing from the next one.
    rests: NDArray[np.bool_] = (filled[before] | (filled[after] & (since_us > 0))) & ~real
    return rests


def fit_template(
    points_m: NDArray[np.floating], seen: NDArray[np.bool_], layout: Layout
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a typical body would be that shares its seen landmarks with each pose, in the least-squares sense.

    Each pose gets its own turn about the vertical and its own place; all share one scale (closed form, as in Umeyama
    1991 restricted to turns about one axis).

    Args:
        points_m: (n, J, 3) metres. seen: (n, J), at least one in every pose.
        layout: whose template is fitted.

    Returns:
        The fitted bodies (n, J, 3) and the middles of their hips (n, 3), metres.
    """
    template = layout.template.astype(np.float64)
    share = seen / seen.sum(axis=1, keepdims=True)
    template_middle = share @ template
    points_middle = np.einsum("nj,njd->nd", share, points_m)
    body = np.where(seen[..., None], template - template_middle[:, None], 0.0)
    points = np.where(seen[..., None], points_m - points_middle[:, None], 0.0)
    along = (body[..., 0] * points[..., 0] + body[..., 2] * points[..., 2]).sum(axis=1)
    across = (body[..., 0] * points[..., 2] - body[..., 2] * points[..., 0]).sum(axis=1)
    turn = np.arctan2(across, along)
    overlap = float((np.hypot(along, across) + (body[..., 1] * points[..., 1]).sum(axis=1)).sum())
    extent = float((body**2).sum())
    scale_m = overlap / extent if extent > 1e-9 and overlap > 1e-9 else TYPICAL_BONE_M
    turned = _turned(template, turn) * scale_m
    offset_m = points_middle - np.einsum("nj,njd->nd", share, turned)
    placed = turned + offset_m[:, None]
    return placed, np.asarray(hip_middle(placed, layout), np.float64)


def _centred(
    frames: Observations, layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """Poses about the middle of the hips (n, J, 3), that middle (n, 3), and which positions can be used (n, J)."""
    if frames.hips_seen.all():
        return frames.pose_m, frames.middle_m, frames.seen
    lost = ~frames.hips_seen
    middle_m, centred_m, usable = frames.middle_m.copy(), frames.pose_m.copy(), frames.seen
    if frames.hips_seen.any():
        known = frames.hips_seen
        for axis in range(3):
            middle_m[lost, axis] = np.interp(frames.time_us[lost], frames.time_us[known], middle_m[known, axis])
    else:
        placed_m, middle_m = fit_template(frames.pose_m, frames.seen, layout)
        usable = frames.seen.copy()
        for hip in layout.hips:
            if not frames.seen[:, hip].any():
                centred_m[:, hip] = placed_m[:, hip]
                usable[:, hip] = True
    centred_m[lost] -= middle_m[lost, None, :].astype(np.float32)
    return centred_m, middle_m, usable


def _resample_each(
    pose_m: NDArray[np.float32],
    usable: NDArray[np.bool_],
    time_us: NDArray[np.float64],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    grid_us: NDArray[np.float64],
    period_us: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Every landmark between its own samples: poses (C, J, 3) and observed (C, J)."""
    count = len(time_us)
    order = np.arange(count)[:, None]
    last = np.maximum.accumulate(np.where(usable, order, -1), axis=0)[before]
    following = np.minimum.accumulate(np.where(usable, order, count)[::-1], axis=0)[::-1][after]
    only_after, only_before = last < 0, following == count
    np.copyto(last, following, where=only_after)
    np.copyto(following, last, where=only_before)
    never = only_after & only_before
    last[never], following[never] = 0, 0
    weight, observed = _between(time_us, last, following, grid_us[:, None], period_us)
    joints = np.arange(pose_m.shape[1])
    old, new = pose_m[last, joints], pose_m[following, joints]
    return old + weight.astype(np.float32)[..., None] * (new - old), observed & ~never


def _between(
    time_us: NDArray[np.float64],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    grid_us: NDArray[np.float64],
    period_us: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Weight of the sample after each instant, 0 to 1, and whether the instant counts as observed."""
    old_us, new_us = time_us[before], time_us[after]
    span_us, since_us = new_us - old_us, grid_us - old_us
    weight = np.clip(since_us / np.maximum(span_us, 1e-3), 0.0, 1.0)
    inside = (since_us >= 0) & (since_us <= span_us) & (span_us <= CONNECTED_PERIODS * period_us)
    distance_us = np.minimum(np.abs(since_us), np.abs(new_us - grid_us))
    return weight, inside | (distance_us <= COINCIDENT_PERIODS * period_us)


def _fill_unseen(
    pose_m: NDArray[np.float32],
    observed: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    layout: Layout,
    initial_heading_rad: float | None,
) -> None:
    """Put landmarks that no frame shows, in place, where the template has them."""
    if usable.all():
        return
    unseen = ~usable
    # A first guess gives the body a size even if it shows no bone to measure.
    pose_m[:, unseen] = fit_template(pose_m, np.broadcast_to(usable, observed.shape), layout)[0][:, unseen]
    middle_m = hip_middle(pose_m, layout)
    heading_rad = track_heading(pose_m, layout, initial_heading_rad)[-1]
    scale_m = body_scale(pose_m, layout, observed)
    placed = _turned(layout.template.astype(np.float64), heading_rad[None])[0] * scale_m
    pose_m[:, unseen] = placed[unseen] + middle_m[:, None, :]


def _turned(points: NDArray[np.float64], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (J, 3) turned about the vertical by each of the angles (n,): (n, J, 3)."""
    cos, sin = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    x, y, z = points.T
    return np.stack([cos * x - sin * z, np.broadcast_to(y, (len(angle_rad), len(y))), sin * x + cos * z], axis=-1)


def _mix(
    values: NDArray[_Real], before: NDArray[np.intp], after: NDArray[np.intp], weight: NDArray[_Real]
) -> NDArray[_Real]:
    """Linear interpolation along the first axis."""
    old = values[before]
    return old + weight * (values[after] - old)
