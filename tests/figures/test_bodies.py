from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from bridge.errors import InvalidInput
from bridge.figures.bodies import LIGHT, Pose, draw_body, solidity, theme_of, typical_size_m
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.support import TINY_LAYOUT


def test_the_less_probable_the_fainter_but_never_lost() -> None:
    shares = [solidity(probability, 0.5) for probability in (0.5, 0.3, 0.1, 0.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0 and shares[-1] >= 0.3
    assert LIGHT.faded(LIGHT.ink, 1.0) == LIGHT.ink and LIGHT.faded(LIGHT.ink, 0.0) == LIGHT.paper


def test_a_hand_whose_arm_is_hidden_is_not_drawn_in_the_air() -> None:
    def lines(visible: np.ndarray) -> int:
        axes = Figure().add_subplot()
        pose = Pose(MEDIAPIPE_POSE_33.template, visible)
        draw_body(axes, pose, MEDIAPIPE_POSE_33, (0.0, 0.0), 1.0, LIGHT.ink, width=1.0)
        (collection,) = (each for each in axes.collections if isinstance(each, LineCollection))
        return len(collection.get_segments())

    whole = np.ones(33, bool)
    no_elbow = whole.copy()
    no_elbow[MEDIAPIPE_POSE_33.names.index("left_elbow")] = False
    # Gone are upper arm, lower arm and the four bones of the hand.
    assert lines(whole) - lines(no_elbow) == 6


def test_a_layout_without_bones_is_drawn_as_points() -> None:
    layout = replace(TINY_LAYOUT, id="test.points.7", bones=(), limb_bones=())
    axes = Figure().add_subplot()
    visible = np.ones(layout.joints, bool)
    visible[0] = False
    draw_body(axes, Pose(layout.template, visible), layout, (2.0, 1.0), 0.5, LIGHT.ink, width=2.0)
    (points,) = axes.collections
    assert isinstance(points, PathCollection)
    expected = layout.template[1:, :2] * [0.5, -0.5] + [2.0, 1.0]
    np.testing.assert_allclose(np.asarray(points.get_offsets()), expected, rtol=1e-5)


def test_a_forearm_is_no_part_of_the_head() -> None:
    layout = replace(TINY_LAYOUT, id="test.forearm.7", names=("left_forearm", *TINY_LAYOUT.names[1:]))
    axes = Figure().add_subplot()
    draw_body(axes, Pose(layout.template, np.ones(7, bool)), layout, (0.0, 0.0), 1.0, LIGHT.ink, width=1.0)
    assert not axes.patches


def test_who_lies_is_as_large_as_who_stands() -> None:
    standing = np.zeros((2, 3), np.float32)
    standing[1, 1] = 1.7
    lying = standing[:, [1, 0, 2]]
    sizes = [typical_size_m([Pose(pose, np.ones(2, bool))]) for pose in (standing, lying)]
    assert sizes == pytest.approx([1.7, 1.7 * 0.93], rel=1e-5)
    assert typical_size_m([]) == 1.6
    assert typical_size_m([Pose(standing, np.zeros(2, bool))]) == 1.6


def test_another_theme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="theme: is 'sepia'; expected 'light' or 'dark'"):
        theme_of("sepia")
