"""From a BVH file to landmarks: sides, axes, units, what is derived, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.bvh import DERIVED_VISIBILITY, BvhReport, JointMap, builtin_map, iter_motion, read_bvh
from bridge.bvh.joint_map import UNITS_M
from bridge.errors import InvalidInput, NotFound
from bridge.motion_files import find_motion_files
from bridge.recordings import Clip, load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.bvh.rigs import BONES, MOTIONBUILDER, NAMES, STUDIO, STUDIO_MAP, Y_UP, Z_UP, Performance, performance
from tests.support import shared_dir, skip_allowed

AT = {name: index for index, name in enumerate(MEDIAPIPE_POSE_33.names)}
# What is measured: landmark by joint.
MEASURED = {name: name for name in AT if name in BONES} | {
    f"{side}_foot_index": f"{side}_toe.end" for side in ("left", "right")
}


def clip_of(path: Path, joint_map: JointMap | None = None) -> tuple[Clip, BvhReport]:
    return read_bvh(find_motion_files(path, (".bvh",))[0], joint_map)


def expected_m(act: Performance) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Hip-centred landmarks (T, 3) and the root (T, 3) in MediaPipe's axes: person's left, down, away from where the
    body faces in the rest pose.
    """
    to_mediapipe = np.stack([act.axes[:, 0], -act.axes[:, 1], -act.axes[:, 2]])
    world = {name: act.world()[joint] @ to_mediapipe.T for name, joint in MEASURED.items()}
    root_m = 0.5 * (world["left_hip"] + world["right_hip"])
    return {name: place - root_m for name, place in world.items()}, root_m


@pytest.mark.parametrize("rig", NAMES)
@pytest.mark.parametrize("axes", [Y_UP, Z_UP], ids=["y_up", "z_up"])
def test_built_in_maps_find_their_rigs_and_every_measured_landmark(
    tmp_path: Path, rig: str, axes: NDArray[np.float64]
) -> None:
    fits, names = NAMES[rig]
    act = performance(20, names=names, axes=axes)
    clip, report = clip_of(act.write(tmp_path / "walk.bvh"))
    assert (report.joint_map, report.unit, report.warnings) == (fits, "cm", ())
    assert (report.up, report.forward) == (("+y", "+z") if axes is Y_UP else ("+z", "-y"))
    pose_m, root_m = expected_m(act)
    for name, place_m in pose_m.items():
        np.testing.assert_allclose(clip.pose_m[:, AT[name]], place_m, atol=1e-5, err_msg=name)
    assert clip.root_m is not None and clip.root_has_vertical
    np.testing.assert_allclose(clip.root_m, root_m, atol=1e-5)
    derived = {name for name in AT if name not in MEASURED}
    assert set(report.derived) == derived and report.missing == ()
    assert {name for name in AT if clip.visibility[0, AT[name]] == np.float32(DERIVED_VISIBILITY)} == derived
    assert np.isfinite(clip.pose_m).all() and (clip.visibility > 0).all()


def test_left_stays_left_and_the_face_looks_where_the_toes_point(tmp_path: Path) -> None:
    """A body that raises its left arm, as it stands in front of a camera: image right, up, and nearer than its back."""
    act = Performance(np.zeros((2, len(BONES), 3)), np.tile([0.0, 0.93, 0.0], (2, 1)))
    # Z of a y-up file: the left arm, along +x, turns up.
    act.angles_deg[:, list(BONES).index("left_shoulder"), 0] = 80.0
    for factor in (1.0, -1.0):
        # The second body faces the other way.
        turned = replace(act, angles_deg=act.angles_deg.copy())
        turned.angles_deg[:, 0, 2] = 0.0 if factor > 0 else 180.0
        clip, _ = clip_of(turned.write(tmp_path / "wave.bvh"))
        pose_m = clip.pose_m[0]
        assert pose_m[AT["left_wrist"], 1] < pose_m[AT["nose"], 1] < pose_m[AT["right_wrist"], 1] < 0
        for part in ("shoulder", "hip", "knee", "ear", "eye", "index", "thumb", "heel", "foot_index"):
            left, right = (pose_m[AT[f"{side}_{part}"], 0] for side in ("left", "right"))
            assert factor * left > factor * right, part
        assert factor * pose_m[AT["mouth_left"], 0] > factor * pose_m[AT["mouth_right"], 0]
        for ahead, behind in (("nose", "left_ear"), ("left_foot_index", "left_heel"), ("right_thumb", "right_pinky")):
            assert factor * pose_m[AT[ahead], 2] < factor * pose_m[AT[behind], 2], ahead


