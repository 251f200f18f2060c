"""Videos, models and recordings beside the checkout, and sources made of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bridge.capture import Detection, Picture
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.support import shared_dir, skip_allowed, skip_or_fail

WALK = "p2s_single_cam01"
"""One person who walks, found in every one of 100 pictures at 60 Hz."""


def need_mediapipe() -> None:
    """Skip (fail in CI) where MediaPipe and OpenCV cannot be imported."""
    try:
        import cv2  # noqa: F401
        import mediapipe  # noqa: F401
    except (ImportError, OSError) as error:
        skip_or_fail(f"mediapipe cannot be imported: {error}")


def shared_file(folder: str, name: str) -> Path:
    """A file of the data folder; skips where it is not there."""
    shared = shared_dir()
    path = None if shared is None else shared / folder / name
    if path is None or not path.is_file():
        skip_allowed(f"needs {folder}/{name} of the data folder")
    need_mediapipe()
    return path


def video(name: str = WALK) -> Path:
    return shared_file("video", f"{name}.mp4")


def model(variant: str = "lite") -> Path:
    return shared_file("models", f"pose_landmarker_{variant}.task")


def pictures_of(path: Path, count: int) -> list[Picture]:
    """The first pictures of a video."""
    from bridge.capture import VideoFile

    source = VideoFile(path)
    try:
        return [picture for picture, _ in zip(source.pictures(), range(count), strict=False) if picture is not None]
    finally:
        source.close()


class ListSource:
    """A source that gives the pictures that it was made with."""

    name = "list"
    fps = 30.0
    live = False
    dropped = 0

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures
        self.total: int | None = len(pictures)

    def pictures(self) -> Iterator[Picture | None]:
        yield from self._pictures

    def close(self) -> None:
        pass


def person(x: float, y: float = 0.5, *, height: float = 0.5) -> Detection:
    """Somebody whose hips are at (x, y), in shares of a square picture."""
    template = MEDIAPIPE_POSE_33.template
    image = template[:, :2] * height / float(np.ptp(template[:, 1])) + (x, y)
    world = np.concatenate([template * 0.35, np.ones((MEDIAPIPE_POSE_33.joints, 1))], axis=1)
    return Detection(world.astype(np.float32), image.astype(np.float32), 1.0)
