"""What the anomaly evaluation finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindResult:
    """What was found of one kind of event. Delays count a miss as infinite; None where that is the answer."""

    events: int
    auroc: float | None
    average_precision: float | None
    recall: float | None
    delay_ms_median: float | None
    delay_ms_p90: float | None
    deadline_s: float
    severities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Alarms of the real rule on normal motion, and the rate's 90 % interval."""

    nominal_per_hour: float
    realised_per_hour: float
    alarms: int
    hours: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MethodResult:
    """How one way to score does over all events; ``smoothing_s`` is what it was smoothed over."""

    auroc: float | None
    average_precision: float | None
    recall: float | None
    smoothing_s: float
    auroc_by_kind: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class AnomalyEvaluation:
    """Everything that the tables show.

    Attributes:
        overall: ours: frames are sorted by `Calibration.ranking`, events found by the alert rule.
        by_surprise: the same with frames sorted by what p-values and alerts are made of, which forgives fast motion.
        kinds, baselines: see above.
        auroc_by_seed: ours, for every seed of the made events.
        false_alarms: at several nominal rates.
        exceedance: share of normal frames with a p-value at or below each level; by subject too.
        exceedance_by_kind: the same of frames in events.
        hours, subjects, tracks: of normal motion.
        delay_ms_median_abrupt: over all abrupt events.
    """

    overall: MethodResult
    by_surprise: MethodResult
    kinds: Mapping[str, KindResult]
    baselines: Mapping[str, MethodResult]
    auroc_by_seed: tuple[float | None, ...]
    false_alarms: tuple[FalseAlarms, ...]
    exceedance: Mapping[float, float | None]
    exceedance_by_subject: Mapping[str, Mapping[float, float | None]]
    exceedance_by_kind: Mapping[str, Mapping[float, float | None]]
    hours: float
    subjects: int
    tracks: int
    delay_ms_median_abrupt: float | None
    events_not_made: Mapping[str, int]