def _swapped(text: str) -> str:
    return text.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def test_a_mirrored_body_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mirrored.bvh"
    path.write_text(_swapped(performance(20).text()), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"mirrored\.bvh shows a body whose toes point backwards.*handed"):
        clip_of(path)


def test_left_handed_axes_are_taken_as_such(tmp_path: Path) -> None:
    """The same motion with x reversed, as an engine with left-handed axes writes it."""
    act = performance(10)
    reflected = np.diag([-1.0, 1.0, 1.0])
    # Reflecting x turns the angles about y and z round.
    angles_deg = act.angles_deg * np.array([-1.0 if axis in "YZ" else 1.0 for axis in act.order])
    other = replace(act, angles_deg=angles_deg, root_m=act.root_m @ reflected, axes=reflected @ act.axes)
    with pytest.raises(InvalidInput, match="left and right are swapped"):
        clip_of(other.write(tmp_path / "left.bvh"))
    made, _ = clip_of(tmp_path / "left.bvh", replace(builtin_map("motionbuilder"), right_handed=False))
    plain, _ = clip_of(act.write(tmp_path / "right.bvh"))
    np.testing.assert_allclose(made.pose_m, plain.pose_m, atol=1e-5)
    assert made.root_m is not None and plain.root_m is not None
    np.testing.assert_allclose(made.root_m, plain.root_m, atol=1e-5)


@pytest.mark.parametrize("unit", UNITS_M)
def test_units_are_told_from_the_bodys_height(tmp_path: Path, unit: str) -> None:
    act = performance(5)
    clip, report = clip_of(replace(act, units_per_m=1 / UNITS_M[unit]).write(tmp_path / "a.bvh"))
    assert report.unit == unit and report.height_m == pytest.approx(1.69, abs=0.02)
    np.testing.assert_allclose(clip.pose_m[:, AT["left_ankle"]], expected_m(act)[0]["left_ankle"], atol=2e-5)


def test_a_unit_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = replace(performance(5), units_per_m=7.0).write(tmp_path / "a.bvh")
    with pytest.raises(InvalidInput, match=r"11\.8 units tall.*unit = METRES in a joint map, such as 0\.14"):
        clip_of(path)
    with pytest.raises(InvalidInput, match=r"a body of 11\.8 m by the unit"):
        clip_of(path, replace(builtin_map("motionbuilder"), unit_m=1.0))
    assert clip_of(path, replace(builtin_map("motionbuilder"), unit_m=1 / 7))[1].unit == "0.142857 m"


def test_derived_landmarks_are_rigid_on_what_carries_them(tmp_path: Path) -> None:
    clip, report = clip_of(performance(40, swing_deg=60.0).write(tmp_path / "a.bvh"))
    groups = {
        "face": ["nose", "left_ear", "right_eye", "mouth_left"],
        "hand": ["left_wrist", "left_pinky", "left_index", "left_thumb"],
        "foot": ["right_ankle", "right_heel"],
    }
    for names in groups.values():
        points_m = clip.pose_m[:, [AT[name] for name in names]]
        apart_m = np.linalg.norm(points_m[:, :, None] - points_m[:, None], axis=-1)
        np.testing.assert_allclose(apart_m, np.broadcast_to(apart_m[0], apart_m.shape), atol=1e-5)
    scale = report.height_m / 1.70
    assert np.linalg.norm(clip.pose_m[0, AT["left_ear"]] - clip.pose_m[0, AT["right_ear"]]) == pytest.approx(
        0.15 * scale, abs=1e-4
    )
    assert np.ptp(clip.pose_m[:, AT["nose"]] - clip.pose_m[:, AT["left_shoulder"]]) > 0.1  # and yet they move


