"""What else could have happened: the true futures of other windows that ended in the same pose (MMADE, MMFDE).

One recording shows one outcome. Windows whose last poses agree (`population.same_pose`) stand for several outcomes of
one situation; their futures are carried into each other's heading and size through the canonical frame. A forecaster
that covers them all has a low score; one that is good at the one that happened only, has not (Yuan and Kitani 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.population import same_pose, true_diversity
from bridge.evaluation.scores import FloatArray, Samples
from bridge.evaluation.windows import EvaluationWindow
from bridge.forecaster.jobs import canonical_batch
from bridge.geometry import CanonicalFrame
from bridge.skeleton import Layout


class PossibleFutures:
    """The true futures that each window could have had.

    Args:
        windows: N, all with the same context and horizon.
        layout: of the landmarks.
    """

    def __init__(self, windows: Sequence[EvaluationWindow], layout: Layout) -> None:
        batch, self._frame = canonical_batch([item.window for item in windows], layout)
        self._context_frames = batch.pose.shape[1]
        self._last = np.ascontiguousarray(batch.pose[:, -1])  # (N, J, 3)
        truth_m = np.stack([item.truth_m for item in windows])
        self._futures = self._frame.pose_to_canonical(truth_m).reshape(*truth_m.shape[:2], -1)  # (N, H, 3J)
        self._near = same_pose(self._last, self._frame.scale_m)
        self._clip = np.unique([f"{item.subject}/{item.clip_id}" for item in windows], return_inverse=True)[1]
        self._first = np.array([item.first_future_frame for item in windows])

    @property
    def neighbours(self) -> NDArray[np.int64]:
        """(N,) number of futures that each window could have had, its own among them."""
        return np.asarray(self._near.sum(axis=1), np.int64)

    def scores(self, rows: slice, samples_m: Samples) -> tuple[FloatArray, FloatArray]:
        """MMADE and MMFDE of the windows ``rows``: mean over possible futures of ADE and FDE to them, (n,), metres.

        Args:
            rows: of the windows given at the start.
            samples_m: (n, S, H, J, 3) hip-centred world poses.
        """
        count, samples, horizon = samples_m.shape[:3]
        heading, scale_m, origin_m = (
            self._frame.heading_rad[rows],
            self._frame.scale_m[rows],
            self._frame.origin_m[rows],
        )
        frame = CanonicalFrame(heading, scale_m, origin_m)
        drawn = frame.pose_to_canonical(samples_m.reshape(count, samples * horizon, *samples_m.shape[3:]))
        # As displacements from the window's last pose: small numbers, so that float32 squares lose nothing.
        last = self._last[rows].reshape(count, 1, 1, -1)
        moved = drawn.reshape(count, samples, horizon, -1) - last
        ade, fde = np.empty(count), np.empty(count)
        for n, near in enumerate(self._near[rows]):
            possible = self._futures[near] - last[n]  # (M, H, 3J)
            apart = _frame_distances(moved[n], possible)  # (H, S, M)
            ade[n] = apart.mean(axis=0).min(axis=0).mean()
            fde[n] = apart[-1].min(axis=0).mean()
        return ade * scale_m, fde * scale_m

    def diversity(self) -> tuple[float | None, int]:
        """`population.true_diversity`, where windows that share frames are no two outcomes, and how many have it."""
        overlapping = (self._clip[:, None] == self._clip[None, :]) & (
            np.abs(self._first[:, None] - self._first[None, :]) < self._context_frames + self._futures.shape[1]
        )
        futures = self._futures.reshape(*self._futures.shape[:2], -1, 3)
        return true_diversity(self._last, futures, self._frame.scale_m, overlapping)


def _frame_distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances (H, S, M) of whole poses, frame by frame, between futures (S, H, D) and (M, H, D)."""
    square = np.einsum("khd,khd->hk", a, a)[:, :, None] + np.einsum("mhd,mhd->hm", b, b)[:, None, :]
    square -= 2.0 * np.matmul(a.transpose(1, 0, 2), b.transpose(1, 2, 0))
    np.maximum(square, 0.0, out=square)
    return np.asarray(np.sqrt(square, out=square))
