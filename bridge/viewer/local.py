"""Forecasts for a recording that is looked at: those of the moment shown are drawn, by the local forecaster."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridge.errors import BridgeError
from bridge.frames import AddOutcome, Frame, Window
from bridge.seeds import forecast_seed
from bridge.session.modes import ModeTracker
from bridge.timeline import Timeline
from bridge.viewer.history import History, ShownForecast
from bridge.viewer.readouts import Readouts
from bridge.wire.values import Forecast, Timing

if TYPE_CHECKING:
    from bridge.forecaster import Forecaster
    from bridge.forecaster.results import ForecastResult

_LOOK_BACK_US = 3_000_000
"""A window is built from so much before it, when the moment shown is not just after the last one."""


class LocalForecasts:
    """Draws the forecasts of whichever moment is shown, on a thread of its own; what it is too slow for it leaves out.

    Args:
        forecaster: draws the samples.
        performances: each avatar's frames, in order of time.
        history: where forecasts go.
        readouts: told how many there are and how long they take.
        samples: S. futures: K. horizon_ms: how far ahead. seed: as in a session's config.
        visibility_threshold: landmarks with a lower visibility count as unseen.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        performances: Mapping[str, Sequence[Frame]],
        history: History,
        readouts: Readouts,
        *,
        samples: int = 32,
        futures: int = 5,
        horizon_ms: int = 1000,
        seed: int = 0,
        visibility_threshold: float = 0.1,
    ) -> None:
        self._forecaster = forecaster
        self._readers = {
            name: _Reader(name, frames, forecaster, visibility_threshold) for name, frames in performances.items()
        }
        self._history = history
        self._readouts = readouts
        self._samples, self._futures, self._seed = samples, futures, seed
        self._steps = max(1, int(np.ceil(horizon_ms * forecaster.rate_hz / 1000.0 - 1e-6)))
        self._wanted = threading.Condition()
        self._position_us: int | None = None
        self._keep_samples = False
        self._stopping = False
        self._drawn: dict[str, tuple[int, NDArray[np.float16]]] = {}
        self.error: BridgeError | None = None
        self._thread = threading.Thread(target=self._work, name="view-forecasts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; may be called again."""
        with self._wanted:
            self._stopping = True
            self._wanted.notify()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def want(self, position_us: int, keep_samples: bool = False) -> None:
        """Say which moment is shown, and whether all that is drawn is to be kept; never waits."""
        with self._wanted:
            if (position_us, keep_samples) != (self._position_us, self._keep_samples):
                self._position_us, self._keep_samples = position_us, keep_samples
                self._wanted.notify()

    def samples_at(self, avatar: str, position_us: int, ahead_ms: int) -> NDArray[np.float32] | None:
        """What was drawn for an avatar (S, J, 3), metres about the hips, so far ahead; None if it is not there yet."""
        known = self._drawn.get(avatar)
        if known is None or not 0 <= position_us - known[0] <= _LOOK_BACK_US // 10:
            return None
        step = min(max(round(ahead_ms * self._forecaster.rate_hz / 1000.0) - 1, 0), known[1].shape[1] - 1)
        return known[1][:, step].astype(np.float32)

    # -- on its own thread

    def _work(self) -> None:
        done: tuple[int, bool] | None = None
        while True:
            with self._wanted:
                while not self._stopping and (
                    self._position_us is None or done == (self._position_us, self._keep_samples)
                ):
                    self._wanted.wait()
                if self._stopping:
                    return
                assert self._position_us is not None
                done = self._position_us, self._keep_samples
            try:
                self._draw(*done)
            except BridgeError as error:
                self.error = error
                return

    def _draw(self, position_us: int, keep_samples: bool) -> None:
        from bridge.forecaster.jobs import ForecastJob, run_jobs

        due: list[tuple[_Reader, Window]] = []
        for name, reader in self._readers.items():
            at_us = reader.frame_at(position_us)
            if at_us is None:
                continue
            known = self._drawn.get(name)
            lacks_samples = keep_samples and (known is None or known[0] != at_us)
            if self._history.has_forecast(name, at_us) and not lacks_samples:
                continue
            window = reader.window_at(at_us)
            if window is not None:
                due.append((reader, window))
        if not due:
            return
        jobs = [
            ForecastJob(
                window,
                self._steps,
                self._samples,
                self._futures,
                forecast_seed(self._seed, reader.avatar, window.timestamp_us),
            )
            for reader, window in due
        ]
        begun_s = time.monotonic()
        results = run_jobs(self._forecaster, jobs)
        self._readouts.compute_ms.add((time.monotonic() - begun_s) * 1e3)
        for (reader, window), result in zip(due, results, strict=True):
            forecast = reader.forecast(window, result, self._samples)
            self._history.add_forecast(reader.avatar, window.timestamp_us, ShownForecast.of(forecast))
            self._readouts.forecasts.mark()
            if keep_samples:
                self._drawn[reader.avatar] = window.timestamp_us, result.samples_m.astype(np.float16)


class _Reader:
    """One avatar's frames and its clock."""

    def __init__(
        self, avatar: str, frames: Sequence[Frame], forecaster: Forecaster, visibility_threshold: float
    ) -> None:
        self.avatar = avatar
        self._frames = frames
        self._times_us = [frame.timestamp_us for frame in frames]
        self._forecaster = forecaster
        self._threshold = visibility_threshold
        self._modes = ModeTracker(forecaster.rate_hz)
        self._timeline = self._new_timeline()
        self._next = 0

    def frame_at(self, position_us: int) -> int | None:
        """The time of the frame that is shown at a moment; None before the first or where nobody was detected."""
        index = bisect_right(self._times_us, position_us) - 1
        if index < 0 or self._frames[index].landmarks is None:
            return None
        return self._times_us[index]

    def window_at(self, at_us: int) -> Window | None:
        """The window that ends with the frame of this time; None if it is not full."""
        index = bisect_left(self._times_us, at_us)
        last_us = self._times_us[self._next - 1] if self._next else None
        if last_us is None or index < self._next or at_us - last_us > _LOOK_BACK_US:
            self._timeline = self._new_timeline()
            self._next = bisect_left(self._times_us, at_us - _LOOK_BACK_US)
        outcome = None
        for frame in self._frames[self._next : index + 1]:
            outcome = self._timeline.add(frame)
        self._next = index + 1
        if outcome not in (AddOutcome.APPENDED, AddOutcome.RESTARTED):
            return None
        return self._timeline.window()

    def forecast(self, window: Window, result: ForecastResult, samples: int) -> Forecast:
        """What a server would have sent."""
        return Forecast(
            avatar_id=self.avatar,
            based_on_sequence=window.sequence,
            based_on_timestamp_us=window.timestamp_us,
            step_us=round(1e6 / self._forecaster.rate_hz),
            futures_m=result.futures_m,
            roots_m=None if result.roots_m is None else result.roots_m.astype(np.float32),
            probabilities=result.probabilities,
            spread_m=result.spread_m,
            mode_ids=self._modes.ids_of(result.futures_m, window.timestamp_us),
            unobserved_landmarks=result.unobserved_landmarks,
            bridged_share=result.bridged_share,
            samples=samples,
            acceptance_rate=result.acceptance_rate,
            timing=Timing(),
        )

    def _new_timeline(self) -> Timeline:
        return Timeline(
            self._forecaster.layout,
            context_frames=self._forecaster.context_frames,
            rate_hz=self._forecaster.rate_hz,
            visibility_threshold=self._threshold,
        )
