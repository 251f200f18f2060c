"""Windows of training motion for the nearest-neighbour baseline: thousands of them within a second or two.

Evaluation cuts its windows through a live `Timeline`, frame by frame. A library need not be met as a stream: where a
clip already has one complete frame per period its rows are the windows, and only other clips take the long way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from bridge.errors import NotFound
from bridge.evaluation.windows import DEFAULT_STRIDE_FRAMES, EvaluationWindow, cut_windows, even_subset
from bridge.frames import Window
from bridge.geometry import hip_middle
from bridge.recordings import Clip
from bridge.skeleton import Layout

# Frames may lie off the forecast's grid by this part of a period.
_OFF_GRID = 0.05


def library_windows(
    clips: Iterable[Clip],
    layout: Layout,
    *,
    context_frames: int,
    horizon_frames: int,
    rate_hz: float,
    stride_frames: int = DEFAULT_STRIDE_FRAMES,
    max_windows: int | None = None,
) -> list[EvaluationWindow]:
    """The windows that `cut_windows` would cut, without roots; none if no clip is long enough.

    Args:
        clips: of one layout.
        layout: of the landmarks.
        context_frames: C. horizon_frames: H.
        rate_hz: of windows and answers.
        stride_frames: from one window to the next of a clip.
        max_windows: so many at most, evenly spread.

    Raises:
        InvalidInput: if a clip has another layout.
    """
    windows: list[EvaluationWindow] = []
    others: list[Clip] = []
    for clip in clips:
        if clip.layout_id == layout.id and _is_complete(clip, rate_hz):
            windows.extend(_rows(clip, layout, context_frames, horizon_frames, stride_frames))
        else:
            others.append(clip)
    if others:
        sizes = {"context_frames": context_frames, "horizon_frames": horizon_frames, "stride_frames": stride_frames}
        with suppress(NotFound):
            windows += cut_windows(others, layout, **sizes, rate_hz=rate_hz, max_windows=max_windows)
    return even_subset(windows, max_windows)


def _is_complete(clip: Clip, rate_hz: float) -> bool:
    """Whether the clip has one frame per period, with every landmark seen."""
    elapsed_periods = (clip.timestamp_us - clip.timestamp_us[0]) * (rate_hz / 1e6)
    on_grid = np.abs(elapsed_periods - np.arange(clip.frames)) < _OFF_GRID
    return bool(on_grid.all() and (clip.visibility == 1.0).all() and np.isfinite(clip.pose_m).all())


def _rows(clip: Clip, layout: Layout, context: int, horizon: int, stride: int) -> Iterator[EvaluationWindow]:
    pose_m = (clip.pose_m - hip_middle(clip.pose_m, layout)[:, None, :]).astype(np.float32)
    observed, bridged = np.ones((context, layout.joints), np.bool_), np.zeros(context, np.bool_)
    for row in range(context - 1, clip.frames - horizon, stride):
        window = Window(
            layout_id=layout.id,
            pose_m=pose_m[row - context + 1 : row + 1],
            observed=observed,
            root_m=None,
            bridged=bridged,
            sequence=row,
            timestamp_us=int(clip.timestamp_us[row]),
        )
        yield EvaluationWindow(
            window=window,
            truth_m=pose_m[row + 1 : row + 1 + horizon],
            clip_id=clip.clip_id,
            subject=clip.subject,
            family=clip.family,
            action=clip.action,
            first_future_frame=row + 1,
        )
