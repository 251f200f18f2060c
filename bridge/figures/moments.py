"""A moment: what was seen, the futures that were forecast from it, and what then happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.figures.bodies import Pose, pose_of
from bridge.figures.observed import MAX_GAP_US, Observed, futures_at
from bridge.wire.values import Forecast

PAST_MS = (-533, -400, -267, -133, 0)
FUTURE_COLUMNS = 6
_FASTEST_M_PER_S = 4.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A forecast and what was really seen around it.

    ``past`` goes with `PAST_MS`. ``happened`` and ``futures`` (one list for each of the K) go with ``future_ms``; what
    happened is None at times when nobody was seen.
    """

    forecast: Forecast
    past: Sequence[Pose | None]
    future_ms: Sequence[int]
    futures: Sequence[Sequence[Pose]]
    happened: Sequence[Pose | None]


def moment_of(forecast: Forecast, observed: Observed) -> Moment:
    """Gather what the picture of a forecast shows."""
    based_on_us = forecast.based_on_timestamp_us
    now = observed.at(based_on_us)
    reach_ms = forecast.futures_m.shape[1] * forecast.step_us / 1e3
    future_ms = [round(reach_ms * column / FUTURE_COLUMNS) for column in range(1, FUTURE_COLUMNS + 1)]
    based_on_m = now[0] if now else forecast.futures_m[0, 0]
    known = observed_landmarks(forecast)
    at_times = [futures_at(forecast, based_on_m, time_ms) for time_ms in future_ms]
    return Moment(
        forecast=forecast,
        past=[seen_at(observed, based_on_us, time_ms) for time_ms in PAST_MS],
        future_ms=future_ms,
        futures=[
            [pose_of(futures_m[k], known) for futures_m in at_times if futures_m is not None]
            for k in range(len(forecast.probabilities))
        ],
        happened=[seen_at(observed, based_on_us, time_ms) for time_ms in future_ms],
    )


def choose_moment(forecasts: Sequence[Forecast], observed: dict[str, Observed]) -> Moment | None:
    """Return the moment with the most movement around it; None if there is no forecast.

    Moments whose past and future are known in full come first, and among them those at which the tracker did not lose
    the body and jump (over 4 m/s as a mean of all landmarks). The choice looks only at what the person did, not at how
    good the forecast was.
    """
    if not forecasts:
        return None

    def interest_of(forecast: Forecast) -> tuple[int, bool, float]:
        horizon_us = forecast.futures_m.shape[1] * forecast.step_us
        return interest(observed[forecast.avatar_id], forecast.based_on_timestamp_us, horizon_us)

    best = max(forecasts, key=interest_of)
    return moment_of(best, observed[best.avatar_id])


def interest(truth: Observed, now_us: int, horizon_us: int) -> tuple[int, bool, float]:
    """What `choose_moment` goes by: how much is known (0 to 3), whether the tracking held, metres moved."""
    reach_us = PAST_MS[0] * 1000, 0, horizon_us
    known = sum(truth.around(now_us, offset_us) is not None for offset_us in reach_us)
    first_us, last_us = now_us + reach_us[0], now_us + reach_us[-1]
    rows = np.flatnonzero((truth.timestamp_us >= first_us) & (truth.timestamp_us <= last_us))
    if len(rows) < 2:
        return known, False, 0.0
    steps_s = np.diff(truth.timestamp_us[rows]) / 1e6
    moved_m = np.linalg.norm(np.diff(truth.pose_m[rows], axis=0), axis=-1).mean(axis=-1)
    held = bool(steps_s.max() * 1e6 <= MAX_GAP_US and (moved_m / steps_s).max() <= _FASTEST_M_PER_S)
    return known, held, float(moved_m.sum())


def observed_landmarks(forecast: Forecast) -> NDArray[np.bool_]:
    """(J,) which landmarks were seen at all before the forecast; of the others it says nothing."""
    known = np.ones(forecast.futures_m.shape[2], bool)
    known[list(forecast.unobserved_landmarks)] = False
    return known


def seen_at(observed: Observed, timestamp_us: int, offset_ms: float) -> Pose | None:
    """What was seen so long after a time (before, if negative); None if nobody was, or the stream paused between."""
    found = observed.around(timestamp_us, round(offset_ms * 1000))
    return Pose(*found) if found and found[1].any() else None


def errors_mm(moment: Moment) -> list[float | None]:
    """Mean joint error of every future in the last column, millimetres; None where it is not known what happened."""
    truth = moment.happened[-1]
    if truth is None:
        return [None] * len(moment.futures)
    errors: list[float | None] = []
    for future in moment.futures:
        shared = truth.visible & np.isfinite(future[-1].pose_m).all(axis=-1)
        apart_m = np.linalg.norm(future[-1].pose_m[shared] - truth.pose_m[shared], axis=-1)
        errors.append(float(1e3 * apart_m.mean()) if shared.any() else None)
    return errors
