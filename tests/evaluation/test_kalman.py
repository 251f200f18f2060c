from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.evaluation.kalman import Kalman
from bridge.frames import Window

CONTEXT, JOINTS, HORIZON, RATE_HZ = 16, 5, 30, 30.0
HIPS = (3, 4)


def test_a_body_at_rest_is_expected_to_stay() -> None:
    still = np.broadcast_to(_bodies(1, frames=1), (1, CONTEXT, JOINTS, 3))
    mean_m, _ = Kalman(RATE_HZ, HIPS, 8).predict(still, np.ones((1, CONTEXT, JOINTS), bool), HORIZON)
    np.testing.assert_allclose(mean_m, np.broadcast_to(still[:, :1], mean_m.shape), atol=1e-12)


def test_a_velocity_goes_on_and_dies_away() -> None:
    line = _bodies(1, frames=1) + 0.3 / RATE_HZ * np.arange(CONTEXT)[None, :, None, None]
    kalman = Kalman(RATE_HZ, HIPS, 8, decay_s=0.2, noise_s=1e-6)
    mean_m, _ = kalman.predict(line, np.ones((1, CONTEXT, JOINTS), bool), 90)
    travelled = mean_m[0] - line[0, -1]
    # The whole way of a velocity v that dies away with tau is tau v; the filter takes a step of the line for its mean
    # velocity over the period, which has already lost some at its end.
    lost = np.expm1(-1 / (RATE_HZ * 0.2)) * -RATE_HZ * 0.2
    np.testing.assert_allclose(travelled[-1], 0.2 * 0.3, rtol=0.2)
    np.testing.assert_allclose(travelled[0], 0.3 / RATE_HZ * lost, rtol=0.2)
    assert (np.diff(travelled, axis=0) > 0).all() and (np.diff(travelled, n=2, axis=0) < 0).all()


def test_its_own_kind_of_motion_is_predicted_without_bias_and_with_the_right_spread() -> None:
    """Motion drawn from the filter's own model: errors over predicted deviations have mean 0 and variance 1."""
    kalman = Kalman(RATE_HZ, HIPS, 8, decay_s=0.2, noise_s=1e-3, prior_speed_m_s=0.4, prior_weight=1e6)
    path_m = _ornstein_uhlenbeck(np.random.default_rng(0), 200, CONTEXT + HORIZON, decay_s=0.2, speed_m_s=0.4)
    seen, truth_m = path_m[:, :CONTEXT], path_m[:, CONTEXT:]
    mean_m, deviation = kalman.predict(seen, np.ones(seen.shape[:3], bool), HORIZON)
    error = (truth_m - mean_m).transpose(0, 2, 1, 3)  # (B, J, H, 3)
    whitened = np.linalg.solve(deviation, error)
    assert np.abs(whitened.mean()) < 0.05
    np.testing.assert_allclose(np.mean(whitened**2, axis=(0, 1, 3)), 1.0, atol=0.15)


def test_livelier_windows_get_wider_futures() -> None:
    rng = np.random.default_rng(1)
    kalman = Kalman(RATE_HZ, HIPS, 64)
    widths = []
    for speed_m_s in (0.05, 0.5):
        path_m = _ornstein_uhlenbeck(rng, 1, CONTEXT, decay_s=0.2, speed_m_s=speed_m_s)
        widths.append(kalman.futures([_window(path_m[0])], HORIZON, [0]).std(axis=1).mean())
    assert widths[1] > 4 * widths[0]


def test_draws_follow_the_predictive_distribution_and_keep_the_hips_middle_in_place() -> None:
    pose_m = _ornstein_uhlenbeck(np.random.default_rng(2), 1, CONTEXT, decay_s=0.2, speed_m_s=0.3)
    pose_m[:, :, HIPS[1]] = -pose_m[:, :, HIPS[0]]
    kalman = Kalman(RATE_HZ, HIPS, 4000)
    drawn = kalman.futures([_window(pose_m[0])], 4, [7])
    assert drawn.shape == (1, 4000, 4, JOINTS, 3) and drawn.dtype == np.float32
    mean_m, deviation = kalman.predict(pose_m.astype(np.float32).astype(float), np.ones((1, CONTEXT, JOINTS), bool), 4)
    np.testing.assert_allclose(drawn[0].mean(axis=0), mean_m[0], atol=4 * drawn.std(axis=1).max() / 4000**0.5)
    expected = deviation[0, 0] @ deviation[0, 0].T
    np.testing.assert_allclose(np.cov(drawn[0, :, :, 0, 1].T), expected, rtol=0.1)
    np.testing.assert_allclose(drawn[..., HIPS[0], :], -drawn[..., HIPS[1], :], atol=1e-5)


