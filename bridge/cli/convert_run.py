"""What ``pose-bridge convert`` does."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bridge.cli.clips import choose_clip, read_motion
from bridge.errors import InvalidInput
from bridge.motion_files import INDEX_NAME
from bridge.recordings import Clip, save_recording
from bridge.whole_file import check_output, whole_file

_SUFFIX = ".npz"
_COLUMNS = ("clip", "subject", "split", "action", "frames", "file", "licence")


def convert_motion(
    source: Path, out: Path, joint_map: Path | None, clip_id: str | None, *, half: bool, console: Console
) -> dict[str, Any]:
    """Write the clips of ``source`` as recordings; return what was written as JSON values.

    Raises:
        NotFound, InvalidInput: if the source cannot be read, or ``out`` does not fit it or cannot be written.
        FailedPrecondition: if there is a BVH file and the library that reads it is not installed.
    """
    to_file = out.suffix.lower() == _SUFFIX
    _check_place(source, out, to_file)
    if clip_id is None:
        clips = read_motion(source, joint_map, console, field="source")
    else:
        clips = [choose_clip(source, clip_id, joint_map, console)]
    if to_file and len(clips) > 1:
        raise InvalidInput(
            f"{source} holds {len(clips)} clips, and {out} is one file", field="out", expected="a folder, or --clip"
        )
    names = [out.name.removesuffix(out.suffix)] if to_file else _file_names(clips)
    folder = out.parent if to_file else out
    paths = [folder / (name + (out.suffix if to_file else _SUFFIX)) for name in names]
    try:
        for clip, path in zip(clips, paths, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            _save(clip, path, half)
        if not to_file:
            _write_index(folder / INDEX_NAME, clips, names)
    except OSError as error:
        raise InvalidInput(
            f"cannot write {error.filename or out}: {error.strerror or error}",
            field="out",
            expected="a place that can be written",
        ) from None
    frames = sum(clip.frames for clip in clips)
    minutes = sum(float(clip.timestamp_us[-1] - clip.timestamp_us[0]) for clip in clips) / 60e6
    subjects = len({clip.subject for clip in clips})
    console.print(
        f"{len(clips)} clip{'s' * (len(clips) > 1)} of {subjects} subject{'s' * (subjects > 1)}, {minutes:.1f} min,"
        f" {frames} frames -> {out}",
        soft_wrap=True,
        markup=False,
    )
    return {
        "out": str(out.resolve()),
        "clips": [clip.clip_id for clip in clips],
        "files": [str(path.resolve()) for path in paths],
        "subjects": sorted({clip.subject for clip in clips}),
        "frames": frames,
        "minutes": round(minutes, 3),
    }


def begin_joint_map(source: Path, path: Path, console: Console) -> dict[str, Any]:
    """Write a joint map for a BVH file, to be completed; return what was written as JSON values.

    Raises:
        InvalidInput: if it is no BVH file, or the map is there already or cannot be written.
        FailedPrecondition: if the library that reads BVH files is not installed.
    """
    from bridge.bvh import blank_map

    if not source.is_file():
        raise InvalidInput(f"{source} is no file", field="source", expected="one BVH file, to take the joints from")
    if path.exists():
        raise InvalidInput(f"{path} is there already", field="write_joint_map", expected="a new file")
    check_output(path, field="write_joint_map")
    text, unknown = blank_map(source)
    with whole_file(path, field="write_joint_map") as draft:
        draft.write_text(text, encoding="utf-8")
    console.print(f"Joint map written to {path}.", soft_wrap=True, markup=False)
    if unknown:
        console.print(f"Complete {', '.join(unknown)} in it.", soft_wrap=True, markup=False)
    return {"joint_map": str(path.resolve()), "unknown": unknown}


def _check_place(source: Path, out: Path, to_file: bool) -> None:
    if to_file and out.is_dir():
        raise InvalidInput(f"{out} is a folder", field="out", expected="a file to write, or a folder not so named")
    if to_file and not out.resolve().parent.is_dir():
        raise InvalidInput(f"there is no folder {out.resolve().parent}", field="out", expected="an existing folder")
    if not to_file and out.exists() and not out.is_dir():
        raise InvalidInput(f"{out} is a file", field="out", expected="a folder, or a file that ends in .npz")
    inside = source.is_dir() and out.resolve().is_relative_to(source.resolve())
    if inside or out.resolve() == source.resolve():
        raise InvalidInput(
            f"{out} lies in {source}, whose motion would be there twice", field="out", expected="a place outside of it"
        )


def _file_names(clips: Sequence[Clip]) -> list[str]:
    """A name for each clip's file, without suffix: its id where a file can be called that, and no name twice."""
    names: list[str] = []
    taken: set[str] = set()
    for clip in clips:
        parts = [re.sub(r'[\x00-\x1f<>:"\\|?*]', "_", part).strip(". ") for part in clip.clip_id.split("/")]
        name = wanted = "/".join(part or "_" for part in parts)
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def _save(clip: Clip, path: Path, half: bool) -> None:
    save_recording(
        path,
        pose_m=clip.pose_m,
        visibility=clip.visibility,
        timestamp_us=clip.timestamp_us,
        fps=clip.fps,
        layout_id=clip.layout_id,
        root_m=clip.root_m,
        half_precision=half,
        subject=clip.subject,
        action=clip.action,
        licence=clip.licence,
    )


def _write_index(path: Path, clips: Sequence[Clip], names: Sequence[str]) -> None:
    with whole_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for clip, name in zip(clips, names, strict=True):
            split = clip.split or ""
            writer.writerow([name, clip.subject, split, clip.action, clip.frames, f"{name}{_SUFFIX}", clip.licence])
