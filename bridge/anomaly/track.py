"""Scores of one avatar's frames, from what the forecaster already drew: no rollout is made for them.

A frame is compared with the samples that were drawn 100, 200 and 500 ms before it: with the nearest one (the mean of
several modes is a place where nobody goes), landmark by landmark, in units of the samples' own spread and the
tracker's noise. Beside it stands the exact likelihood of the newest block of frames, one step ahead.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.habits import FloatArray, TrackHabits
from bridge.anomaly.scored import LAGS_US, SCORE_NAMES, FrameScores
from bridge.forecaster.results import OneStep
from bridge.skeleton import Layout
from bridge.wire.alerts import NoVerdict

SCORED_SAMPLES = 16
"""Samples that a frame is compared with, whatever a client asked for: scores of other numbers are other scores."""
SCORED_MS = 650
"""How far ahead they reach: the longest lag, and the time to the next drawn samples."""
REFERENCE_SPACING_US = 95_000
"""Samples are kept for comparison about ten times a second: more would be nearly the same ones."""
DENSITY_SPACING_US = 66_667
"""The density of a block is computed at most once in so long; until the next, what the last one said holds."""

_LATE_US = 110_000
_DENSITY_HOLDS_US = 95_000
_EARLY_US = 5_000
_NOISE_M2 = 0.01**2
_NOISE_FACTOR = 9.0
_STILL_M = 0.01
_FROZEN_M = 0.001
_OUTSIDE_M = 1e-3
_SAME_PLACE = 0.35
_MIN_SEEN_SHARE = 0.5
_REPEATS_ALLOWED = 3
_KEPT = 16
_INDEX = {name: i for i, name in enumerate(SCORE_NAMES)}
_NEAREST = [_INDEX["nearest_100ms"], _INDEX["nearest_200ms"], _INDEX["nearest_500ms"]]
_JOINT = [_INDEX["joint_100ms"], None, _INDEX["joint_500ms"]]
_RANK = [None, None, _INDEX["rank_500ms"]]
_STILL = [_INDEX["still_100ms"], None, _INDEX["still_500ms"]]
_FROZEN = [_INDEX["frozen_100ms"], _INDEX["frozen_200ms"], None]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Samples to compare with.

    Attributes:
        timestamp_us: of the frame that they were drawn from, on the sender's clock.
        step_us: between their steps; step h (from 0) is at ``timestamp_us + (h + 1) * step_us``.
        samples_m: (S, H, J, 3) hip-centred, metres, world axes.
        start_m: (J, 3) the pose that they start from.
    """

    timestamp_us: int
    step_us: float
    samples_m: NDArray[np.float16]
    start_m: FloatArray

    def at(self, timestamp_us: int) -> FloatArray:
        """The samples (S, J, 3) at a time within their reach; between steps they move linearly."""
        position = (timestamp_us - self.timestamp_us) / self.step_us - 1.0
        last = self.samples_m.shape[1] - 1
        step = min(max(int(position + 0.02), 0), last)
        share = position - step
        here: FloatArray = self.samples_m[:, step].astype(np.float32)
        if share > 0.02 and step < last:
            here += np.float32(share) * (self.samples_m[:, step + 1].astype(np.float32) - here)
        return here


def scored_steps(rate_hz: float) -> int:
    """Steps of a forecast that frames are compared with."""
    return math.ceil(SCORED_MS * rate_hz / 1000.0)


def landmark_votes(layout: Layout) -> FloatArray:
    """How much each landmark counts (J,): those that lie close together (a face, a hand) share their votes.

    The hips count little: the poses are centred between them.
    """
    apart = np.linalg.norm(layout.template[:, None] - layout.template[None], axis=-1)
    votes = 1.0 / (apart < _SAME_PLACE).sum(axis=1)
    votes[list(layout.hips)] *= 0.2
    return np.asarray(votes, np.float32)


