"""Landmarks that motion capture has no joints for: rigid on head, hands and feet, at the places of a typical adult.

The face is that of the bundled weights' training motion. Offsets are in body heights (see `body_height`), along axes of
the part that carries them; the middle of the ears lies above and a little before the joint of the head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.skeleton import MEDIAPIPE_POSE_33

_ADULT_M = 1.70
_EARS_UP_M, _EARS_FORWARD_M = 0.065, 0.015
# Hip to ankle and hips to shoulders are this part of a body's height (Drillis and Contini's proportions).
_MEASURED_PART = 0.78

MEASURES = tuple(
    f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in ("left", "right")
)
"""Landmarks without which a body has neither size nor sides."""

# (left, up, forward) from the middle of the ears, metres on an adult.
_FACE_M = {
    "nose": (0.0, -0.0178, 0.1146),
    "eye_inner": (0.016, 0.0197, 0.0935),
    "eye": (0.032, 0.0199, 0.0885),
    "eye_outer": (0.047, 0.0201, 0.0785),
    "ear": (0.075, 0.0, 0.0),
    "mouth": (0.025, -0.0622, 0.0885),
}
# (along the forearm, to the thumb's side, to the palm's side) from the wrist.
_HAND_M = {"pinky": (0.076, -0.030, 0.0), "index": (0.087, 0.022, 0.0), "thumb": (0.055, 0.040, 0.020)}
# (left, up, forward) from the ankle.
_FOOT_M = {"heel": (0.0, -0.045, -0.035), "foot_index": (0.0, -0.060, 0.150)}


def _face() -> dict[str, tuple[float, float, float]]:
    made = {}
    for name in MEDIAPIPE_POSE_33.names[:11]:
        side = -1.0 if "right" in name else 1.0
        left, up, forward = _FACE_M[name.replace("left", "").replace("right", "").strip("_")]
        made[name] = (side * left, up + _EARS_UP_M, forward + _EARS_FORWARD_M)
    return made


GROUPS: dict[str, dict[str, tuple[float, float, float]]] = {"face": _face()}
"""By group: the landmarks' places in metres on an adult, along the axes of `axes_of_group`."""
for _side in ("left", "right"):
    GROUPS[f"{_side}_hand"] = {f"{_side}_{part}": place for part, place in _HAND_M.items()}
    GROUPS[f"{_side}_foot"] = {f"{_side}_{part}": place for part, place in _FOOT_M.items()}


def group_of(landmark: str) -> str | None:
    """The group that has a landmark, None if none has."""
    return next((group for group, places in GROUPS.items() if landmark in places), None)


def places(group: str, height: float) -> dict[str, NDArray[np.float64]]:
    """Places (3,) of a group's landmarks on a body of this height, in the unit of the height."""
    return {name: np.array(place) * (height / _ADULT_M) for name, place in GROUPS[group].items()}


def axes_of_group(group: str, body: NDArray[np.float64], points: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Axes (3, 3), as columns, along which a group's places count, in the reference pose.

    Args:
        group: one of `GROUPS`.
        body: (3, 3) columns: the person's left, up, forward.
        points: (3,) of the `MEASURES` in the reference pose.
    """
    if not group.endswith("hand"):
        return body
    side = group.removesuffix("_hand")
    along = points[f"{side}_wrist"] - points[f"{side}_elbow"]
    along = along / np.linalg.norm(along)
    # Thumbs point forward with the arms to the sides and with the arms hanging; up where arms are held forward.
    ahead = body[:, 2] if abs(along @ body[:, 2]) < 0.8 else body[:, 1]
    thumb = ahead - (ahead @ along) * along
    thumb /= np.linalg.norm(thumb)
    palm = np.cross(along, thumb) * np.sign(np.linalg.det(body)) * (1.0 if side == "left" else -1.0)
    return np.stack([along, thumb, palm], axis=1)


def body_height(points: dict[str, NDArray[np.float64]]) -> float:
    """Height of a body in the unit of its `MEASURES` (3,), from the lengths of legs and trunk: whatever its pose."""

    def length(one: str, other: str) -> float:
        return float(np.linalg.norm(points[one] - points[other]))

    def middle(part: str) -> NDArray[np.float64]:
        return 0.5 * (points[f"left_{part}"] + points[f"right_{part}"])

    legs = sum(length(f"{s}_hip", f"{s}_knee") + length(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")) / 2
    trunk = float(np.linalg.norm(middle("hip") - middle("shoulder")))
    return (legs + trunk) / _MEASURED_PART
