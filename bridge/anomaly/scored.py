"""What a frame's scores are called, and tracks of scored frames, which calibration and evaluation read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.wire.alerts import NoVerdict

LAGS_US: tuple[int, ...] = (100_000, 200_000, 500_000)
"""How long before a frame the samples were drawn that it is compared with."""

SCORE_NAMES: tuple[str, ...] = (
    "likelihood",
    "innovation",
    "outside",
    "nearest_100ms",
    "nearest_200ms",
    "nearest_500ms",
    "joint_100ms",
    "joint_500ms",
    "rank_500ms",
    "still_100ms",
    "still_500ms",
    "frozen_100ms",
    "frozen_200ms",
    "bones",
    "repeated",
)
"""The N scores of a frame; higher is more surprising.

- ``likelihood``: minus the exact log-density of the newest block of frames under the flow, nats.
- ``innovation``: log squared length of what the flow maps that block to.
- ``outside``: log of what the flow's coordinates cannot say of it, at the worst landmark.
- ``nearest_L``: log distance to the nearest of the samples drawn L before, in units of their spread and the noise.
- ``joint_L``: the same at the worst landmark.
- ``rank_L``: energy score of the frame against those of the samples, in standard deviations (symmetric pool).
- ``still_L``, ``frozen_L``: log of how much further the samples moved than the frame did, on a scale of 1 cm and 1 mm.
- ``bones``: log of the worst change of a bone's length against the track's own habit.
- ``repeated``: log of how many frames in a row are the same to a hundredth of a millimetre, beyond the few that a
  slower source repeats: a tracker that lost its subject and holds on.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FrameScores:
    """What one frame scores.

    Attributes:
        scores: (N,) in the order of `SCORE_NAMES`; NaN where one is missing.
        log_speed: log of how fast the body moved until shortly before, m/s: what scores are judged against.
        joints: (J,) how much each landmark adds to the surprise, any scale.
        missing: why there is no score at all; None where there is one.
    """

    scores: NDArray[np.float32]
    log_speed: float
    joints: NDArray[np.float32]
    missing: NoVerdict | None = None

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTrack:
    """One track of one person, frame by frame; T frames, N scores.

    Attributes:
        track_id, subject, family: whose, and where it is from.
        timestamps_us: (T,) times of capture.
        scores: (T, N) as in `FrameScores`; a row of NaN is a frame without a verdict.
        log_speed: (T,).
    """

    track_id: str
    subject: str
    family: str
    timestamps_us: NDArray[np.int64]
    scores: NDArray[np.float32]
    log_speed: NDArray[np.float32]

    __repr__ = brief_repr
