"""What documents call "your recording", "a video of yours": files for their commands to work on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.recordings import Clip, load_clips, save_recording
from tests.support import REPOSITORY, shared_dir

BUNDLED = REPOSITORY / "bridge" / "cli" / "data" / "sports2d_demo.npz"


def _save(path: Path, clip: Clip, rows: np.ndarray, subject: str) -> None:
    step_us = round(2e6 / clip.fps)
    save_recording(
        path,
        pose_m=clip.pose_m[rows],
        visibility=clip.visibility[rows],
        timestamp_us=np.arange(1, len(rows) + 1, dtype=np.int64) * step_us,
        fps=clip.fps / 2,
        layout_id=clip.layout_id,
        subject=subject,
    )


def _to_and_fro(folder: Path, subjects: int, repeats: int) -> None:
    """Recordings of several subjects at 15 Hz: the steady part of the bundled one, forwards and backwards."""
    folder.mkdir()
    clip = load_clips(BUNDLED)[0]
    steady = np.flatnonzero(clip.detected)[: len(clip.detected) // 2]
    there_and_back = np.concatenate([steady, steady[-2:0:-1]])[::2]
    for number in range(subjects):
        rows = np.tile(np.roll(there_and_back, 29 * number), repeats)
        _save(folder / f"person{number}.npz", clip, rows, f"person{number}")


def _video(path: Path) -> None:
    shared = shared_dir()
    if shared is not None:
        shutil.copy(shared / "video" / "sports2d_demo.mp4", path)


def _motion(path: Path) -> None:
    shared = shared_dir()
    if shared is not None:
        path.symlink_to((shared / "motion").resolve())


STAND_INS: dict[str, Callable[[Path], object]] = {
    "recording.npz": lambda path: shutil.copy(BUNDLED, path),
    "sports2d_demo.npz": lambda path: shutil.copy(BUNDLED, path),
    "my_recordings": lambda path: _to_and_fro(path, subjects=4, repeats=5),
    "my_motion": lambda path: _to_and_fro(path, subjects=3, repeats=1),
    "dance.mp4": _video,
    "motion": _motion,
}
"""Names that stand in documents, and how what they stand for is made, unless it lies in shared/ and that is absent."""


def lay_out(folder: Path, text: str) -> None:
    """Put into a folder what a document's commands speak of."""
    for name, make in STAND_INS.items():
        if name in text and not (folder / name).exists():
            make(folder / name)
