"""A rig's joints become landmarks: what a joint map says, made out for one rig.

Directions that a map's offsets and templates count along are taken from a reference pose in which the person stands:
the pose of the offsets alone, or, in a rig whose offsets make no standing body, the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from bridge.bvh.joint_map import AXES, TEMPLATE, UNITS_M, Choice, JointMap, Point
from bridge.bvh.kinematics import FloatArray, Placed, place, rest
from bridge.bvh.rig import Rig
from bridge.bvh.template import GROUPS, MEASURES, axes_of_group, body_height, group_of, places
from bridge.errors import InvalidInput
from bridge.skeleton import MEDIAPIPE_POSE_33

DERIVED_VISIBILITY = 0.8
"""Visibility of landmarks that no joint has: seen, as far as anybody who asks goes, and yet told apart."""
_USUAL_HEIGHT_M = 1.7
_LEAST_HEIGHT_M, _MOST_HEIGHT_M = 0.2, 10.0
_LEAST_GUESSED_M, _MOST_GUESSED_M = 1.0, 2.3
_STANDS = 0.8


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one landmark comes from: joints of the rig with weights, and an offset in the first one's own axes."""

    joints: tuple[tuple[int, bool], ...]
    weights: tuple[float, ...]
    offset: NDArray[np.float64] | None
    derived: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How the landmarks of one file are made.

    Attributes:
        unit_m: metres of a unit, and ``height_m`` of the body.
        axes: (3, 3) rows: MediaPipe's x, y, z in the file's axes.
        up, forward: names of those directions.
        derived, missing: landmarks that come from templates and offsets, and those that there are none of.
        from_first_frame: whether that, not the offsets, was the reference pose.
        sources: by landmark.
    """

    unit_m: float
    height_m: float
    axes: NDArray[np.float64]
    up: str
    forward: str
    derived: tuple[str, ...]
    missing: tuple[str, ...]
    from_first_frame: bool
    sources: dict[str, _Source]

    @property
    def joints(self) -> set[int]:
        """Joints of the rig that are needed."""
        return {joint for source in self.sources.values() for joint, _ in source.joints}

    @property
    def visibility(self) -> NDArray[np.float32]:
        """(J,) of the landmarks where their joints are known."""
        made = [
            0.0 if name in self.missing else DERIVED_VISIBILITY if name in self.derived else 1.0
            for name in MEDIAPIPE_POSE_33.names
        ]
        return np.array(made, np.float32)

    def landmarks(self, rig: Rig, values: FloatArray) -> FloatArray:
        """Landmarks (T, J, 3) in metres, MediaPipe's axes, of frames (T, channels); NaN where there is none."""
        placed = place(rig, values, self.joints)
        made = np.full((len(values), MEDIAPIPE_POSE_33.joints, 3), np.nan)
        for index, name in enumerate(MEDIAPIPE_POSE_33.names):
            source = self.sources.get(name)
            if source is not None:
                made[:, index] = _point(rig, placed, source.joints, source.weights)
                if source.offset is not None:
                    made[:, index] += placed.rotations[source.joints[0][0]] @ source.offset
        return made @ (self.axes.T * self.unit_m)


