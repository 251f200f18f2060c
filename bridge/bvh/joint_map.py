"""Joint maps: which joints of a rig are which landmarks, and the file's units and axes. Written as TOML.

The format is described in ``bridge/training/README.md``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from bridge.bvh.template import GROUPS, MEASURES, group_of
from bridge.errors import InvalidInput, NotFound
from bridge.skeleton import MEDIAPIPE_POSE_33

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "foot": 0.3048, "cmu": 0.0254 / 0.45}
"""Metres of each unit. ``cmu`` is that of the CMU database's own skeletons: 0.45 of them are an inch."""
AXES = {sign + name: (1.0 if sign == "+" else -1.0) * np.eye(3)[i] for i, name in enumerate("xyz") for sign in "+-"}
"""Directions by name: ``+y`` ..."""
TEMPLATE, MISSING, AUTO = "template", "missing", "auto"


@dataclass(frozen=True, slots=True)
class Point:
    """A joint, an end site, or a point between several, and from there an offset that turns with the first joint.

    Attributes:
        joints: names, as `bridge.bvh.rig.Rig.find` takes them.
        weights: one for each, of sum 1.
        offset: to the person's left, up and forward as the person stands in the rest pose; None without one.
        in_heights: whether the offset counts body heights; else metres.
    """

    joints: tuple[str, ...]
    weights: tuple[float, ...]
    offset: tuple[float, float, float] | None = None
    in_heights: bool = False


Choice = Point | str
"""A point, or `TEMPLATE` or `MISSING`."""


