"""One recording as a client with frame saving sends it and as the service takes it in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.bench.saver.rules import Rule
from bridge.bench.saver.tally import HORIZONS_MS, Tally, Way
from bridge.bench.saver.truth import Truth, error_mm
from bridge.client.saver import FrameSaver
from bridge.forecaster.results import ForecastResult
from bridge.frames import AddOutcome, Frame, Window
from bridge.session.filling import GapFiller
from bridge.session.pacer import Pacer
from bridge.skeleton import Layout
from bridge.timeline import Timeline
from bridge.wire.codec import frame_to_message
from bridge.wire.values import Forecast, Timing

_FORECAST_RATE_HZ = 30.0
_SHORTEST_GAP_MS = 200.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Landmarks, and the windows and steps of the model."""

    layout: Layout
    context_frames: int
    rate_hz: float

    @property
    def period_us(self) -> float:
        """Between rows of a window."""
        return 1e6 / self.rate_hz

    def timeline(self, max_gap_ms: float = _SHORTEST_GAP_MS) -> Timeline:
        """An empty one."""
        return Timeline(self.layout, context_frames=self.context_frames, rate_hz=self.rate_hz, max_gap_ms=max_gap_ms)


@dataclass(frozen=True, slots=True)
class Due:
    """The windows of one frame to forecast from: of every way (None where it has none), and of all frames."""

    windows: dict[Way, Window | None]
    full: Window

    @property
    def saved(self) -> Window:
        """The service's."""
        window = self.windows[Way.FORECAST]
        assert window is not None
        return window


class _Receiver:
    """One way to make windows of the sent frames."""

    def __init__(self, grid: Grid, filler: GapFiller | None, max_gap_ms: float = _SHORTEST_GAP_MS) -> None:
        self.filler = filler
        self._timeline = grid.timeline(max_gap_ms)

    def add(self, frame: Frame) -> Window | None:
        for filled in self.filler.fill(frame) if self.filler is not None else ():
            self._timeline.add(filled)
        return None if self._timeline.add(frame) is AddOutcome.UNDETECTED else self._timeline.window()


