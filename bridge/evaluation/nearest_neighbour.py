"""What other people did next after moving like this: the futures of the nearest training contexts, no model.

A context is compared by its last pose and its velocity in the canonical frame (own heading, own size). A neighbour's
future is carried over as change: its displacement from its own last pose is added to this one's. The S nearest, each
once and all equally probable, are the samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.evaluation.windows import EvaluationWindow
from bridge.forecaster.jobs import canonical_batch
from bridge.frames import Window
from bridge.skeleton import Layout

Array = NDArray[np.float32]

# Chosen by the energy score of 32 samples within the training split, on 204 windows of 7 subjects with a library of the
# 27 others: metres, with the velocity weighted 0.5, 1 and 2 s
#   last pose and velocity                    2.65  2.53  2.51
#   and those 0.1 s before                    2.71  2.57  2.52
#   and those 0.2 and 0.4 s before            2.82  2.67  2.57
#   and those 0.2, 0.5 and 0.9 s before       2.93  2.82  2.68
VELOCITY_SPAN_S = 1 / 15
"""The velocity is the mean over this long."""
VELOCITY_WEIGHT_S = 2.0
"""A velocity counts as much as the change of pose it would make in this time."""
_BATCH = 512


@dataclass(frozen=True, slots=True, eq=False)
class NearestNeighbour:
    """The method; made by `nearest_neighbour`.

    Attributes:
        layout: of the landmarks.
        rate_hz: of windows and futures.
        keys: (N, F) what contexts are compared by.
        changes: (N, H', J*3) canonical displacements of the library's futures from its last poses, float16.
        samples: S.
    """

    layout: Layout
    rate_hz: float
    keys: Array
    changes: NDArray[np.float16]
    samples: int
    name: str = "nearest_neighbour"
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> Array:
        """(B, S, H, J, 3) metres, hip-centred; a library of fewer than S gives its neighbours more than once.

        Raises:
            InvalidInput: if the library's futures are shorter than that.
        """
        if horizon_frames > self.changes.shape[1]:
            raise InvalidInput(
                f"{horizon_frames} frames from futures of {self.changes.shape[1]}",
                field="horizon_frames",
                expected="no more than the library's futures have",
            )
        batch, frame = canonical_batch(windows, self.layout)
        nearest = self._nearest(context_keys(batch.pose, self.rate_hz))  # (B, S)
        changes = self.changes[nearest, :horizon_frames].astype(np.float32)  # (B, S, H, J*3)
        last = batch.pose[:, -1].reshape(len(windows), 1, 1, -1)
        rows = (last + changes).reshape(len(windows), -1, self.layout.joints, 3)
        return frame.pose_to_world(rows).reshape(*changes.shape[:3], self.layout.joints, 3)

    def _nearest(self, keys: Array) -> NDArray[np.intp]:
        """(B, S) rows of the library, nearest first."""
        # Squared distance up to what is the same for the whole library.
        distance = np.einsum("nf,nf->n", self.keys, self.keys)[None] - 2.0 * (keys @ self.keys.T)
        count = min(self.samples, distance.shape[1])
        some = np.argpartition(distance, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distance, some, axis=1), axis=1, kind="stable")
        found = np.take_along_axis(some, order, axis=1)
        return found[:, np.arange(self.samples) % count]


def nearest_neighbour(
    library: Sequence[EvaluationWindow], layout: Layout, rate_hz: float, samples: int
) -> NearestNeighbour:
    """The method over a library of windows whose futures are known, all equally long.

    Args:
        library: at least one; of other people than those it is scored on.

    Raises:
        InvalidInput: if the library is empty.
    """
    if not library:
        raise InvalidInput("no windows", field="library", expected="at least one")
    keys, changes = [], []
    for start in range(0, len(library), _BATCH):
        part = library[start : start + _BATCH]
        batch, frame = canonical_batch([item.window for item in part], layout)
        futures = frame.pose_to_canonical(np.stack([item.truth_m for item in part]))
        keys.append(context_keys(batch.pose, rate_hz))
        changes.append((futures - batch.pose[:, -1:]).reshape(*futures.shape[:2], -1).astype(np.float16))
    return NearestNeighbour(layout, rate_hz, np.concatenate(keys), np.concatenate(changes), samples)


def context_keys(pose: Array, rate_hz: float) -> Array:
    """(B, F) what canonical contexts (B, C, J, 3) are compared by: the last pose and the weighted velocity."""
    span = min(max(1, round(VELOCITY_SPAN_S * rate_hz)), pose.shape[1] - 1)
    velocity = (pose[:, -1] - pose[:, -1 - span]) * np.float32(rate_hz / span)  # canonical units per second
    return np.concatenate([pose[:, -1], np.float32(VELOCITY_WEIGHT_S) * velocity], axis=1).reshape(len(pose), -1)
