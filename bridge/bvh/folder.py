"""Every kind of motion that commands take: our own npz files, BVH files, and folders of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bridge.bvh.joint_map import JointMap
from bridge.bvh.reading import SUFFIX, BvhReport, Progress, read_bvh
from bridge.motion_files import find_motion_files
from bridge.recordings import Clip, read_npz

SUFFIXES = (".npz", SUFFIX)


def iter_motion(
    path: Path,
    joint_map: JointMap | None = None,
    *,
    on_report: Callable[[BvhReport], None] | None = None,
    on_bytes: Progress | None = None,
) -> Iterator[Clip]:
    """Yield every clip of a file, or of a folder and its sub-folders, sorted by path.

    Args:
        path: npz or BVH file, or a folder.
        joint_map: for BVH files; None: for each the built-in one that fits.
        on_report: called for each BVH file that was read.
        on_bytes: called with how many bytes more of BVH files have been read.

    Raises:
        NotFound: if there is no such file, or none in the folder, or a file names an unknown layout.
        InvalidInput: if a file is damaged, or the joint map does not fit.
        FailedPrecondition: if there is a BVH file and bvhio is not installed.
    """
    for file in find_motion_files(path, SUFFIXES):
        if file.path.suffix.lower() == SUFFIX:
            clip, report = read_bvh(file, joint_map, on_bytes=on_bytes)
            if on_report is not None:
                on_report(report)
            yield clip
        else:
            yield from read_npz(file)


def bvh_bytes(path: Path) -> int:
    """Size of all BVH files of a path together.

    Raises:
        NotFound, InvalidInput: see `bridge.motion_files.find_motion_files`.
    """
    files = find_motion_files(path, SUFFIXES)
    return sum(file.path.stat().st_size for file in files if file.path.suffix.lower() == SUFFIX)
