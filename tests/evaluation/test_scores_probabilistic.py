from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from numpy.typing import NDArray

from bridge.evaluation import scores_probabilistic as scores

N, S, H, J = 6, 5, 4, 3
Drawn = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture
def drawn() -> Drawn:
    random = np.random.default_rng(1)
    x = random.normal(size=(N, S, H, J, 3)).astype(np.float32)
    return x, random.normal(size=(N, H, J, 3)).astype(np.float32)


def test_crps_equals_the_fair_one_of_scoringrules(drawn: Drawn) -> None:
    x, y = drawn
    expected = scoringrules.crps_ensemble(y, np.moveaxis(x, 1, -1), estimator="fair", backend="numpy")
    np.testing.assert_allclose(scores.crps(x, y), expected.mean(axis=(1, 2, 3)), rtol=1e-5)


def test_crps_of_one_sample_is_the_absolute_error(drawn: Drawn) -> None:
    x, y = drawn
    np.testing.assert_allclose(scores.crps(x[:, :1], y), np.abs(x[:, 0] - y).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_crps_prefers_the_true_distribution_to_a_narrow_and_a_wide_one() -> None:
    random = np.random.default_rng(3)
    y = random.normal(size=(20_000, 1, 1, 3)).astype(np.float32)
    noise = random.normal(size=(20_000, 8, 1, 1, 3)).astype(np.float32)
    narrow, right, wide = (scores.crps(noise * np.float32(width), y).mean() for width in (0.6, 1.0, 1.5))
    assert right < min(narrow, wide)


def test_variogram_score_follows_its_formula(drawn: Drawn) -> None:
    x, y = drawn
    joints, frames = np.array([0, 2]), [1, 3]
    by_frame = []
    for t in frames:
        seen = y[:, t, joints].reshape(N, -1)
        made = x[:, :, t, joints].reshape(N, S, -1)
        true_gap = np.abs(seen[:, :, None] - seen[:, None]) ** 0.5
        made_gap = (np.abs(made[..., :, None] - made[..., None, :]) ** 0.5).mean(axis=1)
        by_frame.append(((true_gap - made_gap) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(scores.variogram_score(x, y, joints, frames), np.mean(by_frame, axis=0), rtol=1e-4)


def test_variogram_score_sees_that_coordinates_no_longer_go_together() -> None:
    random = np.random.default_rng(4)

    def together(windows: int, samples: int) -> NDArray[np.float32]:
        one = random.normal(size=(windows, samples, 1, 1, 1))
        return (one + 0.1 * random.normal(size=(windows, samples, 1, 1, 3))).astype(np.float32)

    y, x = together(500, 1)[:, 0], together(500, 32)
    apart = np.stack([random.permuted(x[..., axis], axis=1) for axis in range(3)], axis=-1)
    joints = np.arange(1)
    assert scores.crps(apart, y).mean() == pytest.approx(scores.crps(x, y).mean())
    together_score, apart_score = (scores.variogram_score(z, y, joints, [0]).mean() for z in (x, apart))
    assert together_score < 0.5 * apart_score


def test_stretch_is_the_share_by_which_bones_change_whatever_the_direction() -> None:
    bones = np.array([(0, 1), (1, 2)])
    pose = np.zeros((1, 1, 2, 3, 3), np.float32)
    pose[0, 0, :, 1, 0] = [1.1, 1.0]  # first bone 10 % too long, then right
    pose[0, 0, :, 2, 0] = [1.1, 1.0]
    pose[0, 0, :, 2, 1] = [2.0, 1.6]  # second bone right, then 20 % too short
    stretch = scores.bone_stretch(pose, bones, np.array([[1.0, 2.0]], np.float32))
    assert stretch == pytest.approx([(0.1 + 0.0 + 0.0 + 0.2) / 4])


def test_reference_lengths_leave_out_frames_in_which_an_end_was_not_seen() -> None:
    bones = np.array([(0, 1)])
    pose = np.zeros((2, 3, 2, 3), np.float32)
    pose[:, :, 1, 2] = [1.0, 2.0, 6.0]
    observed = np.ones((2, 3, 2), bool)
    observed[0, 2, 0] = False
    observed[1, :, 1] = False  # never seen: what it was filled in with
    np.testing.assert_allclose(scores.context_bone_lengths(pose, observed, bones), [[1.5], [3.0]])
