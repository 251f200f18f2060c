"""Motion for training: clips at a fixed rate in one array, split by subject, sampled over families and movement."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.recordings import Clip
from bridge.skeleton import Layout

_MAX_GAP_S = 0.2
_VALIDATION_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class MotionSet:
    """Segments without gaps, one after another.

    Attributes:
        pose_m: (N, J, 3) hip-centred, finite (short gaps are interpolated).
        root_m: (N, 3), zero where there is none.
        has_root: (N, 3) which axes of the root were captured.
        segment: (N,) number of the segment that a row belongs to.
        families, subjects: per segment.
        licences: of everything in the set.
    """

    pose_m: NDArray[np.float32]
    root_m: NDArray[np.float32]
    has_root: NDArray[np.bool_]
    segment: NDArray[np.int32]
    families: tuple[str, ...]
    subjects: tuple[str, ...]
    licences: tuple[str, ...]

    __repr__ = brief_repr

    def window_starts(self, frames: int, stride: int = 1) -> NDArray[np.int64]:
        """Rows at which ``frames`` rows of one segment begin, every ``stride`` rows of a segment."""
        if len(self.segment) < frames:
            return np.zeros(0, np.int64)
        starts = np.flatnonzero(self.segment[: len(self.segment) - frames + 1] == self.segment[frames - 1 :])
        first_row = np.searchsorted(self.segment, self.segment[starts])
        return np.asarray(starts[(starts - first_row) % stride == 0], np.int64)


def split_clips(clips: Iterable[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Clips for training and for validation.

    A clip's own split decides; without one, its subject does (about 15 % validate). Clips of other splits
    (``calibration`` ...) are left alone.

    Raises:
        InvalidInput: if nothing is left to train or to validate on.
    """
    clips = list(clips)
    train = [c for c in clips if c.split == "train"]
    validation = [c for c in clips if c.split == "validation"]
    free = [c for c in clips if c.split is None]
    subjects = sorted({c.subject for c in free}, key=lambda s: hashlib.sha256(s.encode()).digest())
    if free and len(subjects) == 1 and not (train and validation):
        raise InvalidInput(
            f"all recordings are of one subject ({subjects[0]!r})",
            field="data",
            expected="recordings of at least two subjects, so that validation is on somebody unseen",
        )
    held_out = set(subjects[: max(1, round(_VALIDATION_SHARE * len(subjects)))]) if len(subjects) > 1 else set()
    train += [c for c in free if c.subject not in held_out]
    validation += [c for c in free if c.subject in held_out]
    if not train or not validation:
        missing = "training" if not train else "validation"
        raise InvalidInput(
            f"no clip is for {missing}", field="data", expected="an index.csv with splits, or 2 subjects"
        )
    return train, validation


def build_motion_set(clips: Iterable[Clip], layout: Layout, rate_hz: float) -> MotionSet:
    """Resample clips to ``rate_hz``, cut them at gaps over 200 ms, centre them on the hips.

    Raises:
        InvalidInput: if a clip has another layout, or no usable frame is left.
    """
    poses, roots, root_axes, segments = [], [], [], []
    families: list[str] = []
    subjects: list[str] = []
    licences: set[str] = set()
    clips = list(clips)
    for clip in clips:
        if clip.layout_id != layout.id:
            raise InvalidInput(f"clip {clip.clip_id} has layout {clip.layout_id}", field="data", expected=layout.id)
        for pose_m, root_m in _segments(clip, rate_hz):
            middle = 0.5 * (pose_m[:, layout.hips[0]] + pose_m[:, layout.hips[1]])
            poses.append(pose_m - middle[:, None])
            roots.append(np.zeros_like(middle) if root_m is None else root_m + middle)
            known = np.array([root_m is not None, root_m is not None and clip.root_has_vertical, root_m is not None])
            root_axes.append(np.broadcast_to(known, middle.shape))
            segments.append(np.full(len(middle), len(families), np.int32))
            families.append(clip.family)
            subjects.append(clip.subject)
            licences.add(clip.licence)
    if not poses:
        raise _nothing_usable(clips, layout)
    return MotionSet(
        pose_m=np.concatenate(poses).astype(np.float32),
        root_m=np.concatenate(roots).astype(np.float32),
        has_root=np.concatenate(root_axes),
        segment=np.concatenate(segments),
        families=tuple(families),
        subjects=tuple(subjects),
        licences=tuple(sorted(filter(None, licences))),
    )


def _nothing_usable(clips: Sequence[Clip], layout: Layout) -> InvalidInput:
    """Says which landmarks are to blame: a frame is used if every one was seen."""
    seen = np.zeros(layout.joints, np.bool_)
    for clip in clips:
        seen |= np.isfinite(clip.pose_m).all(axis=2).any(axis=0)
    never = [name for name, known in zip(layout.names, seen, strict=True) if not known]
    why = f": {', '.join(never)} {'is' if len(never) == 1 else 'are'} never seen" if never and seen.any() else ""
    return InvalidInput(f"no usable frames{why}", field="data", expected="frames in which every landmark is seen")


def _segments(clip: Clip, rate_hz: float) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
    """The clip at a fixed rate, cut where any landmark is missing for more than 200 ms."""
    time_s = clip.timestamp_us / 1e6
    rows = np.flatnonzero(np.all(np.isfinite(clip.pose_m), axis=(1, 2)))
    if len(rows) < 2:
        return []
    cuts = np.flatnonzero(np.diff(time_s[rows]) > _MAX_GAP_S) + 1
    segments = []
    for part in np.split(rows, cuts):
        if len(part) < 2:
            continue
        grid = np.arange(time_s[part[0]], time_s[part[-1]] + 1e-6, 1.0 / rate_hz)
        pose = _interpolate(grid, time_s[part], clip.pose_m[part])
        root = None if clip.root_m is None else _interpolate(grid, time_s[part], clip.root_m[part])
        segments.append((pose, root))
    return segments


def _interpolate(
    grid: NDArray[np.floating], time: NDArray[np.floating], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Linear interpolation along the first axis."""
    right = np.clip(np.searchsorted(time, grid), 1, len(time) - 1)
    share = ((grid - time[right - 1]) / (time[right] - time[right - 1])).clip(0, 1)
    share = share.reshape(-1, *(1,) * (values.ndim - 1)).astype(np.float32)
    return np.asarray(values[right - 1] * (1 - share) + values[right] * share, np.float32)


def sampling_weights(motion: MotionSet, starts: NDArray[np.int64], frames: int) -> NDArray[np.float64]:
    """Probability of each window start: families by the square root of their size, and within one more of what moves.

    Idle and exercise motion dominate by minutes; half of a family's weight goes evenly to its windows, half in
    proportion to how far the body moves within a window.
    """
    speed = np.zeros(len(motion.segment))
    speed[1:] = np.linalg.norm(np.diff(motion.pose_m, axis=0), axis=-1).mean(axis=-1)
    travelled = np.concatenate([[0.0], np.cumsum(speed)])
    # Without the step into a window's first row: it may come from another segment.
    movement = travelled[starts + frames] - travelled[starts + 1]
    families = np.array(motion.families)[motion.segment[starts]]
    weights = np.zeros(len(starts))
    for family in np.unique(families):
        mine = families == family
        share = np.sqrt(mine.sum())
        lively = movement[mine] / max(movement[mine].sum(), 1e-9)
        weights[mine] = share * (0.5 / mine.sum() + 0.5 * lively)
    return np.asarray(weights / weights.sum(), np.float64)
