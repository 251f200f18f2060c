"""The store behind a timeline: one structured array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 64


class FrameBuffer:
    """Rows in order of time, side by side in memory; grows as needed and reuses the room of dropped rows.

    Columns of a row: ``time_us``, ``sequence``, ``pose_m`` (J, 3), ``seen`` (J), ``hips_seen``, ``middle_m`` (3),
    ``has_root`` and ``root_m`` (3), as in `bridge.resampling.Observations`.
    """

    def __init__(self, joints: int) -> None:
        self._dtype = np.dtype(
            [
                ("time_us", np.int64),
                ("sequence", np.uint64),
                ("middle_m", np.float64, (3,)),
                ("root_m", np.float64, (3,)),
                ("pose_m", np.float32, (joints, 3)),
                ("seen", np.bool_, (joints,)),
                ("hips_seen", np.bool_),
                ("has_root", np.bool_),
            ],
            align=True,
        )
        self._rows = np.zeros(_FIRST_ROWS, self._dtype)
        self._start = self._stop = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def column(self, name: str) -> NDArray[Any]:
        """One column of all rows, oldest first; writing to it writes to the rows."""
        return self._rows[name][self._start : self._stop]

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self._rows.nbytes

    def open(self, position: int) -> None:
        """Make room for a row at a position; its content is undefined."""
        if self._stop == len(self._rows):
            kept = self._rows[self._start : self._stop]
            room = np.zeros(len(self._rows) * (2 if 4 * len(kept) > 3 * len(self._rows) else 1), self._dtype)
            room[: len(kept)] = kept
            self._rows, self._start, self._stop = room, 0, len(kept)
        self._stop += 1
        at = self._start + position
        if at < self._stop - 1:
            self._rows[at + 1 : self._stop] = self._rows[at : self._stop - 1].copy()

    def drop(self, count: int) -> None:
        """Drop the oldest rows."""
        self._start += count

    def clear(self) -> None:
        """Drop every row."""
        self._start = self._stop = 0
