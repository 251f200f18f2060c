"""The bench itself: every rule on every recording, the windows of all that are due forecast together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.bench.saver.rules import RULES, Rule
from bridge.bench.saver.streams import Due, Grid, SavedStream, windows_of
from bridge.bench.saver.tally import HORIZONS_MS, Tally, Way
from bridge.bench.saver.truth import Truth
from bridge.errors import NotFound
from bridge.forecaster import Forecaster, ForecastJob, ForecastResult, run_jobs
from bridge.frames import Frame, Window
from bridge.recordings import Clip, clip_frames

_AT_ONCE = 4
_BATCH = 64
# A stream must be long enough for the context, a few frames, and what the shortest horizon is held against.
_SHORTEST_S = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a run: S samples, K futures, and what the client and the service of `SavedStream` do."""

    samples: int = 32
    futures: int = 5
    max_silence_ms: int = 500
    latency_ms: float = 50.0
    seed: int = 0


def shortened(clip: Clip, seconds: float) -> Clip:
    """The middle of a clip that is longer than this."""
    middle_us = (int(clip.timestamp_us[0]) + int(clip.timestamp_us[-1])) // 2
    kept = np.abs(clip.timestamp_us - middle_us) <= seconds * 1e6 / 2
    if kept.all():
        return clip
    return replace(
        clip,
        pose_m=clip.pose_m[kept],
        visibility=clip.visibility[kept],
        root_m=None if clip.root_m is None else clip.root_m[kept],
        timestamp_us=clip.timestamp_us[kept],
    )


def long_enough(clip: Clip) -> bool:
    """Whether there is something to forecast in it."""
    return clip.frames > 1 and int(clip.timestamp_us[-1] - clip.timestamp_us[0]) >= _SHORTEST_S * 1e6


def measure(
    forecaster: Forecaster,
    clips: Sequence[Clip],
    settings: Settings | None = None,
    *,
    rules: Sequence[Rule] = RULES,
    progress: Callable[[int], None] | None = None,
) -> dict[Rule, Tally]:
    """Send every clip under every rule.

    Args:
        forecaster: that forecasts, as the service would.
        clips: of its layout; those under two seconds are left out.
        settings: of the run.
        rules: when to send.
        progress: called with the number of frames just done.

    Raises:
        NotFound: if no clip is long enough.
    """
    settings = settings or Settings()
    usable = [clip for clip in clips if clip.layout_id == forecaster.layout.id and long_enough(clip)]
    if not usable:
        raise NotFound(
            f"no clip of {forecaster.layout.id} is long enough", field="data", expected=f"{_SHORTEST_S:g} s or more"
        )
    grid = Grid(forecaster.layout, forecaster.context_frames, forecaster.rate_hz)
    tallies = {rule: Tally() for rule in rules}
    for start in range(0, len(usable), _AT_ONCE):
        runs = [_Run(clip, grid, tallies, settings) for clip in usable[start : start + _AT_ONCE]]
        for index in range(max(len(run.frames) for run in runs)):
            _forecast_all(forecaster, [pair for run in runs for pair in run.step(index)], settings)
            if progress is not None:
                progress(sum(index < len(run.frames) for run in runs))
    return tallies


class _Run:
    """One clip under every rule."""

    def __init__(self, clip: Clip, grid: Grid, tallies: dict[Rule, Tally], settings: Settings) -> None:
        self.frames: list[Frame] = list(clip_frames(clip, avatar_id="one"))
        self._windows = windows_of(self.frames, grid)
        truth = Truth(self.frames, grid.layout, grid.period_us)
        self._streams = [
            SavedStream(
                rule,
                grid,
                truth,
                tally,
                max_silence_ms=settings.max_silence_ms,
                latency_us=round(settings.latency_ms * 1e3),
            )
            for rule, tally in tallies.items()
        ]

    def step(self, index: int) -> Iterator[tuple[SavedStream, Due]]:
        """Take the next frame of the clip, if there is one; what is due of it."""
        if index >= len(self.frames):
            return
        for stream in self._streams:
            due = stream.step(self.frames[index], self._windows[index])
            if due is not None:
                yield stream, due


def _forecast_all(forecaster: Forecaster, due: Sequence[tuple[SavedStream, Due]], settings: Settings) -> None:
    horizon_frames = round(max(HORIZONS_MS) * forecaster.rate_hz / 1000)
    # Without filled rows a window is that of all frames, whatever the way.
    windows: dict[int, Window] = {}
    for _, each in due:
        apart = each.windows.values() if each.saved.filled is not None else ()
        windows.update({id(window): window for window in (each.full, *apart) if window is not None})
    jobs = [
        ForecastJob(window, horizon_frames, settings.samples, settings.futures, settings.seed + window.timestamp_us)
        for window in windows.values()
    ]
    results: list[ForecastResult] = []
    for start in range(0, len(jobs), _BATCH):
        results += run_jobs(forecaster, jobs[start : start + _BATCH])
    made = dict(zip(windows, results, strict=True))
    for stream, each in due:
        full = made[id(each.full)]
        mine = {Way.FORECAST: full}
        if each.saved.filled is not None:
            mine = {way: made[id(window)] for way, window in each.windows.items() if window is not None}
        stream.take(each, mine, full)
