from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.evaluation.multimodal import PossibleFutures
from bridge.evaluation.windows import EvaluationWindow
from tests.evaluation.known_law import HORIZON, KnowsTheLaw, known_windows
from tests.support import TINY_LAYOUT


def test_mmade_and_mmfde_are_means_over_all_true_futures_of_the_same_pose() -> None:
    windows = known_windows(4)  # all stand in the same pose
    samples_m = KnowsTheLaw("a", samples=3).futures([item.window for item in windows], HORIZON, range(4))
    possible = PossibleFutures(windows, TINY_LAYOUT)
    assert possible.neighbours.tolist() == [4, 4, 4, 4]
    mmade, mmfde = possible.scores(slice(1, 3), samples_m[1:3])
    for n in (1, 2):
        ade, fde = [], []
        for other in windows:
            apart = np.linalg.norm((samples_m[n] - other.truth_m).reshape(3, HORIZON, -1), axis=-1)
            ade.append(apart.mean(axis=1).min())
            fde.append(apart[:, -1].min())
        assert mmade[n - 1] == pytest.approx(np.mean(ade), rel=1e-4)
        assert mmfde[n - 1] == pytest.approx(np.mean(fde), rel=1e-4)


def test_a_pose_that_nobody_shares_leaves_ade_and_fde() -> None:
    windows = known_windows(2)
    bent = windows[1].window.pose_m.copy()
    bent[:, 0] += 1.0
    windows[1] = replace(windows[1], window=replace(windows[1].window, pose_m=bent))
    samples_m = KnowsTheLaw("a", samples=3).futures([item.window for item in windows], HORIZON, range(2))
    possible = PossibleFutures(windows, TINY_LAYOUT)
    assert possible.neighbours.tolist() == [1, 1]
    mmade, mmfde = possible.scores(slice(0, 1), samples_m[:1])
    apart = np.linalg.norm((samples_m[0] - windows[0].truth_m).reshape(3, HORIZON, -1), axis=-1)
    assert mmade[0] == pytest.approx(apart.mean(axis=1).min(), rel=1e-4)
    assert mmfde[0] == pytest.approx(apart[:, -1].min(), rel=1e-4)


def test_a_true_future_is_carried_into_the_heading_and_size_of_the_window_it_is_held_against() -> None:
    one = known_windows(1)[0]
    windows = [one, _turned(one, 1.3, 1.2)]
    possible = PossibleFutures(windows, TINY_LAYOUT)
    samples_m = np.stack([item.truth_m for item in windows])[:, None]
    mmade, mmfde = possible.scores(slice(0, 2), samples_m)
    np.testing.assert_allclose(mmade, 0.0, atol=2e-3)
    np.testing.assert_allclose(mmfde, 0.0, atol=2e-3)


def _turned(item: EvaluationWindow, heading_rad: float, size: float) -> EvaluationWindow:
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    turn = size * np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    window = replace(item.window, pose_m=(item.window.pose_m @ turn).astype(np.float32))
    return replace(item, window=window, truth_m=(item.truth_m @ turn).astype(np.float32), clip_id="turned")
