"""One avatar under watch: frames and forecasts in, verdicts and alerts out. The same code live and from a file.

A frame whose forecast was asked for is scored when that forecast is there (it brings the frame's likelihood) or is
known not to come; until then later frames wait behind it. So the scores do not depend on how long forecasts take, only
on which of them were made.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from bridge.anomaly.calibration import NO_JUDGEMENT, Calibration, Judgement
from bridge.anomaly.habits import FloatArray
from bridge.anomaly.rule import AlertRule, RuleChange
from bridge.anomaly.scored import LAGS_US, SCORE_NAMES, FrameScores
from bridge.anomaly.track import Reference, TrackScorer
from bridge.forecaster.results import ForecastResult, OneStep
from bridge.frames import Frame
from bridge.geometry import hip_middle
from bridge.skeleton import Layout
from bridge.wire.alerts import AlertSnapshot, JointContribution, NoVerdict

_MAX_WAITING = 256
_HISTORY_FRAMES = 150
_JOINTS_NAMED = 8
_JOINTS_MEMORY = 0.9
_SMALLEST_SHARE = 0.02
_SNAPSHOT_STEPS = 15


@dataclass(frozen=True, slots=True, eq=False)
class WatchedFrame:
    """A frame that was judged.

    Attributes:
        sequence, timestamp_us: of the frame.
        scores: its scores; ``scores.missing`` says why there is no verdict.
        judgement: surprise and p-value.
        evidence: accumulated, over the threshold of an alert.
        change: what it changed about an alert, if anything.
        joints: with a change, the landmarks that were most surprising lately.
    """

    sequence: int
    timestamp_us: int
    scores: FrameScores
    judgement: Judgement
    evidence: float
    change: RuleChange | None
    joints: tuple[JointContribution, ...] = ()


class _Waiting:
    """A frame that is not yet judged."""

    __slots__ = ("awaits", "pose_m", "restarted", "result", "sequence", "timestamp_us", "visibility")

    def __init__(self, frame: Frame, pose_m: FloatArray, visibility: FloatArray, awaits: bool, restarted: bool) -> None:
        self.sequence = frame.sequence
        self.timestamp_us = frame.timestamp_us
        self.pose_m = pose_m
        self.visibility = visibility
        self.awaits = awaits
        self.restarted = restarted
        self.result: ForecastResult | None = None


class TrackWatcher:
    """Judges the frames of one avatar. All calls come from one thread at a time.

    Args:
        layout: of the J landmarks.
        rate_hz: of the forecasts' steps.
        calibration: what is normal; None to score only.
        rule: when to raise an alert; None for never.
        visibility_threshold: landmarks with a lower visibility count as unseen.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        rate_hz: float,
        calibration: Calibration | None = None,
        rule: AlertRule | None = None,
        visibility_threshold: float = 0.1,
    ) -> None:
        self._layout = layout
        self._step_us = 1e6 / rate_hz
        self._calibration = calibration
        self.rule = rule
        self._threshold = visibility_threshold
        self._scorer = TrackScorer(layout)
        self._waiting: deque[_Waiting] = deque()
        self._history: deque[tuple[_Waiting, FrameScores, Judgement]] = deque(maxlen=_HISTORY_FRAMES)
        self._joints = np.zeros(layout.joints, np.float64)
        self._nobody = np.zeros((layout.joints, 3), np.float32)
        self._unseen = np.zeros(layout.joints, np.float32)

    # -- what comes in

    def observe(self, frame: Frame, *, awaits: bool, restarted: bool = False) -> list[WatchedFrame]:
        """Take in the newest frame of the avatar and return what can be judged now, in order.

        Args:
            frame: in order of capture; its landmarks None where nobody was detected.
            awaits: a forecast of it was asked for: `resolve` will say what became of it.
            restarted: the time before it was too long: another track begins.
        """
        pose_m, visibility = self._read(frame)
        self._waiting.append(_Waiting(frame, pose_m, visibility, awaits, restarted))
        if len(self._waiting) > _MAX_WAITING:
            self._waiting[0].awaits = False
        return self._judge_ready()

    def resolve(self, timestamp_us: int, result: ForecastResult | None) -> list[WatchedFrame]:
        """Take in the forecast of a frame, None if it is not coming, and return what can be judged now, in order."""
        for frame in self._waiting:
            if frame.timestamp_us == timestamp_us and frame.awaits:
                frame.awaits = False
                frame.result = result
                return self._judge_ready()
        # A forecast of a frame that nobody waited for: its samples serve all the same.
        if result is not None and result.scored_m is not None:
            for frame in [*(before for before, _, _ in reversed(self._history)), *self._waiting]:
                if frame.timestamp_us == timestamp_us:
                    self._keep(frame, result)
                    break
        return []

    def give_up(self) -> list[WatchedFrame]:
        """Judge everything that still waits: nothing more is coming."""
        for frame in self._waiting:
            frame.awaits = False
        return self._judge_ready()

    # -- what is known

    def joints(self) -> tuple[JointContribution, ...]:
        """Landmarks that were most surprising lately, most first."""
        total = float(self._joints.sum())
        if total <= 0.0:
            return ()
        shares = self._joints / total
        order = np.argsort(-shares, kind="stable")[:_JOINTS_NAMED]
        return tuple(
            JointContribution(int(j), self._layout.names[j], round(float(shares[j]), 4))
            for j in order
            if shares[j] >= _SMALLEST_SHARE
        )

    def snapshot(self) -> AlertSnapshot:
        """What was seen, scored and drawn up to the newest judged frame."""
        frames = [frame for frame, _, _ in self._history]
        observed = np.stack([np.concatenate([f.pose_m, f.visibility[:, None]], axis=1) for f in frames])
        observed[..., :3][observed[..., 3] <= 0.0] = np.nan
        by_lag = (self._scorer.reference_for(frames[-1].timestamp_us, lag_us) for lag_us in reversed(LAGS_US))
        reference = next((found for found in by_lag if found is not None), None)
        if reference is None:
            samples_m, from_us = np.zeros((0, 0, self._layout.joints, 3), np.float32), 0
        else:
            samples_m, from_us = reference.samples_m.astype(np.float32), reference.timestamp_us
        return AlertSnapshot(
            layout_id=self._layout.id,
            timestamps_us=np.array([frame.timestamp_us for frame in frames], np.int64),
            observed_m=observed.astype(np.float32),
            p_values=np.array([np.nan if j.p_value is None else j.p_value for _, _, j in self._history], np.float32),
            scores=np.stack([scores.scores for _, scores, _ in self._history]),
            score_names=SCORE_NAMES,
            samples_m=samples_m[:, :_SNAPSHOT_STEPS],
            samples_from_us=from_us,
            step_us=round(self._step_us),
        )

    def nearest_m(self, frame: Frame) -> float:
        """Mean distance of a frame's landmarks to the nearest sample drawn 500 ms before, metres; NaN without one."""
        pose_m, visibility = self._read(frame)
        reference = self._scorer.reference_for(frame.timestamp_us, LAGS_US[-1])
        seen = visibility > 0
        if reference is None or not seen.any():
            return float("nan")
        apart_m = np.linalg.norm(reference.at(frame.timestamp_us) - pose_m, axis=-1)[:, seen]
        return float(apart_m.mean(axis=1).min())

    # -- judging

    def _read(self, frame: Frame) -> tuple[FloatArray, FloatArray]:
        """Hip-centred pose (J, 3) and visibility (J,), 0 where a landmark does not count."""
        landmarks = frame.landmarks
        if landmarks is None:
            return self._nobody, self._unseen
        visibility = landmarks[:, 3].astype(np.float32)
        seen = (visibility >= self._threshold) & (visibility > 0) & np.isfinite(landmarks[:, :3]).all(axis=1)
        if not seen[list(self._layout.hips)].all():
            return self._nobody, self._unseen
        pose_m = landmarks[:, :3] - hip_middle(landmarks[:, :3], self._layout)
        return pose_m.astype(np.float32), np.where(seen, np.minimum(visibility, 1.0), 0.0).astype(np.float32)

    def _judge_ready(self) -> list[WatchedFrame]:
        judged = []
        while self._waiting and not self._waiting[0].awaits:
            judged.append(self._judge(self._waiting.popleft()))
        return judged

    def _judge(self, frame: _Waiting) -> WatchedFrame:
        if frame.restarted:
            self._scorer.restart()
            self._joints[:] = 0.0
        step: OneStep | None = None if frame.result is None else frame.result.one_step
        scores = self._scorer.score(frame.timestamp_us, frame.pose_m, frame.visibility, step)
        if frame.result is not None and frame.result.scored_m is not None:
            self._keep(frame, frame.result)
        judgement = NO_JUDGEMENT if self._calibration is None else self._calibration.judge(scores)
        if scores.missing is None:
            self._joints *= _JOINTS_MEMORY
            self._joints += scores.joints * (judgement.surprise or 1.0)
        self._history.append((frame, scores, judgement))
        frame.result = None
        change, evidence = None, 0.0
        if self.rule is not None:
            change = self.rule.step(frame.timestamp_us, judgement.surprise, judgement.p_value)
            evidence = self.rule.evidence
        joints = () if change is None else self.joints()
        return WatchedFrame(frame.sequence, frame.timestamp_us, scores, judgement, evidence, change, joints)

    def _keep(self, frame: _Waiting, result: ForecastResult) -> None:
        assert result.scored_m is not None
        if result.scored_m.shape[1] and frame.visibility.any():
            self._scorer.add_reference(Reference(frame.timestamp_us, self._step_us, result.scored_m, frame.pose_m))


def missing_reason(frame: WatchedFrame) -> NoVerdict | None:
    """Why a judged frame has no verdict; None where it has one."""
    if frame.judgement.p_value is not None:
        return None
    return frame.scores.missing or NoVerdict.OFF


def p_value_or_nan(frame: WatchedFrame) -> float:
    """The combined p-value of a judged frame; NaN where there is none."""
    return float("nan") if frame.judgement.p_value is None else frame.judgement.p_value
