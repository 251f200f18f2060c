"""The store behind a timeline: one structured array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 64


class FrameBuffer:
    """Rows in order of time, side by side in memory; grows as needed and reuses the room of dropped rows.

    Columns of a row: ``time_us``, ``sequence``, ``pose_m`` (J, 3), ``seen`` (J), ``hips_seen``, ``middle_m`` (3),
    ``has_root`` and ``root_m`` (3), as in `bridge.resampling.Observations`; ``filled`` as in `bridge.frames.Frame`.
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
                ("filled", np.bool_),
            ],
            align=True,
        )
        self._use(np.zeros(_FIRST_ROWS, self._dtype))
        self._start = self._stop = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def column(self, name: str) -> NDArray[Any]:
        """One column of all rows, oldest first; writing to it writes to the rows."""
        return self._columns[name][self._start : self._stop]

    @property
    def newest_us(self) -> int:
        """Time of the newest row; there must be one."""
        return int(self._columns["time_us"][self._stop - 1])

    def write(self, position: int, **values: Any) -> None:
        """Set columns of the row at a position."""
        row = self._start + position
        for name, value in values.items():
            self._columns[name][row] = value

    def copy_of_last(self, count: int) -> NDArray[np.void]:
        """The newest rows, oldest first, in memory of their own."""
        # As bytes: numpy copies rows with columns one column of one row at a time.
        rows: NDArray[np.void] = self._bytes[self._stop - count : self._stop].copy().view(self._dtype)[:, 0]
        return rows

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
            self._use(room)
            self._start, self._stop = 0, len(kept)
        self._stop += 1
        at = self._start + position
        if at < self._stop - 1:
            self._rows[at + 1 : self._stop] = self._rows[at : self._stop - 1].copy()

    def _use(self, rows: NDArray[np.void]) -> None:
        # A view of a column costs more than all else here, so there is one of each.
        self._rows = rows
        self._columns = {name: rows[name] for name in self._dtype.names or ()}
        self._bytes = rows.view(np.uint8).reshape(len(rows), self._dtype.itemsize)

    def drop(self, count: int) -> None:
        """Drop the oldest rows."""
        self._start += count

    def clear(self) -> None:
        """Drop every row."""
        self._start = self._stop = 0
