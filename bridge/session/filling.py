"""Frame saving, the service's side: what lies between two frames that the client sent, from an earlier forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame, seen_landmarks
from bridge.geometry import hip_middle
from bridge.interpolation import along
from bridge.resampling import COINCIDENT_PERIODS, CONNECTED_PERIODS
from bridge.skeleton import Layout
from bridge.wire.values import Forecast, FrameSaving

_Array = NDArray[np.float64]


class GapFiller:
    """Fills the gaps between the frames of one avatar.

    Hand it every frame before the timeline gets it, and give the timeline what it returns before that frame. `fill`
    belongs to the thread that receives frames; `remember` may be called from another. It keeps one frame, one future.

    Args:
        layout: of the J landmarks.
        rate_hz: of the filled frames.
        saving: how long a gap may be.
        visibility_threshold: landmarks with a lower visibility are not observed.
    """

    def __init__(
        self, layout: Layout, *, rate_hz: float, saving: FrameSaving, visibility_threshold: float = 0.1
    ) -> None:
        self._layout = layout
        self._period_us = 1e6 / rate_hz
        self._longest_us = saving.max_silence_ms * 1000
        self._threshold = visibility_threshold
        self._newest: Frame | None = None
        # Of the landmarks, and of the hips' middle in the sender's world. Set at once: another thread may be reading.
        self._ways: tuple[_Way | None, _Way | None] = (None, None)

    @property
    def nbytes(self) -> int:
        """Memory held for the frame and the future, bytes."""
        landmarks = None if self._newest is None else self._newest.landmarks
        ways = sum(way.values.nbytes for way in self._ways if way is not None)
        return ways + (0 if landmarks is None else landmarks.nbytes)

    def remember(self, forecast: Forecast) -> None:
        """Fill later gaps from this forecast: along the mean of its futures, weighted with their probabilities.

        A single future is a draw, and of the ways to continue a motion only one of many; their mean is closer to what
        happened, and makes better windows (see ``pose-bridge bench saver``).
        """
        base_us, step_us = forecast.based_on_timestamp_us, forecast.step_us
        root: _Way | None = None
        if forecast.roots_m is not None:
            # In float64: roots lie far out.
            weights = forecast.probabilities.astype(np.float64) / forecast.probabilities.sum(dtype=np.float64)
            root = _Way(base_us, step_us, np.tensordot(weights, forecast.roots_m, 1))
        self._ways = (_Way(base_us, step_us, forecast.expected_m), root)

    def fill(self, frame: Frame) -> list[Frame]:
        """Return the frames to put between the newest frame so far and this one, oldest first.

        There are some if the gap is longer than 1.5 periods and no longer than the silence allowed, and both frames
        show somebody: one every period. Each is the forecast's pose at its time, bent (by a correction that is linear
        in time) so that the path starts at the older frame and ends at the newer; a straight path where no forecast
        spans the gap, or a frame hides a hip. Filled frames carry the older one's sequence and visibilities: what it
        did not show stays unseen.
        """
        older = self._newest
        if older is not None and 0 <= older.timestamp_us - frame.timestamp_us <= self._longest_us:
            return []  # late
        self._newest = frame
        if older is None or older.landmarks is None or frame.landmarks is None:
            return []
        gap_us = frame.timestamp_us - older.timestamp_us
        if not CONNECTED_PERIODS * self._period_us < gap_us <= self._longest_us:
            return []
        # The last one keeps clear of the newer frame: it would tell the same instant.
        stop_us = gap_us - COINCIDENT_PERIODS * self._period_us
        span = _Span(older.timestamp_us, gap_us, np.arange(self._period_us, stop_us, self._period_us))
        return self._between(older, older.landmarks, frame, frame.landmarks, span)

    def _between(
        self, older: Frame, before: NDArray[np.float32], newer: Frame, after: NDArray[np.float32], span: _Span
    ) -> list[Frame]:
        seen, seen_after = (seen_landmarks(landmarks, self._threshold) for landmarks in (before, after))
        if not (seen.any() and seen_after.any()):
            return []
        start_m = np.where(seen[:, None], before[:, :3], 0.0).astype(np.float64)
        end_m = np.where(seen_after[:, None], after[:, :3], 0.0).astype(np.float64)
        hips = list(self._layout.hips)
        if seen[hips].all() and seen_after[hips].all():
            # Bodies move about the middle of their hips; where a frame hides that, about the sender's own origin.
            middle_m, middle_after_m = (np.asarray(hip_middle(pose, self._layout), float) for pose in (start_m, end_m))
            way, way_of_root = (way if way is not None and way.tells(span) else None for way in self._ways)
        else:
            middle_m, middle_after_m = np.zeros(3), np.zeros(3)
            way = way_of_root = None
        path_m = span.path(start_m - middle_m, end_m - middle_after_m, seen_after[:, None], way)
        offset_m = span.straight(middle_m, middle_after_m)
        landmarks = np.zeros((len(offset_m), len(seen), 4), np.float32)
        landmarks[:, seen, :3] = (path_m + offset_m[:, None])[:, seen]
        landmarks[:, seen, 3] = before[seen, 3]
        roots_m: list[NDArray[np.float32] | None] = [None] * len(offset_m)
        if older.root_m is not None and newer.root_m is not None:
            ends = (older.root_m + middle_m, newer.root_m + middle_after_m)
            hips_m = span.path(*ends, np.ones(3, np.bool_), way_of_root)
            roots_m = list((hips_m - offset_m).astype(np.float32))
        return [
            Frame(older.avatar_id, older.sequence, older.timestamp_us + round(since_us), pose, root_m, filled=True)
            for since_us, pose, root_m in zip(span.since_us.tolist(), landmarks, roots_m, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a forecast goes: ``values`` (H, ...), a step apart, the first one step after the frame it is based on."""

    base_us: int
    step_us: int
    values: NDArray[np.floating]

    def tells(self, span: _Span) -> bool:
        """Whether it covers a gap."""
        # A step is told in whole microseconds: the last one is off by up to half of one for each.
        last_us = self.base_us + len(self.values) * (self.step_us + 1)
        return self.base_us <= span.start_us and span.start_us + span.length_us <= last_us


@dataclass(frozen=True, slots=True)
class _Span:
    """A gap: its start, its length, and the instants in it (n,) to fill, counted from its start; microseconds."""

    start_us: int
    length_us: int
    since_us: _Array

    def straight(self, start: _Array, end: _Array) -> _Array:
        """From one value to the other, linear in time: (n, ...)."""
        weight = (self.since_us / self.length_us).reshape(-1, *[1] * start.ndim)
        mixed: _Array = (1.0 - weight) * start + weight * end
        return mixed

    def path(self, start: _Array, end: _Array, end_known: NDArray[np.bool_], way: _Way | None) -> _Array:
        """Along a forecast, bent to run from ``start`` to ``end`` (where that is known): (n, ...)."""
        if way is None:
            return self.straight(start, np.where(end_known, end, start))
        values, first_us = way.values, way.base_us + way.step_us
        if way.base_us == self.start_us:  # the forecast goes on from this very frame
            values, first_us = np.concatenate([start[None], values]), way.base_us
        at_us = self.start_us + np.array([0.0, *self.since_us, self.length_us])
        told = along(values, first_us, way.step_us, at_us)
        miss = start - told[0]
        return told[1:-1] + self.straight(miss, np.where(end_known, end - told[-1], miss))
