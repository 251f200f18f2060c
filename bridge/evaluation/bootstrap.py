"""Confidence intervals that know that windows of one clip, and clips of one person, are not independent.

Two stages, as the data was gathered: each replicate draws subjects with replacement and then, for every subject drawn,
as many of its clips as it has, with replacement. A value is the mean over all windows of the clips drawn. Every score
of every method is averaged with the same replicates, so the interval of a difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.scores import FloatArray

REPLICATES = 2000
CONFIDENCE = 0.95


class ClusteredBootstrap:
    """Replicates of a set of windows, resampled by subject and, within a subject, by clip.

    Args:
        subjects: of every window.
        clips: of every window.
        seed: of the replicates.
        replicates: how many.
    """

    def __init__(
        self, subjects: Sequence[str], clips: Sequence[str], *, seed: int = 0, replicates: int = REPLICATES
    ) -> None:
        keys = list(zip(subjects, clips, strict=True))
        self._keys, self._seed, self._replicates = keys, seed, replicates
        clusters = sorted(set(keys))
        position = {key: index for index, key in enumerate(clusters)}
        self._cluster: NDArray[np.intp] = np.array([position[key] for key in keys], np.intp)
        of_subject: dict[str, list[int]] = {}
        for index, (subject, _) in enumerate(clusters):
            of_subject.setdefault(subject, []).append(index)
        random = np.random.default_rng(seed)
        drawn = random.multinomial(len(of_subject), _equal(len(of_subject)), size=replicates)  # (R, subjects)
        self._multiplicity = np.zeros((replicates, len(clusters)))
        for times, members in zip(drawn.T, of_subject.values(), strict=True):
            self._multiplicity[:, members] = random.multinomial(times * len(members), _equal(len(members)))
        self._windows = np.bincount(self._cluster, minlength=len(clusters)).astype(np.float64)

    @property
    def clusters(self) -> int:
        """Number of clips."""
        return len(self._windows)

    def of(self, rows: NDArray[np.intp]) -> ClusteredBootstrap:
        """The bootstrap of some of the windows, by their indices, as if they were all."""
        subjects, clips = zip(*(self._keys[row] for row in rows), strict=True)
        return ClusteredBootstrap(subjects, clips, seed=self._seed, replicates=self._replicates)

    def means(self, values: FloatArray) -> FloatArray:
        """Mean of per-window values (N,) in every replicate (R,)."""
        sums = np.bincount(self._cluster, weights=values, minlength=self.clusters)
        return np.asarray(self._multiplicity @ sums / (self._multiplicity @ self._windows))

    def interval(self, values: FloatArray) -> tuple[float, float] | None:
        """Percentile interval of the mean of per-window values (N,); None for one clip: it tells nothing of others."""
        if self.clusters < 2:
            return None
        tail = 50.0 * (1.0 - CONFIDENCE)
        low, high = np.percentile(self.means(values), [tail, 100.0 - tail])
        return float(low), float(high)


def _equal(count: int) -> FloatArray:
    """Equal probabilities of ``count`` things."""
    return np.full(count, 1.0 / count)
