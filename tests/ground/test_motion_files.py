"""Files of motion in folders: their names, subjects and index, whatever their kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import InvalidInput
from bridge.motion_files import find_motion_files
from bridge.recordings import load_clips
from tests.cli.helpers import make_recording

HEADER = "clip,subject,split,action,licence\n"


def recordings(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        make_recording(folder / f"{name}.npz", count=3)


def test_sub_folders_are_read_and_name_clips_and_subjects(tmp_path: Path) -> None:
    recordings(tmp_path, "b", "anna/one", "anna/two", "ben/take 1/one", ".cache/old")
    clips = load_clips(tmp_path)
    assert [(clip.clip_id, clip.subject) for clip in clips] == [
        ("anna/one", "anna"),
        ("anna/two", "anna"),
        ("b", "b"),
        ("ben/take 1/one", "ben/take 1"),
    ]


def test_an_index_tells_recordings_subject_split_action_and_licence(tmp_path: Path) -> None:
    recordings(tmp_path, "one", "two")
    (tmp_path / "index.csv").write_text(f"{HEADER}one,anna,validation,waves,CC0-1.0\n", encoding="utf-8-sig")
    one, two = load_clips(tmp_path)
    assert (one.subject, one.split, one.action, one.licence) == ("anna", "validation", "waves", "CC0-1.0")
    assert (two.subject, two.split, two.action) == ("two", None, "")
    (alone,) = load_clips(tmp_path / "one.npz")
    assert alone.subject == "anna"


def test_the_nearest_index_counts(tmp_path: Path) -> None:
    recordings(tmp_path, "anna/one", "ben/one")
    (tmp_path / "index.csv").write_text(f"{HEADER}anna/one,far,train,,\nben/one,far,train,,\n", encoding="utf-8")
    (tmp_path / "ben" / "index.csv").write_text(f"{HEADER}one,near,validation,,\n", encoding="utf-8")
    assert [(clip.subject, clip.split) for clip in load_clips(tmp_path)] == [("far", "train"), ("near", "validation")]


def test_a_damaged_index_is_told_wherever_it_lies(tmp_path: Path) -> None:
    recordings(tmp_path, "anna/one")
    (tmp_path / "anna" / "index.csv").write_text("clip,who\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"anna/index\.csv lacks the columns"):
        find_motion_files(tmp_path)
