"""One tracked body: its clock, when its forecast is due, and which of its futures continue earlier ones."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from enum import Enum, auto

import numpy as np

from bridge import limits
from bridge.anomaly.monitor import AvatarWatch
from bridge.anomaly.track import SCORED_SAMPLES, scored_steps
from bridge.engine import Allowance, Completed, EngineInfo, EngineRequest, Outcome, RequestKey
from bridge.frames import AddOutcome, Frame
from bridge.seeds import forecast_seed
from bridge.session.filling import GapFiller
from bridge.session.modes import ModeTracker
from bridge.session.pacer import Pacer, Thinner
from bridge.timeline import Snapshot, Timeline
from bridge.wire.values import Forecast, SessionConfig, Timing

_JUDGED = (AddOutcome.APPENDED, AddOutcome.RESTARTED, AddOutcome.UNDETECTED)
_MOST_MISSED = 256
_OVERTAKEN_US = 60_000_000
"""A forecast older than the newest by more than this is not late: the sender's clock has changed."""


class Due(Enum):
    """What a frame asks for."""

    NOTHING = auto()
    """No window ends with it yet, or it is late."""
    REFRESH = auto()
    """A window, but no forecast is due: worth computing only in the place of an older one that waits."""
    FORECAST = auto()


class Avatar:
    """The state of one avatar in one session.

    All belongs to the transport's thread, but `is_newest` and `note_missed` to those that deliver outcomes.
    """

    def __init__(
        self,
        avatar_id: str,
        session_id: str,
        config: SessionConfig,
        info: EngineInfo,
        watch: AvatarWatch | None = None,
    ) -> None:
        self.avatar_id = avatar_id
        self.watch = watch
        """Judges the motion against what was forecast; None where that is switched off."""
        self._unwatched: list[tuple[Frame, bool]] = []
        self.last_seen_s = 0.0
        self.refused_until_s = 0.0
        """No forecast is made before this time of the dispatcher's clock."""
        self.pending = 0
        """Forecasts that were asked for and have no outcome yet; counted by the session, under its lock."""
        self._key = RequestKey(session_id, avatar_id)
        self._info = info
        self._timeline = Timeline(
            info.layout,
            context_frames=info.context_frames,
            rate_hz=info.rate_hz,
            visibility_threshold=config.visibility_threshold,
        )
        self._filler: GapFiller | None = None
        if config.frame_saving is not None:
            self._filler = GapFiller(
                info.layout,
                rate_hz=info.rate_hz,
                saving=config.frame_saving,
                visibility_threshold=config.visibility_threshold,
            )
        self.frames_filled = 0
        self._thinner = Thinner(_share_of(avatar_id))
        self._modes = ModeTracker(info.rate_hz)
        self._missed_us: list[int] = []
        self._newest_us = 0
        self.configure(config)

    def configure(self, config: SessionConfig) -> None:
        """Put other settings in force, from the next frame on."""
        self.config = config
        self.horizon_frames = config.horizon_steps(self._info.rate_hz)
        self._scored_steps = min(scored_steps(self._info.rate_hz), self.horizon_frames)
        self._pacer = Pacer(config.forecast_rate_hz)

    @property
    def nbytes(self) -> int:
        """Memory held for frames and futures, bytes."""
        filler = 0 if self._filler is None else self._filler.nbytes
        return self._timeline.nbytes + self._modes.nbytes + filler

    def add(self, frame: Frame) -> Due:
        """Take a frame in and say what it asks for.

        Raises:
            InvalidInput: if its time of capture does not fit the ones before; the avatar is unchanged.
        """
        if self._filler is not None:
            # What was left out is put in before the frame that ends the gap: no gap, no restart.
            for filled in self._filler.fill(frame):
                self._timeline.add(filled)
                self.frames_filled += 1
        outcome = self._timeline.add(frame)
        if self.watch is not None and outcome in _JUDGED:
            self._unwatched.append((frame, outcome is AddOutcome.RESTARTED))
        if outcome is AddOutcome.RESTARTED:
            self._pacer.restart()
        elif outcome is not AddOutcome.APPENDED:
            return Due.NOTHING
        if self._timeline.missing_ms() > 0:
            return Due.NOTHING
        return Due.FORECAST if self._pacer.due(frame.timestamp_us) else Due.REFRESH

    @property
    def has_unwatched(self) -> bool:
        """Whether frames wait for `hand_over`."""
        return bool(self._unwatched)

    def hand_over(self, awaited_us: int | None) -> None:
        """Give the frames that were added since the last time to who judges them; observed ones only, never filled in.

        ``awaited_us`` is the time of the frame that a forecast is asked for, None if there is none.
        """
        frames, self._unwatched = self._unwatched, []
        if self.watch is not None:
            for frame, restarted in frames:
                self.watch.observe(frame, awaits=frame.timestamp_us == awaited_us, restarted=restarted)

    @property
    def samples(self) -> int:
        """Trajectories that are drawn for a forecast when there is no want: what was asked for and scores need."""
        return self.config.samples if self.watch is None else max(self.config.samples, SCORED_SAMPLES)

    def passes(self, rate_share: float) -> bool:
        """Whether a forecast that is due is asked for when only this share of them can be had."""
        return self._thinner.passes(rate_share)

    def snapshot(self) -> Snapshot | None:
        """Return the context up to the newest frame, None until enough of it is there."""
        return self._timeline.snapshot()

    def request(
        self,
        snapshot: Snapshot,
        *,
        arrived_s: float,
        deadline_s: float,
        done: Callable[[EngineRequest, Outcome], None],
        allowance: Allowance | None = None,
    ) -> EngineRequest:
        """Return what the engine is to compute for a window."""
        config = self.config
        samples = config.samples
        if allowance is not None and allowance.samples_share < 1.0:
            samples = max(limits.MIN_SAMPLES, config.futures, round(samples * allowance.samples_share))
        timestamp_us = snapshot.timestamp_us
        compared, density = 0, False
        if self.watch is not None:
            # Scores are of a fixed number of samples, whatever the client asked for and the load allows.
            samples = max(samples, SCORED_SAMPLES)
            compared = SCORED_SAMPLES if self.watch.wants_samples(timestamp_us) else 0
            # What was filled in would be judged by the forecast that it comes from.
            density = self._filler is None and self.watch.wants_density(timestamp_us)
        return EngineRequest(
            key=self._key,
            snapshot=snapshot,
            horizon_frames=self.horizon_frames,
            samples=samples,
            futures=config.futures,
            seed=forecast_seed(config.seed, self.avatar_id, timestamp_us),
            arrived_s=arrived_s,
            deadline_s=deadline_s,
            done=done,
            keep_samples=False,
            scored_samples=compared,
            scored_steps=self._scored_steps if compared else 0,
            wants_likelihood=density,
        )

    def note_missed(self, timestamp_us: int) -> None:
        """Note that the forecast of a frame, which was due, is not coming: the next one of a later frame says so."""
        self._missed_us.append(timestamp_us)
        if len(self._missed_us) > _MOST_MISSED:
            del self._missed_us[0]

    def _missed_until(self, timestamp_us: int) -> bool:
        """Whether a forecast was missed since the last one, up to a frame.

        Frames that came while this one was computed may have been missed already: they count for the next. One that
        is its own was missed as such, and took the place of an earlier one that waited.
        """
        settled_us = [late for late in tuple(self._missed_us) if not 0 < late - timestamp_us <= _OVERTAKEN_US]
        for late in settled_us:
            with contextlib.suppress(ValueError):  # other threads add to the list, and forget its oldest
                self._missed_us.remove(late)
        return any(timestamp_us - late <= _OVERTAKEN_US for late in settled_us if late <= timestamp_us)

    def is_newest(self, request: EngineRequest) -> bool:
        """Remember a request that is done; False if that of a newer frame is already: one of two engines was slower."""
        timestamp_us = request.snapshot.timestamp_us
        if 0 < self._newest_us - timestamp_us <= _OVERTAKEN_US:
            return False
        self._newest_us = timestamp_us
        return True

    def forecast(self, request: EngineRequest, completed: Completed, rate_share: float = 1.0) -> Forecast:
        """Return the forecast of a computed request; its age is filled in when it is sent.

        ``rate_share`` is the part of the asked forecast rate that the avatar gets at present.
        """
        result, snapshot = completed.result, request.snapshot
        timestamp_us = snapshot.timestamp_us
        missed = self._missed_until(timestamp_us)
        forecast = Forecast(
            avatar_id=self.avatar_id,
            based_on_sequence=snapshot.sequence,
            based_on_timestamp_us=timestamp_us,
            step_us=round(1e6 / self._info.rate_hz),
            futures_m=result.futures_m,
            roots_m=None if result.roots_m is None else result.roots_m.astype(np.float32),
            probabilities=result.probabilities,
            spread_m=result.spread_m,
            mode_ids=self._modes.ids_of(result.futures_m, timestamp_us),
            unobserved_landmarks=result.unobserved_landmarks,
            bridged_share=result.bridged_share,
            samples=request.samples,
            acceptance_rate=result.acceptance_rate,
            timing=Timing(
                queue_us=round((completed.started_s - request.arrived_s) * 1e6),
                compute_us=round(completed.compute_s * 1e6),
                batch_size=completed.batch_size,
            ),
            degraded=missed or rate_share < 1.0 or request.samples < self.config.samples,
            forecast_rate_hz=self.config.forecast_rate_hz * rate_share,
            filled_share=0.0 if self._filler is None else snapshot.filled_share,
            anomaly=None if self.watch is None else self.watch.verdict,
        )
        if self._filler is not None:
            self._filler.remember(forecast)
        return forecast


def _share_of(avatar_id: str) -> float:
    """Return a number in [0, 1) that is different for different names and always the same for one."""
    return int.from_bytes(hashlib.blake2b(avatar_id.encode(), digest_size=4).digest(), "little") / 2**32
