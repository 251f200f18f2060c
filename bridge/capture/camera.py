"""A camera: its newest picture, with the time at which it came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from bridge.capture.libraries import load_cv2
from bridge.capture.sources import EXPECTED, Picture
from bridge.errors import NotFound, Unavailable

_LOOK_S = 0.1
_SILENCE_S = 5.0
"""A camera that gives no picture for this long is gone."""


class Device(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def grab(self) -> bool:
        """Take a picture, not yet decoded."""

    def retrieve(self) -> tuple[bool, Any]:
        """Decode what was taken."""

    def release(self) -> None:
        """Let go of the device."""


class Camera:
    """Reads a camera on a thread of its own, so that no buffer grows old; whoever asks gets the newest picture.

    Pictures that are replaced before anyone asked count as dropped. Times are those of ``clock_us`` right after the
    picture was taken; by default the monotonic clock.
    """

    live = True
    total: int | None = None

    def __init__(
        self,
        device: Device,
        *,
        name: str,
        fps: float,
        clock_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        self.name = name
        self.fps = fps
        self.dropped = 0
        self._device = device
        self._clock_us = clock_us
        self._changed = threading.Condition()
        self._newest: Picture | None = None
        self._closed = False
        self._gone = False
        self._thread: threading.Thread | None = None

    def pictures(self) -> Iterator[Picture | None]:
        """Yield the newest picture as soon as there is one, None whenever there is none for 0.1 s. To be called once.

        Raises:
            Unavailable: if the camera stops giving pictures.
        """
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()
        while True:
            with self._changed:
                if self._newest is None and not self._gone:
                    self._changed.wait(_LOOK_S)
                picture, self._newest = self._newest, None
                gone = self._gone
            if picture is None and gone:
                raise Unavailable(f"{self.name} gives no more pictures", field="source", expected="a connected camera")
            yield picture

    def close(self) -> None:
        """Let go of the camera."""
        self._closed = True
        if self._thread is not None:
            self._thread.join(_SILENCE_S)
            if self._thread.is_alive():
                return  # it hangs in the driver, which then keeps the device
        self._device.release()

    def _read(self) -> None:
        last_us = -1
        heard_s = time.monotonic()
        while not self._closed:
            taken = self._device.grab()
            timestamp_us = self._clock_us()
            good, bgr = self._device.retrieve() if taken else (False, None)
            if not good:
                if time.monotonic() - heard_s > _SILENCE_S:
                    break
                time.sleep(0.01)
                continue
            heard_s = time.monotonic()
            with self._changed:
                if self._newest is not None or timestamp_us <= last_us:
                    self.dropped += 1
                if timestamp_us > last_us:
                    self._newest = Picture(np.asarray(bgr, np.uint8), timestamp_us)
                    last_us = timestamp_us
                self._changed.notify_all()
        with self._changed:
            self._gone = True
            self._changed.notify_all()


def open_camera(index: int, *, fps: float | None = None) -> Camera:
    """Open a camera by its number, 0 for the first; ``fps`` is what it is asked for, if anything.

    Raises:
        NotFound: if there is no such camera, it is in use, or this user may not use it.
        FailedPrecondition: if OpenCV is not installed.
    """
    cv2 = load_cv2()
    device = cv2.VideoCapture(index)
    there = device.isOpened() and device.grab()
    if not there:
        device.release()
        raise NotFound(
            f"camera {index} is not there, is in use, or may not be used by this user",
            field="source",
            expected=EXPECTED,
        )
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if fps is not None:
        device.set(cv2.CAP_PROP_FPS, fps)
    said_fps = float(device.get(cv2.CAP_PROP_FPS))
    return Camera(device, name=f"camera {index}", fps=said_fps if 0 < said_fps < 1000 else 0.0)
