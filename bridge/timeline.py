"""One avatar's clock: frames that arrive at any rate, late, doubled or not at all become fixed-rate windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.frame_buffer import FrameBuffer
from bridge.frames import AddOutcome, Frame, Window
from bridge.geometry import track_heading
from bridge.limits import MAX_FRAME_RATE_HZ
from bridge.resampling import COINCIDENT_PERIODS, Observations, filled_rows, resample
from bridge.skeleton import Layout

__all__ = ["AddOutcome", "Frame", "Snapshot", "Timeline", "Window"]

MAX_JUMP_AHEAD_US = 3_600_000_000
"""A frame more than an hour ahead of the newest one is a fault of the clock until others confirm it."""
CONFIRMING_FRAMES = 5
"""So many refused frames in a row, each after the one before, make a new clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Frames that cover a window, copied from a timeline, and what makes the window of them.

    Most windows that fall due under load are replaced before they are computed; these cost a copy and nothing more.

    Attributes:
        rows: structured array (n,) with the columns of `bridge.frame_buffer.FrameBuffer`, oldest first.
        layout: of the J landmarks.
        grid_us: (C,) times of the window's rows relative to the newest frame, microseconds.
        period_us: of the window's rows.
        initial_heading_rad: as in `bridge.frames.Window`.
    """

    rows: NDArray[np.void]
    layout: Layout
    grid_us: NDArray[np.float64]
    period_us: float
    initial_heading_rad: float | None = None

    __repr__ = brief_repr

    @property
    def sequence(self) -> int:
        """Of the newest frame."""
        return int(self.rows["sequence"][-1])

    @property
    def timestamp_us(self) -> int:
        """Of the newest frame, on the sender's clock."""
        return int(self.rows["time_us"][-1])

    @property
    def has_root(self) -> bool:
        """Whether every frame carries a root, so that the window has one."""
        return bool(self.rows["has_root"].all())

    @property
    def filled_share(self) -> float:
        """Part of the window's rows that rests on filled frames, 0 to 1; cheap where there are none."""
        filled = self._filled_rows()
        return 0.0 if filled is None else float(filled.mean())

    def _filled_rows(self) -> NDArray[np.bool_] | None:
        if not self.rows["filled"].any():
            return None
        time_us = self.rows["time_us"]
        relative_us = (time_us - time_us[-1]).astype(np.float64)
        return filled_rows(relative_us, self.rows["filled"], self.grid_us, self.period_us)

    def window(self) -> Window:
        """Resample the frames to the window.

        Raises:
            InvalidInput: if the body has no extent.
        """
        rows = self.rows
        time_us = rows["time_us"]
        resampled = resample(
            Observations(
                time_us=(time_us - time_us[-1]).astype(np.float64),
                pose_m=rows["pose_m"],
                seen=rows["seen"],
                hips_seen=rows["hips_seen"],
                middle_m=rows["middle_m"],
                root_m=rows["root_m"] if self.has_root else None,
            ),
            self.grid_us,
            self.layout,
            self.period_us,
            self.initial_heading_rad,
        )
        return Window(
            layout_id=self.layout.id,
            pose_m=resampled.pose_m,
            observed=resampled.observed,
            root_m=resampled.root_m,
            bridged=resampled.bridged,
            sequence=self.sequence,
            timestamp_us=self.timestamp_us,
            initial_heading_rad=self.initial_heading_rad,
            filled=self._filled_rows(),
            rate_hz=1e6 / self.period_us,
        )


