"""BVH files of a body whose joints are known, and where those joints are, worked out joint by joint with scipy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

# (parent, (left, up, forward) from it in metres) of a body of 1.72 m with its arms to the sides.
BONES: dict[str, tuple[str, tuple[float, float, float]]] = {
    "hips": ("", (0.0, 0.0, 0.0)),
    "spine": ("hips", (0.0, 0.12, 0.0)),
    "neck": ("spine", (0.0, 0.40, 0.0)),
    "head": ("neck", (0.0, 0.10, 0.01)),
    "left_shoulder": ("spine", (0.17, 0.36, 0.0)),
    "left_elbow": ("left_shoulder", (0.28, 0.0, 0.0)),
    "left_wrist": ("left_elbow", (0.25, 0.0, 0.0)),
    "right_shoulder": ("spine", (-0.17, 0.36, 0.0)),
    "right_elbow": ("right_shoulder", (-0.28, 0.0, 0.0)),
    "right_wrist": ("right_elbow", (-0.25, 0.0, 0.0)),
    "left_hip": ("hips", (0.10, 0.0, 0.0)),
    "left_knee": ("left_hip", (0.0, -0.42, 0.01)),
    "left_ankle": ("left_knee", (0.0, -0.42, -0.01)),
    "left_toe": ("left_ankle", (0.0, -0.07, 0.14)),
    "right_hip": ("hips", (-0.10, 0.0, 0.0)),
    "right_knee": ("right_hip", (0.0, -0.42, 0.01)),
    "right_ankle": ("right_knee", (0.0, -0.42, -0.01)),
    "right_toe": ("right_ankle", (0.0, -0.07, 0.14)),
}
ENDS = {
    "head": (0.0, 0.18, 0.0),
    "left_wrist": (0.17, 0.0, 0.0),
    "right_wrist": (-0.17, 0.0, 0.0),
    "left_toe": (0.0, 0.0, 0.06),
    "right_toe": (0.0, 0.0, 0.06),
}
_SIDES = {"left": "Left", "right": "Right"}


def _named(middle: dict[str, str], parts: dict[str, str], prefix: str = "") -> dict[str, str]:
    """Names by key; ``{S}`` in the parts' names is the side."""
    sided = {f"{side}_{key}": name.replace("{S}", word) for side, word in _SIDES.items() for key, name in parts.items()}
    return {key: prefix + name for key, name in (middle | sided).items()}


