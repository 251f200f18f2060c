"""What was seen, drawn over the pictures: into a video file, or a window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.capture.detector import Detection
from bridge.capture.libraries import load_cv2
from bridge.capture.stream import Seen
from bridge.errors import FailedPrecondition, ResourceExhausted
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.whole_file import check_output

# Blue, green, red; told apart by people who see colours differently (Okabe and Ito).
_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (167, 121, 204), (66, 228, 240), (0, 94, 213))
_VISIBLE = 0.5
_DEFAULT_FPS = 30.0
_WINDOW = "PoseBridge"
_END_KEYS = (27, ord("q"))
_PROBE_TIMEOUT_S = 30.0


def draw_poses(bgr: NDArray[np.uint8], detections: Mapping[str, Detection]) -> NDArray[np.uint8]:
    """Return a copy of the picture (height, width, 3) with the bones and names of the people in it."""
    cv2 = load_cv2()
    drawn = bgr.copy()
    height, width = bgr.shape[:2]
    thickness = max(2, round(max(height, width) / 400))
    for avatar, detection in detections.items():
        colour = _COLOURS[_number_of(avatar) % len(_COLOURS)]
        points = np.rint(detection.image * (width, height)).clip(-width, 2 * max(width, height)).astype(int)
        visible = detection.world[:, 3] >= _VISIBLE
        for start, end in MEDIAPIPE_POSE_33.bones:
            if visible[start] and visible[end]:
                cv2.line(drawn, _xy(points[start]), _xy(points[end]), colour, thickness, cv2.LINE_AA)
        for point in points[visible]:
            cv2.circle(drawn, _xy(point), thickness, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        top = points[np.argmin(points[:, 1])]
        place = (int(top[0]), max(int(top[1]) - 6 * thickness, 10 * thickness))
        cv2.putText(drawn, avatar, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thickness, colour, thickness, cv2.LINE_AA)
    return drawn


class AnnotatedVideo:
    """Writes pictures with what was seen in them to an MP4 file, at a fixed rate; in place only once complete.

    Args:
        path: file to write, ``.mp4``.
        fps: rate in Hz; 0 or below for 30.

    Raises:
        InvalidInput: if the path cannot be a video file.
    """

    def __init__(self, path: Path, *, fps: float) -> None:
        check_output(path, field="annotated", suffixes=(".mp4",))
        self.path = path
        self._fps = fps if fps > 0 else _DEFAULT_FPS
        self._partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        self._size = (0, 0)
        self._writer: Any = None

    def add(self, seen: Seen) -> None:
        """Append one picture; it is brought to the size of the first one.

        Raises:
            ResourceExhausted: if the file cannot be written.
        """
        cv2 = load_cv2()
        drawn = draw_poses(seen.picture.bgr, seen.detections)
        if self._writer is None:
            self._size = (drawn.shape[1], drawn.shape[0])
            four = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._partial), four, self._fps, self._size)
            if not self._writer.isOpened():
                self._writer = None
                raise self._unwritable("it cannot be opened")
        if (drawn.shape[1], drawn.shape[0]) != self._size:
            drawn = cv2.resize(drawn, self._size)
        self._writer.write(drawn)

    def close(self) -> Path | None:
        """Complete the file and return it; None if no picture came.

        Raises:
            ResourceExhausted: if the file cannot be put in its place.
        """
        if self._writer is None:
            return None
        self._writer.release()
        self._writer = None
        try:
            os.replace(self._partial, self.path)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        return self.path

    def _unwritable(self, reason: str) -> ResourceExhausted:
        return ResourceExhausted(
            f"cannot write {self.path}: {reason}", field="annotated", expected="a file that can be written"
        )


class Preview:
    """A window that shows what is seen.

    Raises:
        FailedPrecondition: if there is no display, or OpenCV cannot open a window on it.
    """

    def __init__(self) -> None:
        _require_display()
        self._cv2 = load_cv2()
        self._shown = False

    def show(self, seen: Seen | None) -> bool:
        """Show a picture, or (None) let the window live; False once it was closed, or q or Esc was pressed."""
        # Looked at first: to show a picture in a window that was closed opens another one.
        if self._shown and not self._is_open():
            return False
        if seen is not None:
            self._cv2.imshow(_WINDOW, draw_poses(seen.picture.bgr, seen.detections))
            self._shown = True
        return not self._shown or self._cv2.waitKey(1) & 0xFF not in _END_KEYS

    def close(self) -> None:
        """Close the window; may be called after it was closed."""
        with suppress(self._cv2.error):
            self._cv2.destroyAllWindows()

    def _is_open(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(_WINDOW, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:  # with some window systems, when there is no window at all any more
            return False


def _require_display() -> None:
    expected = "a desktop session, or --annotated FILE.mp4"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise FailedPrecondition(
            "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set", field="preview", expected=expected
        )
    # In a process of its own: the window system's library ends the process when it cannot reach the display.
    code = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
    try:
        tried = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False)
        works = tried.returncode == 0
    except subprocess.TimeoutExpired:
        works = False
    if not works:
        raise FailedPrecondition("no window can be opened on this display", field="preview", expected=expected)


def _xy(point: NDArray[np.int_]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _number_of(avatar: str) -> int:
    """A number of the name that is the same in every run: the one it ends in, else a sum."""
    digits = avatar[len(avatar.rstrip("0123456789")) :]
    return int(digits) - 1 if digits else sum(avatar.encode())
