"""Between evenly spaced instants: what futures are at times that no step meets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def along(
    values: NDArray[np.floating], first_us: float, step_us: float, at_us: NDArray[np.floating] | NDArray[np.integer]
) -> NDArray[np.float64]:
    """Linear interpolation of ``values`` (H, ...), which lie ``step_us`` apart from ``first_us`` on, at times (n,).

    Before the first and after the last instant the line through the outer two goes on; a single value is held.

    Returns:
        (n, ...).
    """
    last = len(values) - 1
    if last == 0:
        return np.repeat(values.astype(np.float64), len(at_us), axis=0)
    place = (np.asarray(at_us, np.float64) - first_us) / step_us
    before = np.clip(np.floor(place).astype(np.intp), 0, last - 1)
    weight = (place - before).reshape(-1, *[1] * (values.ndim - 1))
    result: NDArray[np.float64] = (1.0 - weight) * values[before] + weight * values[before + 1]
    return result
