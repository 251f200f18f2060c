"""A Kalman filter for every coordinate, and futures drawn from what it predicts.

Each coordinate x moves with a velocity v that forgets itself within a time tau (Uhlenbeck and Ornstein 1930) and has a
stationary standard deviation sigma; what is seen is x with noise. Over a period d, with a = exp(-d / tau)::

    x' = x + tau (1 - a) v + e_x      Var e_x = sigma^2 tau^2 (2 d / tau - 3 + 4 a - a^2)
    v' = a v + e_v                    Var e_v = sigma^2 (1 - a^2)      Cov = sigma^2 tau (1 - a)^2

tau and the ratio of noise to sigma are the same for all coordinates and were fitted on the training split. sigma, how
lively a landmark is, is estimated in every window from the filter's own one-step errors with a fitted prior. Futures
are drawn from the filter's joint predictive Gaussian over all frames; coordinates are independent, but for the hips,
whose middle is the origin: one is the other's mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Window

Array = NDArray[np.float32]
Exact = NDArray[np.float64]

# Fitted on the training split of the motion data. tau and the noise, which alone decide the mean, by the mean landmark
# error over 30 frames on 734 windows (the last pose held has 90.2 mm):
#   tau (s), noise 2 ms      0.10  0.15  0.20  0.25  0.30  0.40
#   error (mm)               83.5  82.7  83.2  84.5  86.2  89.9
#   noise (ms), tau 0.15 s   0.5   1     2     5     10    20
#   error (mm)               82.7  82.7  82.7  83.0  83.6  84.9
# then the prior on sigma by the energy score of 32 samples on every fifth of them (16 settings).
DECAY_S = 0.15
NOISE_S = 0.002
PRIOR_SPEED_M_S = 0.2
PRIOR_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Kalman:
    """The method.

    Attributes:
        rate_hz: of windows and futures.
        hips: left and right hip.
        samples: S.
        decay_s: tau.
        noise_s: standard deviation of the noise over sigma, metres by metres per second.
        prior_speed_m_s: sigma as far as nothing is known of a window.
        prior_weight: as many one-step errors as the prior counts for.
    """

    rate_hz: float
    hips: tuple[int, int]
    samples: int
    decay_s: float = DECAY_S
    noise_s: float = NOISE_S
    prior_speed_m_s: float = PRIOR_SPEED_M_S
    prior_weight: float = PRIOR_WEIGHT
    name: str = "kalman"
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> Array:
        """(B, S, H, J, 3) metres, hip-centred."""
        pose_m = np.stack([window.pose_m for window in windows]).astype(np.float64)
        observed = np.stack([window.observed for window in windows])
        mean_m, deviation = self.predict(pose_m, observed, horizon_frames)
        joints = pose_m.shape[2]
        shape = (joints, horizon_frames, self.samples * 3)
        noise = np.stack([np.random.default_rng(seed).standard_normal(shape, np.float32) for seed in seeds])
        noise[:, self.hips[1]] = -noise[:, self.hips[0]]
        drawn = (deviation.astype(np.float32) @ noise).reshape(*noise.shape[:3], self.samples, 3)
        drawn += mean_m.astype(np.float32).transpose(0, 2, 1, 3)[:, :, :, None]
        return np.ascontiguousarray(drawn.transpose(0, 3, 2, 1, 4))

    def predict(self, pose_m: Exact, observed: NDArray[np.bool_], horizon_frames: int) -> tuple[Exact, Exact]:
        """What comes after contexts.

        Args:
            pose_m: (B, C, J, 3). observed: (B, C, J); what was not observed teaches the filter nothing.

        Returns:
            Means (B, H, J, 3) and Cholesky factors (B, J, H, H) of the covariance over time of each of a landmark's
            coordinates, metres.
        """
        period_s = 1.0 / self.rate_hz
        position, velocity, spread, speed = self._filter(pose_m, observed, period_s)
        times_s = period_s * np.arange(1, horizon_frames + 1)
        reach_s = self.decay_s * -np.expm1(-times_s / self.decay_s)  # how far a velocity carries
        mean_m = position[:, None] + reach_s[:, None, None] * velocity[:, None]
        carried = np.stack([np.ones_like(reach_s), reach_s], axis=1)  # (H, 2)
        covariance = carried @ spread @ carried.T + self._wander(horizon_frames, period_s)
        covariance[..., np.arange(horizon_frames), np.arange(horizon_frames)] += 1e-9
        return mean_m, np.linalg.cholesky(covariance) * speed[..., None, None]

    def _filter(self, pose_m: Exact, observed: NDArray[np.bool_], period_s: float) -> tuple[Exact, Exact, Exact, Exact]:
        """At the last frame: position, velocity (B, J, 3), their covariance (B, J, 2, 2) over sigma^2; sigma (B, J)."""
        move, grow = _motion(period_s, self.decay_s)
        noise = self.noise_s**2
        windows, _, joints, _ = pose_m.shape
        position, velocity = pose_m[:, 0].copy(), np.zeros((windows, joints, 3))
        spread = np.broadcast_to(np.diag([noise, 1.0]), (windows, joints, 2, 2)).copy()
        error, count = np.zeros((windows, joints)), np.zeros((windows, joints))
        for frame, seen in zip(pose_m[:, 1:].swapaxes(0, 1), observed[:, 1:].swapaxes(0, 1), strict=True):
            position = position + move[0, 1] * velocity
            velocity = move[1, 1] * velocity
            spread = move @ spread @ move.T + grow
            innovation = frame - position
            expected = spread[..., 0, 0] + noise
            gain = spread[..., :, 0] / expected[..., None] * seen[..., None]  # (B, J, 2)
            position = position + gain[..., 0, None] * innovation
            velocity = velocity + gain[..., 1, None] * innovation
            spread = spread - gain[..., :, None] * spread[..., None, 0, :]
            error += seen * np.square(innovation).sum(axis=-1) / expected
            count += 3.0 * seen
        variance = (self.prior_weight * self.prior_speed_m_s**2 + error) / (self.prior_weight + count)
        return position, velocity, spread, np.sqrt(variance)

    def _wander(self, horizon_frames: int, period_s: float) -> Exact:
        """(H, H) covariance over sigma^2 of positions that start at rest at a known place."""
        move, grow = _motion(period_s, self.decay_s)
        state, rows = np.zeros((2, 2)), []
        for _ in range(horizon_frames):
            state = move @ state @ move.T + grow
            rows.append(state)
        states = np.stack(rows)
        later_s = period_s * (np.arange(horizon_frames)[None, :] - np.arange(horizon_frames)[:, None])
        ahead_s = self.decay_s * -np.expm1(-np.maximum(later_s, 0.0) / self.decay_s)
        upper = np.triu(states[:, 0, 0, None] + states[:, 0, 1, None] * ahead_s)
        return np.asarray(upper + np.triu(upper, 1).T)


def _motion(period_s: float, decay_s: float) -> tuple[Exact, Exact]:
    """Transition (2, 2) of position and velocity over a period, and the covariance (2, 2) it adds, over sigma^2."""
    a = np.exp(-period_s / decay_s)
    move = np.array([[1.0, decay_s * (1.0 - a)], [0.0, a]])
    along = decay_s**2 * (2.0 * period_s / decay_s - 3.0 + 4.0 * a - a**2)
    across = decay_s * (1.0 - a) ** 2
    return move, np.array([[along, across], [across, 1.0 - a**2]])
