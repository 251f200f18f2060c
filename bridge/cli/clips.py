"""The motion that a command works on: recordings, motion files and BVH files, and the clip of them that is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.cli.progress import reading_bar
from bridge.errors import BridgeError, NotFound
from bridge.recordings import BUNDLED_RECORDING, Clip

if TYPE_CHECKING:
    from bridge.bvh import BvhReport

__all__ = ["BUNDLED_RECORDING", "JointMapFile", "choose_clip", "read_motion"]

JointMapFile = Annotated[
    Path | None,
    typer.Option(
        "--joint-map",
        metavar="MAP.toml",
        help="For BVH files: which joints are which landmarks. [default: the built-in map that fits]",
    ),
]


def read_motion(
    path: Path, joint_map: Path | None = None, console: Console | None = None, *, field: str = "data"
) -> list[Clip]:
    """Return every clip of a file, or of a folder and its sub-folders; what BVH files were taken for is told.

    Args:
        path: the file or folder.
        joint_map: file with the joint map; None for the built-in map that fits.
        console: where it is told.
        field: the option that the path was given for, which errors name.

    Raises:
        NotFound: if there is no such file, or none in the folder.
        InvalidInput: if a file or the joint map cannot be used.
        FailedPrecondition: if there is a BVH file and the library that reads it is not installed.
    """
    with _reading(path, joint_map, console, field) as clips:
        return list(clips)


def choose_clip(path: Path, clip_id: str | None, joint_map: Path | None = None, console: Console | None = None) -> Clip:
    """Return the clip with this id from a recording, a motion file or a folder; the first one if no id is given.

    Raises:
        NotFound: if there is no such file or no such clip.
        InvalidInput: if the file or the joint map cannot be used.
        FailedPrecondition: if there is a BVH file and the library that reads it is not installed.
    """
    seen: list[str] = []
    with _reading(path, joint_map, console, "recording") as clips:
        for clip in clips:
            if clip_id is None or clip.clip_id == clip_id:
                return clip
            seen.append(clip.clip_id)
    some = ", ".join(seen[:8]) + (", ..." if len(seen) > 8 else "")
    raise NotFound(f"{path} has no clip {clip_id!r}", field="clip", expected=f"one of: {some}")


@contextmanager
def _reading(path: Path, joint_map: Path | None, console: Console | None, field: str) -> Iterator[Iterator[Clip]]:
    """The clips of a path, as they are read: with something that moves on a terminal, and a word at the end."""
    from bridge.bvh import JointMap, bvh_bytes, iter_motion

    console = console or Console(stderr=True, highlight=False)
    chosen = None if joint_map is None else JointMap.load(joint_map)
    reports: list[BvhReport] = []
    try:
        with reading_bar(console, bvh_bytes(path)) as advance:
            yield iter_motion(path, chosen, on_report=reports.append, on_bytes=advance)
    except BridgeError as error:
        if error.field == "data":
            error.field = field
        elif error.field not in ("joint_map", "clip"):  # of something in the file, which names no file
            error.problem = f"{path}: {error.problem}"
            error.field = field
        raise
    for line in bvh_summary(reports):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def bvh_summary(reports: Sequence[BvhReport]) -> list[str]:
    """What BVH files were taken for, one line for files that are alike and one for each warning."""
    alike: dict[tuple[str, str, str, str], list[BvhReport]] = {}
    warned: dict[str, list[str]] = {}
    for report in reports:
        alike.setdefault((report.joint_map, report.unit, report.up, report.forward), []).append(report)
        for warning in report.warnings:
            warned.setdefault(warning, []).append(report.clip_id)
    lines = []
    for (joint_map, unit, up, forward), group in alike.items():
        heights_m = sorted(report.height_m for report in group)
        low, high = f"{heights_m[0]:.2f}", f"{heights_m[-1]:.2f}"
        derived = len(group[0].derived)
        lines.append(
            f"{len(group)} BVH file{'s' * (len(group) > 1)} by joint map {joint_map}: unit {unit}, up {up}, forward"
            f" {forward}, height about {low if low == high else f'{low} to {high}'} m,"
            f" {derived} of 33 landmarks from templates"
        )
    for warning, clips in warned.items():
        others = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
        lines.append(f"{clips[0]}{others}: {warning}")
    return lines
