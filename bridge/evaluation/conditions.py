"""What can go wrong with the input: ways to spoil the observed frames of a clip while the truth stays what it was.

A condition gets the frames that lead up to one window and returns what a worse camera, tracker or network would have
delivered of them. The spoilt frames then go through the same `Timeline` as a live stream. The newest frame keeps its
time, so every condition asks the same question as the clean recording and has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bridge.recordings import Clip
from bridge.skeleton import get_layout

Degrade = Callable[[Clip, np.random.Generator], Clip]
"""From the frames up to a window's newest one, and a source of randomness, to what is received of them."""

RUN_MS = 300.0
"""Mean time for which a tracker loses a landmark when it does not find it again in the next frame."""
UNSEEN_VISIBILITY = 0.05
"""Visibility of a landmark that the tracker still places but does not see: below the timeline's threshold."""

# The sizes below reproduce what MediaPipe's PoseLandmarker shows on real video: limb bones that wobble slowly (their
# length correlates by .6 to .9 from one frame at 30 Hz to the next) and depth twice as noisy as the image plane.
BONE_WOBBLE = 0.04
"""Standard deviation over time of a limb bone's length, as a part of that length, on average."""
NOISE_DEPTH_FACTOR = 2.0
"""Of the noise in depth to that in the image plane."""
NOISE_TRUNK_FACTOR = 0.5
"""Of the noise of hips and shoulders, which are found more reliably, to that of the others."""
NOISE_WHITE_SHARE = 0.3
"""Of the noise's variance; the rest drifts."""
NOISE_DRIFT_MS = 250.0
"""Time after which a drift's correlation has fallen to 1/e."""

GAP_MS = 200.0
AFTER_GAP_MS = 100.0

_MIN_SHARE = 0.02
_GAP_PERIODS = 1.5
_ROUNDING_US = 1_000
_SHORTEST_BONE_M = 1e-3


@dataclass(frozen=True, slots=True)
class Condition:
    """One way in which input can be worse than the recording.

    Attributes:
        name: key in tables and JSON.
        description: what exactly is done, in one sentence.
        degrade: does it. It leaves its argument as it is and keeps the newest frame's time.
    """

    name: str
    description: str
    degrade: Degrade


def as_recorded(clip: Clip, rng: np.random.Generator) -> Clip:
    """The frames as they are."""
    return clip


def drop_landmarks(clip: Clip, rng: np.random.Generator, *, share: float) -> Clip:
    """Lose landmarks, each by itself: half of the losses in runs of `RUN_MS` on average, half in single frames.

    In a run the landmark is gone (NaN, visibility 0); in a single frame it has a place and the visibility
    `UNSEEN_VISIBILITY`. Runs start and end at random (a two-state Markov chain in its stationary state); where a run
    and a single loss meet they count once, so that exactly ``share`` of all landmarks is lost in expectation.

    Args:
        clip: T frames of J landmarks. rng: of the losses.
        share: of landmarks, 0 to 1.
    """
    frames, joints = clip.visibility.shape
    each = 1.0 - np.sqrt(1.0 - share)
    gone = np.empty((frames, joints), np.bool_)
    gone[0] = rng.random(joints) < each
    chance = rng.random((frames, joints))
    end = np.minimum(np.diff(clip.timestamp_us) * 1e-3 / RUN_MS, 1.0)
    start = np.minimum(end * each / (1.0 - each), 1.0)
    for t in range(1, frames):
        gone[t] = np.where(gone[t - 1], chance[t] >= end[t - 1], chance[t] < start[t - 1])
    unseen = np.less(rng.random((frames, joints)), each)
    visibility = np.where(unseen, np.minimum(clip.visibility, np.float32(UNSEEN_VISIBILITY)), clip.visibility)
    visibility[gone] = 0.0
    pose_m = clip.pose_m.copy()
    pose_m[gone] = np.nan
    return replace(clip, pose_m=pose_m, visibility=visibility)


