"""Anomalies made from normal motion: each begins at a known time, and how severe it is is stated.

A made clip is cut from a recorded one: at least `LEAD_S` of it as it was, then the event, then what follows. Poses are
hip-centred, so a fall shows as the body turning over and folding, not as its way down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridge.geometry import hip_middle
from bridge.recordings import Clip
from bridge.skeleton import Layout, get_layout

FloatArray = NDArray[np.float32]

LEAD_S = 3.2
"""Normal motion before an event: what a watcher needs to know a track, and two seconds more."""
TAIL_S = 1.0
_EVENT_S = (1.0, 2.0)
_DRIFT_S = 4.0
_SPLICE_LABEL_S = 1.0
_MOVING_M_S = 0.35
_TRIES = 24
_GRAVITY_M_S2 = 9.81
_LABEL_TILT_RAD = 0.2

GRADUAL: frozenset[str] = frozenset({"tremor", "reversal", "double_speed", "drift"})
"""Kinds that may take 3 s to be found; the others 1 s."""


@dataclass(frozen=True, slots=True, eq=False)
class MadeClip:
    """A clip with an event from ``start_s`` to ``end_s``, seconds after its first frame.

    ``severity`` says how strong it is, in words and numbers.
    """

    clip: Clip
    kind: str
    start_s: float
    end_s: float
    severity: str


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A stretch of a clip, hip-centred: ``pose_m`` (T, J, 3), the event's first row, and the rows that it may take."""

    clip: Clip
    layout: Layout
    pose_m: FloatArray
    start: int
    length: int
    fps: float
    rng: np.random.Generator
    donors: Sequence[Clip]


_Maker = Callable[[_Cut], tuple[FloatArray, int, int, str] | None]


def make(kind: str, clip: Clip, rng: np.random.Generator, donors: Sequence[Clip] = ()) -> MadeClip | None:
    """Make an event of a kind somewhere in a clip.

    Args:
        kind: one of `KINDS`.
        clip: normal motion.
        rng: where the event lies and how strong it is.
        donors: other clips, for ``splice``.

    Returns:
        None if the clip is too short, or never moves enough for this kind.
    """
    maker, must_move = _MAKERS[kind]
    fps = clip.fps
    lead, tail = round(LEAD_S * fps), round(TAIL_S * fps)
    longest = round((_DRIFT_S if kind == "drift" else _EVENT_S[1]) * fps)
    shortest = longest if kind == "drift" else round(_EVENT_S[0] * fps)
    rows = lead + (2 * longest if kind == "double_speed" else longest)
    if clip.frames < rows + 2:
        return None
    layout = get_layout(clip.layout_id)
    for _ in range(_TRIES):
        first = int(rng.integers(0, clip.frames - rows))
        part = slice(first, min(first + rows + tail, clip.frames))
        pose_m = clip.pose_m[part]
        if not np.isfinite(pose_m).all():
            continue
        centred = (pose_m - hip_middle(pose_m, layout)[:, None]).astype(np.float32)
        if must_move and _speed_m_s(centred, lead, fps) < _MOVING_M_S:
            continue
        length = int(rng.integers(shortest, longest + 1))
        made = maker(_Cut(clip, layout, centred, lead, length, fps, rng, donors))
        if made is None:
            continue
        pose_m, start, end, severity = made
        stamps_us = np.rint(np.arange(len(pose_m)) * (1e6 / fps)).astype(np.int64)
        changed = replace(
            clip,
            clip_id=f"{clip.clip_id}/{kind}@{first / fps:.1f}s",
            pose_m=pose_m.astype(np.float32),
            visibility=np.ones(pose_m.shape[:2], np.float32),
            root_m=None,
            timestamp_us=stamps_us,
        )
        return MadeClip(changed, kind, start / fps, end / fps, severity)
    return None


def _speed_m_s(pose_m: FloatArray, row: int, fps: float) -> float:
    """Root mean square speed of the landmarks over the fifth of a second before a row."""
    frames = max(1, round(0.2 * fps))
    moved = pose_m[row] - pose_m[row - frames]
    return float(np.sqrt((moved**2).sum(axis=-1).mean())) * fps / frames