def test_points_between_joints_and_offsets_are_where_the_map_says(tmp_path: Path) -> None:
    act = performance(10, names=STUDIO, order="YXZ")
    text = STUDIO_MAP.replace(
        "[templates]",
        f'mouth_left = {{between = ["{STUDIO["head"]}", "{STUDIO["neck"]}"], weights = [3, 1]}}\n'
        f'left_heel = {{joint = "{STUDIO["left_ankle"]}", offset_m = [0.01, -0.05, -0.04]}}\n'
        f'right_heel = {{joint = "{STUDIO["right_ankle"]}", offset_heights = [0, 0, -0.02]}}\n'
        "[templates]",
    )
    clip, report = clip_of(act.write(tmp_path / "a.bvh"), JointMap.parse(text, "studio.toml"))
    world = act.world()
    flip = np.diag([1.0, -1.0, -1.0])
    _, root_m = expected_m(act)
    between = (0.75 * world["head"] + 0.25 * world["neck"]) @ flip - root_m
    np.testing.assert_allclose(clip.pose_m[:, AT["mouth_left"]], between, atol=1e-5)
    # The first frame is the rest pose: offsets are as written, and keep their distance afterwards.
    heel_m = clip.pose_m[:, AT["left_heel"]] - clip.pose_m[:, AT["left_ankle"]]
    np.testing.assert_allclose(heel_m[0], [0.01, 0.05, 0.04], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(heel_m, axis=1), np.linalg.norm(heel_m[0]), atol=1e-5)
    other_m = clip.pose_m[0, AT["right_heel"]] - clip.pose_m[0, AT["right_ankle"]]
    np.testing.assert_allclose(other_m, [0, 0, 0.02 * report.height_m], atol=1e-5)
    seen = clip.visibility[0]
    assert seen[AT["mouth_left"]] == 1.0 and seen[AT["left_heel"]] == np.float32(DERIVED_VISIBILITY)


def test_a_rig_whose_offsets_make_no_body_goes_by_its_first_frame(tmp_path: Path) -> None:
    """The same motion, with every bone laid along x in the offsets and turned to its place by the joints' angles."""
    act = performance(10)
    moved = [key for key in BONES if key != "hips"]
    # Position channels in every joint: the offsets in the hierarchy say nothing.
    shifts_m = np.zeros((act.frames, len(moved), 3))
    text = replace(act, moved=moved, shifts_m=shifts_m).text()
    head, motion = text.split("MOTION")
    blank = "\n".join(
        "OFFSET 0 0 0" if line.strip().startswith("OFFSET") and "End" not in line else line
        for line in head.splitlines()
    )
    path = tmp_path / "a.bvh"
    path.write_text(f"{blank}\nMOTION{motion}", encoding="utf-8")
    clip, report = clip_of(path)
    plain, _ = clip_of(act.write(tmp_path / "b.bvh"))
    without_toes = [index for name, index in AT.items() if not name.endswith("foot_index")]  # their end sites are gone
    np.testing.assert_allclose(clip.pose_m[:, without_toes], plain.pose_m[:, without_toes], atol=1e-5)
    assert any("first frame" in warning for warning in report.warnings)


