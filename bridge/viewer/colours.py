"""Colours of the live view: told apart with any kind of colour blindness, and kept by a future that goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's palette for light paper, violet in place of its yellow; beyond seven futures it repeats.
FUTURES = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (70, 40, 120),
)
INK = (27, 31, 36)
UNOBSERVED = (120, 128, 136)
"""Of a body that is not observed itself, but known from a forecast only."""
ALARM = (178, 24, 43)
"""Of a body on alert, which is drawn thicker as well and says so in words."""
SAMPLES = (140, 148, 158)
PAPER = (252, 252, 250)


def faded(rgb: NDArray[np.integer] | Sequence[int], strength: NDArray[np.floating] | float) -> NDArray[np.uint8]:
    """Blend colours (..., 3) of 0 to 255 into the paper: 1 leaves them as they are, 0 is the paper itself.

    ``strength`` (...) has the colours' leading axes, or ones that broadcast with them.
    """
    share = np.asarray(strength, np.float64)[..., None]
    blended = share * np.asarray(rgb, np.float64) + (1.0 - share) * np.asarray(PAPER, np.float64)
    return np.rint(np.clip(blended, 0, 255)).astype(np.uint8)


def linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours of lines (..., 3) as viser wants them: it takes their numbers for linear light, not for sRGB.

    The formula is that of IEC 61966-2-1.
    """
    share = rgb.astype(np.float64) / 255.0
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.rint(255.0 * light).astype(np.uint8)


def css(rgb: Sequence[int]) -> str:
    """A colour as ``#rrggbb``."""
    return "#" + "".join(f"{channel:02x}" for channel in rgb)


class ColourKeeper:
    """Gives each future of an avatar a place in the palette that it keeps from one forecast to the next.

    Futures are known by their mode ids. A new one gets the first place that nobody has.
    """

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def places_of(self, mode_ids: Sequence[int]) -> tuple[int, ...]:
        """A place, 0 and up, for each future of the newest forecast; those that are gone give theirs back."""
        kept = {mode: self._places[mode] for mode in mode_ids if mode in self._places}
        free = (place for place in range(len(mode_ids)) if place not in kept.values())
        for mode in mode_ids:
            if mode not in kept:
                kept[mode] = next(free)
        self._places = kept
        return tuple(kept[mode] for mode in mode_ids)


def colours_of(places: Sequence[int]) -> NDArray[np.uint8]:
    """Colours (K, 3) of places in the palette."""
    return np.array([FUTURES[place % len(FUTURES)] for place in places], np.uint8).reshape(-1, 3)
