"""Keeps what was seen and writes one recording for every avatar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.frames import Frame
from bridge.recordings import save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.whole_file import check_output

_SUFFIX = ".npz"


class Recorder:
    """Collects frames, about 60 MB an hour and avatar at 30 Hz, and writes them as recordings.

    Args:
        path: file to write; with several avatars NAME.npz becomes NAME.AVATAR.npz, one for each.
        avatars: whose frames come.

    Raises:
        InvalidInput: if the path cannot be a recording.
    """

    def __init__(self, path: Path, avatars: Sequence[str]) -> None:
        check_output(path, suffixes=(_SUFFIX,))
        self._paths = {avatar: _path_of(path, avatar, alone=len(avatars) == 1) for avatar in avatars}
        self._times_us: list[int] = []
        self._rows: dict[str, list[NDArray[np.float32] | None]] = {avatar: [] for avatar in avatars}

    def add(self, frames: Sequence[Frame]) -> None:
        """Take the frames of one picture, one of each avatar."""
        self._times_us.append(frames[0].timestamp_us)
        for frame in frames:
            self._rows[frame.avatar_id].append(frame.landmarks)

    def save(self, *, fps: float, **notes: str) -> Mapping[str, Path]:
        """Write a recording for every avatar that was seen at all; return their files.

        ``fps`` is the nominal rate in Hz, 0 to take the median of what came. ``notes`` are kept in the files.

        Raises:
            InvalidInput: if a file cannot be written.
            ResourceExhausted: if there is no room for one.
        """
        times_us = np.array(self._times_us, np.int64)
        if fps <= 0:
            fps = 1e6 / float(np.median(np.diff(times_us))) if len(times_us) > 1 else 30.0
        missing = np.full((MEDIAPIPE_POSE_33.joints, 4), np.nan, np.float32)
        written = {}
        for avatar, rows in self._rows.items():
            if all(row is None for row in rows):
                continue
            landmarks = np.stack([missing if row is None else row for row in rows])
            path = self._paths[avatar]
            save_recording(
                path,
                pose_m=landmarks[..., :3],
                visibility=np.nan_to_num(landmarks[..., 3]),
                timestamp_us=times_us,
                fps=fps,
                layout_id=MEDIAPIPE_POSE_33.id,
                root_m=None,
                half_precision=False,
                **notes,
            )
            written[avatar] = path
        return written


def _path_of(path: Path, avatar: str, *, alone: bool) -> Path:
    return path if alone else path.with_name(f"{path.stem}.{avatar.replace(':', '_')}{path.suffix}")