def plan(joint_map: JointMap, rig: Rig, first_frame: FloatArray) -> Plan:
    """Make a joint map out for a rig.

    Args:
        joint_map: what it says.
        rig: of the file.
        first_frame: (1, channels) the first frame with numbers.

    Raises:
        InvalidInput: if it names joints that are not there, or the body has an impossible size, lies in every pose
            that could tell directions, or has its sides swapped.
    """
    chosen = {name: _chosen(joint_map, name, rig) for name in MEDIAPIPE_POSE_33.names}
    points = {name: choice for name, choice in chosen.items() if isinstance(choice, Point)}
    carriers = {
        group: _require(joint_map, point, rig, f"templates.{group}") for group, point in _used(joint_map, chosen)
    }
    offset_pose, first_pose = rest(rig), place(rig, first_frame, range(len(rig.joints)))
    measured = _measured(rig, first_pose, points)
    height = body_height(measured)
    unit_m = _unit(joint_map, height)
    standing = _standing(rig, offset_pose, points, joint_map.right_handed)
    from_first_frame = standing is None
    reference = first_pose if from_first_frame else offset_pose
    body = _standing(rig, first_pose, points, joint_map.right_handed) if standing is None else standing
    up, forward = _directions(joint_map, body)
    sources: dict[str, _Source] = {}
    needs_body = bool(carriers) or any(point.offset is not None for point in points.values())
    if needs_body and body is None:
        raise InvalidInput(
            "has offsets that make no standing body, nor does the first frame: directions of templates are unknown",
            field="data",
            expected="a first frame in which the person stands upright",
        )
    for name, point in points.items():
        sources[name] = _source(rig, reference, point, body, height, unit_m)
    for group, point in carriers.items():
        assert body is not None
        basis = axes_of_group(group, body, _measured(rig, reference, points))
        origin = _source(rig, reference, point, body, height, unit_m)
        turned = reference.rotations[origin.joints[0][0]][0]
        for name, offset in places(group, height).items():
            if chosen[name] == TEMPLATE:
                shifted = turned.T @ basis @ offset + (0.0 if origin.offset is None else origin.offset)
                sources[name] = _Source(origin.joints, origin.weights, shifted, derived=True)
    u, f = AXES[up], AXES[forward]
    left = np.cross(u, f) if joint_map.right_handed else np.cross(f, u)
    return Plan(
        unit_m=unit_m,
        height_m=height * unit_m,
        axes=np.stack([left, -u, -f]),
        up=up,
        forward=forward,
        derived=tuple(name for name, source in sources.items() if source.derived),
        missing=tuple(name for name in MEDIAPIPE_POSE_33.names if name not in sources),
        from_first_frame=from_first_frame and needs_body,
        sources=sources,
    )


def require_unmirrored(made: Plan, landmarks_m: FloatArray) -> None:
    """Check that toes point to where a body with these left and right sides faces.

    Raises:
        InvalidInput: if they point backwards: left and right are swapped.
    """
    index = {name: i for i, name in enumerate(MEDIAPIPE_POSE_33.names)}
    if any(f"{side}_foot_index" in (*made.derived, *made.missing) for side in ("left", "right")):
        return
    at = {name: landmarks_m[:, index[name]] for name in index}
    left = at["left_hip"] - at["right_hip"]
    up = at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]
    # MediaPipe's axes are right-handed, so left x up is forward.
    forward = np.cross(left, up)
    toes = sum(at[f"{side}_foot_index"] - at[f"{side}_ankle"] for side in ("left", "right"))
    lengths = np.linalg.norm(forward, axis=-1) * np.linalg.norm(toes, axis=-1)
    ahead = (forward * toes).sum(axis=-1) / np.maximum(lengths, 1e-12)
    if np.isfinite(ahead).any() and np.nanmedian(ahead) < -0.3:
        raise InvalidInput(
            "shows a body whose toes point backwards: left and right are swapped",
            field="data",
            expected='joints of the right sides in the joint map, and handed = "left" in it if the file\'s axes are so',
        )


def _chosen(joint_map: JointMap, name: str, rig: Rig) -> Choice | None:
    """The first choice for a landmark that the rig has; None: it is missing."""
    group = group_of(name)
    choices: tuple[Choice, ...] | None = joint_map.landmarks.get(name)
    if choices is not None and name in MEASURES:
        choices = tuple(choice for choice in choices if isinstance(choice, Point))
    if choices is None:
        return TEMPLATE if group in joint_map.templates else None
    for choice in choices:
        if isinstance(choice, str):
            return TEMPLATE if choice == TEMPLATE else None
        if all(rig.find(joint) for joint in choice.joints):
            return choice
    points = [choice for choice in choices if isinstance(choice, Point)]
    return _require(joint_map, points[0], rig, f"landmarks.{name}")


def _require(joint_map: JointMap, point: Point, rig: Rig, key: str) -> Point:
    for name in point.joints:
        if rig.find(name) is None:
            near = get_close_matches(name, rig.names, n=1) or [", ".join(rig.names)]
            raise InvalidInput(
                f"has no joint {name!r}, which {key} of the joint map {joint_map.name} names",
                field="data",
                expected=f"a joint of the file: {near[0]}",
            )
    return point


def _used(joint_map: JointMap, chosen: dict[str, Choice | None]) -> list[tuple[str, Point]]:
    """The templates that a landmark is taken from."""
    return [
        (group, point)
        for group, point in joint_map.templates.items()
        if any(chosen[name] == TEMPLATE for name in GROUPS[group])
    ]