def add_tracker_noise(clip: Clip, rng: np.random.Generator) -> Clip:
    """Move every landmark by itself by a slow drift plus white jitter, so that limb bones wobble by `BONE_WOBBLE`.

    The noise is Gaussian, the same in size for all landmarks and axes but for `NOISE_DEPTH_FACTOR` in depth (z) and
    `NOISE_TRUNK_FACTOR` at hips and shoulders: on an adult about 7 mm per coordinate in the image plane.
    `NOISE_WHITE_SHARE` of its variance is new in every frame; the rest is an Ornstein-Uhlenbeck process with the time
    constant `NOISE_DRIFT_MS`. A clip that never shows a limb bone stays as it is.
    """
    deviation_m = _noise_deviation(clip)
    jitter, drift = rng.standard_normal((2, *clip.pose_m.shape), np.float32)
    keep = np.exp(-np.diff(clip.timestamp_us) * 1e-3 / NOISE_DRIFT_MS).astype(np.float32)
    stir = np.sqrt(1.0 - keep**2)
    for t in range(1, clip.frames):
        drift[t] = keep[t - 1] * drift[t - 1] + stir[t - 1] * drift[t]
    noise = np.sqrt(NOISE_WHITE_SHARE) * jitter + np.sqrt(1.0 - NOISE_WHITE_SHARE) * drift
    return replace(clip, pose_m=clip.pose_m + (noise * deviation_m).astype(np.float32))


def change_rate(clip: Clip, rng: np.random.Generator, *, rate_hz: float) -> Clip:
    """What a camera of another frame rate would have delivered, counted back from the newest frame.

    New frames lie on a cubic (Catmull-Rom) curve through the recorded ones, on a straight line beside a lost landmark.
    Inside a gap of the recording, and where one of the two neighbours lacks a landmark, nothing is made up. A multiple
    of the recorded rate keeps every recorded frame, so that the timeline should get the clean context back.
    """
    if clip.frames < 2:
        return clip
    time_us = clip.timestamp_us
    count = int((time_us[-1] - time_us[0]) * rate_hz / 1e6 + 1e-6)
    instants = np.rint(time_us[-1] - np.arange(count, -1, -1) * (1e6 / rate_hz)).astype(np.int64)
    right = np.clip(np.searchsorted(time_us, instants), 1, clip.frames - 1)
    span_us = (time_us[right] - time_us[right - 1]).astype(np.float64)
    share = np.clip((instants - time_us[right - 1]) / span_us, 0.0, 1.0)
    # Whole microseconds put an instant beside the frame that it is meant to be.
    share = np.where(share < _MIN_SHARE, 0.0, np.where(share > 1.0 - _MIN_SHARE, 1.0, share))
    inside_gap = (share > 0) & (share < 1) & (span_us > _GAP_PERIODS * 1e6 / clip.fps)
    pose_m = _mix(clip.pose_m, right, share)
    slope = np.gradient(clip.pose_m, time_us.astype(np.float64), axis=0)
    u = share[:, None, None]
    bend = u * (1 - u) * ((1 - u) * _bend(clip.pose_m, slope[right - 1], right, span_us, 1.0))
    bend += u * (1 - u) * (u * _bend(clip.pose_m, slope[right], right, span_us, -1.0))
    pose_m += np.where(np.isfinite(bend), bend, 0.0)
    pose_m[inside_gap] = np.nan
    lost = ~np.isfinite(pose_m).all(axis=-1)
    pose_m[lost] = np.nan
    return replace(
        clip,
        fps=rate_hz,
        pose_m=pose_m.astype(np.float32),
        visibility=np.where(lost, 0.0, _mix(clip.visibility, right, share)).astype(np.float32),
        root_m=None if clip.root_m is None else _mix(clip.root_m, right, share).astype(np.float32),
        timestamp_us=instants,
    )


