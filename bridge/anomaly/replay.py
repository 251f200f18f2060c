"""Recorded motion through the code that watches live streams: frame by frame, and never a look ahead.

Forecasts are pure functions of the frames up to theirs, so they are made in batches first; then frames and forecasts go
to a `TrackWatcher` in the order in which a live stream brings them, each forecast right after its frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.calibration import Calibration, CalibrationIdentity
from bridge.anomaly.pacing import DensityPacer, ReferencePacer
from bridge.anomaly.scored import SCORE_NAMES, ScoredTrack
from bridge.anomaly.track import SCORED_SAMPLES, scored_steps
from bridge.anomaly.watcher import TrackWatcher, WatchedFrame
from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.forecaster.results import ForecastResult
from bridge.frames import AddOutcome, Frame
from bridge.recordings import Clip, clip_frames
from bridge.seeds import forecast_seed
from bridge.timeline import Snapshot, Timeline

if TYPE_CHECKING:
    from bridge.forecaster.forecaster import Forecaster

DRAWN_SAMPLES = 32
"""Samples of a live session by default; the first of them are compared with."""
_BATCH_WINDOWS = 64
FIRST_US = 1
"""When the first frame of a clip is watched: the frames' times begin anew."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedTrack:
    """A clip that was watched; T frames in order.

    Attributes:
        clip: what was watched.
        frames: what each frame was judged to be.
        scored: its scores as arrays.
        log_density: (T,) exact, of the block that each frame ends; NaN where it was not computed.
        nearest_m: (T,) mean distance of the landmarks to the nearest sample drawn 500 ms before, metres; NaN without.
    """

    clip: Clip
    frames: tuple[WatchedFrame, ...]
    scored: ScoredTrack
    log_density: NDArray[np.float32]
    nearest_m: NDArray[np.float32]

    __repr__ = brief_repr


def identity_of(forecaster: Forecaster) -> CalibrationIdentity:
    """What a calibration for these weights says that it belongs to."""
    return CalibrationIdentity(
        weights_id=forecaster.weights_id,
        refinement=str(forecaster.refinement),
        layout_id=forecaster.layout.id,
        rate_hz=forecaster.rate_hz,
    )


