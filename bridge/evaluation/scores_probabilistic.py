"""Proper scores of single coordinates and of pairs of them, and whether a body stays a body: functions on arrays.

The energy score of whole futures is in `bridge.evaluation.scores`; axes and units are those of that module. The
arithmetic of CRPS and variogram score is that of the ``scoringrules`` library.
"""

from __future__ import annotations

import numpy as np
import scoringrules
from numpy.typing import NDArray

from bridge.evaluation.scores import FloatArray, Samples

VARIOGRAM_ORDER = 0.5
# So many numbers are sorted and summed at a time: what a processor's cache holds.
_CACHED_NUMBERS = 400_000


def crps(x: Samples, y: Samples) -> FloatArray:
    """Continuous ranked probability score, mean over all frames, landmarks and axes, (N,), metres.

    The fair estimator, mean|x^k - y| - ½ mean over k != l of |x^k - x^l| (Ferro 2014), computed from sorted samples:
    ``scoringrules.crps_ensemble(..., estimator="pwm")`` equals its ``estimator="fair"`` without the square cost. For
    one sample (a deterministic method) it is the absolute error.
    """
    windows, samples = x.shape[:2]
    truth = y.reshape(windows, -1)
    if samples == 1:
        return np.asarray(np.abs(x.reshape(windows, -1) - truth).mean(axis=1), np.float64)
    drawn = x.reshape(windows, samples, -1).transpose(0, 2, 1)
    means: list[FloatArray] = []
    step = max(_CACHED_NUMBERS // max(drawn[0].size, 1), 1)
    for start in range(0, windows, step):
        rows = slice(start, start + step)
        by_size = np.sort(drawn[rows], axis=-1)
        each = scoringrules.crps_ensemble(
            truth[rows], by_size, estimator="pwm", sorted_ensemble=True, backend="numpy"
        )  # (n, 3HJ)
        means.append(np.asarray(each.mean(axis=1), np.float64))
    return np.concatenate(means)


def variogram_score(x: Samples, y: Samples, joints: NDArray[np.intp], frames: list[int]) -> FloatArray:
    """Variogram score of order ½ (Scheuerer and Hamill 2015), mean over ``frames``, (N,), metres.

    At each frame: over all ordered pairs (i, j) of coordinates of ``joints``, the sum of
    (|y_i - y_j|^½ - mean over k of |x_i^k - x_j^k|^½)², as ``scoringrules.vs_ensemble(..., p=0.5)`` has it. It looks at
    how coordinates go together, which neither CRPS nor coverage sees. Not fair: its expectation falls a little with S,
    so compare methods of the same S.

    Args:
        x: (N, S, H, J, 3) samples.
        y: (N, H, J, 3) truth.
        joints: landmarks to look at.
        frames: rows of the future to look at.
    """
    windows, samples = x.shape[:2]
    drawn = np.take(x[:, :, frames], joints, axis=3).reshape(windows, samples, len(frames), -1).transpose(0, 2, 1, 3)
    truth = np.take(y[:, frames], joints, axis=2).reshape(windows, len(frames), -1)
    each = scoringrules.vs_ensemble(truth, np.ascontiguousarray(drawn), p=VARIOGRAM_ORDER, backend="numpy")
    return np.asarray(each.mean(axis=1), np.float64)


def bone_lengths(pose_m: NDArray[np.float32], bones: NDArray[np.intp]) -> NDArray[np.float32]:
    """Lengths (..., bones) in metres of bones (bones, 2) in poses (..., J, 3)."""
    along = np.take(pose_m, bones[:, 1], axis=-2) - np.take(pose_m, bones[:, 0], axis=-2)
    return np.asarray(np.sqrt(np.einsum("...d,...d->...", along, along)))


def context_bone_lengths(
    pose_m: NDArray[np.float32], observed: NDArray[np.bool_], bones: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Mean length (N, bones) of bones in contexts (N, C, J, 3), over the frames where both ends were seen.

    A bone that was never seen counts with the length it was filled in with.

    Args:
        pose_m: metres.
        observed: (N, C, J).
        bones: (bones, 2) indices of landmarks.
    """
    lengths = bone_lengths(pose_m, bones)
    seen = (observed[..., bones[:, 0]] & observed[..., bones[:, 1]]).astype(np.float32)
    seen += (seen.sum(axis=1, keepdims=True) == 0).astype(np.float32)
    return np.asarray((lengths * seen).sum(axis=1) / seen.sum(axis=1))


def bone_stretch(x: Samples, bones: NDArray[np.intp], reference_m: NDArray[np.float32]) -> FloatArray:
    """Stretch |b_t - b| / b, mean over samples, frames and bones, (N,), as a fraction; 0 for rigid bones.

    Args:
        x: (N, S, H, J, 3) samples (give the truth a sample axis of one for its own stretch).
        bones: (bones, 2) indices of landmarks.
        reference_m: (N, bones) the lengths b, from `context_bone_lengths`.
    """
    reference = np.maximum(reference_m, 1e-6)[:, None, None]
    lengths = bone_lengths(x, bones)
    lengths /= reference
    lengths -= 1.0
    return np.asarray(np.abs(lengths, out=lengths).mean(axis=(1, 2, 3)), np.float64)
