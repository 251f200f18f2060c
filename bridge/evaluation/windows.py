"""Recorded motion cut into questions and answers: what a forecaster would have seen live, and what then happened.

The context goes frame by frame through the same `Timeline` as a live stream, so gaps, dropouts and other frame rates
are met exactly as in service. The answer is the recording itself, at the forecast's rate, starting one period after the
newest context frame. A window without a complete answer is skipped: when the clip ends too early, when a landmark is
undetected in it, or when it would have to be interpolated over a gap. Truth is never invented.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput, NotFound
from bridge.evaluation.conditions import Condition
from bridge.frames import Window
from bridge.geometry import hip_middle
from bridge.recordings import Clip, clip_frames
from bridge.skeleton import Layout
from bridge.timeline import Timeline

DEFAULT_STRIDE_FRAMES = 15
_GAP_PERIODS = 1.5
# Motion before the context that a timeline still sees, for the heading of a body that lies.
_HISTORY_US = 2e6
# The same for windows that are fed one by one.
_SHORT_HISTORY_US = 5e5
# Time of a clip's first frame as its frames tell it (the wire wants times above 0).
_FIRST_US = 1

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class EvaluationWindow:
    """One question with its answer.

    Attributes:
        window: what was seen (C, J, 3).
        truth_m: (H, J, 3) what then happened: metres, hip-centred, world axes.
        clip_id, subject, family, action: where it is from.
        first_future_frame: index of the first row of ``truth_m`` in the clip at the forecast's rate.
    """

    window: Window
    truth_m: NDArray[np.float32]
    clip_id: str
    subject: str
    family: str
    action: str
    first_future_frame: int

    __repr__ = brief_repr


def select_clips(clips: Sequence[Clip], split: str) -> list[Clip]:
    """The clips of a split; all of them when none belongs to any (plain recordings).

    Raises:
        NotFound: if there are splits but not this one.
    """
    splits = sorted({clip.split for clip in clips if clip.split is not None})
    if not splits:
        return list(clips)
    chosen = [clip for clip in clips if clip.split == split]
    if not chosen:
        raise NotFound(f"no clip of split {split!r}", field="split", expected=f"one of: {', '.join(splits)}")
    return chosen


def cut_windows(
    clips: Iterable[Clip],
    layout: Layout,
    *,
    context_frames: int,
    horizon_frames: int,
    rate_hz: float = 30.0,
    stride_frames: int = DEFAULT_STRIDE_FRAMES,
    max_windows: int | None = None,
) -> list[EvaluationWindow]:
    """One window every ``stride_frames`` periods of each clip, from the first full context on.

    Args:
        clips: of one layout.
        layout: of the landmarks.
        context_frames: C. horizon_frames: H.
        rate_hz: of windows and answers.
        stride_frames: from one window to the next of a clip.
        max_windows: take so many of them, evenly spread and always the same (fewer where a context has a long gap).

    Raises:
        InvalidInput: if a clip has another layout.
        NotFound: if no clip is long enough.
    """
    cutters = [_ClipCutter(clip, layout, context_frames, horizon_frames, rate_hz) for clip in clips]
    candidates = [(cutter, row) for cutter in cutters for row in cutter.rows(stride_frames)]
    windows: list[EvaluationWindow] = []
    for cutter, chosen in groupby(even_subset(candidates, max_windows), key=itemgetter(0)):
        windows.extend(cutter.cut(row for _, row in chosen))
    if not windows:
        raise _nothing_to_cut(context_frames, horizon_frames, rate_hz)
    return windows


def cut_under_conditions(
    clips: Iterable[Clip],
    layout: Layout,
    conditions: Sequence[Condition],
    *,
    context_frames: int,
    horizon_frames: int,
    rate_hz: float = 30.0,
    stride_frames: int = DEFAULT_STRIDE_FRAMES,
    max_windows: int | None = None,
    seed: int = 0,
) -> list[list[EvaluationWindow | None]]:
    """The windows of `cut_windows`, each seen under every condition: the same questions and answers, other contexts.

    Every window is cut by itself, from the frames of its context and half a second before, so that one window's losses
    and noise do not depend on which others are cut.

    Args:
        clips, layout, context_frames, horizon_frames, rate_hz, stride_frames, max_windows: as for `cut_windows`.
        conditions: in what ways to see them; windows that the first one loses are left out of all.
        seed: of the conditions' randomness.

    Returns:
        For each condition the windows in the same order; None where the condition leaves no context (a gap that is too
        long) or loses the newest frame.

    Raises:
        InvalidInput: if a clip has another layout.
        NotFound: if no clip is long enough.
    """
    cutters = [_ClipCutter(clip, layout, context_frames, horizon_frames, rate_hz) for clip in clips]
    candidates = [(cutter, row) for cutter in cutters for row in cutter.rows(stride_frames)]
    seen: list[list[EvaluationWindow | None]] = [[] for _ in conditions]
    for cutter, row in even_subset(candidates, max_windows):
        views = [cutter.cut_under(condition, row, seed) for condition in conditions]
        if views[0] is not None:
            for windows, view in zip(seen, views, strict=True):
                windows.append(view)
    if not seen[0]:
        raise _nothing_to_cut(context_frames, horizon_frames, rate_hz)
    return seen


def even_subset(items: Sequence[Item], count: int | None) -> list[Item]:
    """At most ``count`` items, evenly spread over all of them and always the same; None: all."""
    if count is None or count >= len(items):
        return list(items)
    chosen = np.rint(np.linspace(0, len(items) - 1, max(count, 1))).astype(int)
    return [items[index] for index in chosen]


def _nothing_to_cut(context_frames: int, horizon_frames: int, rate_hz: float) -> NotFound:
    needed_s = (context_frames + horizon_frames) / rate_hz
    return NotFound(
        "no clip is long enough",
        field="data",
        expected=f"at least {needed_s:.1f} s in a row with every landmark seen",
    )


class _ClipCutter:
    """Finds and cuts the windows of one clip."""

    def __init__(self, clip: Clip, layout: Layout, context_frames: int, horizon_frames: int, rate_hz: float) -> None:
        if clip.layout_id != layout.id:
            raise InvalidInput(f"clip {clip.clip_id} has layout {clip.layout_id}", field="data", expected=layout.id)
        self._clip = clip
        self._layout = layout
        self._context_frames = context_frames
        self._horizon_frames = horizon_frames
        self._rate_hz = rate_hz
        self._period_us = 1e6 / rate_hz
        self._elapsed_us = clip.timestamp_us - clip.timestamp_us[0]
        self._truth = _Truth(clip, layout, self._period_us)

    def rows(self, stride_frames: int) -> list[int]:
        """Rows at which a window could end: on the stride's grid, with somebody in sight and a known answer."""
        if self._clip.frames < 2:
            return []
        first_us = (self._context_frames - 1) * self._period_us
        due_us = np.arange(first_us, self._elapsed_us[-1] + 1.0, stride_frames * self._period_us)
        after = np.clip(np.searchsorted(self._elapsed_us, due_us), 1, self._clip.frames - 1)
        before_is_nearer = due_us - self._elapsed_us[after - 1] < self._elapsed_us[after] - due_us
        nearest = after - before_is_nearer
        apart_us = np.abs(self._elapsed_us[nearest] - due_us)
        near = nearest[apart_us <= 0.5 * max(self._period_us, 1e6 / self._clip.fps) + 1.0]
        detected = self._clip.detected
        return [row for row in np.unique(near).tolist() if detected[row] and self._answer(row) is not None]

    def cut(self, rows: Iterable[int]) -> Iterator[EvaluationWindow]:
        """The windows that end at rising ``rows``; none where the context has a gap that is too long to bridge."""
        frames = list(clip_frames(self._clip, self._clip.clip_id, start_us=_FIRST_US))
        timeline, fed = self._fresh_timeline(), 0
        for row in rows:
            # Frames long before a window leave no trace in it: skip them when windows are far apart.
            start = self._first_row(row, _HISTORY_US)
            if start > fed:
                timeline, fed = self._fresh_timeline(), start
            for frame in frames[fed : row + 1]:
                timeline.add(frame)
            fed = row + 1
            item = self._item(row, timeline.window())
            if item is not None:
                yield item

    def cut_under(self, condition: Condition, row: int, seed: int) -> EvaluationWindow | None:
        """The window that ends at ``row`` as a condition lets it be seen; None where it leaves no such window."""
        clip, part = self._clip, slice(self._first_row(row, _SHORT_HISTORY_US), row + 1)
        stretch = replace(
            clip,
            pose_m=clip.pose_m[part],
            visibility=clip.visibility[part],
            root_m=None if clip.root_m is None else clip.root_m[part],
            timestamp_us=clip.timestamp_us[part],
        )
        key = zlib.crc32(f"{condition.name}/{clip.subject}/{clip.clip_id}".encode())
        received = condition.degrade(stretch, np.random.default_rng([seed, key, row]))
        start_us = int(received.timestamp_us[0] - clip.timestamp_us[0]) + _FIRST_US
        timeline = self._fresh_timeline()
        for frame in clip_frames(received, clip.clip_id, start_us=start_us):
            timeline.add(frame)
        window = timeline.window()
        # A window that ends earlier has another answer.
        newest_us = int(self._elapsed_us[row]) + _FIRST_US
        return self._item(row, window) if window is not None and window.timestamp_us == newest_us else None

    def _item(self, row: int, window: Window | None) -> EvaluationWindow | None:
        truth_m = self._answer(row)
        if window is None or truth_m is None:
            return None
        return EvaluationWindow(
            window=window,
            truth_m=truth_m,
            clip_id=self._clip.clip_id,
            subject=self._clip.subject,
            family=self._clip.family,
            action=self._clip.action,
            first_future_frame=round(float(self._elapsed_us[row]) / self._period_us) + 1,
        )

    def _first_row(self, row: int, history_us: float) -> int:
        """The first row that is fed for the window that ends at ``row``: of its context or just before."""
        earliest_us = self._elapsed_us[row] - self._context_frames * self._period_us - history_us
        return int(np.searchsorted(self._elapsed_us, earliest_us))

    def _answer(self, row: int) -> NDArray[np.float32] | None:
        return self._truth.after(int(self._clip.timestamp_us[row]), self._horizon_frames)

    def _fresh_timeline(self) -> Timeline:
        return Timeline(self._layout, context_frames=self._context_frames, rate_hz=self._rate_hz)


