"""The skeleton of a BVH file: joints, offsets, channels.

bvhio parses it, from a copy in the form that it takes: it reads a name up to the first blank, wants keywords in their
usual case and braces on lines of their own, decodes by the locale, and at the end of a cut-off file it never returns.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bridge.bvh.library import load_bvhio
from bridge.errors import InvalidInput
from bridge.motion_files import refused

END = ".end"
"""What follows a joint's name where its end site is meant."""
_AXES = {"x": 0, "y": 1, "z": 2}
_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)
_BIPED = re.compile(r"^Bip\d+ ")
_MAX_HEADER_LINES = 100_000
_MAX_LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Joint:
    """One joint, in the file's units and axes.

    Attributes:
        name: as in the file, blanks included.
        parent: index of the parent, -1 for the root.
        offset: (3,) from the parent, where no position channel says otherwise.
        channels: ("position" or "rotation", axis 0 to 2) in the order of the file.
        first_channel: column of the first of them.
        end: (3,) offset of the end site, None without one.
    """

    name: str
    parent: int
    offset: NDArray[np.float64]
    channels: tuple[tuple[str, int], ...]
    first_channel: int
    end: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Rig:
    """All joints of a file, parents first."""

    joints: tuple[Joint, ...]

    @property
    def channels(self) -> int:
        """Numbers in a frame."""
        return sum(len(joint.channels) for joint in self.joints)

    @property
    def names(self) -> list[str]:
        """Names of the joints, and of those that have one the end site."""
        return [joint.name for joint in self.joints] + [
            joint.name + END for joint in self.joints if joint.end is not None
        ]

    def find(self, name: str) -> tuple[int, bool] | None:
        """Index of the joint of that name, and whether its end site is meant; None if there is no such joint.

        A joint is known by its whole name, or by its name without a namespace (``mixamorig:Hips``, ``Bip01 Head``); a
        blank and an underscore are alike then.

        Raises:
            InvalidInput: if several joints have the name.
        """
        for same in (str, _short):
            found = [index for index, joint in enumerate(self.joints) if same(joint.name) == same(name)]
            if len(found) > 1:
                raise InvalidInput(
                    f"has {len(found)} joints called {name!r}", field="data", expected="one of that name"
                )
            if found:
                return found[0], False
        if name.endswith(END):
            joint = self.find(name.removesuffix(END))
            if joint is not None and self.joints[joint[0]].end is not None:
                return joint[0], True
        return None

    def tree(self) -> list[str]:
        """The joints' names, one a line, indented by depth; end sites too."""
        depths: list[int] = []
        lines = []
        for joint in self.joints:
            depths.append(0 if joint.parent < 0 else depths[joint.parent] + 1)
            lines.append("  " * depths[-1] + joint.name)
            if joint.end is not None:
                lines.append("  " * (depths[-1] + 1) + joint.name + END)
        return lines


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the numbers: the rig, how many frames follow, seconds from one to the next."""

    rig: Rig
    frames: int
    frame_time_s: float


def read_header(file: IO[bytes], path: Path) -> Header:
    """Read up to the first line of numbers.

    Args:
        file: the opened file, at its beginning; afterwards at the numbers.
        path: of the file, for what is said about it.

    Raises:
        InvalidInput: if it is no BVH file, is damaged, or has no frames.
        FailedPrecondition: if bvhio is not installed.
    """
    bvhio = load_bvhio()
    lines = _lines(file, path)
    names, text = _clean_hierarchy(lines, path)
    frames_text = _value(next(lines, ""), r"frames\s*:?", path, "Frames: COUNT")
    frame_time_text = _value(next(lines, ""), r"frame\s+time\s*:?", path, "Frame Time: SECONDS")
    text += f"MOTION\nFrames: {frames_text}\nFrame Time: {frame_time_text}\n"
    with tempfile.TemporaryDirectory(prefix="pose-bridge-") as folder:
        copy = Path(folder) / "header.bvh"
        copy.write_text(text, encoding="ascii", errors="replace")
        try:
            parsed = bvhio.readAsBvh(str(copy), loadKeyFrames=False)
        except SyntaxError as error:
            raise refused(path, f"has a damaged hierarchy: {error.msg}", "a BVH file") from None
        except RecursionError:
            raise refused(path, "has a damaged hierarchy: joints nested too deep", "a BVH file") from None
        except (IndexError, ValueError, TypeError) as error:
            raise refused(path, f"has a damaged hierarchy: {error}", "a BVH file") from None
    if parsed.FrameCount < 1:
        raise refused(path, f"has {parsed.FrameCount} frames", "at least one")
    if not (np.isfinite(parsed.FrameTime) and parsed.FrameTime > 0):
        raise refused(path, f"has a Frame Time of {parsed.FrameTime:g}", "seconds above 0, such as 0.0333333")
    rig = Rig(tuple(_joints(parsed.Root, names, path)))
    if not rig.channels:
        raise refused(path, "has no channels", "joints that move")
    return Header(rig, int(parsed.FrameCount), float(parsed.FrameTime))


def _lines(file: IO[bytes], path: Path) -> Iterator[str]:
    """Lines of the header that are not blank; old files are not in UTF-8."""
    for number in range(_MAX_HEADER_LINES):
        raw = file.readline(_MAX_LINE_BYTES)
        if not raw:
            return
        if number == 0:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            line = raw.decode("latin-1").strip()
        if line:
            yield line
    raise refused(path, f"has no MOTION within {_MAX_HEADER_LINES} lines", "a BVH file")


def _clean_hierarchy(lines: Iterator[str], path: Path) -> tuple[list[tuple[str, bool]], str]:
    """(name, has an end site) of every joint in the file's order, and the hierarchy as bvhio takes it."""
    if next(lines, "").upper() != "HIERARCHY":
        raise refused(path, "does not begin with HIERARCHY", "a BVH file")
    names: list[str] = []
    with_end: set[int] = set()
    open_joints: list[int] = []
    clean = ["HIERARCHY"]
    pending = -1
    for line in lines:
        if line.upper() == "MOTION":
            return [(name, index in with_end) for index, name in enumerate(names)], "\n".join(clean) + "\n"
        for part in filter(None, map(str.strip, re.split(r"([{}])", line))):
            keyword, *rest = part.split()
            match keyword.upper():
                case "ROOT" | "JOINT":
                    pending = len(names)
                    names.append(" ".join(rest) or f"joint {pending}")
                    clean.append(f"{keyword.upper()} {pending}")
                case "END":
                    if open_joints:
                        with_end.add(open_joints[-1])
                    pending = -1
                    clean.append("End Site")
                case "{":
                    open_joints.append(pending)
                    clean.append("{")
                case "}":
                    if open_joints:
                        open_joints.pop()
                    clean.append("}")
                case "CHANNELS":
                    clean.append(" ".join(["CHANNELS", *rest]))
                case _:
                    clean.append(" ".join([keyword.upper(), *rest]))
    raise refused(path, "ends before MOTION", "a whole BVH file: this one is cut off")