def _freeze(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, start, end = cut.pose_m.copy(), cut.start, cut.start + cut.length
    shape = (cut.length, 1, 3)
    wander = np.cumsum(cut.rng.normal(0.0, 2.5e-4, shape), axis=0)
    tremble = cut.rng.normal(0.0, 5e-4, (cut.length, *pose_m.shape[1:]))
    held = pose_m[start] + wander + tremble
    # Afterwards it goes on from where it stopped.
    return _joined(pose_m[:start], held, pose_m[start : len(pose_m) - cut.length]), start, end, "stands still at once"


def _lost_tracking(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, end = cut.pose_m.copy(), cut.start + cut.length
    pose_m[cut.start : end] = pose_m[cut.start]
    return pose_m, cut.start, end, "the same numbers again and again"


def _swap(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, end = cut.pose_m.copy(), cut.start + cut.length
    limbs = _limbs(cut.layout)
    left, right = limbs[0:2] if cut.rng.random() < 0.5 else limbs[2:4]
    pose_m[cut.start : end, left], pose_m[cut.start : end, right] = (
        cut.pose_m[cut.start : end, right],
        cut.pose_m[cut.start : end, left],
    )
    part = "arms" if left is limbs[0] else "legs"
    return pose_m, cut.start, end, f"left and right {part} below the joint exchanged"


def _tremor(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, end = cut.pose_m.copy(), cut.start + cut.length
    hertz, size_m = cut.rng.uniform(4.0, 8.0), cut.rng.uniform(0.02, 0.05)
    limb, direction = _any_limb(cut), _direction(cut.rng)
    time_s = np.arange(cut.length) / cut.fps
    grows = np.linspace(0.3, 1.0, len(limb))[:, None]
    shake = size_m * np.sin(2 * np.pi * hertz * time_s)[:, None, None] * direction * grows
    pose_m[cut.start : end, limb] += shake.astype(np.float32)
    return pose_m, cut.start, end, f"{hertz:.1f} Hz, {size_m * 100:.1f} cm on one limb"


def _teleport(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, end = cut.pose_m.copy(), cut.start + cut.length
    size_m = cut.rng.uniform(0.15, 0.4)
    pose_m[cut.start : end, _any_limb(cut)] += (size_m * _direction(cut.rng)).astype(np.float32)
    return pose_m, cut.start, end, f"one limb {size_m * 100:.0f} cm away"


def _reversal(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    back = cut.pose_m[cut.start - cut.length : cut.start][::-1]
    end = cut.start + cut.length
    return _joined(cut.pose_m[: cut.start], back), cut.start, end, "time runs backwards"


def _double_speed(cut: _Cut) -> tuple[FloatArray, int, int, str] | None:
    rows = cut.start + 2 * np.arange(cut.length)
    if rows[-1] >= len(cut.pose_m):
        return None
    return _joined(cut.pose_m[: cut.start], cut.pose_m[rows]), cut.start, cut.start + cut.length, "twice as fast"


def _splice(cut: _Cut) -> tuple[FloatArray, int, int, str] | None:
    needed = round((_SPLICE_LABEL_S + TAIL_S) * cut.fps)
    others = [
        donor
        for donor in cut.donors
        if donor.clip_id != cut.clip.clip_id and donor.frames > needed and donor.layout_id == cut.clip.layout_id
    ]
    if not others:
        return None
    donor = others[int(cut.rng.integers(len(others)))]
    first = int(cut.rng.integers(0, donor.frames - needed))
    rest = donor.pose_m[first : first + needed]
    if not np.isfinite(rest).all():
        return None
    rest = rest - hip_middle(rest, cut.layout)[:, None]
    end = cut.start + round(_SPLICE_LABEL_S * cut.fps)
    return _joined(cut.pose_m[: cut.start], rest), cut.start, end, f"cut to {donor.clip_id}"


def _drift(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    pose_m, end = cut.pose_m.copy(), cut.start + cut.length
    size_m = cut.rng.uniform(0.2, 0.3)
    grows = np.minimum(np.arange(len(pose_m) - cut.start) / (3.0 * cut.fps), 1.0)[:, None, None]
    pose_m[cut.start :, _any_limb(cut)] += (size_m * grows * _direction(cut.rng)).astype(np.float32)
    return pose_m, cut.start, end, f"one limb {size_m * 100:.0f} cm away after 3 s"


def _fall(cut: _Cut) -> tuple[FloatArray, int, int, str]:
    """An inverted pendulum of 1 m that topples about the feet; on its way down the body goes limp, then it lies."""
    pose_m, start = cut.pose_m.copy(), cut.start
    rows = len(pose_m) - start
    tilt, turning, tilts = 0.05, cut.rng.uniform(0.3, 0.8), np.empty(rows)
    for row in range(rows):
        turning += _GRAVITY_M_S2 * np.sin(tilt) / cut.fps
        tilt += turning / cut.fps
        if tilt >= np.pi / 2:
            tilt, turning = np.pi / 2, 0.0
        tilts[row] = tilt
    azimuth = cut.rng.uniform(0.0, 2 * np.pi)
    axis = np.array([np.cos(azimuth), 0.0, np.sin(azimuth)])
    limp = np.minimum((tilts - tilts[0]) / 1.5, 1.0)
    own = pose_m[start] + (pose_m[start:] - pose_m[start]) * (1.0 - limp)[:, None, None] ** 2
    down = cut.rng.normal(0.0, 1.0, (1, 1, 3)) * 0.03
    for row in range(rows):
        angle = tilts[row] - tilts[0]
        cross = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
        turn = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
        pose_m[start + row] = (own[row] @ turn.T).astype(np.float32)
    ends = _limb_ends(cut.layout)
    pose_m[start:, ends] += (limp[:, None, None] * down).astype(np.float32)
    pose_m[start:] += cut.rng.normal(0.0, 1e-3, pose_m[start:].shape).astype(np.float32)
    begins = start + int(np.argmax(tilts > _LABEL_TILT_RAD))
    end = min(len(pose_m), begins + round(2.0 * cut.fps))
    return pose_m, begins, end, f"topples over, labelled from a tilt of {np.degrees(_LABEL_TILT_RAD):.0f} degrees"


def _joined(*parts: NDArray[np.floating]) -> FloatArray:
    return np.concatenate(parts).astype(np.float32)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))


def _any_limb(cut: _Cut) -> list[int]:
    limbs = _limbs(cut.layout)
    return limbs[int(cut.rng.integers(len(limbs)))]


def _limb_ends(layout: Layout) -> list[int]:
    return sorted({limb[-1] for limb in _limbs(layout)})


def _limbs(layout: Layout) -> list[list[int]]:
    """Landmarks below the shoulders and below the hips: left arm, right arm, left leg, right leg, joints first."""
    return [
        _below(layout, layout.shoulders[0]),
        _below(layout, layout.shoulders[1]),
        _below(layout, layout.hips[0]),
        _below(layout, layout.hips[1]),
    ]


def _below(layout: Layout, root: int) -> list[int]:
    """Landmarks that hang on ``root`` along bones and are no part of the trunk, nearest first."""
    trunk = {*layout.hips, *layout.shoulders}
    found: list[int] = []
    edge = [root]
    while edge:
        at = edge.pop(0)
        for a, b in layout.bones:
            other = b if a == at else a if b == at else None
            if other is not None and other not in trunk and other not in found:
                found.append(other)
                edge.append(other)
    return found


_MAKERS: dict[str, tuple[_Maker, bool]] = {
    "fall": (_fall, False),
    "freeze": (_freeze, True),
    "swap": (_swap, False),
    "tremor": (_tremor, False),
    "teleport": (_teleport, False),
    "reversal": (_reversal, True),
    "lost_tracking": (_lost_tracking, False),
    "double_speed": (_double_speed, True),
    "splice": (_splice, False),
    "drift": (_drift, False),
}
KINDS: tuple[str, ...] = tuple(_MAKERS)
