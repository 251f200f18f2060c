"""The beginning of a joint map for a rig: its joints, and what is known of them from built-in maps, to be completed."""

from __future__ import annotations

from pathlib import Path

from bridge.bvh.joint_map import JointMap, Point, builtin_map, builtin_names
from bridge.bvh.rig import Rig, read_header
from bridge.bvh.template import GROUPS, MEASURES, group_of
from bridge.motion_files import refused
from bridge.skeleton import MEDIAPIPE_POSE_33

_HEAD = """\
# Joint map for PoseBridge: which joints of this rig are which landmarks. Complete the lines that say "?".
# A landmark is "Joint", "Joint.end" (its end site), {between = ["A", "B"], weights = [0.5, 0.5]}, or
# {joint = "A", offset_m = [left, up, forward]}; a list of these is tried in order and may end with "template"
# (from the part of the body below) or "missing".
#
# The joints of FILE:
"""
_SETTINGS = """
unit = "auto"  # m, cm, mm, inch, foot, cmu, or how many metres one unit is
up = "auto"  # +x, -x, +y, -y, +z or -z
forward = "auto"  # towards the camera
handed = "right"  # or left: the file's axes
"""


def blank_map(path: Path) -> tuple[str, list[str]]:
    """Text of a joint map for a BVH file, and the landmarks and templates in it that nobody knows yet.

    Raises:
        InvalidInput: if it is no BVH file.
        FailedPrecondition: if bvhio is not installed.
    """
    try:
        with path.open("rb") as file:
            rig = read_header(file, path).rig
    except OSError as error:
        raise refused(path, f"cannot be opened: {error.strerror or error}", "a BVH file") from None
    known = max(map(builtin_map, builtin_names()), key=lambda each: _score(each, rig))
    open_ones: list[str] = []
    lines = [*_HEAD.replace("FILE", path.name).splitlines(), *(f"#   {line}" for line in rig.tree())]
    lines += [*_SETTINGS.splitlines(), "", "[landmarks]"]
    for name in MEDIAPIPE_POSE_33.names:
        if group_of(name) == "face":
            continue
        points = [c for c in known.landmarks.get(name, ()) if isinstance(c, Point) and all(map(rig.find, c.joints))]
        words = [_quoted(rig, point) for point in points[:1]]
        if name == "left_pinky":
            lines.append(
                "# Joints of fingers and toes, or their end sites, are better than templates, if the rig has them."
            )
        if name in MEASURES:
            open_ones += [] if words else [f"landmarks.{name}"]
            lines.append(f"{name} = {words[0] if words else _quote('?')}")
        else:
            lines.append(f"{name} = {words[0] if words else _quote('template')}")
    lines += ["", "[templates]  # what carries the landmarks that have no joint; each moves with it"]
    for group in GROUPS:
        point = known.templates[group]
        fits = all(map(rig.find, point.joints))
        open_ones += [] if fits else [f"templates.{group}"]
        lines.append(f"{group} = {_quoted(rig, point) if fits else _quote('?')}")
    return "\n".join(lines) + "\n", open_ones


def _score(each: JointMap, rig: Rig) -> int:
    points = [point for choices in each.landmarks.values() for point in choices if isinstance(point, Point)]
    return sum(all(map(rig.find, point.joints)) for point in points)


def _quoted(rig: Rig, point: Point) -> str:
    """The joint's whole name in the rig, as TOML."""
    found = rig.find(point.joints[0])
    assert found is not None
    joint, end = found
    return _quote(rig.joints[joint].name + (".end" if end else ""))


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
