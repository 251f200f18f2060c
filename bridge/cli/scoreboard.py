"""How far forecasts turned out to be from what the person then did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame
from bridge.skeleton import Layout
from bridge.wire.values import Forecast

HORIZONS_MS = (100, 333, 1000)
MAX_GAP_US = 200_000
"""What happened is not told from frames further apart than this."""
METHODS = ("best_of_k", "most_probable", "last_pose")


class Observed:
    """What one avatar really did: the frames in which its hips were detected, hip-centred.

    Args:
        frames: of the avatar as they were sent, in order of time, those without a detection too.
        layout: names the hips.
        visibility_threshold: a landmark below it does not count as seen.
    """

    def __init__(self, frames: Sequence[Frame], layout: Layout, visibility_threshold: float) -> None:
        sent_us = np.array([frame.timestamp_us for frame in frames], np.int64)
        self._starts_us = sent_us[1:][np.diff(sent_us) > MAX_GAP_US]
        hips = list(layout.hips)
        seen = [f for f in frames if f.landmarks is not None and (f.landmarks[hips, 3] > 0).all()]
        self.timestamp_us: NDArray[np.int64] = np.array([frame.timestamp_us for frame in seen], np.int64)
        shape = (len(seen), layout.joints, 4)
        landmarks = np.array([frame.landmarks for frame in seen], np.float32).reshape(shape)
        self.visible: NDArray[np.bool_] = (landmarks[..., 3] >= visibility_threshold) & (landmarks[..., 3] > 0)
        self.pose_m: NDArray[np.float32] = landmarks[..., :3] - landmarks[:, hips, :3].mean(axis=1, keepdims=True)

    def around(self, timestamp_us: int, offset_us: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
        """Return the pose ``offset_us`` after (before, if negative) a time, as `at`; None across a pause of the stream.

        After a pause the recording starts again from another pose: that is not what the person did next.
        """
        here, there = np.searchsorted(self._starts_us, [timestamp_us, timestamp_us + offset_us], side="right")
        return self.at(timestamp_us + offset_us) if here == there else None

    def at(self, timestamp_us: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
        """Return the pose (J, 3) in metres and what was visible of it (J,) at a time; None if nobody was seen then.

        Between two frames the pose is interpolated and a landmark counts as visible if it was in both.
        """
        after = int(np.searchsorted(self.timestamp_us, timestamp_us))
        if after < len(self.timestamp_us) and self.timestamp_us[after] == timestamp_us:
            return self.pose_m[after], self.visible[after]
        if after == 0 or after == len(self.timestamp_us):
            return None
        before_us, after_us = self.timestamp_us[after - 1 : after + 1].tolist()
        if after_us - before_us > MAX_GAP_US:
            return None
        share = np.float32((timestamp_us - before_us) / (after_us - before_us))
        pose_m = (1 - share) * self.pose_m[after - 1] + share * self.pose_m[after]
        return pose_m, self.visible[after - 1] & self.visible[after]


def futures_at(forecast: Forecast, based_on_m: NDArray[np.float32], horizon_ms: float) -> NDArray[np.float32] | None:
    """Return the K futures (K, J, 3) so long after the frame they are based on; None if they do not reach so far.

    Between steps they are interpolated; before the first, from ``based_on_m`` (J, 3), the observed pose. Half a step
    beyond the last, the last one stands.
    """
    position = horizon_ms * 1e3 / forecast.step_us
    steps = forecast.futures_m.shape[1]
    if position > steps + 0.5:
        return None
    known_m = np.concatenate([np.broadcast_to(based_on_m, forecast.futures_m[:, :1].shape), forecast.futures_m], axis=1)
    before = min(int(position), steps)
    after = min(before + 1, steps)
    share = np.float32(min(position, steps) - before)
    at_m = (1 - share) * known_m[:, before] + share * known_m[:, after]
    return at_m.astype(np.float32, copy=False)


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
