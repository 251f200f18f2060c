"""How far forecasts turned out to be from what the person then did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bridge.figures.observed import MAX_GAP_US, Observed, futures_at
from bridge.wire.values import Forecast

HORIZONS_MS = (100, 333, 1000)
METHODS = ("best_of_k", "most_probable", "last_pose")


def score_forecast(forecast: Forecast, observed: Observed, horizon_ms: int) -> Mapping[str, float] | None:
    """Return the mean joint error in millimetres of every one of `METHODS`, ``horizon_ms`` after the forecast's frame.

    ``best_of_k`` is the future that came closest at that time, ``most_probable`` the first one, ``last_pose`` the pose
    of the frame that the forecast is based on, held. All three are measured on the same landmarks, those visible then
    and now, hip-centred. None if the forecast does not reach so far or it is not known what happened then.
    """
    now = observed.at(forecast.based_on_timestamp_us)
    then = observed.around(forecast.based_on_timestamp_us, horizon_ms * 1000)
    if now is None or then is None:
        return None
    futures_m = futures_at(forecast, now[0], horizon_ms)
    visible = now[1] & then[1]
    if futures_m is None or not visible.any():
        return None
    truth_m = then[0][visible]
    errors_mm = 1e3 * np.linalg.norm(futures_m[:, visible] - truth_m, axis=-1).mean(axis=-1)  # (K,)
    last_mm = 1e3 * np.linalg.norm(now[0][visible] - truth_m, axis=-1).mean()
    return {"best_of_k": float(errors_mm.min()), "most_probable": float(errors_mm[0]), "last_pose": float(last_mm)}


def future_distance_mm(forecast: Forecast) -> float | None:
    """Return the mean over pairs of the K futures of their mean joint distance at the last step; None if K is 1."""
    last_m = forecast.futures_m[:, -1]
    first, second = np.triu_indices(len(last_m), k=1)
    if not len(first):
        return None
    return float(1e3 * np.linalg.norm(last_m[first] - last_m[second], axis=-1).mean())


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


class Scoreboard:
    """Means over forecasts of what `score_forecast` gives: at each horizon every method over the same forecasts."""

    def __init__(self, observed: Mapping[str, Observed]) -> None:
        self._observed = observed
        self._means = {method: {horizon: _Mean() for horizon in HORIZONS_MS} for method in METHODS}
        self._open: list[Forecast] = []

    def add(self, forecast: Forecast) -> None:
        """Take a forecast; it is scored once its future is past."""
        self._open.append(forecast)

    def settle(self, now_us: int | None = None) -> None:
        """Score what can be told at capture time ``now_us``; None: the stream is over, score everything."""
        reach_us = max(HORIZONS_MS) * 1000 + MAX_GAP_US
        due = [f for f in self._open if now_us is None or f.based_on_timestamp_us + reach_us < now_us]
        settled = {id(forecast) for forecast in due}
        self._open = [forecast for forecast in self._open if id(forecast) not in settled]
        for forecast in due:
            for horizon_ms in HORIZONS_MS:
                scores = score_forecast(forecast, self._observed[forecast.avatar_id], horizon_ms)
                for method, error_mm in (scores or {}).items():
                    self._means[method][horizon_ms].add(error_mm)

    def mpjpe_mm(self, method: str) -> dict[str, float | None]:
        """Return the mean error of a method by horizon in milliseconds; None where nothing could be scored."""
        return {str(horizon): mean.value for horizon, mean in self._means[method].items()}

    def scored(self) -> dict[str, int]:
        """Return how many forecasts each horizon's means are over."""
        return {str(horizon): mean.count for horizon, mean in self._means[METHODS[0]].items()}
