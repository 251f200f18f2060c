"""MediaPipe and OpenCV, loaded when they are first needed: they are an extra, and slow to load."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from bridge.errors import FailedPrecondition

INSTALL = "pip install 'pose-bridge[capture]'"
SYSTEM_LIBRARIES = "apt-get install libegl1 libgles2 libgl1 libglib2.0-0"
_STDERR = 2


def load_cv2() -> ModuleType:
    """Return the module ``cv2``; what it has to say about files that it cannot open is ours to say.

    Raises:
        FailedPrecondition: if it is not installed, or a library of the system is missing.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    return _load("cv2")


def load_vision() -> ModuleType:
    """Return the module ``mediapipe.tasks.python.vision``.

    Raises:
        FailedPrecondition: if it is not installed, or a library of the system is missing.
    """
    return _load("mediapipe.tasks.python.vision")


def load_mediapipe() -> ModuleType:
    """Return the module ``mediapipe``.

    Raises:
        FailedPrecondition: if it is not installed, or a library of the system is missing.
    """
    return _load("mediapipe")


def missing_system_library(error: Exception) -> FailedPrecondition:
    """What to say when a shared library of the system is not there."""
    return FailedPrecondition(
        f"MediaPipe or OpenCV cannot be loaded: {error}", field="capture", expected=f"on Debian: {SYSTEM_LIBRARIES}"
    )


@contextmanager
def native_messages_away() -> Iterator[None]:
    """Keep out of sight what native code writes to stderr: MediaPipe logs dozens of lines while it starts.

    What Python writes to ``sys.stderr`` is seen as ever, and MediaPipe's errors come as exceptions. Where stderr is no
    file of the process (closed, as in some services), nothing is done.
    """
    before = sys.stderr
    try:
        before.flush()
        kept = os.dup(_STDERR)
    except (AttributeError, OSError):
        yield
        return
    with (
        open(kept, "w", buffering=1, encoding=before.encoding, errors="backslashreplace") as seen,
        open(os.devnull, "wb") as nowhere,
    ):
        os.dup2(nowhere.fileno(), _STDERR)
        sys.stderr = seen
        try:
            yield
        finally:
            sys.stderr = before
            seen.flush()
            os.dup2(kept, _STDERR)


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise FailedPrecondition(f"{error.name} is not installed", field="capture", expected=INSTALL) from None
    except (ImportError, OSError) as error:
        raise missing_system_library(error) from error
