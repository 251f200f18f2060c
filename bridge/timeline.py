"""One avatar's clock: frames that arrive at any rate, late, doubled or not at all become fixed-rate windows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.frame_buffer import FrameBuffer
from bridge.frames import AddOutcome, Frame, Window
from bridge.geometry import hip_middle, track_heading
from bridge.limits import MAX_FRAME_RATE_HZ
from bridge.resampling import COINCIDENT_PERIODS, Observations, resample
from bridge.skeleton import Layout

__all__ = ["AddOutcome", "Frame", "Timeline", "Window"]

MAX_JUMP_AHEAD_US = 3_600_000_000
"""A frame more than an hour ahead of the newest one is a fault of the clock until others confirm it."""
CONFIRMING_FRAMES = 5
"""So many refused frames in a row, each after the one before, make a new clock."""


class Timeline:
    """The recent frames of one avatar, in order of capture.

    Detected frames are kept for the length of a window, plus the longest gap, plus a few periods. Of the frames of one
    1/240 s only the newest is kept, so that memory is bounded at any frame rate. What `window` returns depends on the
    frames' times of capture only and never on the order of their arrival (of two frames with the same time the first
    counts).

    Args:
        layout: of the J landmarks.
        context_frames: rows C of a window.
        rate_hz: of a window's rows.
        max_gap_ms: longest time between detected frames that a window may bridge.
        visibility_threshold: landmarks with a lower visibility are not observed.

    Raises:
        InvalidInput: if an argument is out of range.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        context_frames: int,
        rate_hz: float = 30.0,
        max_gap_ms: float = 200.0,
        visibility_threshold: float = 0.1,
    ) -> None:
        if context_frames < 1:
            raise InvalidInput(f"is {context_frames}", field="context_frames", expected="at least 1")
        if not (0 < rate_hz <= MAX_FRAME_RATE_HZ):
            raise InvalidInput(f"is {rate_hz}", field="rate_hz", expected=f"above 0, at most {MAX_FRAME_RATE_HZ:g}")
        if not (0 < max_gap_ms < 60_000):
            raise InvalidInput(f"is {max_gap_ms}", field="max_gap_ms", expected="above 0, below 60000")
        if not (0 <= visibility_threshold <= 1):
            raise InvalidInput(f"is {visibility_threshold}", field="visibility_threshold", expected="0 to 1")
        self._layout = layout
        self._period_us = 1e6 / rate_hz
        self._max_gap_us = max_gap_ms * 1e3
        self._threshold = visibility_threshold
        self._grid_us = np.arange(1 - context_frames, 1, dtype=np.float64) * self._period_us
        self._kept_us = math.ceil((context_frames - 1) * self._period_us + self._max_gap_us + self._period_us)
        # Frames are forgotten a block at a time: less work, and the same frames whatever the order of arrival.
        self._block_us = math.ceil(8 * self._period_us)
        self._frames = FrameBuffer(layout.joints)
        self._heading_rad: float | None = None
        self._clock_us: int | None = None
        self._clock_is_new = False
        self._strays: list[Frame] = []
        self.duplicates = 0

    @property
    def capacity_frames(self) -> int:
        """Most frames that are ever kept."""
        return math.ceil((self._kept_us + self._block_us) * MAX_FRAME_RATE_HZ / 1e6) + 1

    @property
    def nbytes(self) -> int:
        """Memory held for frames, bytes."""
        return self._frames.nbytes

    def __len__(self) -> int:
        """Number of detected frames kept."""
        return len(self._frames)

    def add(self, frame: Frame) -> AddOutcome:
        """Take a frame in, in any order.

        A gap longer than ``max_gap_ms`` before the newest frame restarts the window (`AddOutcome.RESTARTED`); should a
        late frame fill the gap, the window is whole again. A frame whose time does not fit is refused, but
        ``CONFIRMING_FRAMES`` refused frames in a row, each later than the one before and at most the kept time apart,
        show that the sender's clock has changed: the timeline then starts anew with them.

        Raises:
            InvalidInput: if the frame is older than what is kept, more than an hour ahead, or of the wrong shape; the
                timeline is unchanged.
        """
        self._check_shapes(frame)
        problem = self._clock_problem(frame.timestamp_us)
        if problem is None:
            self._strays.clear()
            return self._put(frame)
        if self._strays and not 0 < frame.timestamp_us - self._strays[-1].timestamp_us <= self._kept_us:
            self._strays.clear()
        self._strays.append(frame)
        if len(self._strays) < CONFIRMING_FRAMES:
            raise problem
        confirmed, self._strays = self._strays, []
        self._frames.clear()
        self._heading_rad, self._clock_us = None, None
        for earlier in confirmed[:-1]:
            self._put(earlier)
        self._clock_is_new = True
        return self._put(frame)

    def window(self) -> Window | None:
        """The context that ends exactly at the newest detected frame.

        Returns:
            The window; None until detected frames without a gap longer than ``max_gap_ms`` cover it. (The oldest row
            may lie up to a quarter of a period before the first of them.)

        Raises:
            InvalidInput: if the body has no extent.
        """
        relative_us, missing_us = self._unbroken()
        if missing_us > 0:
            return None
        frames = self._frames
        start = len(frames) - len(relative_us)
        has_root = bool(frames.column("has_root")[start:].all())
        resampled = resample(
            Observations(
                time_us=relative_us,
                pose_m=frames.column("pose_m")[start:],
                seen=frames.column("seen")[start:],
                hips_seen=frames.column("hips_seen")[start:],
                middle_m=frames.column("middle_m")[start:],
                root_m=frames.column("root_m")[start:] if has_root else None,
            ),
            self._grid_us,
            self._layout,
            self._period_us,
            self._heading_rad,
        )
        return Window(
            layout_id=self._layout.id,
            pose_m=resampled.pose_m,
            observed=resampled.observed,
            root_m=resampled.root_m,
            bridged=resampled.bridged,
            sequence=int(frames.column("sequence")[-1]),
            timestamp_us=int(frames.column("time_us")[-1]),
            initial_heading_rad=self._heading_rad,
        )

    def missing_ms(self) -> float:
        """How much more time without a long gap a window needs, milliseconds; 0 when there is one."""
        return max(0.0, self._unbroken()[1] * 1e-3)

    def frames_until_window(self) -> int:
        """`missing_ms` in frames of the window's rate, at least 1 while there is no window."""
        return max(0, math.ceil(self._unbroken()[1] / self._period_us))

    def _unbroken(self) -> tuple[NDArray[np.float64], float]:
        """Times of the frames that a window is made of, relative to the newest, and how much time is missing."""
        needed_us = float(self._grid_us[0]) + COINCIDENT_PERIODS * self._period_us
        times_us = self._frames.column("time_us")
        if len(times_us) == 0:
            return np.empty(0), self._period_us - needed_us
        relative_us = (times_us - times_us[-1]).astype(np.float64)
        relative_us = relative_us[np.searchsorted(relative_us, self._grid_us[0] - self._max_gap_us) :]
        breaks = np.flatnonzero(relative_us[1:] - relative_us[:-1] > self._max_gap_us)
        if len(breaks):
            relative_us = relative_us[breaks[-1] + 1 :]
        return relative_us, float(relative_us[0]) - needed_us

    def _check_shapes(self, frame: Frame) -> None:
        joints = self._layout.joints
        if frame.landmarks is not None and frame.landmarks.shape != (joints, 4):
            raise InvalidInput(
                f"shape {frame.landmarks.shape}",
                field="frame.landmarks",
                expected=f"({joints}, 4): x, y, z, visibility",
            )
        if frame.root_m is not None and (frame.root_m.shape != (3,) or not np.isfinite(frame.root_m).all()):
            raise InvalidInput(f"is {frame.root_m}", field="frame.root", expected="three finite numbers, metres")

    def _clock_problem(self, timestamp_us: int) -> InvalidInput | None:
        if self._clock_us is None:
            return None
        ahead_us = timestamp_us - self._clock_us
        if ahead_us > MAX_JUMP_AHEAD_US:
            expected = f"at most {MAX_JUMP_AHEAD_US // 1_000_000} s ahead"
            problem = f"{ahead_us / 1e6:.1f} s ahead of the newest frame"
        elif ahead_us < -self._kept_us:
            expected = f"at most {self._kept_us / 1e3:.0f} ms before it"
            problem = f"{-ahead_us / 1e3:.0f} ms before the newest frame"
        else:
            return None
        return InvalidInput(problem, field="frame.timestamp_us", expected=expected)

    def _put(self, frame: Frame) -> AddOutcome:
        self._clock_us = frame.timestamp_us if self._clock_us is None else max(self._clock_us, frame.timestamp_us)
        if frame.landmarks is None:
            return AddOutcome.UNDETECTED
        seen = np.isfinite(frame.landmarks[:, :3]).all(axis=1)
        seen &= (frame.landmarks[:, 3] >= self._threshold) & (frame.landmarks[:, 3] > 0)
        if not seen.any():
            return AddOutcome.UNDETECTED
        frames = self._frames
        times = frames.column("time_us")
        position = int(np.searchsorted(times, frame.timestamp_us))
        newest = position == len(frames)
        slot = _slot(frame.timestamp_us)
        if not newest and (times[position] == frame.timestamp_us or _slot(times[position]) == slot):
            self.duplicates += 1
            return AddOutcome.DUPLICATE
        connected = position > 0 and frame.timestamp_us - times[position - 1] <= self._max_gap_us
        restarted = newest and (self._clock_is_new or (position > 0 and not connected))
        if position > 0 and _slot(times[position - 1]) == slot:
            position -= 1
        else:
            frames.open(position)
        self._write(position, frame, frame.landmarks, seen)
        if not newest:
            return AddOutcome.INSERTED_LATE
        self._clock_is_new = False
        self._forget((frame.timestamp_us - self._kept_us) // self._block_us * self._block_us)
        return AddOutcome.RESTARTED if restarted else AddOutcome.APPENDED

    def _write(self, row: int, frame: Frame, landmarks: NDArray[np.float32], seen: NDArray[np.bool_]) -> None:
        frames = self._frames
        pose_m = landmarks[:, :3].astype(np.float64)
        hips_seen = bool(seen[self._layout.hips[0]] and seen[self._layout.hips[1]])
        middle_m = hip_middle(pose_m, self._layout) if hips_seen else np.zeros(3)
        frames.column("time_us")[row] = frame.timestamp_us
        frames.column("sequence")[row] = frame.sequence
        frames.column("pose_m")[row] = np.where(seen[:, None], pose_m - middle_m, 0.0)
        frames.column("seen")[row] = seen
        frames.column("hips_seen")[row] = hips_seen
        frames.column("middle_m")[row] = middle_m
        frames.column("has_root")[row] = frame.root_m is not None
        frames.column("root_m")[row] = 0.0 if frame.root_m is None else frame.root_m

    def _forget(self, before_us: int) -> None:
        """Drop frames older than ``before_us`` and remember where the body was heading in the last of them."""
        frames = self._frames
        times_us = frames.column("time_us")
        if times_us[0] >= before_us:
            return
        count = int(np.searchsorted(times_us, before_us))
        first = 0
        breaks = np.flatnonzero(np.diff(times_us[: count + 1]) > self._max_gap_us)
        if len(breaks):
            self._heading_rad = None
            first = int(breaks[-1]) + 1
        if first < count:
            pose_m, seen = frames.column("pose_m")[first:count].copy(), frames.column("seen")[first:count]
            known = self._heading_rad is not None
            for pair in map(list, (self._layout.hips, self._layout.shoulders)):
                # An axis with an unseen end has no direction.
                both_seen = np.all(seen[:, pair], axis=1, keepdims=True)
                pose_m[:, pair] *= both_seen[:, :, None]
                known |= bool(both_seen.any())
            if known:
                self._heading_rad = float(track_heading(pose_m, self._layout, self._heading_rad)[-1])
        frames.drop(count)


def _slot(timestamp_us: int | np.int64) -> int:
    """Which period of the fastest frame rate a time lies in; of each period one frame is kept."""
    return int(timestamp_us) * int(MAX_FRAME_RATE_HZ) // 1_000_000
