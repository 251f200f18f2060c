"""What normal motion scores: p-values that mean what they say, and thresholds for a rate of false alarms.

A calibration is made of tracks of normal motion that neither trained nor tuned anything (split conformal prediction,
Vovk et al. 2005). With n calibration values z the p-value of a frame whose surprise is s is::

    p = (1 + #{z >= s}) / (n + 1)

Frames that follow each other tell the same story, so the n values are frames of the tracks so far apart that what
they look back on does not overlap. Only the forecaster has never seen the tracks: the few numbers that turn scores into
one surprise (`bridge.anomaly.surprise`) are fitted to all frames of the same ones. And the textbook's promise is for
frames that could change places with the calibration's, so it holds for people and motion like those in it.

A calibration belongs to the weights, the refinement, the number of samples and the scores that it was made with, and is
refused with others.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.anomaly.alarm_curve import AlarmCurve
from bridge.anomaly.rule import DEFAULT_RULE, AlertRule, RuleSettings, Thresholds
from bridge.anomaly.scored import SCORE_NAMES, FrameScores, ScoredTrack
from bridge.anomaly.surprise import SurpriseModel
from bridge.anomaly.track import SCORED_SAMPLES
from bridge.errors import CheckpointError, FailedPrecondition, InvalidInput
from bridge.whole_file import whole_file

BUNDLED_CALIBRATION = Path(__file__).parent / "data" / "mediapipe_pose_33.npz"
SCORES_VERSION = 2
"""See `CalibrationIdentity`; to be raised with every change of how scores are computed."""
THINNING_S = 1.6
"""Frames so far apart share nothing: a context of one second, and samples of half a second before."""
MIN_VALUES = 40

_FORMAT = 1
_TOO_UNIFORM = 0.05
_MAY_BE_CONSTANT = frozenset({"repeated"})  # normal motion never holds on to the same numbers
_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,  # also what zipfile says of an encrypted or unknown entry
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class CalibrationIdentity:
    """What a calibration belongs to.

    Attributes:
        weights_id: SHA-256 of the weights file.
        refinement: in words, as the weights name it.
        layout_id: of the landmarks. rate_hz: of windows and samples.
        samples: that a frame is compared with. scores: their names.
        version: of what the scores mean; it rises when one of them is computed in another way.
    """

    weights_id: str
    refinement: str
    layout_id: str
    rate_hz: float
    samples: int = SCORED_SAMPLES
    scores: tuple[str, ...] = SCORE_NAMES
    version: int = SCORES_VERSION


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How much there was to learn from.

    Attributes:
        hours: of motion with a verdict. frames: of them. tracks, subjects: how many.
        values: n, frames far enough apart. smallest_p_value: 1 / (n + 1).
        alarms_per_hour_supported: the rarest rate of false alarms that was seen at least three times; thresholds for
            rarer ones follow the tail.
    """

    hours: float
    frames: int
    tracks: int
    subjects: int
    values: int
    smallest_p_value: float
    alarms_per_hour_supported: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a frame's scores come to: surprise in nats and combined p-value; None where there is no verdict."""

    surprise: float | None
    p_value: float | None


NO_JUDGEMENT = Judgement(None, None)