def cut_gap(clip: Clip, rng: np.random.Generator) -> Clip:
    """No frame for `GAP_MS`: the received frames on both sides are that far apart, or as far as whole frames allow.

    The first frame after the gap is the youngest that is at least `AFTER_GAP_MS` older than the newest. At 30 Hz five
    frames are missing, 133 to 267 ms before the newest one, and the last four are received.
    """
    age_us = clip.timestamp_us[-1] - clip.timestamp_us
    old_enough = np.flatnonzero(age_us >= AFTER_GAP_MS * 1e3 - _ROUNDING_US)
    if not len(old_enough):
        return clip
    after = int(old_enough[-1])
    wait_us = clip.timestamp_us[after] - clip.timestamp_us
    before = int(np.flatnonzero(wait_us <= GAP_MS * 1e3)[0])
    received = np.ones(clip.frames, np.bool_)
    received[before + 1 : after] = False
    return replace(
        clip,
        pose_m=clip.pose_m[received],
        visibility=clip.visibility[received],
        root_m=None if clip.root_m is None else clip.root_m[received],
        timestamp_us=clip.timestamp_us[received],
    )


CLEAN = Condition("clean", "The frames as recorded.", as_recorded)

_LOSSES = f"half of the losses in runs of {RUN_MS:.0f} ms on average, half in single frames"
CONDITIONS = (
    CLEAN,
    Condition("landmarks_dropped_10", f"10 % of the landmarks lost: {_LOSSES}.", partial(drop_landmarks, share=0.1)),
    Condition("landmarks_dropped_30", f"30 % of the landmarks lost: {_LOSSES}.", partial(drop_landmarks, share=0.3)),
    Condition(
        "tracker_noise",
        f"Drift and jitter per landmark; limb bones wobble by {100 * BONE_WOBBLE:.0f} % on average.",
        add_tracker_noise,
    ),
    Condition("input_24_hz", "Frames at 24 Hz.", partial(change_rate, rate_hz=24.0)),
    Condition("input_60_hz", "Frames at 60 Hz.", partial(change_rate, rate_hz=60.0)),
    Condition(
        "gap_200_ms",
        f"No frame for {GAP_MS:.0f} ms, up to {AFTER_GAP_MS:.0f} ms before the newest frame.",
        cut_gap,
    ),
)
"""Every condition of the table, the clean one first."""


def _noise_deviation(clip: Clip) -> NDArray[np.float64]:
    """Standard deviation (J, 3) of tracker noise, metres; 0 where there is no bone to measure it by.

    To first order the length of a bone changes by the noise of its ends along it: with unit direction u and relative
    deviations f of the ends a and b, by sqrt(sum over axes of u² (f_a² + f_b²)) times the common size, which is chosen
    to make the mean of that over the bone's length `BONE_WOBBLE`.
    """
    layout = get_layout(clip.layout_id)
    relative = np.ones((layout.joints, 3))
    relative[:, 2] *= NOISE_DEPTH_FACTOR
    relative[[*layout.hips, *layout.shoulders]] *= NOISE_TRUNK_FACTOR
    start, end = np.array(layout.limb_bones, np.intp).reshape(-1, 2).T
    bones_m = clip.pose_m[:, end].astype(np.float64) - clip.pose_m[:, start]  # (T, bones, 3)
    length_m = np.linalg.norm(bones_m, axis=-1)
    measured = np.greater(length_m, _SHORTEST_BONE_M)
    if not measured.any():
        return np.zeros_like(relative)
    along = np.sqrt((bones_m**2 * (relative[start] ** 2 + relative[end] ** 2)).sum(axis=-1))
    return relative * (BONE_WOBBLE / float((along[measured] / length_m[measured] ** 2).mean()))


def _mix(values: NDArray[np.float32], right: NDArray[np.intp], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight lines between rows ``right - 1`` and ``right``; a share of 0 or 1 is that row, whatever the other is."""
    weight = share.reshape(-1, *([1] * (values.ndim - 1)))
    old, new = values[right - 1].astype(np.float64), values[right].astype(np.float64)
    return np.where(weight <= 0, old, np.where(weight >= 1, new, (1 - weight) * old + weight * new))


def _bend(
    pose_m: NDArray[np.float32],
    slope: NDArray[np.float32],
    right: NDArray[np.intp],
    span_us: NDArray[np.float64],
    sign: float,
) -> NDArray[np.float64]:
    """How far the curve's slope at one end of a stretch departs from the straight line, over the whole stretch."""
    straight = pose_m[right].astype(np.float64) - pose_m[right - 1]
    return np.asarray(sign * (slope * span_us[:, None, None] - straight))
