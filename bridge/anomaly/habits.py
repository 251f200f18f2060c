"""What is usual for one track: how noisy its landmarks are, how long its bones, how fast it moves.

All of it is learnt slowly, from bounded steps: a jump is news, not a new habit.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from bridge.skeleton import Layout

FloatArray = NDArray[np.float32]

_NOISE_MEMORY_S = 3.0
_NOISE_FIRST_FRAMES = 15
_BONE_MEMORY_S = 5.0
_BONE_FIRST_S = 1.0
_BONE_STEP_M = 0.02
_BONE_NOISE_M = 0.01
_BONE_NOISE_SHARE = 0.02
_SPEED_MEMORY_S = 1.5
_SPEED_DELAY_FRAMES = 5
_SLOWEST_M_S = 0.02
_LONGEST_STEP_S = 0.1
_SAME_M = 1e-5


class TrackHabits:
    """Running estimates of one track; `add` every frame in order, then read.

    Attributes:
        noise_m2: (J,) variance of the tracker's noise per axis, square metres, from third differences of positions
            (a smooth path has next to none; white noise of variance v has 20 v).
        log_speed: log of the body's root mean square speed, m/s (plus 2 cm/s), as it was `_SPEED_DELAY_FRAMES` before.
        repeated_frames: how many frames in a row were the same as the one before them, up to the newest.
        bone_surprise: log of the largest deviation of a bone from its usual length, in units of how much it usually
            deviates; None until it is known what is usual.
    """

    def __init__(self, layout: Layout, votes: FloatArray) -> None:
        ends = np.asarray(layout.bones, np.intp)
        self._from, self._to = ends[:, 0], ends[:, 1]
        self._votes = votes
        self._poses: deque[tuple[FloatArray, NDArray[np.bool_]]] = deque(maxlen=4)
        self._noise_frames = 0
        self.noise_m2: NDArray[np.float32] = np.zeros(layout.joints, np.float32)
        self._length_m: FloatArray | None = None
        self._deviation_m = np.zeros(len(ends), np.float32)
        self.bone_surprise: float | None = None
        self._speeds: deque[float] = deque(maxlen=_SPEED_DELAY_FRAMES)
        self._speed = 0.0
        self._age_s = 0.0
        self._frames = 0
        self._newest_us = 0
        self.repeated_frames: int = 0

    @property
    def log_speed(self) -> float:
        """See the class."""
        return self._speeds[0] if self._speeds else math.log(_SLOWEST_M_S)

    def add(self, timestamp_us: int, pose_m: FloatArray, seen: NDArray[np.bool_]) -> None:
        """Take in a hip-centred pose (J, 3) in metres; ``seen`` (J,) are the landmarks that count."""
        step_s = (timestamp_us - self._newest_us) * 1e-6 if self._frames else 0.0
        known_s = min(step_s, _LONGEST_STEP_S)
        self._newest_us = timestamp_us
        self._frames += 1
        self._age_s += known_s
        if self._poses and step_s > 0.0:
            self._learn_speed(pose_m, seen, step_s, known_s)
        self._poses.append((pose_m, seen))
        if len(self._poses) == 4:
            self._learn_noise(known_s)
        self._learn_bones(pose_m, seen, known_s)

    def _learn_speed(self, pose_m: FloatArray, seen: NDArray[np.bool_], step_s: float, known_s: float) -> None:
        before_m, before_seen = self._poses[-1]
        votes = self._votes * (seen & before_seen)
        total = float(votes.sum())
        if total <= 0.0:
            return
        moved = pose_m - before_m
        same = float(np.abs(moved).max()) < _SAME_M and bool((seen == before_seen).all())
        self.repeated_frames = self.repeated_frames + 1 if same else 0
        speed = math.sqrt(float(votes @ np.einsum("jc,jc->j", moved, moved)) / total) / step_s
        gain = max(known_s / _SPEED_MEMORY_S, 1.0 / self._frames)
        self._speed += gain * (math.log(speed + _SLOWEST_M_S) - self._speed)
        self._speeds.append(self._speed)

    def _learn_noise(self, known_s: float) -> None:
        (a, a_seen), (b, b_seen), (c, c_seen), (d, d_seen) = self._poses
        third = d - a + 3.0 * (b - c)
        variance = np.einsum("jc,jc->j", third, third) / np.float32(60.0)
        self._noise_frames += 1
        if self._noise_frames > _NOISE_FIRST_FRAMES:
            variance = np.minimum(variance, 4.0 * self.noise_m2 + np.float32(1e-6))
        gain = np.float32(max(known_s / _NOISE_MEMORY_S, 1.0 / self._noise_frames))
        step = gain * (variance - self.noise_m2)
        self.noise_m2 += np.where(a_seen & b_seen & c_seen & d_seen, step, np.float32(0.0))

    def _learn_bones(self, pose_m: FloatArray, seen: NDArray[np.bool_], known_s: float) -> None:
        bone = pose_m[self._to] - pose_m[self._from]
        length_m = np.sqrt(np.einsum("bc,bc->b", bone, bone))
        known = seen[self._from] & seen[self._to]
        if self._length_m is None:
            self._length_m = length_m.copy()
        usual_m = self._length_m
        off_m = length_m - usual_m
        size_m = np.abs(off_m)
        scale_m = _BONE_NOISE_SHARE * usual_m + _BONE_NOISE_M + 2.0 * self._deviation_m
        self.bone_surprise = None
        if self._age_s >= _BONE_FIRST_S and known.any():
            self.bone_surprise = math.log(float((size_m / scale_m)[known].max()) + 0.05)
        gain = np.float32(known_s / min(max(self._age_s, _LONGEST_STEP_S), _BONE_MEMORY_S))
        most_m = 2.0 * self._deviation_m + _BONE_NOISE_M
        learnt = known * gain
        self._deviation_m += learnt * (np.minimum(size_m, most_m) - self._deviation_m)
        usual_m += learnt * np.clip(off_m, -_BONE_STEP_M, _BONE_STEP_M)
