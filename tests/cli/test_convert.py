"""``pose-bridge convert`` and ``--joint-map``: BVH files as a user has them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from bridge.cli.app import app
from bridge.cli.clips import choose_clip, read_motion
from bridge.errors import BridgeError
from bridge.recordings import load_clips
from tests.bvh.rigs import STUDIO, STUDIO_MAP, performance
from tests.cli.helpers import make_recording


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def facts(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, (result.output, result.exception)
    made: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return made


def problem(result: Result) -> str:
    assert result.exit_code == 1 and isinstance(result.exception, BridgeError), result.output
    return str(result.exception)


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A folder of a studio's BVH files with its own names, and one recording."""
    folder = tmp_path / "mocap"
    for seed, name in enumerate(("anna/walk", "anna/Sprung 1", "ben/walk")):
        performance(40, seed=seed, names=STUDIO, fps=60.0).write(folder / f"{name}.bvh")
    make_recording(folder / "ben" / "stream.npz", count=30)
    (folder / "index.csv").write_text(
        'clip,subject,split,action,licence\nanna/walk,anna,train,"walks, slowly",CC0-1.0\n', encoding="utf-8"
    )
    (tmp_path / "map.toml").write_text(STUDIO_MAP, encoding="utf-8")
    return folder


def test_a_folder_becomes_recordings_and_an_index_that_read_the_same(studio: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("convert", studio, "--joint-map", tmp_path / "map.toml", "--out", out, "--json")
    made = facts(result)
    assert made["subjects"] == ["anna", "ben"] and made["frames"] == 150
    assert "3 BVH files by joint map" in result.stderr and "unit cm" in result.stderr
    before = {clip.clip_id: clip for clip in read_motion(studio, tmp_path / "map.toml")}
    after = {clip.clip_id: clip for clip in load_clips(out)}
    assert set(before) == set(after) == {"anna/Sprung 1", "anna/walk", "ben/walk", "ben/stream"}
    for name, clip in before.items():
        same = after[name]
        np.testing.assert_allclose(same.pose_m, clip.pose_m, atol=1e-6)
        np.testing.assert_array_equal(same.visibility, clip.visibility)
        np.testing.assert_array_equal(same.timestamp_us, clip.timestamp_us)
        assert (same.root_m is None) == (clip.root_m is None) and same.root_has_vertical == clip.root_has_vertical
        described = ("subject", "split", "action", "licence", "fps", "layout_id")
        assert [getattr(same, key) for key in described] == [getattr(clip, key) for key in described]
    with (out / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert rows["anna/walk"]["action"] == "walks, slowly" and rows["ben/stream"]["frames"] == "30"
    assert all((out / row["file"]).is_file() for row in rows.values())


def test_one_clip_becomes_one_file(studio: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "one.npz", ("--joint-map", tmp_path / "map.toml")
    assert "holds 4 clips" in problem(run("convert", studio, "--out", out, *options))
    made = facts(run("convert", studio, "--out", out, "--clip", "ben/walk", "--half", *options, "--json"))
    assert made["clips"] == ["ben/walk"]
    (clip,) = load_clips(out)
    assert (clip.subject, clip.fps, clip.frames) == ("ben", 60.0, 40)
    straight = choose_clip(studio, "ben/walk", tmp_path / "map.toml")
    np.testing.assert_allclose(clip.pose_m, straight.pose_m, atol=1e-3)


def test_clips_that_may_not_be_files_get_names_that_may(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "motion.npz",
        pose=np.ones((4, 33, 3), np.float32),
        starts=np.array([0, 2, 3, 4]),
        clip_ids=np.array(["../../a:b", "A*b", "a?b"]),
        fps=30.0,
    )
    made = facts(run("convert", tmp_path / "motion.npz", "--out", tmp_path / "out", "--json"))
    files = [Path(file).relative_to((tmp_path / "out").resolve()).as_posix() for file in made["files"]]
    assert files == ["_/_/a_b.npz", "A_b.npz", "a_b_2.npz"]
    assert len(load_clips(tmp_path / "out")) == 3


def test_a_joint_map_is_begun_completed_and_used(tmp_path: Path) -> None:
    names = STUDIO | {"left_elbow": "LeftForeArm", "head": "Head", "right_toe": "RightToeBase"}
    bvh = performance(20, names=names).write(tmp_path / "take.bvh")
    begun = tmp_path / "begun.toml"
    result = run("convert", bvh, "--write-joint-map", begun, "--json")
    unknown = facts(result)["unknown"]
    assert "landmarks.left_knee" in unknown and "landmarks.left_elbow" not in unknown
    assert "templates.left_hand" in unknown and "templates.face" not in unknown
    text = begun.read_text(encoding="utf-8")
    assert "#       st left_knee ü\n" in text and 'left_elbow = "LeftForeArm"' in text
    assert 'right_foot_index = "RightToeBase.end"' in text
    assert "has no joint '?'" in problem(run("convert", bvh, "--joint-map", begun, "--out", tmp_path / "a.npz"))
    for key in unknown:
        table, name = key.split(".")
        part = name.replace("hand", "wrist").replace("foot", "ankle") if table == "templates" else name
        text = text.replace(f'{name} = "?"', f'{name} = "{names[part]}"')
    begun.write_text(text, encoding="utf-8")
    facts(run("convert", bvh, "--joint-map", begun, "--out", tmp_path / "a.npz", "--json"))
    assert np.isfinite(load_clips(tmp_path / "a.npz")[0].pose_m).all()
    assert "is there already" in problem(run("convert", bvh, "--write-joint-map", begun))


def test_a_map_begun_for_a_known_rig_is_whole(tmp_path: Path) -> None:
    bvh = performance(20).write(tmp_path / "take.bvh")
    assert facts(run("convert", bvh, "--write-joint-map", tmp_path / "m.toml", "--json"))["unknown"] == []
    by_map = choose_clip(bvh, None, tmp_path / "m.toml")
    np.testing.assert_array_equal(by_map.pose_m, choose_clip(bvh, None).pose_m)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("mocap",), "--out or --write-joint-map"),
        (("mocap", "--out", "mocap/npz"), "there twice"),
        (("mocap", "--out", "mocap"), "there twice"),
        (("mocap", "--out", "map.toml"), "is a file"),
        (("mocap", "--out", "nowhere/a.npz"), "there is no folder"),
        (("mocap", "--write-joint-map", "m.toml"), "is no file"),
        (("mocap/ben/stream.npz", "--write-joint-map", "m.toml"), "does not begin with HIERARCHY"),
        (("mocap/ben/walk.bvh", "--write-joint-map", "nowhere/m.toml"), "existing folder"),
        (("nowhere", "--out", "out"), "no such file or folder"),
        (("mocap", "--out", "out"), "fits no built-in joint map"),
        (("mocap", "--out", "out", "--joint-map", "no.toml"), "no such file: no.toml"),
        (("mocap", "--out", "out", "--joint-map", "map.toml", "--clip", "x"), "has no clip 'x'"),
    ],
)
def test_what_cannot_be_converted_is_told_in_one_line(
    studio: Path, tmp_path: Path, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = problem(run("convert", *arguments))
    assert told in said and "\n" not in said
    assert not (tmp_path / "out").exists()


def test_files_alike_are_summed_up_in_one_line_and_a_warning_names_its_clips(tmp_path: Path) -> None:
    for seed in range(3):
        act = performance(10, seed=seed)
        if seed:
            act.angles_deg[:, 0] = (0.0, -90.0, 0.0)
        act.write(tmp_path / f"take{seed}.bvh")
    console = Console(record=True, width=60)
    assert len(read_motion(tmp_path, None, console)) == 3
    first, second = console.export_text().strip().splitlines()
    assert first.startswith("3 BVH files by joint map motionbuilder: unit cm, up +y, forward +z, height about 1.69 m")
    assert second.startswith("take1 and 1 more: the body lies")


def test_only_the_files_before_the_wanted_clip_are_read(tmp_path: Path) -> None:
    performance(5).write(tmp_path / "a.bvh")
    (tmp_path / "b.bvh").write_text("damaged", encoding="utf-8")
    assert choose_clip(tmp_path, None).clip_id == choose_clip(tmp_path, "a").clip_id == "a"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_shows_on_a_terminal_only(tmp_path: Path, terminal: bool) -> None:
    path = performance(30).write(tmp_path / "a.bvh")
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    read_motion(path, None, console)
    assert isinstance(console.file, io.StringIO)
    assert ("reading BVH files" in console.file.getvalue()) == terminal