def test_what_no_joint_stands_for_is_missing_and_said(tmp_path: Path) -> None:
    text = STUDIO_MAP.replace(f'face = "{STUDIO["head"]}"\n', "").replace(
        "[templates]", f'nose = "{STUDIO["head"]}"\nleft_pinky = ["no such finger", "missing"]\n[templates]'
    )
    clip, report = clip_of(performance(5, names=STUDIO).write(tmp_path / "a.bvh"), JointMap.parse(text, "studio.toml"))
    missing = {name for name in AT if ("eye" in name or "ear" in name.split("_") or "mouth" in name)} | {"left_pinky"}
    assert set(report.missing) == missing and "left_pinky" in report.warnings[0]
    gone = [AT[name] for name in missing]
    assert np.isnan(clip.pose_m[:, gone]).all() and (clip.visibility[:, gone] == 0).all()
    assert np.isfinite(np.delete(clip.pose_m, gone, axis=1)).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("st left_knee ü", "st left_kneee ü"), "kneee ü', which landmarks.left_knee"),
        (lambda text: text.replace('face = "st head ü"', 'face = "zzz"'), "has no joint 'zzz', which templates.face"),
        (lambda text: text.replace('= "st left_wrist ü"', '= ["zzz", "missing"]', 1), "which landmarks.left_wrist"),
        (lambda text: 'up = "+y"\nforward = "+x"\n' + text.replace("ü", "?"), "has no joint"),
    ],
)  # fmt: skip
def test_a_map_that_names_what_is_not_there_is_refused(
    tmp_path: Path, change: Callable[[str], str], problem: str
) -> None:
    path = performance(3, names=STUDIO).write(tmp_path / "a.bvh")
    with pytest.raises(InvalidInput) as caught:
        clip_of(path, JointMap.parse(change(STUDIO_MAP), "studio.toml"))
    assert problem in str(caught.value) and str(path) in str(caught.value) and "studio.toml" in str(caught.value)
    assert "expected a joint of the file: st " in str(caught.value)


def test_a_rig_that_no_built_in_map_knows_is_told_with_its_joints_and_the_way_out(tmp_path: Path) -> None:
    path = performance(3, names=STUDIO).write(tmp_path / "a.bvh")
    with pytest.raises(InvalidInput) as caught:
        clip_of(path)
    said = str(caught.value)
    assert "st left_knee ü" in said and "motionbuilder" in said and "--write-joint-map" in said and "\n" not in said


def test_frames_without_numbers_are_frames_without_a_body(tmp_path: Path) -> None:
    lines = performance(6).text().splitlines()
    first = lines.index("MOTION") + 3
    for row in (0, 3):
        lines[first + row] = " ".join(["nan"] * len(lines[first].split()))
    # A wrist alone: only what hangs on it is lost.
    elbow = lines[first + 5].split()
    elbow[6 + 3 * 4] = "inf"
    lines[first + 5] = " ".join(elbow)
    (tmp_path / "a.bvh").write_text("\n".join(lines), encoding="utf-8")
    clip, report = clip_of(tmp_path / "a.bvh")
    assert clip.detected.tolist() == [False, True, True, False, True, True]
    assert np.isnan(clip.pose_m[0]).all() and (clip.visibility[3] == 0).all()
    assert 0 < np.isnan(clip.pose_m[5]).any(axis=1).sum() < 15
    assert any("2 of 6 frames" in warning for warning in report.warnings)
    everything = "\n".join([*lines[:first], *[lines[first]] * 6])
    (tmp_path / "b.bvh").write_text(everything, encoding="utf-8")
    with pytest.raises(InvalidInput, match="no frame"):
        clip_of(tmp_path / "b.bvh")


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 59.94, 120.0])
def test_the_frame_rate_is_the_files(tmp_path: Path, fps: float) -> None:
    clip, _ = clip_of(performance(20, fps=fps).write(tmp_path / "a.bvh"))
    assert clip.fps == pytest.approx(fps, abs=0.006)
    assert clip.timestamp_us[-1] == pytest.approx(19e6 / fps, abs=2)


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    clip, _ = clip_of(performance(1).write(tmp_path / "a.bvh"))
    assert clip.frames == 1 and clip.detected.all()


def test_a_body_that_lies_by_the_files_own_up_is_pointed_out(tmp_path: Path) -> None:
    act = performance(10)
    act.angles_deg[:, 0] = (0.0, -90.0, 0.0)
    _, report = clip_of(act.write(tmp_path / "a.bvh"))
    assert len(report.warnings) == 1 and "lies" in report.warnings[0] and "up" in report.warnings[0]
    _, said = clip_of(tmp_path / "a.bvh", replace(builtin_map("motionbuilder"), up="+y"))
    assert said.warnings == ()


