from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bridge.errors import InvalidInput, NotFound
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout, get_layout, layout_ids, register_layout
from tests.support import TINY_LAYOUT, skip_or_fail

LAYOUTS = pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)


def test_names_and_bones_are_those_of_mediapipe() -> None:
    try:
        from mediapipe.tasks.python.vision import PoseLandmark, PoseLandmarksConnections
    except (ImportError, OSError) as error:
        skip_or_fail(f"mediapipe cannot be imported: {error}")
    assert MEDIAPIPE_POSE_33.names == tuple(landmark.name.lower() for landmark in PoseLandmark)
    ours = {frozenset(bone) for bone in MEDIAPIPE_POSE_33.bones}
    theirs = {frozenset((bone.start, bone.end)) for bone in PoseLandmarksConnections.POSE_LANDMARKS}
    assert ours == theirs
    assert len(MEDIAPIPE_POSE_33.bones) == len(theirs)


@LAYOUTS
def test_mirroring_twice_changes_nothing_and_swaps_left_with_right(layout: Layout) -> None:
    mirror = layout.mirror_index
    assert np.array_equal(mirror[mirror], np.arange(layout.joints))
    for index, name in enumerate(layout.names):
        swapped = name.replace("left", "RIGHT").replace("right", "left").lower()
        assert layout.names[mirror[index]] == swapped


@LAYOUTS
def test_bones_of_a_mirrored_body_are_bones(layout: Layout) -> None:
    mirror = layout.mirror_index
    bones = {frozenset(bone) for bone in layout.bones}
    assert {frozenset((int(mirror[a]), int(mirror[b]))) for a, b in layout.bones} == bones


@LAYOUTS
def test_template_is_an_upright_mirror_symmetric_body_of_unit_size_facing_as_canonical(layout: Layout) -> None:
    left, right = layout.hips
    assert np.allclose(layout.template[left] + layout.template[right], 0, atol=1e-3)
    assert layout.template[left, 0] > 0.05
    assert np.abs(layout.template[left, 1:]).max() < 0.05
    assert layout.template[list(layout.shoulders), 1].max() < 0, "y points down: shoulders lie above the hips"
    ends = np.array(layout.scale_bones)
    lengths = np.linalg.norm(layout.template[ends[:, 0]] - layout.template[ends[:, 1]], axis=1)
    assert lengths.mean() == pytest.approx(1.0, abs=0.05)
    mirrored = layout.template[layout.mirror_index] * np.array([-1, 1, 1])
    assert np.allclose(mirrored, layout.template, atol=0.02)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bones", ((0, 7),)),
        ("hips", (-1, 0)),
        ("mirror_pairs", ((0, 99),)),
        ("names", ("head",) * 7),
        ("template", np.zeros((6, 3), np.float32)),
        ("template", np.full((7, 3), np.nan, np.float32)),
    ],
)
def test_inconsistent_layout_is_refused_naming_the_field(field: str, value: object) -> None:
    changes: dict[str, Any] = {field: value}
    with pytest.raises(InvalidInput) as caught:
        replace(TINY_LAYOUT, **changes)
    assert caught.value.field == f"layout.{field}"


def test_layouts_are_found_by_id_and_an_unknown_id_lists_the_known() -> None:
    assert get_layout("mediapipe.pose.33") is MEDIAPIPE_POSE_33
    assert get_layout(TINY_LAYOUT.id) is TINY_LAYOUT
    with pytest.raises(NotFound) as caught:
        get_layout("nobody")
    assert all(layout_id in str(caught.value) for layout_id in layout_ids())


def test_an_id_cannot_be_taken_by_another_layout() -> None:
    register_layout(TINY_LAYOUT)
    with pytest.raises(InvalidInput):
        register_layout(replace(TINY_LAYOUT, names=("crown", *TINY_LAYOUT.names[1:])))
    assert get_layout(TINY_LAYOUT.id).names[0] == "head"
