"""Where pictures come from: a video file, a folder of images, or a camera (`bridge.capture.camera`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.capture.libraries import load_cv2
from bridge.errors import InvalidInput, NotFound

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
DEFAULT_FOLDER_FPS = 30.0
EXPECTED = "a camera's number such as 0, a video file, or a folder of images"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: ``bgr`` (height, width, 3) uint8, blue, green, red, and when it was taken, microseconds."""

    bgr: NDArray[np.uint8]
    timestamp_us: int

    __repr__ = brief_repr


class Source(Protocol):
    """Pictures in the order of time."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    @property
    def fps(self) -> float:
        """Nominal rate in Hz; 0 when unknown."""

    @property
    def total(self) -> int | None:
        """How many pictures there are; None when nobody knows beforehand."""

    @property
    def live(self) -> bool:
        """Whether pictures come when they come; those that nobody has taken by then are lost."""

    @property
    def dropped(self) -> int:
        """Pictures that were there and did not come out, so far: unreadable, out of order, or too late."""

    def pictures(self) -> Iterator[Picture | None]:
        """Yield the pictures, each later than the one before; None when there is none yet (a live source)."""

    def close(self) -> None:
        """Let go of file or device; may be called again."""


class VideoFile:
    """A video file; times are the file's own presentation times. Turned as the file says it should be shown.

    Raises:
        NotFound: if there is no such file.
        InvalidInput: if it is no video that can be read.
    """

    live = False

    def __init__(self, path: Path) -> None:
        cv2 = load_cv2()
        if not path.is_file():
            raise NotFound(f"there is no {path}", field="source", expected=EXPECTED)
        self.name = path.name
        self.dropped = 0
        self._cv2 = cv2
        self._capture: Any = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened() or not self._capture.grab():
            self._capture.release()
            raise InvalidInput(f"{path} is not a video that can be read", field="source", expected=EXPECTED)
        # Opened anew: not every format can be rewound.
        self._capture.release()
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if np.isfinite(fps) and 0 < fps < 10_000 else 0.0
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.total: int | None = int(count) if 0 < count < 1e9 else None

    def pictures(self) -> Iterator[Picture | None]:
        """Yield every picture; those whose time is not later than the one before are dropped."""
        last_us = -1
        while self._capture.grab():
            timestamp_us = round(1e3 * float(self._capture.get(self._cv2.CAP_PROP_POS_MSEC)))
            good, bgr = self._capture.retrieve()
            if not good or timestamp_us <= last_us:
                self.dropped += 1
                continue
            last_us = timestamp_us
            yield Picture(bgr, timestamp_us)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class ImageFolder:
    """Images of a folder in the order of their names (numbers in them count as numbers), evenly spaced in time.

    Raises:
        NotFound: if there is no image in it.
        InvalidInput: if the rate is not above 0.
    """

    live = False

    def __init__(self, folder: Path, *, fps: float = DEFAULT_FOLDER_FPS) -> None:
        self._cv2 = load_cv2()
        if not 0 < fps < 10_000:
            raise InvalidInput(f"is {fps:g}", field="fps", expected="a rate in Hz above 0")
        self._files = sorted(
            (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()),
            key=lambda path: _natural(path.name),
        )
        if not self._files:
            raise NotFound(
                f"there is no image in {folder}",
                field="source",
                expected=f"files that end in {' '.join(IMAGE_SUFFIXES)}",
            )
        self.name = folder.resolve().name
        self.fps = fps
        self.total: int | None = len(self._files)
        self.dropped = 0

    def pictures(self) -> Iterator[Picture | None]:
        """Yield every image that can be read."""
        for row, path in enumerate(self._files):
            # Not imread: it cannot open every name on every system.
            bgr = (
                self._cv2.imdecode(np.fromfile(path, np.uint8), self._cv2.IMREAD_COLOR) if path.stat().st_size else None
            )
            if bgr is None:
                self.dropped += 1
                continue
            yield Picture(bgr, round(row * 1e6 / self.fps))

    def close(self) -> None:
        """Nothing is held open."""


def open_source(source: str, *, fps: float | None = None) -> Source:
    """Open a camera ("0", "1" ...), a video file or a folder of images.

    ``fps`` is the rate of a folder's images (30 unless given) or what a camera is asked for; a video has its own.

    Raises:
        NotFound: if there is no such file or camera, or no image in the folder.
        InvalidInput: if the file is no video, or ``fps`` is given for one.
        FailedPrecondition: if OpenCV is not installed.
    """
    from bridge.capture.camera import open_camera

    if re.fullmatch(r"\d{1,3}", source):
        return open_camera(int(source), fps=fps)
    path = Path(source)
    if source and path.is_dir():
        return ImageFolder(path, fps=DEFAULT_FOLDER_FPS if fps is None else fps)
    if fps is not None and path.is_file():
        raise InvalidInput("is given for a video", field="fps", expected="none: a video has times of its own")
    return VideoFile(path)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
