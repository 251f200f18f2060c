"""The text of BVH files: what writers do differently, and damage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bridge.bvh.frames import PORTION_FRAMES, read_frames
from bridge.bvh.library import load_bvhio
from bridge.bvh.rig import Header, read_header
from bridge.errors import FailedPrecondition, InvalidInput
from tests.bvh.rigs import BONES, ENDS, MOTIONBUILDER, performance

TEXT = performance(5).text()
LEVEL = "OFFSET 0 0 0\nCHANNELS 0\nJOINT b\n{\n"


def read(path: Path) -> tuple[Header, np.ndarray]:
    with path.open("rb") as file:
        header = read_header(file, path)
        return header, np.concatenate(list(read_frames(file, header, path)))


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_joints_channels_and_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    header, values = read(written(tmp_path / "a.bvh", TEXT))
    rig = header.rig
    assert {joint.name for joint in rig.joints} == set(MOTIONBUILDER.values())
    assert (header.frames, round(1 / header.frame_time_s, 3)) == (5, 30.0)
    assert values.shape == (5, rig.channels) == (5, 3 * len(BONES) + 3)
    assert rig.joints[0].channels == (*(("position", i) for i in range(3)), *(("rotation", i) for i in (2, 0, 1)))
    assert {joint.name for joint in rig.joints if joint.end is not None} == {MOTIONBUILDER[key] for key in ENDS}
    spine = rig.find("Spine")
    assert spine is not None and rig.joints[spine[0]].offset.tolist() == [0, 12, 0]
    assert rig.tree()[:3] == ["Hips", "  Spine", "    Neck"]
    assert rig.find("Head.end") == (rig.find("Head")[0], True)  # type: ignore[index]
    assert rig.find("Spine.end") is None and rig.find("nobody") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\t", "    "),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace("JOINT", "Joint").replace("OFFSET", "offset").replace("MOTION", "Motion"),
        lambda text: (
            text.replace("CHANNELS", "channels").replace("Xrotation", "XROTATION").replace("End Site", "End site")
        ),
        lambda text: text.replace("HIERARCHY", "hierarchy").replace("Frame Time:", "frame time :"),
        lambda text: text.replace("JOINT Spine\n\t{", "JOINT Spine {"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n \t\n",
    ],
)
def test_ways_of_writing_make_no_difference(tmp_path: Path, change: Callable[[str], str]) -> None:
    changed = change(TEXT)
    assert changed != TEXT
    plain, values = read(written(tmp_path / "a.bvh", TEXT))
    header, same = read(written(tmp_path / "b.bvh", changed))
    assert header.rig.tree() == plain.rig.tree() and header.frame_time_s == plain.frame_time_s
    np.testing.assert_array_equal(same, values)


def test_names_keep_their_blanks_and_letters(tmp_path: Path) -> None:
    text = TEXT.replace("LeftLeg", "Linkes Knie ä").replace("Spine", "背骨")
    names = read(written(tmp_path / "a.bvh", text))[0].rig.names
    assert "Linkes Knie ä" in names and "背骨" in names
    old = text.replace("背骨", "Spine").encode("latin-1")
    assert "Linkes Knie ä" in read(written(tmp_path / "b.bvh", old))[0].rig.names


def test_a_name_stands_for_its_joint_with_or_without_a_namespace(tmp_path: Path) -> None:
    rig = read(written(tmp_path / "a.bvh", TEXT.replace("LeftLeg", "rig:LeftLeg")))[0].rig
    assert rig.find("LeftLeg") == rig.find("rig:LeftLeg") is not None
    twins = read(written(tmp_path / "b.bvh", TEXT.replace("LeftLeg", "a:Knee").replace("RightLeg", "b:Knee")))[0].rig
    assert twins.find("a:Knee") is not None
    with pytest.raises(InvalidInput, match="2 joints called 'Knee'"):
        twins.find("Knee")


def _line(text: str, row: int, change: Callable[[str], str]) -> str:
    lines = text.splitlines()
    at = lines.index("MOTION") + 2 + row
    return "\n".join([*lines[:at], change(lines[at]), *lines[at + 1 :]]) + "\n"


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        ("", "does not begin with HIERARCHY"),
        (bytes(range(256)) * 9, "does not begin with HIERARCHY"),
        (TEXT[:400], "ends before MOTION"),
        (TEXT[: TEXT.index("MOTION") + 6], "ends after MOTION"),
        (TEXT.replace("Frames: 5", "Frames: five"), "damaged hierarchy"),
        (TEXT.replace("Frames: 5", "Frames 5 6"), "after MOTION"),
        (TEXT.replace("Frames: 5", "Frames: 0"), "0 frames"),
        (TEXT.replace("Frames: 5", "Frames: 6"), "announces 6 frames and has 5"),
        (TEXT.replace("Frames: 5", "Frames: 4"), "announces 4 frames and has more"),
        (TEXT.replace("Frame Time: 0.03333333", "Frame Time: 0"), "Frame Time of 0"),
        (TEXT.replace("Frame Time: 0.03333333", "Frame Time: nan"), "Frame Time of nan"),
        (TEXT.replace("Frame Time: 0.03333333", "Frame Time: -1"), "Frame Time of -1"),
        (TEXT[: TEXT.rindex(" ")], "frame 5 has 56 numbers for 57 channels"),
        (_line(TEXT, 3, lambda line: line + " 1.0"), "frame 3 has 58 numbers for 57 channels"),
        (_line(TEXT, 3, lambda line: "abc " + line), "frame 3 holds 'abc'"),
        (_line(TEXT, 2, lambda line: line.replace(".", ",")), "frame 2 holds"),
        (TEXT.replace("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation"), "channel 'Wrotation'"),
        (TEXT.replace("CHANNELS 3", "CHANNELS 4"), "Channel count mismatch"),
        (TEXT.replace("OFFSET 0.000000 12.000000", "OFFSET x 12.000000"), "numerics"),
        (TEXT.replace("OFFSET 0.000000 12.000000", "OFFSET nan 12.000000"), "OFFSET that is no number"),
        (TEXT.replace("}\nMOTION", "MOTION"), "damaged hierarchy"),
        (TEXT.replace("}\nMOTION", "}\n}\nMOTION"), "damaged hierarchy"),
        (TEXT.replace("ROOT Hips\n{", "ROOT Hips\n"), "damaged hierarchy"),
        ("HIERARCHY\n" + "JOINT a\n{\n" * 3000 + "MOTION\nFrames: 1\nFrame Time: 1\n0\n", "damaged hierarchy"),
        (f"HIERARCHY\nROOT a\n{{\n{LEVEL * 3000}MOTION\nFrames: 1\nFrame Time: 1\n", "nested too deep"),
    ],
)  # fmt: skip
def test_damage_is_told_in_one_line(tmp_path: Path, damaged: str | bytes, problem: str) -> None:
    assert damaged != TEXT
    with pytest.raises(InvalidInput) as caught:
        read(written(tmp_path / "a.bvh", damaged))
    said = str(caught.value)
    assert problem in said and "a.bvh" in said and "expected" in said and "\n" not in said


def test_damage_far_into_a_file_is_found_where_it_is(tmp_path: Path) -> None:
    head, rows = TEXT.split("Frame Time: 0.03333333\n")
    frames = PORTION_FRAMES + 100
    many = [rows.splitlines()[0]] * frames
    many[PORTION_FRAMES + 40] = "broken"
    text = head.replace("Frames: 5", f"Frames: {frames}") + "Frame Time: 0.1\n" + "\n".join(many)
    with pytest.raises(InvalidInput, match=f"frame {PORTION_FRAMES + 41} holds 'broken'"):
        read(written(tmp_path / "a.bvh", text))


def test_without_bvhio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bvhio", None)
    with pytest.raises(FailedPrecondition, match=r"bvhio is not installed.*pose-bridge\[train\]"):
        load_bvhio()