class SavedStream:
    """What one rule makes of one recording, frame by frame.

    Args:
        rule: when to send.
        grid: of the model.
        truth: of the recording.
        tally: of the rule; grows.
        max_silence_ms: of the saver and the filler.
        latency_us: from a frame's capture to the client (and the filler) having its forecast.
    """

    def __init__(
        self, rule: Rule, grid: Grid, truth: Truth, tally: Tally, *, max_silence_ms: int, latency_us: int
    ) -> None:
        self._grid, self._truth, self._tally = grid, truth, tally
        self._latency_us = latency_us
        self._saver = FrameSaver(
            every_nth=rule.every_nth,
            threshold_m=rule.threshold_m,
            max_silence_ms=max_silence_ms,
            layout=grid.layout,
        )
        saving = self._saver.frame_saving
        self._filler = GapFiller(grid.layout, rate_hz=grid.rate_hz, saving=saving)
        self._receivers = {
            Way.FORECAST: _Receiver(grid, self._filler),
            Way.STRAIGHT: _Receiver(grid, GapFiller(grid.layout, rate_hz=grid.rate_hz, saving=saving)),
            Way.BRIDGED: _Receiver(grid, None, max(_SHORTEST_GAP_MS, float(max_silence_ms))),
        }
        self._pacer = Pacer(_FORECAST_RATE_HZ)
        self._under_way: deque[Forecast] = deque()
        self._latest: Forecast | None = None
        self._last_sent_us = 0

    def step(self, frame: Frame, full: Window | None) -> Due | None:
        """Take the next frame, and the window of all frames that ends with it; return what a forecast is due of."""
        while self._under_way and self._under_way[0].based_on_timestamp_us + self._latency_us <= frame.timestamp_us:
            self._latest = self._under_way.popleft()
            self._filler.remember(self._latest)
        sent = self._saver.should_send(frame, self._latest)
        if self._latest is not None:
            size = frame_to_message(frame).ByteSize()
            self._tally.frames += 1
            self._tally.bytes_all += size
            self._tally.frames_sent += sent
            self._tally.bytes_sent += size if sent else 0
        if not sent:
            self._score_unsent(frame)
            return None
        if frame.landmarks is not None:
            self._last_sent_us = frame.timestamp_us
        windows = {way: receiver.add(frame) for way, receiver in self._receivers.items()}
        if windows[Way.FORECAST] is None or full is None:
            return None
        due = Due(windows, full)
        self._score_windows(due)
        return due if self._pacer.due(frame.timestamp_us) else None

    def take(self, due: Due, results: Mapping[Way, ForecastResult], full: ForecastResult) -> None:
        """Take the forecasts that were due."""
        self._under_way.append(_forecast(due.saved, results[Way.FORECAST], self._grid.period_us))
        if due.saved.filled is None or len(results) < len(Way):
            return
        for horizon_ms in HORIZONS_MS:
            step = round(horizon_ms * self._grid.rate_hz / 1000)
            truth_m = self._truth.at(due.saved.timestamp_us + step * self._grid.period_us)
            self._tally.full_error_mm[horizon_ms].add(_error_of_mean_mm(full, step, truth_m))
            for way, result in results.items():
                self._tally.error_mm[way][horizon_ms].add(_error_of_mean_mm(result, step, truth_m))

    def _score_unsent(self, frame: Frame) -> None:
        if frame.landmarks is None or self._latest is None:
            return
        told_m = self._latest.pose_at(frame.timestamp_us)
        truth_m = self._truth.at(frame.timestamp_us)
        if told_m is not None:
            self._tally.told_mm.add(error_mm(told_m, truth_m))
            self._tally.held_mm.add(error_mm(self._truth.at(self._last_sent_us), truth_m))

    def _score_windows(self, due: Due) -> None:
        if due.saved.filled is None or any(window is None for window in due.windows.values()):
            return
        rows = np.flatnonzero(due.saved.filled).tolist()
        for row in rows:
            age_us = (len(due.saved.filled) - 1 - row) * self._grid.period_us
            truth_m = self._truth.at(due.saved.timestamp_us - age_us)
            for way, window in due.windows.items():
                if window is not None:
                    self._tally.filled_mm[way].add(error_mm(window.pose_m[row], truth_m))


def _error_of_mean_mm(result: ForecastResult, step: int, truth_m: NDArray[np.float64]) -> float:
    """Of the samples' mean, ``step`` steps ahead."""
    return error_mm(result.samples_m[:, step - 1].mean(axis=0), truth_m)


def windows_of(frames: Sequence[Frame], grid: Grid) -> list[Window | None]:
    """The window that ends with each frame when all are sent; None where there is none."""
    timeline = grid.timeline()
    windows: list[Window | None] = []
    for frame in frames:
        detected = timeline.add(frame) in (AddOutcome.APPENDED, AddOutcome.RESTARTED)
        windows.append(timeline.window() if detected else None)
    return windows


def _forecast(window: Window, result: ForecastResult, period_us: float) -> Forecast:
    return Forecast(
        avatar_id="",
        based_on_sequence=window.sequence,
        based_on_timestamp_us=window.timestamp_us,
        step_us=round(period_us),
        futures_m=result.futures_m,
        roots_m=None if result.roots_m is None else result.roots_m.astype(np.float32),
        probabilities=result.probabilities,
        spread_m=result.spread_m,
        mode_ids=tuple(range(len(result.futures_m))),
        unobserved_landmarks=result.unobserved_landmarks,
        bridged_share=result.bridged_share,
        samples=len(result.samples_m),
        acceptance_rate=result.acceptance_rate,
        timing=Timing(),
        filled_share=window.filled_share,
    )