class TrackScorer:
    """The state that scores of one avatar need: habits, and the samples drawn in the last two thirds of a second.

    Call `score` for every frame in order of capture, and `add_reference` when samples come in.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._votes = landmark_votes(layout)
        self._all_votes = float(self._votes.sum())
        self._nothing = np.full(len(SCORE_NAMES), np.nan, np.float32)
        self._no_joints = np.zeros(layout.joints, np.float32)
        self.restart()

    def restart(self) -> None:
        """Forget everything: another track begins."""
        self._references: deque[Reference] = deque(maxlen=_KEPT)
        self._habits = TrackHabits(self._layout, self._votes)
        self._density: tuple[int, OneStep] | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        """The samples that are kept, oldest first."""
        return tuple(self._references)

    def add_reference(self, reference: Reference) -> None:
        """Keep samples to compare later frames with."""
        self._references.append(reference)

    def reference_for(self, timestamp_us: int, lag_us: int) -> Reference | None:
        """The newest samples that are at least ``lag_us`` old at a time and not much older."""
        found = None
        for reference in self._references:
            age_us = timestamp_us - reference.timestamp_us
            reach_us = reference.step_us * (reference.samples_m.shape[1] + 0.1)
            if lag_us - _EARLY_US <= age_us < lag_us + _LATE_US and age_us <= reach_us:
                found = reference
        return found

    def score(
        self, timestamp_us: int, pose_m: FloatArray, visibility: FloatArray, one_step: OneStep | None
    ) -> FrameScores:
        """Score a frame.

        Args:
            timestamp_us: of its capture.
            pose_m: (J, 3) hip-centred, metres; any numbers where unseen.
            visibility: (J,) 0 to 1, 0 where unseen; landmarks count as much as they are seen.
            one_step: of the block that it ends; None where it was not computed: then the last one holds for a while.
        """
        seen = visibility > 0
        if one_step is not None:
            self._density = timestamp_us, one_step
        elif self._density is not None and 0 <= timestamp_us - self._density[0] <= _DENSITY_HOLDS_US:
            one_step = self._density[1]
        pose_m = np.where(seen[:, None], pose_m, np.float32(0.0))
        self._habits.add(timestamp_us, pose_m, seen)
        weights = self._votes * visibility
        total = float(weights.sum())
        if total < _MIN_SEEN_SHARE * self._all_votes:
            return self._none(NoVerdict.TOO_FEW_LANDMARKS)
        weights = weights / np.float32(total)
        scores = self._nothing.copy()
        joints = self._compare(timestamp_us, pose_m, weights, scores)
        if joints is None:
            return self._none(NoVerdict.NO_FORECAST if self._is_old(timestamp_us) else NoVerdict.TOO_SHORT)
        if one_step is not None:
            outside_m = float((one_step.outside_m * seen).max())
            scores[0] = -one_step.log_density
            scores[1] = math.log1p(one_step.base_square)
            scores[2] = math.log(outside_m + _OUTSIDE_M)
        if self._habits.bone_surprise is not None:
            scores[_INDEX["bones"]] = self._habits.bone_surprise
        scores[_INDEX["repeated"]] = math.log1p(max(self._habits.repeated_frames - _REPEATS_ALLOWED, 0))
        return FrameScores(scores, self._habits.log_speed, joints)

    def _is_old(self, timestamp_us: int) -> bool:
        """Whether there were samples early enough for a frame of now to be compared with."""
        return bool(self._references) and timestamp_us - self._references[0].timestamp_us >= LAGS_US[0] + _LATE_US

    def _none(self, reason: NoVerdict) -> FrameScores:
        return FrameScores(self._nothing, self._habits.log_speed, self._no_joints, reason)

    def _compare(
        self, timestamp_us: int, pose_m: FloatArray, weights: FloatArray, scores: FloatArray
    ) -> FloatArray | None:
        """Fill in the scores against samples; the landmarks' parts (J,), or None where there is nothing to compare."""
        which, drawn, starts = [], [], []
        for i, lag_us in enumerate(LAGS_US):
            reference = self.reference_for(timestamp_us, lag_us)
            if reference is not None:
                which.append(i)
                drawn.append(reference.at(timestamp_us))
                starts.append(reference.start_m)
        if not which:
            return None
        samples = np.stack(drawn)  # (L, S, J, 3)
        lags, count, joints, _ = samples.shape
        mean = samples.mean(axis=1)
        apart = samples - mean[:, None]
        variance = _squares(apart).sum(axis=1) / np.float32(3 * max(count - 1, 1))
        noise_m2 = _NOISE_M2 + np.float32(_NOISE_FACTOR) * self._habits.noise_m2
        scale = np.sqrt(weights / (np.float32(3.0) * (variance + noise_m2)))  # (L, J)
        pool = np.empty((lags, count + 1, joints, 3), np.float32)
        np.multiply(apart, scale[:, None, :, None], out=pool[:, :count])
        np.multiply(pose_m - mean, scale[..., None], out=pool[:, count])
        flat = pool.reshape(lags, count + 1, joints * 3)
        products = flat @ flat.transpose(0, 2, 1)
        squares = products.diagonal(axis1=1, axis2=2)
        distances = squares[:, :, None] + squares[:, None, :]
        products *= -2.0
        distances += products
        np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
        to_samples = distances[:, count, :count]
        nearest = to_samples.argmin(axis=1)
        energy = distances.sum(axis=2)
        of_samples = energy[:, :count]
        rank = (energy[:, count] - of_samples.mean(axis=1)) / np.maximum(of_samples.std(axis=1), 1e-6)
        off = pool[:, count] - pool[np.arange(lags), nearest]
        parts = _squares(off)  # (L, J) adding up to the squared distance
        worst = np.sqrt((parts / np.maximum(weights, np.float32(1e-6))).max(axis=1))
        begun = np.stack(starts)
        moved = np.sqrt(_squares(pose_m - begun) @ weights)
        would = _middle(np.sqrt(_squares(samples - begun[:, None]) @ weights))
        for row, i in enumerate(which):
            _put(scores, _NEAREST[i], math.log(max(float(to_samples[row, nearest[row]]), 1e-6)))
            _put(scores, _JOINT[i], math.log(max(float(worst[row]), 1e-6)))
            _put(scores, _RANK[i], float(rank[row]))
            _put(scores, _STILL[i], math.log((float(would[row]) + _STILL_M) / (float(moved[row]) + _STILL_M)))
            _put(scores, _FROZEN[i], math.log((float(would[row]) + _FROZEN_M) / (float(moved[row]) + _FROZEN_M)))
        total: FloatArray = parts.sum(axis=0)
        return total


def _squares(vectors: FloatArray) -> FloatArray:
    """Squared lengths (...) of vectors (..., 3)."""
    product = vectors * vectors
    total: FloatArray = product[..., 0] + product[..., 1]
    total += product[..., 2]
    return total


def _middle(values: FloatArray) -> FloatArray:
    """Median over the last axis, of an even number the upper one: cheaper than numpy's."""
    middle: FloatArray = np.sort(values, axis=-1)[..., values.shape[-1] // 2]
    return middle


def _put(scores: FloatArray, index: int | None, value: float) -> None:
    if index is not None:
        scores[index] = value
