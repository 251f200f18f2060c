"""MediaPipe's PoseLandmarker on pictures that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.capture.libraries import load_cv2, load_mediapipe, load_vision, missing_system_library
from bridge.capture.sources import Picture
from bridge.errors import CheckpointError, InternalError


@dataclass(frozen=True, slots=True)
class Detection:
    """One person in one picture.

    Attributes:
        world: (33, 4) x, y, z in metres (middle of the hips at the origin, x image right, y down, z away from the
            camera) and visibility 0 to 1.
        image: (33, 2) x and y in the picture, as shares of its width and height; may leave [0, 1].
        aspect: width of the picture over its height.
    """

    world: NDArray[np.float32]
    image: NDArray[np.float32]
    aspect: float

    __repr__ = brief_repr


class PoseDetector:
    """Finds people in pictures in the order of time; follows them from one to the next.

    Use it in a ``with`` statement. MediaPipe smooths by itself when ``max_poses`` is 1.

    Args:
        model: model bundle, ``pose_landmarker_*.task``.
        max_poses: people at a time.
        min_confidence: 0 to 1, for finding a person and for following one.

    Raises:
        CheckpointError: if the model cannot be used.
        FailedPrecondition: if MediaPipe is not installed, or a library of the system is missing.
    """

    def __init__(self, model: Path, *, max_poses: int = 1, min_confidence: float = 0.5) -> None:
        self._cv2 = load_cv2()
        self._mediapipe = load_mediapipe()
        vision = load_vision()
        options = vision.PoseLandmarkerOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=max_poses,
            min_pose_detection_confidence=min_confidence,
            min_pose_presence_confidence=min_confidence,
            min_tracking_confidence=min_confidence,
        )
        self._landmarker: Any = None
        self._last_ms = -1
        try:
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except FileNotFoundError:
            raise _unusable(model, "there is no such file") from None
        except OSError as error:
            if model.is_file() and ".so" in str(error):
                raise missing_system_library(error) from error
            raise _unusable(model, str(error)) from error
        except (RuntimeError, ValueError) as error:
            raise _unusable(model, str(error).splitlines()[0]) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def detect(self, picture: Picture) -> Sequence[Detection]:
        """Return the people in a picture, in MediaPipe's order, which is not the same from picture to picture.

        Raises:
            InternalError: if MediaPipe fails.
        """
        rgb = self._cv2.cvtColor(picture.bgr, self._cv2.COLOR_BGR2RGB)
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb)
        # MediaPipe counts whole milliseconds and wants each later than the one before.
        self._last_ms = max(round(picture.timestamp_us / 1000), self._last_ms + 1)
        try:
            result = self._landmarker.detect_for_video(image, self._last_ms)
        except (RuntimeError, ValueError) as error:
            raise InternalError(f"MediaPipe failed on a picture: {error}", field="capture") from error
        height, width = picture.bgr.shape[:2]
        return [
            Detection(
                np.array([(mark.x, mark.y, mark.z, mark.visibility) for mark in world], np.float32),
                np.array([(mark.x, mark.y) for mark in seen], np.float32),
                width / height,
            )
            for world, seen in zip(result.pose_world_landmarks, result.pose_landmarks, strict=True)
        ]

    def close(self) -> None:
        """Let go of the model; may be called again."""
        if self._landmarker is not None:
            self._landmarker.close()
            self._landmarker = None


def check_model(path: Path) -> None:
    """Load a model bundle and let it go.

    Raises:
        CheckpointError, FailedPrecondition: as `PoseDetector`.
    """
    PoseDetector(path).close()


def _unusable(model: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{model} cannot be used: {reason}",
        field="model",
        expected="a pose landmarker bundle (.task) of MediaPipe; a damaged one in the cache is fetched anew once gone",
    )
