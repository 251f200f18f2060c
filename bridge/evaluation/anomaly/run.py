"""The anomaly evaluation: normal tracks for false alarms and p-values, events for what is found, and how soon."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly import Calibration, ReplayedTrack, replay, run_rule
from bridge.anomaly.rule import AlertRule, Thresholds
from bridge.errors import InvalidInput
from bridge.evaluation.anomaly.baselines import BASELINES, PoseGaussian, baseline_scores
from bridge.evaluation.anomaly.labels import Label
from bridge.evaluation.anomaly.made import GRADUAL, KINDS, MadeClip, make
from bridge.evaluation.anomaly.metrics import (
    Event,
    Trace,
    auroc,
    average_precision,
    delay_s,
    poisson_interval,
    smoothed,
    threshold_at,
)
from bridge.evaluation.anomaly.results import AnomalyEvaluation, FalseAlarms, KindResult, MethodResult
from bridge.forecaster import Forecaster
from bridge.recordings import Clip
from bridge.wire.alerts import AlertState

FloatArray = NDArray[np.float64]
Progress = Callable[[str, int], None]

OURS = "calibrated"
SMOOTHINGS_S = (0.0, 0.2, 0.5)
OUR_SMOOTHING_S = 0.2
LEVELS = (0.1, 0.05, 0.01)
NOMINAL_PER_HOUR = (60.0, 30.0, 12.0, 1.0)
RECALL_AT_PER_HOUR = 12.0
AFTER_EVENT_S = 1.5
"""Frames so soon after an event count neither way: the context still holds it."""
ABRUPT_DEADLINE_S, GRADUAL_DEADLINE_S = 1.0, 3.0
_NEVER = Thresholds(1e30, 1e30, 1e30)


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """A replayed track with its traces: ours as surprise, as ranking and as evidence, and the baselines' raw scores."""

    subject: str
    surprise: Trace
    ranking: Trace
    evidence: Trace
    p_values: FloatArray
    baselines: Mapping[str, Trace]
    timestamps_us: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A track with events of a kind; frames outside of ``judged`` count neither way."""

    kind: str
    seed: int
    watched: _Watched
    events: tuple[Event, ...]
    severities: tuple[str, ...]

    def inside(self, time_s: FloatArray) -> NDArray[np.bool_]:
        inside = np.zeros(len(time_s), np.bool_)
        for event in self.events:
            inside |= (time_s >= event.start_s - 1e-6) & (time_s < event.end_s - 1e-6)
        return inside


def evaluate_made(
    forecaster: Forecaster,
    calibration: Calibration,
    normal: Sequence[Clip],
    fitting: Sequence[Clip],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    events_per_kind: int = 8,
    samples: int = 16,
    progress: Progress | None = None,
) -> AnomalyEvaluation:
    """Evaluate on events made from normal clips.

    Args:
        forecaster, calibration: what is evaluated.
        normal: normal clips of people whom neither has seen.
        fitting: normal clips that baselines are fitted to.
        seeds: of the events and of their samples; the normal tracks are sampled with the first one.
        events_per_kind: of each seed, spread evenly over subjects.
        samples: drawn for each forecast.
        progress: is told what is done and how many frames of it were.

    Raises:
        InvalidInput: if no event could be made, or no normal frame has a verdict.
    """
    made, not_made = _make_events(normal, seeds, events_per_kind)
    if not made:
        raise InvalidInput("no clip is long enough for an event", field="data", expected="clips of 6 s and more")
    gaussian = PoseGaussian.fit(fitting or normal)
    told = _teller(progress)
    watch = _Watcher(forecaster, calibration, gaussian, samples)
    tracks = [track for clip in normal for track in watch([clip], seeds[0], told("normal motion"))]
    cases = []
    for seed, event in made:
        (track,) = watch([event.clip], seed, told(event.kind))
        deadline_s = GRADUAL_DEADLINE_S if event.kind in GRADUAL else ABRUPT_DEADLINE_S
        happened = Event(event.start_s, event.end_s, deadline_s)
        cases.append(_Case(event.kind, seed, track, (happened,), (event.severity,)))
    frames = [(track, np.ones(len(track.p_values), np.bool_)) for track in tracks]
    return _result(calibration, tracks, frames, cases, not_made)


def evaluate_labelled(
    forecaster: Forecaster,
    calibration: Calibration,
    clips: Sequence[Clip],
    labels: Sequence[Label],
    fitting: Sequence[Clip],
    *,
    seed: int = 0,
    samples: int = 16,
    progress: Progress | None = None,
) -> AnomalyEvaluation:
    """Evaluate on recordings whose events are labelled; what is not labelled is normal.

    Raises:
        InvalidInput: if no frame outside events has a verdict.
    """
    gaussian = PoseGaussian.fit(fitting or clips)
    told = _teller(progress)
    watch = _Watcher(forecaster, calibration, gaussian, samples)
    by_clip: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_clip[label.recording].append(label)
    tracks, frames, cases = [], [], []
    for clip in clips:
        (track,) = watch([clip], seed, told("recordings"))
        time_s = track.surprise.time_s
        outside = np.ones(len(time_s), np.bool_)
        for label in by_clip[clip.clip_id]:
            outside &= ~((time_s >= label.start_s) & (time_s < label.end_s + AFTER_EVENT_S))
            deadline_s = GRADUAL_DEADLINE_S if label.kind in GRADUAL else ABRUPT_DEADLINE_S
            event = Event(label.start_s, label.end_s, deadline_s)
            cases.append(_Case(label.kind, seed, track, (event,), ()))
        frames.append((track, outside))
        if not by_clip[clip.clip_id]:
            tracks.append(track)
        else:
            tracks += _without_events(track, outside)
    return _result(calibration, tracks, frames, cases, {})


def _make_events(
    clips: Sequence[Clip], seeds: Sequence[int], per_kind: int
) -> tuple[list[tuple[int, MadeClip]], dict[str, int]]:
    """Events by kind and seed, subjects in turn; and how many of each kind could not be made."""
    by_subject: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_subject[clip.subject].append(clip)
    subjects = sorted(by_subject)
    made: list[tuple[int, MadeClip]] = []
    missing: dict[str, int] = {}
    for kind in KINDS:
        for seed in seeds:
            rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
            count = 0
            for attempt in range(per_kind * 12):
                own = by_subject[subjects[(attempt + seed) % len(subjects)]]
                event = make(kind, own[int(rng.integers(len(own)))], rng, clips)
                if event is not None:
                    made.append((seed, event))
                    count += 1
                if count == per_kind:
                    break
            if count < per_kind:
                missing[kind] = missing.get(kind, 0) + per_kind - count
    return made, missing


class _Watcher:
    """Replays clips and keeps the traces."""

    def __init__(self, forecaster: Forecaster, calibration: Calibration, gaussian: PoseGaussian, samples: int) -> None:
        self._forecaster = forecaster
        self._calibration = calibration
        self._gaussian = gaussian
        self._samples = samples

    def __call__(self, clips: Sequence[Clip], seed: int, told: Callable[[int], None]) -> list[_Watched]:
        tracks = replay(
            self._forecaster, clips, calibration=self._calibration, seed=seed, samples=self._samples, progress=told
        )
        return [self._traces(track) for track in tracks]

    def _traces(self, track: ReplayedTrack) -> _Watched:
        stamps_us = track.scored.timestamps_us
        # Times of a replayed track begin at its clip's first frame.
        time_s = np.asarray((stamps_us - 1) * 1e-6, np.float64)
        surprise = np.array(
            [np.nan if f.judgement.surprise is None else f.judgement.surprise for f in track.frames], np.float64
        )
        p_values = np.array(
            [np.nan if f.judgement.p_value is None else f.judgement.p_value for f in track.frames], np.float64
        )
        rule, evidence = AlertRule(_NEVER, self._calibration.settings), np.full(len(time_s), np.nan)
        for i, (stamp_us, value) in enumerate(zip(stamps_us.tolist(), surprise.tolist(), strict=True)):
            rule.step(stamp_us, value if value == value else None)
            evidence[i] = rule.statistic if value == value else np.nan
        baselines = baseline_scores(track, self._gaussian)
        return _Watched(
            subject=track.clip.subject,
            surprise=Trace(time_s, surprise),
            ranking=Trace(time_s, self._calibration.ranking(track.scored)),
            evidence=Trace(time_s, evidence),
            p_values=p_values,
            baselines={name: Trace(time_s, values) for name, values in baselines.items()},
            timestamps_us=stamps_us,
        )


def _without_events(track: _Watched, outside: NDArray[np.bool_]) -> list[_Watched]:
    """The stretches of a track between events, as tracks of their own."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]]).astype(int)))
    parts = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        rows = slice(start, stop)

        def cut(trace: Trace, rows: slice = rows) -> Trace:
            return Trace(trace.time_s[rows], trace.values[rows])

        parts.append(
            _Watched(
                track.subject,
                cut(track.surprise),
                cut(track.ranking),
                cut(track.evidence),
                track.p_values[rows],
                {name: cut(trace) for name, trace in track.baselines.items()},
                track.timestamps_us[rows],
            )
        )
    return parts