def test_draws_belong_to_a_windows_seed_not_to_its_batch() -> None:
    pose_m = _ornstein_uhlenbeck(np.random.default_rng(3), 2, CONTEXT, decay_s=0.2, speed_m_s=0.3)
    first, second = _window(pose_m[0]), _window(pose_m[1])
    kalman = Kalman(RATE_HZ, HIPS, 6)
    together = kalman.futures([first, second], HORIZON, [4, 5])
    np.testing.assert_allclose(kalman.futures([second], HORIZON, [5])[0], together[1], atol=1e-6)
    assert not np.allclose(kalman.futures([second], HORIZON, [6])[0], together[1], atol=1e-4)


def test_what_was_not_observed_teaches_nothing() -> None:
    pose_m = _ornstein_uhlenbeck(np.random.default_rng(4), 1, CONTEXT, decay_s=0.2, speed_m_s=0.3)
    observed = np.ones((1, CONTEXT, JOINTS), bool)
    observed[:, -5:, 0] = False
    invented = pose_m.copy()
    invented[:, -5:, 0] += 1.0
    kalman = Kalman(RATE_HZ, HIPS, 8)
    plain, invented_too = (kalman.predict(p, observed, HORIZON) for p in (pose_m, invented))
    np.testing.assert_array_equal(plain[0], invented_too[0])
    variance = np.square(plain[1]).sum(axis=-1)  # (B, J, H)
    seen = np.square(kalman.predict(pose_m, np.ones_like(observed), HORIZON)[1]).sum(axis=-1)
    assert (variance[0, 0] > 1.05 * seen[0, 0]).all()


@pytest.mark.parametrize("rate_hz", [15.0, 60.0])
def test_the_same_motion_at_another_rate_reaches_as_far(rate_hz: float) -> None:
    def end(rate: float) -> NDArray[np.float64]:
        frames = round(rate)
        pose_m = _bodies(1, frames=1) + 0.2 * np.sin(2 * np.arange(-frames + 1, 1) / rate)[None, :, None, None]
        mean_m, _ = Kalman(rate, HIPS, 8).predict(pose_m, np.ones((1, frames, JOINTS), bool), round(rate))
        return np.asarray(mean_m[0, -1] - pose_m[0, -1])

    np.testing.assert_allclose(end(rate_hz), end(30.0), rtol=0.25)


def _bodies(windows: int, frames: int) -> NDArray[np.float64]:
    return np.random.default_rng(9).normal(scale=0.3, size=(windows, frames, JOINTS, 3))


def _ornstein_uhlenbeck(
    rng: np.random.Generator, windows: int, frames: int, *, decay_s: float, speed_m_s: float
) -> NDArray[np.float64]:
    """Integrated Ornstein-Uhlenbeck paths (B, T, J, 3), simulated in steps far shorter than a frame."""
    fine = 20
    step_s = 1 / (RATE_HZ * fine)
    velocity = speed_m_s * rng.standard_normal((windows, JOINTS, 3))
    position, rows = np.zeros_like(velocity), []
    keep = np.exp(-step_s / decay_s)
    for n in range(frames * fine):
        kicked = keep * velocity + speed_m_s * (1 - keep**2) ** 0.5 * rng.standard_normal(velocity.shape)
        position = position + 0.5 * step_s * (velocity + kicked)
        velocity = kicked
        if n % fine == 0:
            rows.append(position)
    return np.stack(rows, axis=1)


def _window(pose_m: NDArray[np.floating]) -> Window:
    frames, joints = pose_m.shape[:2]
    return Window(
        layout_id="test.tiny.7",
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames - 1,
        timestamp_us=frames * 33_333,
    )
