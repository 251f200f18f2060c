"""Where the joints of a rig are in the world: forward kinematics of many frames at once.

As bvhio has it (checked against it by a test), and about fifty times as fast: rotations apply in the order of the
channels, each about the axes that those before it have turned; a position channel takes the place of the offset.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridge.bvh.rig import Rig

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Joints in the world of the file, T frames.

    Attributes:
        positions: (T, 3) by joint, in the file's units and axes.
        rotations: (T, 3, 3) by joint, from the joint's own axes to the file's.
    """

    positions: dict[int, FloatArray]
    rotations: dict[int, FloatArray]

    def point(self, rig: Rig, joint: int, end: bool) -> FloatArray:
        """(T, 3) position of a joint, or of its end site."""
        offset = rig.joints[joint].end if end else None
        return self.positions[joint] if offset is None else self.positions[joint] + self.rotations[joint] @ offset


def place(rig: Rig, values: FloatArray, joints: Iterable[int]) -> Placed:
    """Place joints, and those above them, in the frames of ``values`` (T, channels); NaN where a value is none."""
    needed: set[int] = set()
    for joint in joints:
        while joint >= 0 and joint not in needed:
            needed.add(joint)
            joint = rig.joints[joint].parent
    frames = len(values)
    placed = Placed({}, {})
    # An infinite angle is no angle either.
    radians = np.deg2rad(np.where(np.isfinite(values), values, np.nan))
    for index in sorted(needed):
        joint_here = rig.joints[index]
        offset = np.broadcast_to(joint_here.offset, (frames, 3)).copy()
        rotation = (
            np.broadcast_to(np.eye(3), (frames, 3, 3)).copy()
            if joint_here.parent < 0
            else placed.rotations[joint_here.parent].copy()
        )
        for column, (kind, axis) in enumerate(joint_here.channels, start=joint_here.first_channel):
            if kind == "position":
                offset[:, axis] = values[:, column]
            else:
                _turn(rotation, axis, radians[:, column])
        if joint_here.parent >= 0:
            offset = np.einsum("tij,tj->ti", placed.rotations[joint_here.parent], offset)
            offset += placed.positions[joint_here.parent]
        placed.positions[index], placed.rotations[index] = offset, rotation
    return placed


def rest(rig: Rig) -> Placed:
    """All joints in the pose that the offsets alone make, one frame."""
    still = Rig(tuple(replace(joint, channels=()) for joint in rig.joints))
    return place(still, np.zeros((1, 0)), range(len(rig.joints)))


def _turn(rotation: FloatArray, axis: int, angle_rad: FloatArray) -> None:
    """Turn (T, 3, 3) in place about an axis of its own by (T,): two columns mix."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    first, second = rotation[:, :, one].copy(), rotation[:, :, two]
    rotation[:, :, one] = cos * first + sin * second
    rotation[:, :, two] = cos * second - sin * first
