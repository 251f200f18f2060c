"""The clip of the Unity sample: a body that walks on the spot, made from a formula, so that it belongs to nobody.

``python -m tests.plugins.unity.walking_clip`` writes it to its place in the package.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.plugins.unity.toolchain import PACKAGE

CLIP = PACKAGE / "Samples~" / "FutureGhosts" / "Walk.pbr.bytes"

RATE_HZ = 30
FRAMES = 120
STRIDES = 3
"""Whole strides, so that the clip can begin again without a jump."""

HEADER = struct.Struct("<8sIIQ64s")
_MAGIC = b"PBREC\0\0\1"
_TURN_RAD = np.radians(35.0)
_THIGH_M, _SHIN_M, _ARM_M, _FOREARM_M = 0.42, 0.42, 0.28, 0.25
_FACE_M = {
    "nose": (0.0, -0.66, -0.13),
    "left_eye_inner": (0.015, -0.70, -0.11),
    "left_eye": (0.03, -0.70, -0.11),
    "left_eye_outer": (0.045, -0.70, -0.10),
    "left_ear": (0.075, -0.68, 0.0),
    "mouth_left": (0.025, -0.62, -0.11),
}


def _swing(length_m: float, angle_rad: float) -> NDArray[np.float64]:
    """A limb that hangs down (y), turned forward (-z) by an angle."""
    return length_m * np.array([0.0, np.cos(angle_rad), -np.sin(angle_rad)])


def _limbs(side: str, phase_rad: float) -> dict[str, NDArray[np.float64]]:
    """Arm and leg of one side, metres, as seen from a body that faces the camera; `phase_rad` is that of the leg."""
    outward = 1.0 if side == "left" else -1.0
    thigh_rad = np.radians(24.0) * np.sin(phase_rad)
    knee_rad = np.radians(6.0 + 20.0 * (1.0 + np.sin(phase_rad + 1.2)))
    arm_rad = -np.radians(22.0) * np.sin(phase_rad)
    hip = np.array([0.10 * outward, 0.0, 0.0])
    knee = hip + _swing(_THIGH_M, thigh_rad)
    ankle = knee + _swing(_SHIN_M, thigh_rad - knee_rad)
    shoulder = np.array([0.18 * outward, -0.50, 0.02 * np.sin(phase_rad)])
    elbow = shoulder + _swing(_ARM_M, arm_rad)
    wrist = elbow + _swing(_FOREARM_M, arm_rad + np.radians(25.0))
    return {
        f"{side}_hip": hip,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle,
        f"{side}_heel": ankle + np.array([0.0, 0.05, 0.04]),
        f"{side}_foot_index": ankle + np.array([0.02 * outward, 0.06, -0.15]),
        f"{side}_shoulder": shoulder,
        f"{side}_elbow": elbow,
        f"{side}_wrist": wrist,
        f"{side}_pinky": wrist + np.array([0.02 * outward, 0.08, -0.01]),
        f"{side}_index": wrist + np.array([-0.01 * outward, 0.09, -0.03]),
        f"{side}_thumb": wrist + np.array([-0.02 * outward, 0.05, -0.04]),
    }


def walking_poses() -> NDArray[np.float32]:
    """Return (FRAMES, 33, 4): metres in MediaPipe's axes, origin at the middle of the hips, and visibility."""
    turn = np.array(
        [
            [np.cos(_TURN_RAD), 0.0, np.sin(_TURN_RAD)],
            [0.0, 1.0, 0.0],
            [-np.sin(_TURN_RAD), 0.0, np.cos(_TURN_RAD)],
        ]
    )
    names = MEDIAPIPE_POSE_33.names
    poses = np.ones((FRAMES, len(names), 4), np.float32)
    for frame in range(FRAMES):
        phase_rad = 2.0 * np.pi * STRIDES * frame / FRAMES
        points = {**_limbs("left", phase_rad), **_limbs("right", phase_rad + np.pi)}
        for name, (x, y, z) in _FACE_M.items():
            points[name] = np.array([x, y, z])
            other = name.replace("left", "right")
            points.setdefault(other, np.array([-x, y, z]))
        poses[frame, :, :3] = np.stack([points[name] for name in names]) @ turn.T
    return poses


def write_clip(path: Path) -> None:
    """Write the clip in the .pbr format, at 30 Hz, without a root."""
    poses = walking_poses()
    frames, landmarks, _ = poses.shape
    with path.open("wb") as file:
        file.write(HEADER.pack(_MAGIC, landmarks, 0, frames, MEDIAPIPE_POSE_33.id.encode("ascii")))
        for number, pose in enumerate(poses):
            file.write(struct.pack("<QB7x", 1_000_000 + number * 1_000_000 // RATE_HZ, 1))
            file.write(pose.astype("<f4").tobytes())


if __name__ == "__main__":
    write_clip(CLIP)