class Calibration:
    """Judges scores; make one with `fit` or `load`.

    Attributes:
        identity: what it belongs to. report: how much it rests on.
    """

    def __init__(
        self,
        identity: CalibrationIdentity,
        report: CalibrationReport,
        model: SurpriseModel,
        values: NDArray[np.float64],
        curve: AlarmCurve,
        settings: RuleSettings = DEFAULT_RULE,
        *,
        ranking: SurpriseModel | None = None,
    ) -> None:
        self.identity = identity
        self.report = report
        self.model = model
        self.settings = settings
        self._ranking = ranking or model
        self._values = values
        self._sorted = [np.sort(column[~np.isnan(column)]) for column in values.T]
        self._whole = self._sorted[-1].tolist()
        self._curve = curve

    def __repr__(self) -> str:
        """What it is, in one line."""
        identity, report = self.identity, self.report
        return (
            f"Calibration({identity.layout_id}, weights {identity.weights_id[:12]}, {report.hours:.2g} h of "
            f"{report.subjects} subjects, p-values down to {report.smallest_p_value:.2g})"
        )

    # -- making one

    @classmethod
    def fit(
        cls,
        tracks: Sequence[ScoredTrack],
        identity: CalibrationIdentity,
        *,
        thinning_s: float = THINNING_S,
        settings: RuleSettings = DEFAULT_RULE,
    ) -> Calibration:
        """Learn what is normal.

        Raises:
            InvalidInput: if there are too few frames with a verdict, or all of them are alike.
        """
        scored = [track for track in tracks if np.isfinite(track.scores).any()]
        if not scored:
            raise InvalidInput("no frame could be scored", field="recordings", expected="tracks of 2 s or more")
        scores = np.concatenate([track.scores for track in scored])
        log_speed = np.concatenate([track.log_speed for track in scored])
        verdict = np.isfinite(scores).any(axis=1)
        thinned = np.concatenate([_thinned(track, thinning_s) for track in scored])
        if thinned.sum() < MIN_VALUES:
            minutes = math.ceil(MIN_VALUES * thinning_s / 60)
            raise InvalidInput(
                f"{int(thinned.sum())} frames that are {thinning_s:g} s apart",
                field="recordings",
                expected=f"at least {MIN_VALUES}: {minutes} minutes of motion, better an hour",
            )
        low, high = np.quantile(log_speed[verdict], (0.05, 0.95))
        named = zip(SCORE_NAMES, scores.T, strict=True)
        flat = [name for name, column in named if name not in _MAY_BE_CONSTANT and not _varies(column)]
        if high - low < _TOO_UNIFORM or flat:
            what = f"the score {flat[0]} hardly changes" if flat else "the speed of the body hardly changes"
            raise InvalidInput(what, field="recordings", expected="all the motion that is to count as normal")
        model = SurpriseModel.fit(scores[verdict], log_speed[verdict])
        parts = model.parts(scores[thinned], log_speed[thinned])
        whole = model.surprise(scores[thinned], log_speed[thinned])
        surprises = [
            (track.timestamps_us.tolist(), model.surprise(track.scores, track.log_speed).tolist()) for track in scored
        ]
        hours = sum(_seconds(track) for track in scored) / 3600.0
        values = np.column_stack([parts, whole])
        count = int(np.isfinite(whole).sum())
        report = CalibrationReport(
            hours=hours,
            frames=int(verdict.sum()),
            tracks=len(scored),
            subjects=len({track.subject for track in scored}),
            values=count,
            smallest_p_value=1.0 / (count + 1),
            alarms_per_hour_supported=3.0 / hours,
        )
        ranking = SurpriseModel.fit(scores[verdict], log_speed[verdict], by_speed=frozenset())
        return cls(
            identity, report, model, values, AlarmCurve.fit(surprises, hours, settings), settings, ranking=ranking
        )

    # -- judging

    def judge(self, frame: FrameScores) -> Judgement:
        """Return what one frame's scores come to."""
        if frame.missing is not None:
            return NO_JUDGEMENT
        largest = self.model.largest_of_one(frame.scores.tolist(), frame.log_speed)
        if largest is None:
            return NO_JUDGEMENT
        surprise = self.model.whole_of_one(largest)
        whole = self._whole
        return Judgement(surprise, (1 + len(whole) - bisect_left(whole, surprise)) / (len(whole) + 1))

    def surprise(self, track: ScoredTrack) -> NDArray[np.float64]:
        """Surprise of every frame of a track (T,), nats; NaN without a verdict."""
        return self.model.surprise(track.scores, track.log_speed)

    def ranking(self, track: ScoredTrack) -> NDArray[np.float64]:
        """Surprise of every frame of a track (T,) whatever the body's speed, nats; NaN without a verdict.

        For sorting recordings by how unusual they are. Fast motion stands out in it, so it makes no alerts.
        """
        return self._ranking.surprise(track.scores, track.log_speed)

    def p_values(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Combined p-values of surprises (...); NaN stays NaN."""
        return _p_values(self._sorted[-1], surprise)

    def p_values_by_score(self, track: ScoredTrack) -> NDArray[np.float64]:
        """P-value of every single score of a track, (T, N); NaN where it is missing."""
        parts = self.model.parts(track.scores, track.log_speed)
        return np.stack([_p_values(self._sorted[i], parts[:, i]) for i in range(parts.shape[1])], axis=1)

    # -- thresholds

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Evidence that normal motion reaches so often, at most; see `AlarmCurve.threshold`.

        Raises:
            InvalidInput: if the rate is not above 0.
        """
        return self._curve.threshold(false_alarms_per_hour)

    def thresholds(self, false_alarms_per_hour: float) -> Thresholds:
        """Thresholds of an alert, and of its severities: normal motion gets there ten and a hundred times as rarely."""
        rate = false_alarms_per_hour
        return Thresholds(self.threshold(rate), self.threshold(rate / 10.0), self.threshold(rate / 100.0))

    def rule(self, false_alarms_per_hour: float) -> AlertRule:
        """An alert rule for one avatar."""
        return AlertRule(self.thresholds(false_alarms_per_hour), self.settings)

    # -- identity and files

    def _check(self) -> None:
        """Raise ValueError if the parts of a file do not fit together."""
        scores = len(self.identity.scores)
        found = {len(self.model.scores), len(self._ranking.scores), self._values.shape[-1] - 1}
        if self._values.ndim != 2 or found != {scores}:
            raise ValueError(f"it has {scores} scores, and numbers for {sorted(found)}")
        if not self._whole:
            raise ValueError("it rests on nothing")
        self._curve.check()

    def require(self, identity: CalibrationIdentity) -> None:
        """Check that it was made for this.

        Raises:
            FailedPrecondition: naming what differs, and both values.
        """
        for field in fields(identity):
            mine, theirs = getattr(self.identity, field.name), getattr(identity, field.name)
            if mine != theirs:
                raise FailedPrecondition(
                    f"was made for {field.name} {_short(mine)}",
                    field="calibration",
                    expected=f"{field.name} {_short(theirs)}: run `pose-bridge calibrate` with these weights",
                )

    def save(self, path: Path) -> None:
        """Write it; an existing file is replaced once the new one is complete.

        Raises:
            InvalidInput: if the file cannot be written.
            ResourceExhausted: if there is no room for it.
        """
        about = {
            "format": _FORMAT,
            "identity": asdict(self.identity),
            "report": asdict(self.report),
            "settings": asdict(self.settings),
        }
        with whole_file(path) as draft, draft.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                about=np.asarray(json.dumps(about)),
                values=self._values,
                alarms=self._curve.alarms,
                excess=np.array([self._curve.excess]),
                **self.model.to_arrays(),
                **{f"ranking_{name}": array for name, array in self._ranking.to_arrays().items()},
            )

    @classmethod
    def load(cls, path: Path | str) -> Calibration:
        """Read one.

        Raises:
            CheckpointError: if it is missing, damaged, no calibration, or of another format.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(
                f"no such file: {path}", field="calibration", expected="what `pose-bridge calibrate` writes"
            )
        try:
            if not zipfile.is_zipfile(path):  # numpy would take it for a pickle, and say how to load that
                raise ValueError("it is no npz file, or not all of one")
            with np.load(path, allow_pickle=False) as archive:
                arrays: dict[str, NDArray[Any]] = {key: archive[key] for key in archive.files}
            if "about" not in arrays:
                raise ValueError("it is no calibration")
            about = json.loads(str(arrays.pop("about").item()))
            if about["format"] != _FORMAT:
                raise CheckpointError(
                    f"{path} has format {about['format']}", field="calibration", expected=f"{_FORMAT}"
                )
            ranking = {key.removeprefix("ranking_"): x for key, x in arrays.items() if key.startswith("ranking_")}
            identity = _identity(about["identity"])
            report = CalibrationReport(**about["report"])
            loaded = cls(
                identity,
                report,
                SurpriseModel.from_arrays(arrays),
                arrays["values"].astype(np.float64),
                AlarmCurve(arrays["alarms"].astype(np.float64), float(arrays["excess"][0]), report.hours),
                RuleSettings(**about["settings"]),
                ranking=SurpriseModel.from_arrays(ranking),
            )
            loaded._check()
            return loaded
        except _READ_ERRORS as error:
            raise CheckpointError(
                f"{path} cannot be read: {error}", field="calibration", expected="what `pose-bridge calibrate` writes"
            ) from None


def _identity(values: dict[str, Any]) -> CalibrationIdentity:
    """The identity that a file names in full: what it leaves out is not taken to be of today."""
    missing = [field.name for field in fields(CalibrationIdentity) if field.name not in values]
    if missing:
        raise ValueError(f"it does not say its {missing[0]}")
    return CalibrationIdentity(**(values | {"scores": tuple(values["scores"])}))


def _thinned(track: ScoredTrack, apart_s: float) -> NDArray[np.bool_]:
    """(T,) frames with a verdict, each at least so long after the one before."""
    chosen = np.zeros(len(track.timestamps_us), np.bool_)
    next_us = -math.inf
    for row in np.flatnonzero(np.isfinite(track.scores).any(axis=1)):
        if track.timestamps_us[row] >= next_us:
            chosen[row] = True
            next_us = float(track.timestamps_us[row]) + apart_s * 1e6
    return chosen


def _varies(column: NDArray[np.floating]) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 1 and float(np.ptp(np.quantile(known, (0.05, 0.95)))) > 1e-4


def _seconds(track: ScoredTrack) -> float:
    """Time of a track with a verdict, seconds."""
    if len(track.timestamps_us) < 2:
        return 0.0
    frames = int(np.isfinite(track.scores).any(axis=1).sum())
    return float(np.median(np.diff(track.timestamps_us))) * frames * 1e-6


def _p_values(ordered: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(ordered)
    p = (1 + count - np.searchsorted(ordered, values, side="left")) / (count + 1)
    return np.where(np.isnan(values), np.nan, p)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}… ({len(text)} characters)"
