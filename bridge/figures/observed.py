"""What a body really did, at any time; and where its futures are at any time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame, seen_landmarks
from bridge.skeleton import Layout
from bridge.wire.values import Forecast

MAX_GAP_US = 200_000
"""What happened is not told from frames further apart than this."""


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
        seen = [f for f in frames if f.landmarks is not None and seen_landmarks(f.landmarks, 0.0)[hips].all()]
        self.timestamp_us: NDArray[np.int64] = np.array([frame.timestamp_us for frame in seen], np.int64)
        shape = (len(seen), layout.joints, 4)
        landmarks = np.array([frame.landmarks for frame in seen], np.float32).reshape(shape)
        self.visible: NDArray[np.bool_] = seen_landmarks(landmarks, visibility_threshold)
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
