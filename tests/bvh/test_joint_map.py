"""Joint maps as TOML: what they may say, and what is said about those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.bvh.joint_map import JointMap, Point, builtin_map, builtin_names
from bridge.bvh.template import MEASURES
from bridge.errors import InvalidInput, NotFound
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.bvh.rigs import STUDIO_MAP

WHOLE = "[landmarks]\n" + "\n".join(f'{name} = "{name}"' for name in MEASURES) + "\n"


def test_a_map_says_units_axes_landmarks_and_templates() -> None:
    made = JointMap.parse(
        'unit = "inch"\nup = "+z"\nforward = "-y"\nhanded = "left"\n'
        + WHOLE
        + 'nose = {joint = "Head", offset_m = [0, 0.08, 0.11]}\n'
        + 'left_heel = {joint = "Foot", offset_heights = [0, -0.02, 0.5]}\n'
        + 'left_ear = {between = ["Head", "Neck"], weights = [3, 1]}\n'
        + 'right_ear = ["Ear", {joint = "Head"}, "missing"]\n'
        + 'left_pinky = ["Finger5", "template"]\n'
        + '[templates]\nleft_hand = "Hand"\n',
        "map",
    )
    assert (made.unit_m, made.up, made.forward, made.right_handed) == (0.0254, "+z", "-y", False)
    assert made.landmarks["left_hip"] == (Point(("left_hip",), (1.0,)),)
    assert made.landmarks["nose"] == (Point(("Head",), (1.0,), (0.0, 0.08, 0.11)),)
    assert made.landmarks["left_heel"] == (Point(("Foot",), (1.0,), (0.0, -0.02, 0.5), in_heights=True),)
    assert made.landmarks["left_ear"] == (Point(("Head", "Neck"), (0.75, 0.25)),)
    assert made.landmarks["right_ear"] == (Point(("Ear",), (1.0,)), Point(("Head",), (1.0,)), "missing")
    assert made.templates == {"left_hand": Point(("Hand",), (1.0,))}


def test_what_is_not_said_goes_by_the_file() -> None:
    made = JointMap.parse(WHOLE, "map")
    assert (made.unit_m, made.up, made.forward, made.right_handed) == (None, None, None, True)
    assert JointMap.parse("unit = 0.0564\n" + WHOLE, "map").unit_m == 0.0564


@pytest.mark.parametrize(
    ("text", "problem", "right"),
    [
        ("unit = ", "is no TOML", "TOML"),
        ('units = "cm"\n' + WHOLE, "units is not known", "'unit'"),
        ('unit = "furlong"\n' + WHOLE, "unit is 'furlong'", "cm"),
        ("unit = -1\n" + WHOLE, "unit is -1", "how many metres"),
        ("unit = true\n" + WHOLE, "unit is True", "how many metres"),
        ('up = "y"\n' + WHOLE, "up is 'y'", "+y"),
        ('up = "+y"\nforward = "-y"\n' + WHOLE, "forward is '-y' where up is '+y'", "another axis"),
        ('handed = "both"\n' + WHOLE, "handed is 'both'", "left"),
        (WHOLE + 'left_foot_indx = "a"\n', "landmarks.left_foot_indx is not known", "'left_foot_index'"),
        (WHOLE + '[templates]\nheads = "a"\n', "templates.heads is not known", "some of face"),
        (WHOLE + "nose = 3\n", "landmarks.nose is 3", "name of a joint"),
        (WHOLE + "nose = []\n", "landmarks.nose is empty", "a joint"),
        (WHOLE + 'nose = {joint = "a", between = ["b"]}\n', "both or neither", "one of them"),
        (WHOLE + "nose = {offset_m = [0, 0, 0]}\n", "both or neither", "one of them"),
        (WHOLE + 'nose = {joint = "a", ofset_m = [0, 0, 0]}\n', "nose.ofset_m is not known", "'offset_m'"),
        (WHOLE + 'nose = {joint = "a", offset_m = [0, 0]}\n', "nose.offset is [0, 0]", "3 numbers"),
        (WHOLE + 'nose = {joint = "a", offset_m = [0, 0, nan]}\n', "nose.offset is", "finite"),
        (WHOLE + 'nose = {joint = "a", offset_m = [0, 0, 0], offset_heights = [0, 0, 0]}\n', "two offsets", "offset_m"),
        (WHOLE + 'nose = {between = ["a", "b"], weights = [1]}\n', "nose.weights is [1]", "2 numbers"),
        (WHOLE + 'nose = {between = ["a", "b"], weights = [1, -1]}\n', "weights are 0 together", "sum"),
        (WHOLE + "nose = {between = [1]}\n", "names [1]", "names of joints"),
        (WHOLE + 'nose = ["missing", "a"]\n', "something after 'missing'", "last"),
        (WHOLE + 'nose = "template"\n', "template that is not given", "templates.face"),
        (WHOLE + '[templates]\nface = "template"\n', "", ""),
        ("[landmarks]\n", "says nothing about left_hip", "a joint for each"),
        (WHOLE.replace('left_wrist = "left_wrist"', 'left_wrist = "missing"'), "nothing about left_wrist", "a joint"),
        ("landmarks = 3\n", "landmarks is 3", "[landmarks]"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(text: str, problem: str, right: str) -> None:
    if not problem:
        # A joint may be called so: only landmarks have such words.
        assert JointMap.parse(text, "map.toml").templates["face"].joints == ("template",)
        return
    with pytest.raises(InvalidInput) as caught:
        JointMap.parse(text, "map.toml")
    said = str(caught.value)
    assert said.startswith("joint_map: map.toml") and problem in said and right in said.split("; expected ")[1]
    assert "\n" not in said


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no such file.*no\.toml"):
        JointMap.load(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_bytes(b"unit = '\xff'")
    with pytest.raises(InvalidInput, match=r"bad\.toml cannot be read"):
        JointMap.load(tmp_path / "bad.toml")
    (tmp_path / "good.toml").write_text(STUDIO_MAP, encoding="utf-8")
    assert JointMap.load(tmp_path / "good.toml").name == str(tmp_path / "good.toml")


def test_every_built_in_map_is_whole_and_says_both_sides_alike() -> None:
    assert builtin_names() == ["biped", "motionbuilder", "rokoko", "xsens"]
    for name in builtin_names():
        made = builtin_map(name)
        covered = {*made.landmarks, *(["nose"] if "face" in made.templates else [])}
        assert covered >= set(MEDIAPIPE_POSE_33.names[11:]) | {"nose"}
        for landmark, choices in made.landmarks.items():
            twin = landmark.replace("left", "right") if "left" in landmark else landmark.replace("right", "left")
            assert [_swapped(choice) for choice in made.landmarks[twin]] == list(choices), (name, landmark)


def _swapped(choice: Point | str) -> Point | str:
    if isinstance(choice, str):
        return choice
    swaps = {"Left": "Right", "Right": "Left", "L ": "R ", "R ": "L "}
    joints = []
    for joint in choice.joints:
        word = next(word for word in swaps if joint.startswith(word))
        joints.append(swaps[word] + joint.removeprefix(word))
    return Point(tuple(joints), choice.weights, choice.offset, choice.in_heights)