class Timeline:
    """The recent frames of one avatar, in order of capture.

    Detected frames are kept for the length of a window, plus the longest gap, plus a few periods. Of the frames of one
    1/240 s only the newest is kept, so that memory is bounded at any frame rate. What `window` returns depends on the
    frames' times of capture only and never on the order of their arrival (of two frames with the same time the first
    counts). Filled frames are taken in like others and give way to an observed frame of the same 1/240 s.

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
        self._needed_us = float(self._grid_us[0]) + COINCIDENT_PERIODS * self._period_us
        self._every = np.ones(layout.joints, np.bool_)
        self._frames = FrameBuffer(layout.joints)
        self._run_us = 0
        self._heading_rad: float | None = None
        self._clock_us: int | None = None
        self._clock_is_new = False
        self._strays: list[Frame] = []
        self.duplicates: int = 0

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
        snapshot = self.snapshot()
        return None if snapshot is None else snapshot.window()

    def snapshot(self) -> Snapshot | None:
        """Return a copy of the frames that `window` would be made of, None where that would be None. Much cheaper."""
        if self._missing_us() > 0:
            return None
        frames = self._frames
        first_us = max(self._run_us, math.ceil(frames.newest_us + float(self._grid_us[0]) - self._max_gap_us))
        rows = frames.copy_of_last(len(frames) - int(frames.column("time_us").searchsorted(first_us)))
        return Snapshot(rows, self._layout, self._grid_us, self._period_us, self._heading_rad)

    def missing_ms(self) -> float:
        """How much more time without a long gap a window needs, milliseconds; 0 when there is one."""
        return max(0.0, self._missing_us() * 1e-3)

    def frames_until_window(self) -> int:
        """`missing_ms` in frames of the window's rate, at least 1 while there is no window."""
        return max(0, math.ceil(self._missing_us() / self._period_us))

    def _missing_us(self) -> float:
        """How much time without a long gap a window still needs, microseconds; 0 or less when there is one."""
        if len(self._frames) == 0:
            return self._period_us - self._needed_us
        return self._run_us - self._frames.newest_us - self._needed_us

    def _find_run(self) -> None:
        """Find the first frame of those that end with the newest and have no long gap between them."""
        times_us = self._frames.column("time_us")
        breaks = np.flatnonzero(np.diff(times_us) > self._max_gap_us)
        self._run_us = int(times_us[breaks[-1] + 1 if len(breaks) else 0])

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
        seen = self._seen(frame.landmarks)
        if seen is None:
            return AddOutcome.UNDETECTED
        frames = self._frames
        times = frames.column("time_us")
        newest = len(frames) == 0 or frame.timestamp_us > frames.newest_us
        position = len(frames) if newest else int(times.searchsorted(frame.timestamp_us))
        taken = self._row_of_slot(position, _slot(frame.timestamp_us))
        if taken is not None and (frame.filled or (taken == position and not frames.column("filled")[taken])):
            self.duplicates += 1
            return AddOutcome.DUPLICATE
        connected = position > 0 and frame.timestamp_us - int(times[position - 1]) <= self._max_gap_us
        restarted = newest and (self._clock_is_new or (position > 0 and not connected))
        if taken is not None:
            position = taken
        else:
            frames.open(position)
        self._write(position, frame, frame.landmarks, seen)
        if not newest:
            self._find_run()
            return AddOutcome.INSERTED_LATE
        if not connected or taken is not None:
            self._find_run()
        self._clock_is_new = False
        self._forget((frame.timestamp_us - self._kept_us) // self._block_us * self._block_us)
        return AddOutcome.RESTARTED if restarted else AddOutcome.APPENDED

    def _seen(self, landmarks: NDArray[np.float32]) -> NDArray[np.bool_] | None:
        """Which landmarks a frame shows (J,), None if it shows none. One that shows all of them is quick to tell."""
        visibility = landmarks[:, 3]
        if visibility.min() >= self._threshold > 0 and math.isfinite(landmarks.sum()):
            return self._every
        finite = np.isfinite(landmarks[:, :3]).all(axis=1)
        seen: NDArray[np.bool_] = finite & (visibility >= self._threshold) & (visibility > 0)
        return seen if seen.any() else None

    def _row_of_slot(self, position: int, slot: int) -> int | None:
        """The row that shares its 1/240 s with a frame that would come at ``position``; None if there is none."""
        times = self._frames.column("time_us")
        if position < len(times) and _slot(times[position]) == slot:
            return position
        return position - 1 if position > 0 and _slot(times[position - 1]) == slot else None

    def _write(self, row: int, frame: Frame, landmarks: NDArray[np.float32], seen: NDArray[np.bool_]) -> None:
        pose_m = landmarks[:, :3].astype(np.float64)
        left, right = self._layout.hips
        hips_seen = bool(seen[left] and seen[right])
        if hips_seen:
            middle_m = (pose_m[left] + pose_m[right]) / 2.0
            pose_m -= middle_m
        if seen is not self._every:
            pose_m[~seen] = 0.0
        self._frames.write(
            row,
            time_us=frame.timestamp_us,
            sequence=frame.sequence,
            pose_m=pose_m,
            seen=seen,
            hips_seen=hips_seen,
            middle_m=middle_m if hips_seen else 0.0,
            has_root=frame.root_m is not None,
            root_m=0.0 if frame.root_m is None else frame.root_m,
            filled=frame.filled,
        )

    def _forget(self, before_us: int) -> None:
        """Drop frames older than ``before_us`` and remember where the body was heading in the last of them."""
        frames = self._frames
        times_us = frames.column("time_us")
        if times_us[0] >= before_us:
            return
        count = int(times_us.searchsorted(before_us))
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
