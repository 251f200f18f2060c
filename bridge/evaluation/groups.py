"""The same scores for parts of the windows: by action, and balanced so that every family of recordings counts alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bridge.evaluation.evaluate import Evaluation
from bridge.evaluation.scores import FloatArray

OTHER = "other"
MIN_ACTION_WINDOWS = 20


def balanced_mean(values: FloatArray, families: tuple[str, ...]) -> float:
    """Mean over families of the mean of each one's windows (N,): a family with many recordings counts no more."""
    names = np.array(families)
    return float(np.mean([values[names == name].mean() for name in np.unique(names)]))


def windows_by_family(evaluation: Evaluation) -> dict[str, int]:
    """Number of windows of each family, by name."""
    return dict(sorted(Counter(evaluation.families).items()))


def windows_by_action(evaluation: Evaluation) -> Mapping[str, NDArray[np.intp]]:
    """Indices of the windows of each action, most frequent first.

    Actions with fewer than `MIN_ACTION_WINDOWS` windows, and windows without an action, come together as `OTHER`, last.
    """
    count = Counter(evaluation.actions)
    names = [a if a and count[a] >= MIN_ACTION_WINDOWS else OTHER for a in evaluation.actions]
    order = sorted(set(names), key=lambda name: (name == OTHER, -count[name], name))
    return {name: np.flatnonzero(np.array(names) == name) for name in order}
