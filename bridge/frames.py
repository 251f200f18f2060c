"""What goes into a timeline and what comes out of it: `Frame` and `Window`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Frame:
    """One observed pose of one avatar, at one time of capture.

    Attributes:
        avatar_id: names the avatar within its session.
        sequence: the sender's running number.
        timestamp_us: time of capture on the sender's clock, microseconds.
        landmarks: (J, 4) x, y, z in metres (MediaPipe world axes, any common origin) and visibility 0 to 1; None when a
            frame was captured and nobody was detected in it. A landmark with visibility 0 or a coordinate that is not
            finite is not observed.
        root_m: (3,) position of the coordinate origin of ``landmarks`` in the sender's world, metres; None without one.
        filled: True for a frame that nobody observed: put between two that were, from a forecast (frame saving).
    """

    avatar_id: str
    sequence: int
    timestamp_us: int
    landmarks: NDArray[np.float32] | None
    root_m: NDArray[np.float32] | None = None
    filled: bool = False

    def __repr__(self) -> str:
        """What it is, in one line."""
        seen = "nobody detected"
        if self.landmarks is not None:
            landmarks = np.asarray(self.landmarks)
            seen = f"landmarks of shape {landmarks.shape}"
            if landmarks.ndim == 2 and landmarks.shape[1] == 4:
                seen = f"{int(seen_landmarks(landmarks, 0.0).sum())} of {len(landmarks)} landmarks seen"
        more = ("" if self.root_m is None else ", with root") + (", filled in" if self.filled else "")
        return f"Frame({self.avatar_id!r}, {self.sequence}, {self.timestamp_us} us, {seen}{more})"


def typed_frame(frame: Frame) -> Frame:
    """Return the frame if its fields are of the types that `Frame` says; their values are checked elsewhere.

    Raises:
        InvalidInput: if one is not; ``field`` says which, as ``frame.<name>``.
    """
    if not isinstance(frame, Frame):
        raise InvalidInput(f"is a {type(frame).__name__}", field="frame", expected="a bridge.frames.Frame")
    for name, numbers in (("sequence", frame.sequence), ("timestamp_us", frame.timestamp_us)):
        if not isinstance(numbers, (int, np.integer)) or isinstance(numbers, bool):
            raise InvalidInput(f"is {numbers!r}", field=f"frame.{name}", expected="a whole number")
    for name, array in (("landmarks", frame.landmarks), ("root_m", frame.root_m)):
        if array is not None and not (isinstance(array, np.ndarray) and array.dtype.kind in "fiu"):
            what = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else f"a {type(array).__name__}"
            raise InvalidInput(f"is {what}", field=f"frame.{name}", expected="a numpy array of float32, or None")
    return frame


def seen_landmarks(landmarks: NDArray[np.float32], visibility_threshold: float) -> NDArray[np.bool_]:
    """Which of the landmarks (..., J, 4) of frames count as observed, (..., J)."""
    visibility = landmarks[..., 3]
    seen: NDArray[np.bool_] = (visibility >= visibility_threshold) & (visibility > 0)
    return seen & np.isfinite(landmarks[..., :3]).all(axis=-1)


@dataclass(frozen=True, slots=True)
class Window:
    """Fixed-rate context of one avatar, newest frame last: what a forecaster reads.

    Row ``i`` of C lies at ``timestamp_us - (C - 1 - i) * 1e6 / rate_hz``; the last row is the newest frame itself.

    Attributes:
        layout_id: the landmark layout, J landmarks.
        pose_m: (C, J, 3) metres, world axes, middle of the hips at the origin in every row; finite everywhere.
        observed: (C, J). False where a landmark was not seen: it is then interpolated, held or filled in ``pose_m``.
        root_m: (C, 3) position of the middle of the hips in the sender's world, metres; None when frames carry no root.
        bridged: (C,). True for rows inside a gap: between two detected frames that are more than 1.5 periods of the
            window's rate apart, and more than a quarter of a period away from both.
        sequence: of the newest frame.
        timestamp_us: of the newest frame, on the sender's clock.
        initial_heading_rad: heading known from before the window, for continuity; None when there is none.
        filled: (C,). True for rows made of filled frames (`Frame.filled`), which count as observed. None: no row is.
        rate_hz: of the rows; None where it is not told.
        avatar_id: whose; "" where it is not told.
    """

    layout_id: str
    pose_m: NDArray[np.float32]
    observed: NDArray[np.bool_]
    root_m: NDArray[np.float32] | None
    bridged: NDArray[np.bool_]
    sequence: int
    timestamp_us: int
    initial_heading_rad: float | None = None
    filled: NDArray[np.bool_] | None = None
    rate_hz: float | None = None
    avatar_id: str = ""

    def __repr__(self) -> str:
        """What it is, in one line."""
        whose = f"{self.avatar_id!r}, " if self.avatar_id else ""
        rate = "" if self.rate_hz is None else f" at {self.rate_hz:g} Hz"
        more = "" if self.root_m is None else ", with root"
        return (
            f"Window({whose}{self.layout_id}, {len(self.pose_m)} frames{rate} up to {self.timestamp_us} us, "
            f"{self.observed.mean():.0%} of landmarks seen, {self.bridged.mean():.0%} bridged{more})"
        )

    @property
    def filled_share(self) -> float:
        """Part of the rows that is filled in, 0 to 1."""
        return 0.0 if self.filled is None else float(self.filled.mean())


class AddOutcome(Enum):
    """What a timeline did with a frame."""

    APPENDED = "appended"
    """Newest of the avatar."""
    INSERTED_LATE = "inserted late"
    """Older than the newest, put in its place."""
    DUPLICATE = "duplicate"
    """Same time of capture as a known frame, or faster than the fastest frame rate: ignored."""
    UNDETECTED = "undetected"
    """Nobody was detected: part of a gap."""
    RESTARTED = "restarted"
    """The gap before it was too long, or the clock changed: the window starts anew with it."""
