from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.engine.shared_memory import Place, SharedMemory

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shared between processes on POSIX only")

_F8 = np.dtype(np.float64)


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    memory = SharedMemory.create()
    yield memory
    memory.close()


def test_two_mappings_show_the_same_numbers(memory: SharedMemory) -> None:
    memory.grow(1000)
    other = SharedMemory(os.dup(memory.fd))
    other.map(memory.size)
    place = Place(64, (2, 3), _F8)
    memory.array(place)[:] = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(other.array(place), np.arange(6.0).reshape(2, 3))
    other.close()


def test_growing_keeps_what_lies_there_and_old_arrays_stay_usable(memory: SharedMemory) -> None:
    memory.grow(100)
    old = memory.array(Place(0, (4,), _F8))
    old[:] = 7.0
    size = memory.size
    memory.grow(3 * size)
    assert memory.size >= 3 * size
    np.testing.assert_array_equal(memory.array(Place(0, (4,), _F8)), old)


def test_it_does_not_grow_for_what_fits(memory: SharedMemory) -> None:
    memory.grow(100)
    size = memory.size
    memory.grow(size)
    assert memory.size == size


def test_an_array_of_nothing_may_lie_at_the_very_end(memory: SharedMemory) -> None:
    memory.grow(1)
    assert memory.array(Place(memory.size, (0, 3), _F8)).size == 0


def test_without_room_it_stays_as_it_is(memory: SharedMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    memory.grow(100)
    size = memory.size
    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(OSError, match="No space"):
        memory.grow(4 * size)
    assert memory.size == size
    memory.array(Place(0, (4,), _F8))[:] = 1.0


def test_its_file_has_no_name_also_where_there_are_only_ordinary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("bridge.engine.shared_memory._TEMPORARY_FILES", tmp_path)
    memory = SharedMemory.create()
    try:
        memory.grow(100)
        memory.array(Place(0, (4,), _F8))[:] = 1.0
        assert list(tmp_path.iterdir()) == []
    finally:
        memory.close()


def test_closing_twice_is_allowed() -> None:
    memory = SharedMemory.create()
    memory.close()
    memory.close()
