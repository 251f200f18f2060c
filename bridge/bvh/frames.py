"""The numbers of a BVH file, in portions: an hour at 120 Hz is more than a gigabyte of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bridge.bvh.rig import Header
from bridge.motion_files import refused

PORTION_FRAMES = 2048


def read_frames(file: IO[bytes], header: Header, path: Path) -> Iterator[NDArray[np.float64]]:
    """Yield the channels' values (n, channels), a portion of frames at a time, in the file's units and degrees.

    Args:
        file: the opened file, at its first line of numbers.
        header: what was read before.
        path: of the file, for what is said about it.

    Raises:
        InvalidInput: if there are fewer or more frames than announced, or a line does not fit the channels.
    """
    lines = (text for line in file if (text := line.decode("ascii", "replace").strip()))
    done = 0
    while portion := list(islice(lines, PORTION_FRAMES)):
        try:
            values = np.loadtxt(portion, np.float64, comments=None, ndmin=2)
        except ValueError:
            values = np.empty((0, 0))
        if values.shape != (len(portion), header.rig.channels):
            _complain(portion, done, header, path)
        done += len(portion)
        if done > header.frames:
            raise refused(path, f"announces {header.frames} frames and has more", "as many as announced")
        yield values
    if done < header.frames:
        raise refused(path, f"announces {header.frames} frames and has {done}", "a whole file: this one is cut off")


def _complain(lines: list[str], done: int, header: Header, path: Path) -> None:
    """Say what is wrong with the first line that does not fit."""
    for number, line in enumerate(lines, start=done + 1):
        words = line.split()
        for word in words:
            try:
                float(word)
            except ValueError:
                raise refused(path, f"frame {number} holds {word[:40]!r}", "numbers with decimal points") from None
        if len(words) != header.rig.channels:
            last = number == done + len(lines) and number < header.frames and len(words) < header.rig.channels
            raise refused(
                path,
                f"frame {number} has {len(words)} numbers for {header.rig.channels} channels",
                "a whole file: this one may be cut off" if last else "one number for each channel of the hierarchy",
            )
    raise refused(path, f"has a line after frame {done} that cannot be read", "numbers with decimal points")
