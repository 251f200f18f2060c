"""Reading and writing recorded motion: our own recordings, and motion files that hold many clips.

Both are npz files. A recording has ``world`` (T, J, 3 to 5: x, y, z in metres, then visibility, presence; NaN where
undetected), ``timestamp_us`` or ``timestamp_ms``, and optionally ``fps``, ``layout``, ``root`` (T, 3 metres),
``detected``, ``subject``, ``action``, ``source``, ``licence``. A motion file has ``pose`` (N, J, 3 integers times
``scale`` = metres), ``root`` (N, 3), ``starts`` (clips + 1), ``clip_ids``, ``fps`` and ``scale``. An ``index.csv``
(see `bridge.motion_files`) names the subject, split, action and licence of clips. Nothing is ever unpickled.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import InvalidInput
from bridge.frames import Frame
from bridge.limits import MAX_COORDINATE_M
from bridge.motion_files import MotionFile, find_motion_files, refused
from bridge.skeleton import MEDIAPIPE_POSE_33, get_layout
from bridge.whole_file import whole_file

BUNDLED_RECORDING = Path(__file__).parent / "cli" / "data" / "sports2d_demo.npz"
"""A real MediaPipe recording to try things with; where it comes from is written beside it."""
_FAMILIES = ("cmu", "deepmimic", "react", "studiogalt", "uiprmd")
_OWN_FAMILY = "recording"
_READ_ERRORS = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
_FLAT_VERTICAL_M = 1e-4
# Converted sources whose `root` is, in part, the offset of the hips' middle from the skeleton's root and no position.
_SUBJECTS_WITHOUT_ROOT = {"cmuexp"}
_FAMILIES_WITHOUT_VERTICAL = {"react"}


@dataclass(frozen=True, slots=True)
class Clip:
    """One continuous recording of one body.

    Attributes:
        clip_id: name of the clip, unique within its file.
        subject: who moves; splits are made by subject.
        action: what is done, in words.
        split: ``train``, ``validation``, ``calibration`` ...; None when no index names one.
        family: source the subject belongs to, ``recording`` when it is none of the known ones.
        licence: of the data, empty when unknown.
        layout_id: landmark layout, J landmarks.
        fps: nominal frame rate in Hz; ``timestamp_us`` is what counts.
        pose_m: (T, J, 3) metres, world axes, origin as recorded; NaN where a landmark or a whole frame is undetected.
        visibility: (T, J) 0 to 1; 0 where ``pose_m`` is NaN, 1 elsewhere in formats that do not say.
        root_m: (T, 3) position of the origin of ``pose_m`` in a fixed world, metres; None when there is none.
        root_has_vertical: False when the root moves along the ground only (its height was not captured) or is None.
        timestamp_us: (T,) microseconds, strictly increasing.
    """

    clip_id: str
    subject: str
    action: str
    split: str | None
    family: str
    licence: str
    layout_id: str
    fps: float
    pose_m: NDArray[np.float32]
    visibility: NDArray[np.float32]
    root_m: NDArray[np.float32] | None
    root_has_vertical: bool
    timestamp_us: NDArray[np.int64]

    def __repr__(self) -> str:
        """What it is, in one line."""
        seconds = (int(self.timestamp_us[-1]) - int(self.timestamp_us[0])) / 1e6
        known = [
            f"subject {self.subject}",
            *([self.split] if self.split else []),
            *([self.action] if self.action else []),
        ]
        root = "" if self.root_m is None else ", with root"
        return (
            f"Clip({self.clip_id!r}, {', '.join(known)}, {self.layout_id}, {self.frames} frames in {seconds:.2f} s at "
            f"{self.fps:g} Hz, {int(self.detected.sum())} with a body{root})"
        )

    @property
    def frames(self) -> int:
        """Number of frames, T."""
        return len(self.timestamp_us)

    @property
    def detected(self) -> NDArray[np.bool_]:
        """(T,) True where at least one landmark was seen."""
        return np.asarray((self.visibility > 0).any(axis=1), np.bool_)


def load_clips(path: Path | str) -> list[Clip]:
    """Read every clip of one npz file, or of all npz files of a folder and its sub-folders (sorted by path).

    Raises:
        NotFound: if there is no such file, or no npz file in the folder, or a file names an unknown layout.
        InvalidInput: if a file is damaged, lacks a key or holds values that cannot be used.
    """
    return [clip for file in find_motion_files(path) for clip in read_npz(file)]


def clip_frames(clip: Clip, avatar_id: str, *, start_us: int = 1, first_sequence: int = 0) -> Iterator[Frame]:
    """Yield the clip as frames of an avatar, spaced as recorded; undetected rows have ``landmarks`` None.

    The first frame is at ``start_us`` (the wire wants times above 0) and has ``first_sequence``; the rest follow.
    """
    landmarks = np.concatenate([np.nan_to_num(clip.pose_m), clip.visibility[..., None]], axis=-1, dtype=np.float32)
    detected = clip.detected
    times_us = (clip.timestamp_us - clip.timestamp_us[0] + start_us).tolist()
    for row, timestamp_us in enumerate(times_us):
        root_m = clip.root_m[row] if clip.root_m is not None and detected[row] else None
        pose = landmarks[row] if detected[row] else None
        yield Frame(avatar_id, first_sequence + row, timestamp_us, pose, root_m)


def save_recording(
    path: Path | str,
    *,
    pose_m: NDArray[np.floating[Any]],
    visibility: NDArray[np.floating[Any]],
    timestamp_us: NDArray[np.int64],
    fps: float,
    layout_id: str,
    root_m: NDArray[np.floating[Any]] | None = None,
    half_precision: bool = False,
    **notes: str,
) -> None:
    """Write one recording that `load_clips` reads back; an existing file is replaced once the new one is complete.

    ``pose_m`` (T, J, 3) metres with NaN where undetected, ``visibility`` (T, J), ``timestamp_us`` (T,), ``root_m``
    (T, 3) metres. ``half_precision`` stores float16 (at most 0.5 mm of rounding within 2 m). ``notes`` are kept as
    text: ``subject``, ``action``, ``source``, ``licence`` and others.

    Raises:
        InvalidInput: if the arrays do not fit together, `load_clips` would refuse them, or the file cannot be written.
        ResourceExhausted: if there is no room for the file.
    """
    path = Path(path)
    world = np.concatenate([pose_m, visibility[..., None]], axis=-1)
    arrays: dict[str, NDArray[Any]] = {
        "world": world.astype(np.float16 if half_precision else np.float32),
        "timestamp_us": np.asarray(timestamp_us, np.int64),
        "fps": np.asarray(fps, np.float64),
        "layout": np.asarray(layout_id),
        **{key: np.asarray(text) for key, text in notes.items()},
    }
    if root_m is not None:
        arrays["root"] = np.asarray(root_m, np.float32)
    _recording_clip(MotionFile(path, path.stem, path.stem, {}), arrays)
    with whole_file(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_npz(file: MotionFile) -> Iterator[Clip]:
    """Yield the clips of one npz file.

    Raises:
        NotFound: if it names an unknown layout.
        InvalidInput: if it is damaged, lacks a key or holds values that cannot be used.
    """
    path = file.path
    try:
        # numpy takes what it does not know for a pickle, and says how to load that.
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no npz file, or not all of one")
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single bare array")
        with opened as archive:
            arrays = {key: archive[key] for key in archive.files if key != "normalized"}
    except _READ_ERRORS as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", field="data", expected="an undamaged npz file without pickled objects"
        ) from error
    if "world" in arrays:
        yield _recording_clip(file, arrays)
    elif "pose" in arrays:
        yield from _motion_clips(file, arrays)
    else:
        raise refused(path, f"has neither 'world' nor 'pose', but {sorted(arrays)}", "a recording or a motion file")


def _recording_clip(file: MotionFile, arrays: Mapping[str, NDArray[Any]]) -> Clip:
    path, entry = file.path, file.entry(file.name)
    world = _numbers(path, arrays, "world", ndim=3)
    frames, joints, columns = world.shape
    if columns < 3 or frames == 0:
        raise refused(path, f"'world' has shape {world.shape}", "(T, J, 3 or more) with T at least 1")
    if "timestamp_us" in arrays:
        timestamp_us = _numbers(path, arrays, "timestamp_us", ndim=1).astype(np.int64)
    else:
        timestamp_us = np.rint(_numbers(path, arrays, "timestamp_ms", ndim=1).astype(np.float64) * 1e3).astype(np.int64)
    pose_m = world[..., :3].astype(np.float32)
    visibility = world[..., 3].astype(np.float32) if columns > 3 else np.ones((frames, joints), np.float32)
    if "detected" in arrays:
        pose_m[~_numbers(path, arrays, "detected", ndim=1, length=frames).astype(bool)] = np.nan
    if len(timestamp_us) != frames:
        raise refused(path, f"{len(timestamp_us)} timestamps for {frames} frames", "one for each frame")
    span_us = int(timestamp_us[-1] - timestamp_us[0])
    fps = _scalar(path, arrays, "fps", default=(frames - 1) * 1e6 / span_us if span_us > 0 else 30.0)
    subject = entry.get("subject") or _text(arrays, "subject", file.subject)
    root_m = _numbers(path, arrays, "root", ndim=2, length=frames).astype(np.float32) if "root" in arrays else None
    return checked_clip(
        path,
        Clip(
            clip_id=file.name,
            subject=subject,
            action=entry.get("action") or _text(arrays, "action", ""),
            split=entry.get("split") or None,
            family=family_of(subject),
            licence=entry.get("licence") or _text(arrays, "licence", ""),
            layout_id=_layout_id(path, arrays, joints),
            fps=fps,
            pose_m=pose_m,
            visibility=visibility,
            root_m=root_m,
            root_has_vertical=False,
            timestamp_us=timestamp_us,
        ),
    )


def _motion_clips(file: MotionFile, arrays: Mapping[str, NDArray[Any]]) -> Iterator[Clip]:
    path = file.path
    pose = _numbers(path, arrays, "pose", ndim=3)
    rows, joints, columns = pose.shape
    if columns != 3:
        raise refused(path, f"'pose' has shape {pose.shape}", "(N, J, 3)")
    scale = _scalar(path, arrays, "scale", default=1.0)
    fps = _scalar(path, arrays, "fps")
    root = _numbers(path, arrays, "root", ndim=2, length=rows).astype(np.float32) if "root" in arrays else None
    starts = _numbers(path, arrays, "starts", ndim=1).astype(np.int64)
    clip_ids = [str(name) for name in np.atleast_1d(_array(path, arrays, "clip_ids"))]
    if len(starts) != len(clip_ids) + 1 or starts[0] != 0 or starts[-1] != rows or (np.diff(starts) <= 0).any():
        raise refused(path, f"'starts' does not cut {rows} rows into {len(clip_ids)} clips", "0 rising to all rows")
    layout_id = _layout_id(path, arrays, joints)
    for clip_id, start, stop in zip(clip_ids, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        entry = file.entry(clip_id)
        subject = entry.get("subject") or file.subject
        pose_m = pose[start:stop].astype(np.float32)
        pose_m *= np.float32(scale)
        yield checked_clip(
            path,
            Clip(
                clip_id=clip_id,
                subject=subject,
                action=entry.get("action", ""),
                split=entry.get("split") or None,
                family=family_of(subject),
                licence=entry.get("licence", ""),
                layout_id=layout_id,
                fps=fps,
                pose_m=pose_m,
                visibility=np.ones((stop - start, joints), np.float32),
                root_m=None if root is None else root[start:stop],
                root_has_vertical=False,
                timestamp_us=np.rint(np.arange(stop - start) * (1e6 / fps)).astype(np.int64),
            ),
        )


def checked_clip(path: Path, clip: Clip) -> Clip:
    """The clip of a file with NaN and visibility made to agree (in place) and the root judged.

    Raises:
        InvalidInput: if the numbers cannot be used.
    """
    if (np.diff(clip.timestamp_us) <= 0).any():
        row = int(np.argmax(np.diff(clip.timestamp_us) <= 0)) + 1
        raise refused(path, f"{clip.clip_id}: timestamp of frame {row} does not increase", "strictly increasing times")
    if not 0 < clip.fps < 10_000:
        raise refused(path, f"'fps' is {clip.fps}", "a frame rate in Hz")
    lost = ~np.isfinite(clip.pose_m).all(axis=-1) | ~(clip.visibility > 0)
    if lost.any():
        clip.pose_m[lost] = np.nan
        clip.visibility[lost] = 0.0
    if np.nanmax(np.abs(clip.pose_m), initial=0.0) > MAX_COORDINATE_M:
        raise refused(path, f"{clip.clip_id}: a landmark lies beyond {MAX_COORDINATE_M:g} m", "positions in metres")
    np.minimum(clip.visibility, 1.0, out=clip.visibility)
    root_m = clip.root_m
    if root_m is None or clip.subject in _SUBJECTS_WITHOUT_ROOT or not np.nan_to_num(root_m).any():
        root_m = None
    elif root_m.shape[1] != 3 or not np.isfinite(root_m[clip.detected]).all():
        raise refused(path, f"{clip.clip_id}: 'root' is not finite in every detected frame", "(T, 3) metres")
    has_vertical = False
    if root_m is not None and clip.family not in _FAMILIES_WITHOUT_VERTICAL:
        has_vertical = bool(np.nanmax(root_m[:, 1]) - np.nanmin(root_m[:, 1]) > _FLAT_VERTICAL_M)
    return replace(clip, root_m=root_m, root_has_vertical=has_vertical)


def family_of(subject: str) -> str:
    """Source that a subject belongs to, by its name; ``recording`` if it is none of the known ones."""
    match = re.match(r"[a-z]+", subject)
    prefix = match.group() if match else ""
    return next((family for family in _FAMILIES if prefix.startswith(family)), _OWN_FAMILY)


def _layout_id(path: Path, arrays: Mapping[str, NDArray[Any]], joints: int) -> str:
    default = MEDIAPIPE_POSE_33.id if joints == MEDIAPIPE_POSE_33.joints else ""
    layout_id = _text(arrays, "layout", default)
    if not layout_id:
        raise refused(path, f"has {joints} landmarks and no 'layout'", "the id of the layout under the key 'layout'")
    if get_layout(layout_id).joints != joints:
        raise refused(path, f"has {joints} landmarks", f"{get_layout(layout_id).joints}, as in {layout_id}")
    return layout_id


def _array(path: Path, arrays: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
    if key not in arrays:
        raise refused(path, f"lacks the key '{key}'", f"an array '{key}'")
    return arrays[key]


def _numbers(
    path: Path, arrays: Mapping[str, NDArray[Any]], key: str, *, ndim: int, length: int | None = None
) -> NDArray[Any]:
    array = _array(path, arrays, key)
    if array.dtype.kind not in "fiub" or array.ndim != ndim or (length is not None and len(array) != length):
        rows = "" if length is None else f" and {length} rows"
        raise refused(path, f"'{key}' is {array.dtype} of shape {array.shape}", f"numbers with {ndim} axes{rows}")
    return array


def _scalar(path: Path, arrays: Mapping[str, NDArray[Any]], key: str, *, default: float | None = None) -> float:
    if key not in arrays and default is not None:
        return default
    array = _array(path, arrays, key)
    if array.dtype.kind not in "fiu" or array.size != 1 or not np.isfinite(array).all() or array.item() <= 0:
        raise refused(path, f"'{key}' is {array!r}", "one number above 0")
    return float(array.item())


def _text(arrays: Mapping[str, NDArray[Any]], key: str, default: str) -> str:
    return str(arrays[key].item()) if key in arrays and arrays[key].size == 1 else default