@dataclass(frozen=True, slots=True)
class JointMap:
    """What a joint map says.

    Attributes:
        name: of the map: a built-in one's, or the file.
        unit_m: metres of a unit; None to go by the height of the body.
        up, forward: names of `AXES`; None to go by the rest pose. Forward is towards the camera.
        right_handed: whether the file's axes are.
        landmarks: what is tried for each, in order.
        templates: by group of `bridge.bvh.template.GROUPS`: what carries it.
    """

    name: str
    unit_m: float | None = None
    up: str | None = None
    forward: str | None = None
    right_handed: bool = True
    landmarks: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    templates: dict[str, Point] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> JointMap:
        """Read a joint map.

        Raises:
            NotFound: if there is no such file.
            InvalidInput: if it is no TOML, or names something that there is not; says which key, and what is right.
        """
        path = Path(path)
        if not path.is_file():
            raise NotFound(f"no such file: {path}", field="joint_map", expected="a joint map (TOML)")
        try:
            return cls.parse(path.read_text(encoding="utf-8"), str(path))
        except (UnicodeDecodeError, OSError) as error:
            raise InvalidInput(f"{path} cannot be read: {error}", field="joint_map", expected="UTF-8 text") from None

    @classmethod
    def parse(cls, text: str, name: str) -> JointMap:
        """Read a joint map from its text; ``name`` is what it is called in errors and reports.

        Raises:
            InvalidInput: see `load`.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput(f"{name} is no TOML: {error}", field="joint_map", expected="TOML") from None
        reader = _Reader(name)
        reader.known(table, ("unit", "up", "forward", "handed", "landmarks", "templates"), "")
        up, forward = (reader.axis(table, key) for key in ("up", "forward"))
        if up and forward and up[1] == forward[1]:
            raise reader.wrong("forward", f"is {forward!r} where up is {up!r}", "another axis than up")
        handed = table.get("handed", "right")
        if handed not in ("right", "left"):
            raise reader.wrong("handed", f"is {handed!r}", '"right" or "left"')
        landmarks = reader.table(table, "landmarks")
        reader.known(landmarks, MEDIAPIPE_POSE_33.names, "landmarks.")
        templates = reader.table(table, "templates")
        reader.known(templates, GROUPS, "templates.")
        made = cls(
            name=name,
            unit_m=reader.unit(table),
            up=up,
            forward=forward,
            right_handed=handed == "right",
            landmarks={key: reader.choices(value, f"landmarks.{key}") for key, value in landmarks.items()},
            templates={key: reader.point(value, f"templates.{key}") for key, value in templates.items()},
        )
        reader.require_whole(made)
        return made


def builtin_map(name: str) -> JointMap:
    """The built-in joint map of a name of `builtin_names`."""
    return JointMap.parse((_folder() / f"{name}.toml").read_text(encoding="utf-8"), name)


def builtin_names() -> list[str]:
    """Names of the joint maps that come with PoseBridge."""
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))


def _folder() -> Any:
    return resources.files("bridge.bvh") / "joint_maps"


class _Reader:
    """Checks the parts of a map; what is wrong is told with the map's name and the key."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wrong(self, key: str, problem: str, expected: str) -> InvalidInput:
        return InvalidInput(f"{self._name}: {key} {problem}", field="joint_map", expected=expected)

    def known(self, table: dict[str, Any], keys: Iterable[str], prefix: str) -> None:
        keys = tuple(keys)
        for key in table:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                expected = repr(near[0]) if near else f"some of {', '.join(keys)}"
                raise self.wrong(f"{prefix}{key}", "is not known", expected)

    def table(self, table: dict[str, Any], key: str) -> dict[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"is {value!r}", f"a table [{key}]")
        return value

    def axis(self, table: dict[str, Any], key: str) -> str | None:
        value = table.get(key, AUTO)
        if value == AUTO:
            return None
        if not isinstance(value, str) or value not in AXES:
            raise self.wrong(key, f"is {value!r}", f"{', '.join(AXES)} or auto")
        return value

    def unit(self, table: dict[str, Any]) -> float | None:
        value = table.get("unit", AUTO)
        if value == AUTO:
            return None
        if isinstance(value, str) and value in UNITS_M:
            return UNITS_M[value]
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
            return float(value)
        raise self.wrong("unit", f"is {value!r}", f"{', '.join(UNITS_M)}, auto, or how many metres one unit is")

    def choices(self, value: Any, key: str) -> tuple[Choice, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise self.wrong(key, "is empty", "a joint")
        choices: list[Choice] = []
        for number, each in enumerate(values):
            if each in (TEMPLATE, MISSING):
                if number != len(values) - 1:
                    raise self.wrong(key, f"has something after {each!r}", "it to stand last")
                choices.append(each)
            else:
                choices.append(self.point(each, key))
        return tuple(choices)

    def point(self, value: Any, key: str) -> Point:
        if isinstance(value, str):
            value = {"joint": value}
        if not isinstance(value, dict):
            raise self.wrong(key, f"is {value!r}", "the name of a joint, or a table such as {joint = ...}")
        self.known(value, ("joint", "between", "weights", "offset_m", "offset_heights"), f"{key}.")
        if ("joint" in value) == ("between" in value):
            raise self.wrong(key, "has both or neither of joint and between", "one of them")
        joints = value["between"] if "between" in value else [value["joint"]]
        if not isinstance(joints, list) or not joints or not all(isinstance(name, str) and name for name in joints):
            raise self.wrong(key, f"names {joints!r}", "names of joints")
        weights = self._numbers(value.get("weights", [1.0] * len(joints)), len(joints), f"{key}.weights")
        if abs(sum(weights)) < 1e-9:
            raise self.wrong(f"{key}.weights", "are 0 together", "weights that have a sum")
        if "offset_m" in value and "offset_heights" in value:
            raise self.wrong(key, "has two offsets", "offset_m or offset_heights")
        in_heights = "offset_heights" in value
        given = value.get("offset_heights", value.get("offset_m"))
        offset = None if given is None else self._numbers(given, 3, f"{key}.offset")
        return Point(
            tuple(joints),
            tuple(weight / sum(weights) for weight in weights),
            None if offset is None else (offset[0], offset[1], offset[2]),
            in_heights,
        )

    def _numbers(self, value: Any, count: int, key: str) -> list[float]:
        right = isinstance(value, list) and len(value) == count
        if not right or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            raise self.wrong(key, f"is {value!r}", f"{count} numbers")
        if not all(math.isfinite(v) for v in value):
            raise self.wrong(key, f"is {value!r}", "finite numbers")
        return [float(v) for v in value]

    def require_whole(self, made: JointMap) -> None:
        """Hips, knees, ankles, shoulders, elbows and wrists must be there, and a template where one is asked for."""
        lacking = [
            name for name in MEASURES if not any(isinstance(choice, Point) for choice in made.landmarks.get(name, ()))
        ]
        if lacking:
            raise self.wrong("landmarks", f"says nothing about {', '.join(lacking)}", "a joint for each of them")
        for name, choices in made.landmarks.items():
            group = group_of(name)
            if TEMPLATE in choices and group not in made.templates:
                expected = f"templates.{group}" if group else "a joint: no template has this landmark"
                raise self.wrong(f"landmarks.{name}", "asks for a template that is not given", expected)