_MIDDLE = {"hips": "Hips", "spine": "Spine", "neck": "Neck", "head": "Head"}
_MOTIONBUILDER = {
    **{"shoulder": "{S}Arm", "elbow": "{S}ForeArm", "wrist": "{S}Hand"},
    **{"hip": "{S}UpLeg", "knee": "{S}Leg", "ankle": "{S}Foot", "toe": "{S}ToeBase"},
}
_JOINTS = {part: "{S}" + part.capitalize() for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")}
_ROKOKO = _MOTIONBUILDER | {"hip": "{S}Thigh", "knee": "{S}Shin", "toe": "{S}Toe"}
_BIPED = {
    **{"shoulder": "{S} UpperArm", "elbow": "{S} Forearm", "wrist": "{S} Hand"},
    **{"hip": "{S} Thigh", "knee": "{S} Calf", "ankle": "{S} Foot", "toe": "{S} Toe0"},
}
MOTIONBUILDER = _named(_MIDDLE, _MOTIONBUILDER)
NAMES: dict[str, tuple[str, dict[str, str]]] = {
    "motionbuilder": ("motionbuilder", MOTIONBUILDER),
    "mixamo": ("motionbuilder", _named(_MIDDLE, _MOTIONBUILDER, "mixamorig:")),
    "rokoko": ("rokoko", _named(_MIDDLE, _ROKOKO)),
    "xsens": ("xsens", _named(_MIDDLE | {"spine": "Chest"}, _JOINTS)),
    "biped": (
        "biped",
        {
            key: name.replace("Left ", "L ").replace("Right ", "R ")
            for key, name in _named(_MIDDLE | {"hips": "Pelvis"}, _BIPED, "Bip01 ").items()
        },
    ),
}
"""By rig: the built-in map that fits it, and its names of the joints by key."""
STUDIO = {key: f"st {key} ü" for key in BONES}
"""Names that no built-in map knows."""

Y_UP = np.eye(3)
"""Columns: left, up, forward of a body in the file's axes."""
Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""z up, the body faces -y, its left is +x."""


@dataclass(frozen=True)
class Performance:
    """What a body does: ``angles_deg`` (T, joints, 3) about the axes in ``order``, and ``root_m`` (T, 3) in the file's
    axes. The rest says how it is written; ``moved`` are joints with position channels, ``shifts_m`` (T, moved, 3).
    """

    angles_deg: NDArray[np.float64]
    root_m: NDArray[np.float64]
    names: Mapping[str, str] = field(default_factory=lambda: MOTIONBUILDER)
    order: str = "ZXY"
    units_per_m: float = 100.0
    axes: NDArray[np.float64] = field(default_factory=lambda: Y_UP)
    moved: Sequence[str] = ()
    shifts_m: NDArray[np.float64] | None = None
    fps: float = 30.0

    @property
    def frames(self) -> int:
        return len(self.root_m)

    def offset(self, key: str) -> NDArray[np.float64]:
        """(3,) in the file's units and axes."""
        return np.asarray(self.axes @ np.array(BONES[key][1]) * self.units_per_m)

    def shift(self, key: str, row: int) -> NDArray[np.float64]:
        """(3,) the joint's place in its parent, in a frame."""
        if key == "hips":
            return np.asarray(self.root_m[row] * self.units_per_m)
        if key in self.moved:
            assert self.shifts_m is not None
            return self.offset(key) + self.shifts_m[row, list(self.moved).index(key)] * self.units_per_m
        return self.offset(key)

    def world(self) -> dict[str, NDArray[np.float64]]:
        """(T, 3) of every joint, and of end sites as ``KEY.end``, in metres along the file's axes."""
        made: dict[str, list[NDArray[np.float64]]] = {key: [] for key in (*BONES, *(f"{key}.end" for key in ENDS))}
        for row in range(self.frames):
            turns: dict[str, Rotation] = {}
            at: dict[str, NDArray[np.float64]] = {}
            for index, (key, (parent, _)) in enumerate(BONES.items()):
                own = Rotation.from_euler(self.order, self.angles_deg[row, index], degrees=True)
                turns[key] = turns[parent] * own if parent else own
                at[key] = (at[parent] + turns[parent].apply(self.shift(key, row))) if parent else self.shift(key, row)
                made[key].append(at[key] / self.units_per_m)
                if key in ENDS:
                    made[f"{key}.end"].append(
                        at[key] / self.units_per_m + turns[key].apply(self.axes @ np.array(ENDS[key]))
                    )
        return {key: np.array(places) for key, places in made.items()}

    def text(self) -> str:
        """The BVH file."""
        lines = ["HIERARCHY"]
        self._write("hips", 0, lines)
        lines += ["MOTION", f"Frames: {self.frames}", f"Frame Time: {1 / self.fps:.8f}"]
        for row in range(self.frames):
            numbers: list[float] = []
            for key in self._written():
                if key == "hips" or key in self.moved:
                    numbers += self.shift(key, row).tolist()
                numbers += self.angles_deg[row, list(BONES).index(key)].tolist()
            lines.append(" ".join(f"{number:.6f}" for number in numbers))
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(), encoding="utf-8")
        return path

    def _written(self) -> list[str]:
        """Keys in the order of the file: each joint, then all below it."""

        def below(key: str) -> list[str]:
            return [key] + [each for child, (parent, _) in BONES.items() if parent == key for each in below(child)]

        return below("hips")

    def _write(self, key: str, depth: int, lines: list[str]) -> None:
        pad = "\t" * depth
        kind = "JOINT" if depth else "ROOT"
        offset = np.zeros(3) if key == "hips" else self.offset(key)
        turns = " ".join(f"{axis}rotation" for axis in self.order)
        channels = f"6 Xposition Yposition Zposition {turns}" if key == "hips" or key in self.moved else f"3 {turns}"
        lines += [f"{pad}{kind} {self.names[key]}", f"{pad}{{"]
        lines += [f"{pad}\tOFFSET " + " ".join(f"{x:.6f}" for x in offset), f"{pad}\tCHANNELS {channels}"]
        for child, (parent, _) in BONES.items():
            if parent == key:
                self._write(child, depth + 1, lines)
        if key in ENDS:
            end = self.axes @ np.array(ENDS[key]) * self.units_per_m
            lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET " + " ".join(f"{x:.6f}" for x in end)]
            lines += [f"{pad}\t}}"]
        lines.append(f"{pad}}}")


def performance(frames: int = 60, *, seed: int = 0, swing_deg: float = 25.0, **how: object) -> Performance:
    """A body that swings all its joints smoothly and wanders, from its rest pose on."""
    rng = np.random.default_rng(seed)
    fps = float(how.get("fps", 30.0))  # type: ignore[arg-type]
    time_s = np.arange(frames)[:, None, None] / fps
    rate, size = rng.uniform(2, 5, (len(BONES), 3)), rng.uniform(-swing_deg, swing_deg, (len(BONES), 3))
    angles_deg = size * np.sin(rate * time_s)
    axes = np.asarray(how.get("axes", Y_UP))
    wander = np.concatenate([0.5 * time_s, 0.02 * np.sin(6 * time_s), 0.3 * time_s], axis=-1)[:, 0]
    root_m = (wander + np.array([0.3, 0.93, -0.2])) @ axes.T
    return Performance(angles_deg, root_m, **how)  # type: ignore[arg-type]


STUDIO_MAP = (
    "\n".join(
        ["[landmarks]"]
        + [
            f'{side}_{part} = "{STUDIO[f"{side}_{part}"]}"'
            for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
            for side in ("left", "right")
        ]
        + [f'{side}_foot_index = "{STUDIO[f"{side}_toe"]}.end"' for side in ("left", "right")]
        + ["[templates]", f'face = "{STUDIO["head"]}"']
        + [f'{side}_hand = "{STUDIO[f"{side}_wrist"]}"' for side in ("left", "right")]
        + [f'{side}_foot = "{STUDIO[f"{side}_ankle"]}"' for side in ("left", "right")]
    )
    + "\n"
)
"""The joint map of a rig with the names `STUDIO`."""