def _found(rig: Rig, point: Point) -> tuple[tuple[int, bool], ...]:
    return tuple(found for found in map(rig.find, point.joints) if found is not None)


def _source(
    rig: Rig, reference: Placed, point: Point, body: FloatArray | None, height: float, unit_m: float
) -> _Source:
    joints = _found(rig, point)
    if point.offset is None or body is None:
        return _Source(joints, point.weights, None, derived=False)
    units = np.array(point.offset) * (height if point.in_heights else 1.0 / unit_m)
    turned = reference.rotations[joints[0][0]][0]
    return _Source(joints, point.weights, turned.T @ body @ units, derived=True)


def _point(rig: Rig, placed: Placed, joints: tuple[tuple[int, bool], ...], weights: tuple[float, ...]) -> FloatArray:
    first, *others = (w * placed.point(rig, *joint) for w, joint in zip(weights, joints, strict=True))
    return np.asarray(sum(others, first))


def _measured(rig: Rig, placed: Placed, points: dict[str, Point]) -> dict[str, FloatArray]:
    """(3,) of the `MEASURES` in the first frame that is placed, without the map's offsets."""
    return {name: _point(rig, placed, _found(rig, points[name]), points[name].weights)[0] for name in MEASURES}


def _standing(rig: Rig, placed: Placed, points: dict[str, Point], right_handed: bool) -> FloatArray | None:
    """Axes (3, 3) of a standing body as columns: left, up, forward, with up along an axis of the file; else None."""
    at = _measured(rig, placed, points)
    hips, shoulders, ankles = (0.5 * (at[f"left_{p}"] + at[f"right_{p}"]) for p in ("hip", "shoulder", "ankle"))
    trunk, legs, across = shoulders - hips, hips - ankles, at["left_hip"] - at["right_hip"]
    up = AXES[_nearest(trunk)]
    for part in (trunk, legs):
        if not part @ up > _STANDS * np.linalg.norm(part):
            return None
    left = across - (across @ up) * up
    if not np.linalg.norm(left) > _STANDS * np.linalg.norm(across):
        return None
    left = left / np.linalg.norm(left)
    forward = np.cross(left, up) if right_handed else np.cross(up, left)
    return np.stack([left, up, forward], axis=1)


def _nearest(direction: FloatArray) -> str:
    return max(AXES, key=lambda name: float(AXES[name] @ direction))


def _directions(joint_map: JointMap, body: FloatArray | None) -> tuple[str, str]:
    """Up and forward, as the map says or as the standing body has them."""
    up = joint_map.up or (_nearest(body[:, 1]) if body is not None else "+y")
    if joint_map.forward is not None:
        if joint_map.forward[1] == up[1]:
            raise InvalidInput(
                f"stands along {up}, and the joint map {joint_map.name} has forward = {joint_map.forward!r}",
                field="data",
                expected="up in the joint map, too",
            )
        return up, joint_map.forward
    level = [name for name in ("+z", "-y", "+x", "-z", "+y", "-x") if name[1] != up[1]]
    if body is None or joint_map.up not in (None, _nearest(body[:, 1])):
        return up, level[0]
    return up, max(level, key=lambda name: round(float(AXES[name] @ body[:, 2]), 6))


def _unit(joint_map: JointMap, height: float) -> float:
    """Metres of a unit."""
    if not (np.isfinite(height) and height > 0):
        raise InvalidInput("has a body without size", field="data", expected="joints apart from each other")
    if joint_map.unit_m is not None:
        if not _LEAST_HEIGHT_M < height * joint_map.unit_m < _MOST_HEIGHT_M:
            raise InvalidInput(
                f"has a body of {height * joint_map.unit_m:.3g} m by the unit of the joint map {joint_map.name}",
                field="data",
                expected=f"another unit: the body is {height:.3g} of the file's units tall",
            )
        return joint_map.unit_m
    fitting = [m for m in UNITS_M.values() if _LEAST_GUESSED_M < height * m < _MOST_GUESSED_M]
    if not fitting:
        raise InvalidInput(
            f"has a body {height:.3g} units tall, which no unit makes the size of a person",
            field="data",
            expected=f"unit = METRES in a joint map, such as {_USUAL_HEIGHT_M / height:.4g}",
        )
    return min(fitting, key=lambda m: abs(np.log(height * m / _USUAL_HEIGHT_M)))