def test_subjects_come_from_the_index_else_the_folder_else_the_file(tmp_path: Path) -> None:
    act = performance(3)
    for name in ("solo", "anna/walk", "anna/day 2/run", "ben/walk", ".trash/old"):
        act.write(tmp_path / f"{name}.bvh")
    (tmp_path / "index.csv").write_text(
        "clip,subject,split,action,licence\nben/walk,benjamin,validation,walks,CC0-1.0\n", encoding="utf-8"
    )
    reports: list[BvhReport] = []
    clips = {clip.clip_id: clip for clip in iter_motion(tmp_path, on_report=reports.append)}
    assert {name: clip.subject for name, clip in clips.items()} == {
        "solo": "solo",
        "anna/walk": "anna",
        "anna/day 2/run": "anna/day 2",
        "ben/walk": "benjamin",
    }
    ben = clips["ben/walk"]
    assert (ben.split, ben.action, ben.licence) == ("validation", "walks", "CC0-1.0")
    assert [report.clip_id for report in reports] == list(clips)


def test_real_motion_comes_back_from_a_file_of_positions(tmp_path: Path) -> None:
    """Motion of the data folder, written as a flat rig whose joints have positions alone, y up, in millimetres."""
    shared = shared_dir()
    if shared is None or not (shared / "motion").is_dir():
        skip_allowed("no motion in the data folder")
    for file in ("cmu001.npz", "deepmimic.npz"):
        clip = load_clips(shared / "motion" / file)[0]
        assert clip.root_m is not None
        world = (clip.pose_m + clip.root_m[:, None])[:300] * np.array([1000.0, -1000.0, -1000.0])
        joints = "".join(
            f"JOINT {name}\n{{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n}}\n" for name in AT
        )
        text = f"HIERARCHY\nROOT all\n{{\nOFFSET 0 0 0\nCHANNELS 0\n{joints}}}\nMOTION\nFrames: {len(world)}\n"
        rows = "\n".join(" ".join(f"{x:.3f}" for x in row) for row in world.reshape(len(world), -1))
        path = tmp_path / "flat.bvh"
        path.write_text(f"{text}Frame Time: {1 / clip.fps:.7f}\n{rows}\n", encoding="utf-8")
        landmarks = "\n".join(f'{name} = "{name}"' for name in AT)
        made, report = clip_of(
            path, JointMap.parse(f'up = "+y"\nforward = "+z"\n[landmarks]\n{landmarks}\n', "flat.toml")
        )
        assert report.unit == "mm" and made.root_m is not None
        np.testing.assert_allclose(made.pose_m, clip.pose_m[:300], atol=1e-5)
        np.testing.assert_allclose(made.root_m, clip.root_m[:300], atol=1e-5)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no npz or bvh file"):
        list(iter_motion(tmp_path))
    with pytest.raises(NotFound, match="no such file or folder"):
        list(iter_motion(tmp_path / "nowhere"))


def test_progress_counts_every_byte_of_the_numbers(tmp_path: Path) -> None:
    path = performance(50).write(tmp_path / "a.bvh")
    seen: list[int] = []
    list(iter_motion(path, on_bytes=seen.append))
    assert sum(seen) == path.stat().st_size


def test_joints_may_have_the_same_name_if_the_map_does_not_use_it(tmp_path: Path) -> None:
    text = performance(3).text()
    (tmp_path / "a.bvh").write_text(text.replace("JOINT Neck", "JOINT Hips"), encoding="utf-8")
    assert clip_of(tmp_path / "a.bvh")[0].frames == 3
    (tmp_path / "b.bvh").write_text(text.replace("JOINT Neck", f"JOINT {MOTIONBUILDER['head']}"), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"b\.bvh has 2 joints called 'Head'"):
        clip_of(tmp_path / "b.bvh")
