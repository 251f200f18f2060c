"""One tracked body: its clock, when its forecast is due, and which of its futures continue earlier ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from bridge.engine import Completed, EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.frames import AddOutcome, Frame, Window
from bridge.session.modes import ModeTracker
from bridge.session.pacer import Pacer
from bridge.timeline import Timeline
from bridge.wire.values import Forecast, SessionConfig, Timing


class Avatar:
    """The state of one avatar in one session.

    `add` and `request` belong to the thread that receives frames, `forecast` to the thread that delivers outcomes: they
    share nothing but constants.
    """

    def __init__(self, avatar_id: str, session_id: str, config: SessionConfig, info: EngineInfo) -> None:
        self.avatar_id = avatar_id
        self.last_seen_s = 0.0
        self._key = RequestKey(session_id, avatar_id)
        self._config = config
        self._info = info
        self._timeline = Timeline(
            info.layout,
            context_frames=info.context_frames,
            rate_hz=info.rate_hz,
            visibility_threshold=config.visibility_threshold,
        )
        self._pacer = Pacer(config.forecast_rate_hz)
        self._modes = ModeTracker(info.rate_hz)

    def add(self, frame: Frame) -> bool:
        """Take a frame in; True if it is the newest, so that a window would end with it.

        Raises:
            InvalidInput: if its time of capture does not fit the ones before; the avatar is unchanged.
        """
        outcome = self._timeline.add(frame)
        if outcome is AddOutcome.RESTARTED:
            self._pacer.restart()
        return outcome in (AddOutcome.APPENDED, AddOutcome.RESTARTED)

    def window(self) -> Window | None:
        """Return the context up to the newest frame, None until enough of it is there."""
        return self._timeline.window()

    def due_window(self, frame: Frame) -> Window | None:
        """Add a frame and return the window to forecast from, None if no forecast is due.

        Raises:
            InvalidInput: as `add`.
        """
        if not self.add(frame):
            return None
        window = self._timeline.window()
        return window if window is not None and self._pacer.due(frame.timestamp_us) else None

    def request(
        self,
        window: Window,
        *,
        arrived_s: float,
        deadline_s: float,
        done: Callable[[EngineRequest, Outcome], None],
    ) -> EngineRequest:
        """Return what the engine is to compute for a window."""
        return EngineRequest(
            key=self._key,
            window=window,
            horizon_frames=self._config.horizon_steps(self._info.rate_hz),
            samples=self._config.samples,
            futures=self._config.futures,
            seed=_seed(self._config.seed, self.avatar_id, window.timestamp_us),
            arrived_s=arrived_s,
            deadline_s=deadline_s,
            done=done,
        )

    def forecast(self, request: EngineRequest, completed: Completed) -> Forecast:
        """Return the forecast of a computed request; its age is filled in when it is sent."""
        result, window = completed.result, request.window
        return Forecast(
            avatar_id=self.avatar_id,
            based_on_sequence=window.sequence,
            based_on_timestamp_us=window.timestamp_us,
            step_us=round(1e6 / self._info.rate_hz),
            futures_m=result.futures_m,
            roots_m=None if result.roots_m is None else result.roots_m.astype(np.float32),
            probabilities=result.probabilities,
            spread_m=result.spread_m,
            mode_ids=self._modes.ids_of(result.futures_m, window.timestamp_us),
            unobserved_landmarks=result.unobserved_landmarks,
            bridged_share=result.bridged_share,
            samples=request.samples,
            acceptance_rate=result.acceptance_rate,
            timing=Timing(
                queue_us=round((completed.started_s - request.arrived_s) * 1e6),
                compute_us=round(completed.compute_s * 1e6),
                batch_size=completed.batch_size,
            ),
        )


def _seed(session_seed: int, avatar_id: str, timestamp_us: int) -> int:
    """Return a number below 2^63 that depends on what the config promises: the seed and the frames."""
    text = f"{session_seed}/{avatar_id}/{timestamp_us}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