def _result(
    calibration: Calibration,
    tracks: Sequence[_Watched],
    frames: Sequence[tuple[_Watched, NDArray[np.bool_]]],
    cases: Sequence[_Case],
    not_made: Mapping[str, int],
) -> AnomalyEvaluation:
    p_values = np.concatenate([track.p_values for track in tracks]) if tracks else np.zeros(0)
    verdicts = int(np.isfinite(p_values).sum())
    if not verdicts:
        raise InvalidInput("no normal frame has a verdict", field="data", expected="tracks of 2 s and more")
    hours = sum(_hours(track) for track in tracks)
    ours = _Method(tracks, frames, cases, hours, _our_ranking, lambda watched: watched.evidence)
    judged = _Method(tracks, frames, cases, hours, _our_surprise, lambda watched: watched.evidence)
    kinds = {kind: ours.of_kind(kind) for kind in sorted({case.kind for case in cases}, key=_order)}
    abrupt = [case for case in cases if case.kind not in GRADUAL]
    by_subject: dict[str, list[FloatArray]] = defaultdict(list)
    for track in tracks:
        by_subject[track.subject].append(track.p_values)
    by_kind: dict[str, list[FloatArray]] = defaultdict(list)
    for case in cases:
        by_kind[case.kind].append(case.watched.p_values[case.inside(case.watched.surprise.time_s)])
    seeds = sorted({case.seed for case in cases})
    return AnomalyEvaluation(
        overall=ours.overall(OUR_SMOOTHING_S),
        by_surprise=judged.overall(OUR_SMOOTHING_S),
        kinds=kinds,
        baselines={name: _best_smoothed(name, tracks, frames, cases, hours) for name in BASELINES},
        auroc_by_seed=tuple(
            auroc(ours.normal, ours.abnormal([case for case in cases if case.seed == seed])) for seed in seeds
        ),
        false_alarms=tuple(_false_alarms(calibration, tracks, rate, hours) for rate in NOMINAL_PER_HOUR),
        exceedance=_exceedance(p_values),
        exceedance_by_subject={name: _exceedance(np.concatenate(of)) for name, of in sorted(by_subject.items())},
        exceedance_by_kind={name: _exceedance(np.concatenate(of)) for name, of in sorted(by_kind.items())},
        hours=hours,
        subjects=len(by_subject),
        tracks=len(tracks),
        delay_ms_median_abrupt=_finite_ms(np.median(ours.delays(abrupt))) if abrupt else None,
        events_not_made=not_made,
    )


