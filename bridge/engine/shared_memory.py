"""Memory that two processes see: a file without a name, mapped by both."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FIRST_BYTES = 1 << 20
_TEMPORARY_FILES = Path("/dev/shm")


class Place(NamedTuple):
    """Where in the memory an array lies."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class SharedMemory:
    """A mapping of the open file ``fd``, which it closes in the end.

    It grows and never shrinks: as large as the largest batch so far, rounded up to a power of two.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map: mmap.mmap | None = None

    @classmethod
    def create(cls) -> SharedMemory:
        """Memory that no other process knows until it is given ``fd``."""
        return cls(_nameless_file())

    @property
    def size(self) -> int:
        """Bytes mapped."""
        return 0 if self._map is None else len(self._map)

    def grow(self, size: int) -> None:
        """Have at least ``size`` bytes, for both processes.

        Raises:
            OSError: if there is no room; the memory stays as it is.
        """
        if size <= self.size:
            return
        size = max(_FIRST_BYTES, 1 << (size - 1).bit_length())
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self.fd, 0, size)  # an error now, instead of a signal at the first write
        else:
            os.ftruncate(self.fd, size)
        self.map(size)

    def map(self, size: int) -> None:
        """Map as much as the other process has made room for."""
        if size != self.size:
            # Arrays that still lie in the old mapping keep it until they go.
            self._map = mmap.mmap(self.fd, size)

    def array(self, place: Place) -> NDArray[Any]:
        """The array that lies there; writing to it writes to the memory."""
        if self._map is None:
            raise ValueError("nothing is mapped yet")
        return np.ndarray(place.shape, place.dtype, buffer=self._map, offset=place.offset)

    def close(self) -> None:
        """Unmap as soon as no array lies here any more, close the file. May be called again."""
        self._map = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):  # not bounded by what a container grants to /dev/shm
        return os.memfd_create("pose-bridge-engine")
    folder = _TEMPORARY_FILES if _TEMPORARY_FILES.is_dir() else None
    fd, path = tempfile.mkstemp(prefix="pose-bridge-", dir=folder)
    os.unlink(path)
    return fd