def replay(
    forecaster: Forecaster,
    clips: Sequence[Clip],
    *,
    calibration: Calibration | None = None,
    false_alarms_per_hour: float = 1.0,
    seed: int = 0,
    samples: int = DRAWN_SAMPLES,
    avatar_id: str | None = None,
    visibility_threshold: float = 0.1,
    progress: Callable[[int], None] | None = None,
) -> list[ReplayedTrack]:
    """Watch clips one after the other.

    Args:
        forecaster: draws the samples.
        clips: of its layout.
        calibration: judges the scores; None to score only.
        false_alarms_per_hour: of the alert rule.
        seed: of the session; with the avatar's name and the frames' times it seeds every forecast.
        samples: drawn for each forecast, at least `SCORED_SAMPLES`.
        avatar_id: under which the frames go; None takes each clip's name.
        visibility_threshold: landmarks with a lower visibility count as unseen.
        progress: is told how many frames were done, now and then.

    Raises:
        InvalidInput: if a clip has another layout.
    """
    replayed = []
    for clip in clips:
        if clip.layout_id != forecaster.layout.id:
            raise InvalidInput(
                f"{clip.clip_id} has layout {clip.layout_id}", field="recording", expected=forecaster.layout.id
            )
        rule = None if calibration is None else calibration.rule(false_alarms_per_hour)
        watcher = TrackWatcher(
            forecaster.layout,
            rate_hz=forecaster.rate_hz,
            calibration=calibration,
            rule=rule,
            visibility_threshold=visibility_threshold,
        )
        name = avatar_id or clip.clip_id
        steps = _read(forecaster, clip, name, visibility_threshold)
        made, log_density = _forecasts(forecaster, steps, name, seed, max(samples, SCORED_SAMPLES))
        replayed.append(_watch(watcher, clip, steps, made, log_density))
        if progress is not None:
            progress(clip.frames)
    return replayed


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A frame, and what a session would ask for with it; not ``used`` where a live session would not score it."""

    frame: Frame
    restarted: bool
    used: bool
    snapshot: Snapshot | None = None
    wants_samples: bool = False
    wants_density: bool = False


def _read(forecaster: Forecaster, clip: Clip, name: str, visibility_threshold: float) -> list[_Step]:
    timeline = Timeline(
        forecaster.layout,
        context_frames=forecaster.context_frames,
        rate_hz=forecaster.rate_hz,
        visibility_threshold=visibility_threshold,
    )
    pacer, density_pacer = ReferencePacer(), DensityPacer()
    steps = []
    for frame in clip_frames(clip, name, start_us=FIRST_US):
        outcome = timeline.add(frame)
        newest = outcome in (AddOutcome.APPENDED, AddOutcome.RESTARTED)
        step = _Step(frame, outcome is AddOutcome.RESTARTED, newest or outcome is AddOutcome.UNDETECTED)
        snapshot = timeline.snapshot() if newest else None
        if snapshot is not None:
            step = replace(
                step,
                snapshot=snapshot,
                wants_samples=pacer.wants(frame.timestamp_us),
                wants_density=density_pacer.wants(frame.timestamp_us),
            )
        steps.append(step)
    return steps


def _forecasts(
    forecaster: Forecaster, steps: Sequence[_Step], name: str, seed: int, samples: int
) -> tuple[dict[int, ForecastResult], NDArray[np.float32]]:
    """What is forecast with each step, by its index, as far as scores need it: samples and densities where wanted.

    Beside it the log-density of every step's block (T,), which comparisons need; NaN without one. A window that fits no
    canonical frame gives nothing, as live.
    """
    from bridge.forecaster.likelihood import one_step

    made: dict[int, ForecastResult] = {}
    log_density = np.full(len(steps), np.nan, np.float32)
    due = [i for i, step in enumerate(steps) if step.snapshot is not None]
    for start in range(0, len(due), _BATCH_WINDOWS):
        indices, windows = [], []
        for i in due[start : start + _BATCH_WINDOWS]:
            snapshot = steps[i].snapshot
            assert snapshot is not None
            indices.append(i)
            windows.append(snapshot.window())
        judged = one_step(forecaster, windows)
        drawn = _drawn(
            forecaster,
            [
                (i, window, forecast_seed(seed, name, window.timestamp_us))
                for i, window in zip(indices, windows, strict=True)
                if steps[i].wants_samples
            ],
            samples,
        )
        for row, i in enumerate(indices):
            made[i] = replace(drawn.get(i, _EMPTY), one_step=judged[row] if steps[i].wants_density else None)
            log_density[i] = judged.log_density[row]
    return made, log_density


def _drawn(
    forecaster: Forecaster, wanted: Sequence[tuple[int, object, int]], samples: int
) -> dict[int, ForecastResult]:
    from bridge.forecaster.jobs import ForecastJob, run_jobs
    from bridge.frames import Window

    jobs = []
    for _, window, seed in wanted:
        assert isinstance(window, Window)
        jobs.append(ForecastJob(window, scored_steps(forecaster.rate_hz), samples, 1, seed))
    results = run_jobs(forecaster, jobs)
    return {
        i: replace(result.without_samples(), scored_m=result.samples_m[:SCORED_SAMPLES].astype(np.float16))
        for (i, _, _), result in zip(wanted, results, strict=True)
    }


_EMPTY = ForecastResult(
    futures_m=np.zeros((0, 0, 0, 3), np.float32),
    roots_m=None,
    probabilities=np.zeros(0, np.float32),
    spread_m=np.zeros((0, 0), np.float32),
    samples_m=np.zeros((0, 0, 0, 3), np.float32),
    acceptance_rate=None,
    unobserved_landmarks=(),
    bridged_share=0.0,
)


def _watch(
    watcher: TrackWatcher,
    clip: Clip,
    steps: Sequence[_Step],
    made: dict[int, ForecastResult],
    log_density: NDArray[np.float32],
) -> ReplayedTrack:
    frames: list[WatchedFrame] = []
    nearest_m = np.full(len(steps), np.nan, np.float32)
    for i, step in enumerate(steps):
        if not step.used:
            continue
        result = made.get(i)
        nearest_m[i] = watcher.nearest_m(step.frame)
        frames += watcher.observe(step.frame, awaits=result is not None, restarted=step.restarted)
        if result is not None:
            frames += watcher.resolve(step.frame.timestamp_us, result)
    frames += watcher.give_up()
    used = np.array([step.used for step in steps])
    blank = np.full(len(SCORE_NAMES), np.nan, np.float32)
    scores = np.stack([frame.scores.scores for frame in frames]) if frames else blank[None][:0]
    scored = ScoredTrack(
        track_id=clip.clip_id,
        subject=clip.subject,
        family=clip.family,
        timestamps_us=np.array([frame.timestamp_us for frame in frames], np.int64),
        scores=scores,
        log_speed=np.array([frame.scores.log_speed for frame in frames], np.float32),
    )
    return ReplayedTrack(clip, tuple(frames), scored, log_density[used], nearest_m[used])
