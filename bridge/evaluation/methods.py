"""What can be compared: anything that turns windows into futures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Window

REFINED = "gru_snf"
"""Name of the method that the others are held against."""
REFERENCE = "last_pose"
"""Name of the method that ratios are taken to."""


class Method(Protocol):
    """A way to forecast."""

    @property
    def name(self) -> str:
        """Key in tables and JSON."""
        ...

    @property
    def stochastic(self) -> bool:
        """Whether its samples stand for a distribution; otherwise there is one future and no coverage to speak of."""
        ...

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, S, H, J, 3) metres, hip-centred world axes, of B windows with one seed each."""
        ...
