"""Looking at pictures."""

from __future__ import annotations

import numpy as np


def has_colour(image: np.ndarray, colour: str) -> bool:
    """Whether some pixel of an image (height, width, 3) of 0 to 1 has a colour, given as ``#RRGGBB``."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return bool((np.abs(image - wanted).max(axis=-1) < 0.02).any())
