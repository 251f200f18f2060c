"""Landmark layouts as data: names, bones, mirror pairs, and the points that carry a body's size and heading.

Nothing else in PoseBridge knows how many landmarks a body has or what they are called. A studio with another tracker
registers its own `Layout`, trains weights for it and serves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Layout:
    """A set of named landmarks on a body.

    All numbers are indices into `names`. ``scale_bones`` are rigid, well-seen bones: the sum of their lengths measures
    the body's size. ``mirror_pairs`` swap when the body is mirrored (left first). ``template`` is a typical pose (J, 3)
    in the canonical frame of `bridge.geometry` (hips at the origin, left hip along +x, y down, unit size): it stands in
    where a landmark was never seen.

    Raises:
        InvalidInput: if an index is out of range, a name is doubled or the template has another shape.
    """

    id: str
    names: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror_pairs: tuple[tuple[int, int], ...]
    hips: tuple[int, int]
    shoulders: tuple[int, int]
    scale_bones: tuple[tuple[int, int], ...]
    limb_bones: tuple[tuple[int, int], ...]
    template: NDArray[np.float32] = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check every index against the names."""
        if len(set(self.names)) != len(self.names):
            raise InvalidInput("landmark names are not unique", field="layout.names")
        groups = {
            "bones": self.bones,
            "mirror_pairs": self.mirror_pairs,
            "hips": (self.hips,),
            "shoulders": (self.shoulders,),
            "scale_bones": self.scale_bones,
            "limb_bones": self.limb_bones,
        }
        for name, pairs in groups.items():
            if any(not 0 <= index < len(self.names) for pair in pairs for index in pair):
                raise InvalidInput(
                    "an index has no landmark", field=f"layout.{name}", expected=f"0 to {len(self.names) - 1}"
                )
        if self.template.shape != (len(self.names), 3) or not np.isfinite(self.template).all():
            raise InvalidInput(
                f"template has shape {self.template.shape}",
                field="layout.template",
                expected=f"({len(self.names)}, 3) finite numbers",
            )

    def to_dict(self) -> dict[str, object]:
        """Plain lists and numbers, for a checkpoint's metadata."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "template"}
        values["template"] = [[round(float(x), 5) for x in row] for row in self.template]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Layout:
        """Inverse of `to_dict`.

        Raises:
            InvalidInput: if a part is missing or malformed.
        """
        try:
            pairs = {
                name: tuple((int(a), int(b)) for a, b in values[name])
                for name in ("bones", "mirror_pairs", "scale_bones", "limb_bones")
            }
            left_hip, right_hip = values["hips"]
            left_shoulder, right_shoulder = values["shoulders"]
            return cls(
                id=str(values["id"]),
                names=tuple(str(name) for name in values["names"]),
                hips=(int(left_hip), int(right_hip)),
                shoulders=(int(left_shoulder), int(right_shoulder)),
                template=np.asarray(values["template"], np.float32),
                **pairs,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"not a layout: {error!r}", field="layout", expected="what Layout.to_dict gives"
            ) from None

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"Layout({self.id!r}, {self.joints} landmarks, {len(self.bones)} bones)"

    @property
    def joints(self) -> int:
        """Number of landmarks, J."""
        return len(self.names)

    @property
    def mirror_index(self) -> NDArray[np.intp]:
        """Permutation (J,) that swaps left and right."""
        index = np.arange(self.joints)
        for left, right in self.mirror_pairs:
            index[left], index[right] = right, left
        return index


_POSE_33_WORDS = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index"
)
_POSE_33_NAMES = _POSE_33_WORDS.split()

# Connections as listed by mediapipe's PoseLandmarksConnections.POSE_LANDMARKS (checked against the package by a test).
_POSE_33_BONES = (
    *((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10), (11, 12), (11, 13), (13, 15)),
    *((15, 17), (15, 19), (15, 21), (17, 19), (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20), (11, 23)),
    *((12, 24), (23, 24), (23, 25), (24, 26), (25, 27), (26, 28), (27, 29), (28, 30), (29, 31), (30, 32), (27, 31)),
    (28, 32),
)


def _pairs_by_name(names: list[str]) -> tuple[tuple[int, int], ...]:
    """Pairs (left, right) of names that differ only in that word."""
    index = {name: i for i, name in enumerate(names)}
    return tuple((i, index[name.replace("left", "right")]) for name, i in index.items() if "left" in name)


# Median canonical pose of the training motion, made symmetric; the mean of its scale bones is 1.
# fmt: off
_POSE_33_TEMPLATE = np.array([
    (0, -1.993, -0.375), (0.05, -2.106, -0.322), (0.099, -2.107, -0.308), (0.146, -2.109, -0.279),
    (-0.05, -2.106, -0.322), (-0.099, -2.107, -0.308), (-0.146, -2.109, -0.279), (0.223, -2.061, -0.046),
    (-0.223, -2.061, -0.046), (0.078, -1.856, -0.293), (-0.078, -1.856, -0.293), (0.512, -1.55, 0.06),
    (-0.512, -1.55, 0.06), (0.748, -0.871, 0.035), (-0.748, -0.871, 0.035), (0.718, -0.679, -0.297),
    (-0.718, -0.679, -0.297), (0.771, -0.601, -0.331), (-0.771, -0.601, -0.331), (0.71, -0.686, -0.422),
    (-0.71, -0.686, -0.422), (0.682, -0.72, -0.431), (-0.682, -0.72, -0.431), (0.287, 0, 0),
    (-0.287, 0, 0), (0.339, 1.163, -0.023), (-0.339, 1.163, -0.023), (0.372, 2.308, 0.184),
    (-0.372, 2.308, 0.184), (0.363, 2.435, 0.323), (-0.363, 2.435, 0.323), (0.453, 2.505, -0.377),
    (-0.453, 2.505, -0.377),
], np.float32)
# fmt: on

MEDIAPIPE_POSE_33 = Layout(
    id="mediapipe.pose.33",
    names=tuple(_POSE_33_NAMES),
    bones=_POSE_33_BONES,
    mirror_pairs=_pairs_by_name(_POSE_33_NAMES),
    hips=(23, 24),
    shoulders=(11, 12),
    scale_bones=((11, 23), (12, 24), (23, 25), (24, 26), (25, 27), (26, 28), (11, 13), (12, 14), (13, 15), (14, 16)),
    limb_bones=((23, 25), (24, 26), (25, 27), (26, 28), (11, 13), (12, 14), (13, 15), (14, 16)),
    template=_POSE_33_TEMPLATE,
)

_LAYOUTS: dict[str, Layout] = {MEDIAPIPE_POSE_33.id: MEDIAPIPE_POSE_33}


def register_layout(layout: Layout) -> None:
    """Make a layout known by its id.

    Raises:
        InvalidInput: if the id is taken by a different layout.
    """
    known = _LAYOUTS.get(layout.id)
    if known is not None and known != layout:
        raise InvalidInput(f"layout id {layout.id!r} is taken", field="layout.id", expected="an unused id")
    _LAYOUTS[layout.id] = layout


def get_layout(layout_id: str) -> Layout:
    """Return the layout with this id.

    Raises:
        NotFound: if there is none.
    """
    try:
        return _LAYOUTS[layout_id]
    except KeyError:
        known = ", ".join(sorted(_LAYOUTS))
        raise NotFound(f"no layout {layout_id!r}", field="layout_id", expected=f"one of: {known}") from None


def layout_ids() -> tuple[str, ...]:
    """Ids of all known layouts."""
    return tuple(sorted(_LAYOUTS))