class _Method:
    """One way to score, with its threshold for the recall."""

    def __init__(
        self,
        tracks: Sequence[_Watched],
        frames: Sequence[tuple[_Watched, NDArray[np.bool_]]],
        cases: Sequence[_Case],
        hours: float,
        of_frames: Callable[[_Watched], Trace],
        of_alarms: Callable[[_Watched], Trace],
    ) -> None:
        self._cases = cases
        self._of_frames = of_frames
        self._of_alarms = of_alarms
        self._kept: dict[int, Trace] = {}
        self.normal = np.concatenate([of_frames(watched).values[outside] for watched, outside in frames])
        self._threshold = threshold_at([of_alarms(track) for track in tracks], RECALL_AT_PER_HOUR, hours)

    def abnormal(self, cases: Sequence[_Case]) -> FloatArray:
        """Frame scores inside events."""
        parts = [self._frames_of(case).values[case.inside(case.watched.surprise.time_s)] for case in cases]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _frames_of(self, case: _Case) -> Trace:
        key = id(case.watched)
        if key not in self._kept:
            self._kept[key] = self._of_frames(case.watched)
        return self._kept[key]

    def delays(self, cases: Sequence[_Case]) -> FloatArray:
        """Seconds until each event was found; infinite where it was not."""
        return np.array(
            [delay_s(self._of_alarms(case.watched), event, self._threshold) for case in cases for event in case.events]
        )

    def overall(self, smoothing_s: float) -> MethodResult:
        abnormal = self.abnormal(self._cases)
        delays = self.delays(self._cases)
        kinds = sorted({case.kind for case in self._cases}, key=_order)
        return MethodResult(
            auroc=auroc(self.normal, abnormal),
            average_precision=average_precision(self.normal, abnormal),
            recall=float(np.isfinite(delays).mean()) if len(delays) else None,
            smoothing_s=smoothing_s,
            auroc_by_kind={
                kind: auroc(self.normal, self.abnormal([case for case in self._cases if case.kind == kind]))
                for kind in kinds
            },
        )

    def of_kind(self, kind: str) -> KindResult:
        cases = [case for case in self._cases if case.kind == kind]
        abnormal, delays = self.abnormal(cases), self.delays(cases)
        return KindResult(
            events=len(delays),
            auroc=auroc(self.normal, abnormal),
            average_precision=average_precision(self.normal, abnormal),
            recall=float(np.isfinite(delays).mean()) if len(delays) else None,
            delay_ms_median=_finite_ms(np.median(delays)) if len(delays) else None,
            delay_ms_p90=_finite_ms(np.quantile(delays, 0.9, method="higher")) if len(delays) else None,
            deadline_s=cases[0].events[0].deadline_s,
            severities=tuple(text for case in cases for text in case.severities),
        )