class _Truth:
    """What a clip did, hip-centred, at any time that lies between two frames close to each other."""

    def __init__(self, clip: Clip, layout: Layout, period_us: float) -> None:
        complete = np.flatnonzero(np.isfinite(clip.pose_m).all(axis=(1, 2)))
        pose_m = clip.pose_m[complete]
        self._pose_m = pose_m - hip_middle(pose_m, layout)[:, None, :]
        self._time_us = clip.timestamp_us[complete].astype(np.float64)
        self._period_us = period_us
        self._longest_us = _GAP_PERIODS * max(period_us, 1e6 / clip.fps)

    def after(self, timestamp_us: int, frames: int) -> NDArray[np.float32] | None:
        """(H, J, 3) at the H = ``frames`` instants after a time; None unless all of them are known."""
        if len(self._time_us) < 2:
            return None
        instants = timestamp_us + self._period_us * np.arange(1, frames + 1)
        # Whole-microsecond timestamps fall short of the last instant by rounding.
        if instants[-1] > self._time_us[-1] + 0.05 * self._period_us:
            return None
        right = np.clip(np.searchsorted(self._time_us, instants), 1, len(self._time_us) - 1)
        before_us, after_us = self._time_us[right - 1], self._time_us[right]
        share = np.clip((instants - before_us) / (after_us - before_us), 0.0, 1.0)
        # An instant on a frame is known whatever gap lies beside it.
        between = (share > 0.05) & (share < 0.95)
        if (between & (after_us - before_us > self._longest_us)).any() or (instants[0] < before_us[0]):
            return None
        weight = share.astype(np.float32)[:, None, None]
        return np.asarray(self._pose_m[right - 1] * (1 - weight) + self._pose_m[right] * weight, np.float32)
