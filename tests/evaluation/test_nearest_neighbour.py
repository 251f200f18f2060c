from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.evaluation.nearest_neighbour import NearestNeighbour, nearest_neighbour
from bridge.evaluation.windows import EvaluationWindow
from bridge.frames import Window
from tests.support import TINY_LAYOUT

CONTEXT, HORIZON, RATE_HZ = 13, 10, 30.0
QUARTER = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)  # about the vertical


def test_a_context_of_the_library_finds_its_own_future_first() -> None:
    library = [_motion(seed) for seed in range(20)]
    futures = _method(library, 3).futures([library[7].window], HORIZON, [0])
    assert futures.shape == (1, 3, HORIZON, TINY_LAYOUT.joints, 3) and futures.dtype == np.float32
    np.testing.assert_allclose(futures[0, 0], library[7].truth_m, atol=2e-3)
    assert np.abs(futures[0, 1] - library[7].truth_m).max() > 0.02


def test_a_neighbour_is_found_whatever_its_size_and_heading_and_its_change_is_carried_over() -> None:
    library = [_motion(seed) for seed in range(20)]
    met = library[4]
    turned = _window(1.5 * met.window.pose_m @ QUARTER)
    futures = _method(library, 1).futures([turned], HORIZON, [0])
    np.testing.assert_allclose(futures[0, 0], 1.5 * met.truth_m @ QUARTER, atol=3e-3)


def test_the_same_pose_with_another_velocity_is_another_context() -> None:
    forth, back = _motion(1), _motion(1, reverse=True)
    np.testing.assert_allclose(forth.window.pose_m[-1], back.window.pose_m[-1], atol=1e-6)
    for asked, other in ((forth, back), (back, forth)):
        (found,) = _method([other, asked], 1).futures([asked.window], HORIZON, [0])[0]
        np.testing.assert_allclose(found, asked.truth_m, atol=2e-3)


def test_futures_start_from_this_windows_pose_not_from_the_neighbours() -> None:
    neighbour = _motion(2)
    shift = 0.05 * np.random.default_rng(0).standard_normal((TINY_LAYOUT.joints, 3))
    shift[list(TINY_LAYOUT.hips)] = 0.0
    other = _window(neighbour.window.pose_m + shift)
    first = _method([neighbour], 1).futures([other], HORIZON, [0])[0, 0, 0]
    step = np.linalg.norm(neighbour.truth_m[0] - neighbour.window.pose_m[-1], axis=-1).max()
    assert np.linalg.norm(first - other.pose_m[-1], axis=-1).max() < 1.5 * step
    assert np.linalg.norm(first - neighbour.truth_m[0], axis=-1).max() > 2 * step


def test_a_small_library_repeats_its_neighbours() -> None:
    library = [_motion(1), _motion(2)]
    futures = _method(library, 5).futures([library[1].window], HORIZON, [0])[0]
    np.testing.assert_array_equal(futures[0], futures[2])
    np.testing.assert_array_equal(futures[1], futures[3])
    assert not np.allclose(futures[0], futures[1], atol=0.01)


def test_an_empty_library_and_futures_beyond_it_are_refused() -> None:
    with pytest.raises(InvalidInput, match="library"):
        _method([], 2)
    method = _method([_motion(1)], 2)
    with pytest.raises(InvalidInput, match="horizon_frames"):
        method.futures([_motion(1).window], HORIZON + 1, [0])


def _method(library: list[EvaluationWindow], samples: int) -> NearestNeighbour:
    return nearest_neighbour(library, TINY_LAYOUT, RATE_HZ, samples)


def _motion(seed: int, *, reverse: bool = False) -> EvaluationWindow:
    """A swaying body: what was seen and what came; reversed, it passes through the same last pose the other way."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(-CONTEXT + 1, HORIZON + 1) / RATE_HZ * (-1 if reverse else 1)
    sway = rng.uniform(0.05, 0.12, (TINY_LAYOUT.joints, 3)) * np.sin(
        rng.uniform(3, 6) * time_s[:, None, None] + rng.uniform(0, 6, (TINY_LAYOUT.joints, 3))
    )
    # The hips stay: they tell the heading.
    sway[:, list(TINY_LAYOUT.hips)] = 0.0
    pose_m = (0.4 * TINY_LAYOUT.template + sway).astype(np.float32)
    return EvaluationWindow(_window(pose_m[:CONTEXT]), pose_m[CONTEXT:], f"c{seed}", "anna", "test", "sway", CONTEXT)


def _window(pose_m: NDArray[np.floating]) -> Window:
    frames, joints = pose_m.shape[:2]
    return Window(
        layout_id=TINY_LAYOUT.id,
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames - 1,
        timestamp_us=frames * 33_333,
    )
