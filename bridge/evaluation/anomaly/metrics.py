"""How well a causal score finds events: by frames, by events, and by how soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

APART_S = 3.0
"""Alarms closer together are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A score over one track: ``time_s`` (T,) from its start, ``values`` (T,), NaN where there is none."""

    time_s: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Event:
    """When something happened in a track, seconds, and until when it should have been found."""

    start_s: float
    end_s: float
    deadline_s: float


def smoothed(trace: Trace, memory_s: float) -> Trace:
    """Exponential running mean of what was known so far; with 0 the score itself."""
    if memory_s <= 0.0:
        return trace
    values, mean, last_s = np.full(len(trace.values), np.nan), 0.0, None
    for i, (time_s, value) in enumerate(zip(trace.time_s.tolist(), trace.values.tolist(), strict=True)):
        if value != value:  # NaN
            continue
        gain = 1.0 if last_s is None else 1.0 - np.exp(-min(time_s - last_s, 0.2) / memory_s)
        mean += gain * (value - mean)
        values[i], last_s = mean, time_s
    return Trace(trace.time_s, values)


def auroc(normal: FloatArray, abnormal: FloatArray) -> float | None:
    """Area under the receiver's curve of frames; None without frames of both kinds."""
    from sklearn.metrics import roc_auc_score

    return _of_both(normal, abnormal, roc_auc_score)


def average_precision(normal: FloatArray, abnormal: FloatArray) -> float | None:
    """Average precision of frames; None without frames of both kinds."""
    from sklearn.metrics import average_precision_score

    return _of_both(normal, abnormal, average_precision_score)


def _of_both(normal: FloatArray, abnormal: FloatArray, score: object) -> float | None:
    normal, abnormal = normal[np.isfinite(normal)], abnormal[np.isfinite(abnormal)]
    if not len(normal) or not len(abnormal):
        return None
    labels = np.concatenate([np.zeros(len(normal)), np.ones(len(abnormal))])
    assert callable(score)
    return float(score(labels, np.concatenate([normal, abnormal])))


def alarm_times(trace: Trace, threshold: float) -> list[float]:
    """Times at which a score reaches a threshold, those closer than `APART_S` to the one before left out."""
    times: list[float] = []
    last_s = -np.inf
    for time_s in trace.time_s[np.nan_to_num(trace.values, nan=-np.inf) >= threshold].tolist():
        if time_s - last_s >= APART_S:
            times.append(time_s)
        last_s = time_s
    return times


def threshold_at(traces: Sequence[Trace], alarms_per_hour: float, hours: float) -> float:
    """The lowest threshold at which normal tracks alarm at most so often; infinite if there is none."""
    values = np.concatenate([trace.values for trace in traces]) if traces else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.inf
    candidates = np.unique(np.quantile(values, 1.0 - np.geomspace(1e-5, 0.3, 120)))
    for threshold in candidates.tolist():
        if sum(len(alarm_times(trace, threshold)) for trace in traces) <= alarms_per_hour * hours:
            return float(threshold)
    return float(np.nextafter(values.max(), np.inf))


def delay_s(trace: Trace, event: Event, threshold: float) -> float:
    """Seconds from an event's start until the score reaches the threshold; infinite if not by the deadline.

    A score that is above the threshold when the event begins has found something else.
    """
    values = np.nan_to_num(trace.values, nan=-np.inf)
    before = np.flatnonzero(trace.time_s < event.start_s - 1e-6)
    if len(before) and values[before[-1]] >= threshold:
        return float("inf")
    inside = (trace.time_s >= event.start_s - 1e-6) & (trace.time_s <= event.start_s + event.deadline_s + 1e-6)
    found = np.flatnonzero(inside & (values >= threshold))
    return float(trace.time_s[found[0]] - event.start_s) if len(found) else float("inf")


def poisson_interval(count: int, hours: float, level: float = 0.9) -> tuple[float, float]:
    """Exact interval of a rate per hour of which ``count`` events were seen (Garwood 1936)."""
    from scipy.stats import chi2

    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2.0
    return low / hours, float(chi2.ppf(1.0 - tail, 2 * (count + 1))) / 2.0 / hours
