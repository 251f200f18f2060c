"""Files of motion in a folder and its sub-folders: what each is called, whose motion it holds, what an index says.

An ``index.csv`` names subject, split, action and licence of clips, by the clip's name. The one that counts for a file
is the nearest: beside it, or in a folder above, up to the folder that was asked for. Without a word in it the subject
is what the file itself says, else its sub-folder, else its name.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import InvalidInput, NotFound

INDEX_NAME = "index.csv"
_INDEX_COLUMNS = {"clip", "subject", "split", "action", "licence"}

Index = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class MotionFile:
    """One file that was found.

    Attributes:
        path: of the file.
        name: its path from the folder that was asked for, without suffix, with ``/``; just its stem at the top.
        subject: whose motion it is if neither the index nor the file says so.
        index: the rows of the index that counts for it, by clip.
    """

    path: Path
    name: str
    subject: str
    index: Index

    def entry(self, clip_id: str) -> Mapping[str, str]:
        """The index's row for a clip, which may be named with its sub-folder or without; empty if there is none."""
        return self.index.get(clip_id) or self.index.get(clip_id.rsplit("/", 1)[-1]) or {}


def find_motion_files(path: Path | str, suffixes: Iterable[str] = (".npz",)) -> list[MotionFile]:
    """A file itself, or all files of a folder and its sub-folders with one of the suffixes, sorted by path.

    Folders whose names begin with a dot are left alone.

    Raises:
        NotFound: if there is no such file, or no file with such a suffix in the folder.
        InvalidInput: if an index is damaged or lacks a column.
    """
    path = Path(path)
    suffixes = tuple(suffixes)
    kinds = " or ".join(suffix.removeprefix(".") for suffix in suffixes)
    if path.is_file():
        return [MotionFile(path, path.stem, path.stem, read_index(path.parent / INDEX_NAME))]
    if not path.is_dir():
        raise NotFound(
            f"no such file or folder: {path}", field="data", expected=f"a file ({kinds}) or a folder of them"
        )
    indexes: dict[Path, Index] = {}
    files = []
    for folder_name, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        folder = Path(folder_name)
        found = [folder / name for name in names if Path(name).suffix.lower() in suffixes]
        own = read_index(folder / INDEX_NAME)
        indexes[folder] = own or (indexes[folder.parent] if folder != path else {})
        for file in found:
            inside = file.relative_to(path)
            subject = inside.parent.as_posix() if len(inside.parts) > 1 else file.stem
            files.append(MotionFile(file, inside.with_suffix("").as_posix(), subject, indexes[folder]))
    if not files:
        raise NotFound(f"no {kinds} file in {path}", field="data", expected="a folder with motion files or recordings")
    return sorted(files, key=lambda file: file.path)


def read_index(path: Path) -> Index:
    """The rows of an index by clip; empty if there is no such file.

    Raises:
        InvalidInput: if it is damaged or lacks a column.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = _INDEX_COLUMNS - set(reader.fieldnames or ())
            if missing:
                raise refused(path, f"lacks the columns {sorted(missing)}", "a header line that names them")
            return {row["clip"]: row for row in reader}
    except (UnicodeDecodeError, csv.Error) as error:
        raise refused(path, f"cannot be read: {error}", "comma-separated UTF-8 text") from error


def refused(path: Path, problem: str, expected: str) -> InvalidInput:
    """The error for a file of motion that cannot be used."""
    return InvalidInput(f"{path} {problem}", field="data", expected=expected)
