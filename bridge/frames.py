"""What goes into a timeline and what comes out of it: `Frame` and `Window`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray


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