def _value(line: str, keyword: str, path: Path, expected: str) -> str:
    match = re.fullmatch(rf"{keyword}\s*(\S+)", line, re.IGNORECASE)
    if match is None:
        what = f"has {line[:40]!r} after MOTION" if line else "ends after MOTION"
        raise refused(path, what, f"a line {expected}")
    return match.group(1)


def _joints(root: Any, names: list[tuple[str, bool]], path: Path) -> Iterator[Joint]:
    """bvhio's tree in the order in which the file has its channels."""
    first_channel = 0
    waiting = [(root, -1)]
    number = 0
    while waiting:
        parsed, parent = waiting.pop()
        name, has_end = names[int(parsed.Name)]
        offset, end = np.array(parsed.Offset, np.float64), np.array(parsed.EndSite, np.float64)
        if not np.isfinite([offset, end]).all():
            raise refused(path, f"has an OFFSET that is no number in joint {name!r}", "numbers")
        channels = tuple(_channel(label, name, path) for label in parsed.Channels)
        yield Joint(name, parent, offset, channels, first_channel, end if has_end else None)
        first_channel += len(channels)
        waiting += [(child, number) for child in reversed(parsed.Children)]
        number += 1


def _channel(label: str, joint: str, path: Path) -> tuple[str, int]:
    match = _CHANNEL.fullmatch(label)
    if match is None:
        expected = "Xposition to Zposition, Xrotation to Zrotation"
        raise refused(path, f"has a channel {label!r} in joint {joint!r}", expected)
    return match.group(2).lower(), _AXES[match.group(1).lower()]


def _short(name: str) -> str:
    return _BIPED.sub("", name.rsplit(":", 1)[-1].replace("_", " "))