def _our_ranking(watched: _Watched) -> Trace:
    return smoothed(watched.ranking, OUR_SMOOTHING_S)


def _our_surprise(watched: _Watched) -> Trace:
    return smoothed(watched.surprise, OUR_SMOOTHING_S)


def _best_smoothed(
    name: str,
    tracks: Sequence[_Watched],
    frames: Sequence[tuple[_Watched, NDArray[np.bool_]]],
    cases: Sequence[_Case],
    hours: float,
) -> MethodResult:
    """A baseline with the smoothing that does best for it."""
    results = []
    for memory_s in SMOOTHINGS_S:

        def trace(watched: _Watched, memory_s: float = memory_s) -> Trace:
            return smoothed(watched.baselines[name], memory_s)

        results.append(_Method(tracks, frames, cases, hours, trace, trace).overall(memory_s))
    return max(results, key=lambda result: result.auroc or 0.0)


def _false_alarms(
    calibration: Calibration, tracks: Sequence[_Watched], nominal_per_hour: float, hours: float
) -> FalseAlarms:
    alarms = 0
    for track in tracks:
        rule = calibration.rule(nominal_per_hour)
        changes = run_rule(rule, track.timestamps_us.tolist(), track.surprise.values.tolist(), track.p_values.tolist())
        alarms += sum(change.state is AlertState.RAISED for change in changes)
    return FalseAlarms(nominal_per_hour, alarms / hours, alarms, hours, poisson_interval(alarms, hours))


def _exceedance(p_values: FloatArray) -> dict[float, float | None]:
    known = p_values[np.isfinite(p_values)]
    return {level: float((known <= level).mean()) if len(known) else None for level in LEVELS}


def _hours(track: _Watched) -> float:
    if len(track.timestamps_us) < 2:
        return 0.0
    verdicts = int(np.isfinite(track.p_values).sum())
    return float(np.median(np.diff(track.timestamps_us))) * verdicts * 1e-6 / 3600.0


def _finite_ms(seconds: float) -> float | None:
    return float(seconds) * 1e3 if np.isfinite(seconds) else None


def _order(kind: str) -> tuple[int, str]:
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def _teller(progress: Progress | None) -> Callable[[str], Callable[[int], None]]:
    def told(what: str) -> Callable[[int], None]:
        return lambda frames: None if progress is None else progress(what, frames)

    return told
