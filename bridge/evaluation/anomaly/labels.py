"""Labels of recorded events: ``labels.csv`` with the columns recording, start_s, end_s, kind."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import InvalidInput, NotFound
from bridge.recordings import Clip

COLUMNS = ("recording", "start_s", "end_s", "kind")


@dataclass(frozen=True, slots=True)
class Label:
    """An event in a recording (named as its file, without ``.npz``), seconds after its first frame."""

    recording: str
    start_s: float
    end_s: float
    kind: str


def load_labels(path: Path, clips: Sequence[Clip]) -> list[Label]:
    """Read labels of these clips.

    Raises:
        NotFound: if there is no such file, or a row names a recording that is not there.
        InvalidInput: if the header or a row is wrong; names the row (the header is row 1) and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames is None or not set(COLUMNS) <= set(reader.fieldnames):
                raise InvalidInput(
                    f"{path} has the columns {reader.fieldnames}", field="labels", expected=",".join(COLUMNS)
                )
            rows = list(reader)
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}", field="labels", expected=",".join(COLUMNS)) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"cannot read {path}: {error}", field="labels", expected="comma-separated text") from None
    known = {clip.clip_id: clip for clip in clips}
    return [_label(row, f"row {number}", path, known) for number, row in enumerate(rows, start=2)]


def _label(row: dict[str, str], where: str, path: Path, known: dict[str, Clip]) -> Label:
    name = (row["recording"] or "").strip().removesuffix(".npz")
    if name not in known:
        some = ", ".join(sorted(known)[:6])
        raise NotFound(f"{path}, {where}: no recording {name!r}", field="labels.recording", expected=f"one of: {some}")
    start_s, end_s = (_seconds(row[column], column, where, path) for column in ("start_s", "end_s"))
    length_s = float(known[name].timestamp_us[-1] - known[name].timestamp_us[0]) * 1e-6
    if not 0.0 <= start_s < end_s:
        raise InvalidInput(
            f"{path}, {where}: {start_s:g} to {end_s:g} s",
            field="labels.end_s",
            expected="after start_s, both 0 or more",
        )
    if start_s > length_s:
        raise InvalidInput(
            f"{path}, {where}: starts at {start_s:g} s", field="labels.start_s", expected=f"at most {length_s:.2f} s"
        )
    kind = (row["kind"] or "").strip()
    if not kind:
        raise InvalidInput(f"{path}, {where}: is empty", field="labels.kind", expected="a word for the kind of event")
    return Label(name, start_s, end_s, kind)


def _seconds(text: str | None, column: str, where: str, path: Path) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"{path}, {where}: is {text!r}", field=f"labels.{column}", expected="a number of seconds")
    return value
