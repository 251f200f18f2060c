"""Forward kinematics, against scipy's rotations joint by joint and against bvhio's own world positions."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import bvhio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.bvh.frames import read_frames
from bridge.bvh.kinematics import Placed, place, rest
from bridge.bvh.rig import Rig, read_header
from tests.bvh.rigs import BONES, ENDS, MOTIONBUILDER, Performance, performance

ORDERS = ["".join(order) for order in permutations("XYZ")]


def read(path: Path) -> tuple[Rig, NDArray[np.float64]]:
    with path.open("rb") as file:
        header = read_header(file, path)
        return header.rig, np.concatenate(list(read_frames(file, header, path)))


def joint_m(rig: Rig, placed: Placed, key: str, act: Performance) -> NDArray[np.float64]:
    found = rig.find(act.names[key.removesuffix(".end")])
    assert found is not None
    return placed.point(rig, found[0], key.endswith(".end")) / act.units_per_m


@given(
    order=st.sampled_from(ORDERS),
    moved=st.lists(st.sampled_from([key for key in BONES if key != "hips"]), unique=True, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_joints_are_where_scipy_has_them(
    order: str, moved: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    act = Performance(
        rng.uniform(-180, 180, (2, len(BONES), 3)),
        rng.uniform(-5, 5, (2, 3)),
        order=order,
        moved=moved,
        shifts_m=rng.uniform(-0.1, 0.1, (2, len(moved), 3)),
    )
    rig, values = read(act.write(tmp_path_factory.mktemp("rig") / "any.bvh"))
    placed = place(rig, values, range(len(rig.joints)))
    for key, expected_m in act.world().items():
        np.testing.assert_allclose(joint_m(rig, placed, key, act), expected_m, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("order", ORDERS)
def test_joints_are_where_bvhio_has_them(order: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    angles_deg = rng.uniform(-80, 80, (4, len(BONES), 3))
    act = Performance(
        angles_deg,
        rng.uniform(-1, 1, (4, 3)),
        order=order,
        moved=["left_knee"],
        shifts_m=rng.uniform(-0.1, 0.1, (4, 1, 3)),
    )
    path = act.write(tmp_path / "any.bvh")
    rig, values = read(path)
    placed = place(rig, values, range(len(rig.joints)))
    root = bvhio.readAsHierarchy(str(path))
    for row in range(act.frames):
        root.loadPose(row)
        theirs = {joint.Name: np.array(joint.PositionWorld) for joint, _, _ in root.layout()}
        for index, joint in enumerate(rig.joints):
            np.testing.assert_allclose(placed.positions[index][row], theirs[joint.name], atol=2e-3)


def test_joints_in_bvhios_own_files_are_where_it_put_them(tmp_path: Path) -> None:
    act = performance(3, seed=3)
    root = bvhio.readAsHierarchy(str(act.write(tmp_path / "one.bvh")))
    bvhio.writeHierarchy(str(tmp_path / "two.bvh"), root, 1 / 30)
    rig, values = read(tmp_path / "two.bvh")
    placed = place(rig, values, range(len(rig.joints)))
    known = act.world()
    for key in BONES:
        np.testing.assert_allclose(joint_m(rig, placed, key, act), known[key][: len(values)], atol=1e-4, err_msg=key)


def test_only_what_is_asked_for_and_what_carries_it_is_placed(tmp_path: Path) -> None:
    rig, values = read(performance(2).write(tmp_path / "any.bvh"))
    found = rig.find("LeftForeArm")
    assert found is not None
    placed = place(rig, values, [found[0]])
    assert {rig.joints[index].name for index in placed.positions} == {"Hips", "Spine", "LeftArm", "LeftForeArm"}


def test_a_value_that_is_no_number_spoils_its_own_limb_and_frame_only(tmp_path: Path) -> None:
    act = performance(3)
    rig, values = read(act.write(tmp_path / "any.bvh"))
    found = rig.find("LeftArm")
    assert found is not None
    values[1, rig.joints[found[0]].first_channel] = np.nan
    placed = place(rig, values, range(len(rig.joints)))
    for key in BONES:
        known = np.isfinite(joint_m(rig, placed, key, act)).all(axis=1)
        assert known.tolist() == [True, key not in ("left_elbow", "left_wrist"), True], key


def test_the_rest_pose_is_that_of_the_offsets(tmp_path: Path) -> None:
    act = performance(2)
    rig, _ = read(act.write(tmp_path / "any.bvh"))
    still = Performance(np.zeros((1, len(BONES), 3)), np.zeros((1, 3))).world()
    placed = rest(rig)
    for key in (*BONES, *(f"{key}.end" for key in ENDS)):
        np.testing.assert_allclose(joint_m(rig, placed, key, act), still[key], atol=1e-6)
    assert MOTIONBUILDER["hips"] == rig.joints[0].name
