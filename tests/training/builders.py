"""Synthetic motion of `TINY_LAYOUT`, as clips and as files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.recordings import Clip, save_recording
from bridge.training import MotionSet, build_motion_set
from tests.support import TINY_LAYOUT, small_architecture

SMALL = small_architecture(TINY_LAYOUT.joints)


def motion(time_s: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.float32]:
    """A swaying body (T, J, 3) in metres at these times, hip-centred, smooth."""
    rng = np.random.default_rng(seed)
    phase, rate = rng.uniform(0, 6, (TINY_LAYOUT.joints, 3)), rng.uniform(2, 5)
    sway = 0.1 * np.sin(rate * np.asarray(time_s)[:, None, None] + phase)
    pose = 0.45 * (TINY_LAYOUT.template + sway)
    hips = list(TINY_LAYOUT.hips)
    return np.asarray(pose - pose[:, hips].mean(axis=1, keepdims=True), np.float32)


def clip(
    frames: int = 90,
    *,
    subject: str = "anna",
    split: str | None = None,
    family: str = "recording",
    fps: float = 30.0,
    seed: int = 0,
    with_root: bool = True,
    clip_id: str = "clip",
) -> Clip:
    """One clip of `motion`, walking along x when it has a root."""
    time_s = np.arange(frames) / fps
    root = np.stack([0.8 * time_s, 0.05 * np.sin(3 * time_s), 0 * time_s], axis=1).astype(np.float32)
    return Clip(
        clip_id=clip_id,
        subject=subject,
        action="sway",
        split=split,
        family=family,
        licence="CC0-1.0",
        layout_id=TINY_LAYOUT.id,
        fps=fps,
        pose_m=motion(time_s, seed=seed),
        visibility=np.ones((frames, TINY_LAYOUT.joints), np.float32),
        root_m=root if with_root else None,
        root_has_vertical=with_root,
        timestamp_us=np.rint(time_s * 1e6).astype(np.int64),
    )


def motion_set(*subjects: str, frames: int = 120, with_root: bool = True) -> MotionSet:
    """One clip per subject."""
    clips = [clip(frames, subject=s, seed=i, with_root=with_root) for i, s in enumerate(subjects or ("anna", "ben"))]
    return build_motion_set(clips, TINY_LAYOUT, 30.0)


def write_recordings(folder: Path, subjects: list[str], *, frames: int = 100) -> None:
    """One recording file per subject."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, subject in enumerate(subjects):
        made = clip(frames, subject=subject, seed=i)
        save_recording(
            folder / f"{subject}.npz",
            pose_m=made.pose_m,
            visibility=made.visibility,
            timestamp_us=made.timestamp_us,
            fps=made.fps,
            layout_id=made.layout_id,
            root_m=made.root_m,
            subject=subject,
            licence=made.licence,
        )


def write_motion_file(folder: Path, splits: dict[str, str], *, frames: int = 100) -> None:
    """One motion file with a clip per subject, and the index that names each one's split."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = [clip(frames, subject=subject, seed=i) for i, subject in enumerate(splits)]
    np.savez(
        folder / "motion.npz",
        pose=np.concatenate([np.rint(c.pose_m * 1000).astype(np.int16) for c in clips]),
        root=np.concatenate([c.root_m for c in clips if c.root_m is not None]),
        starts=np.arange(len(clips) + 1) * frames,
        clip_ids=np.array([f"{subject}_0" for subject in splits]),
        fps=30.0,
        scale=0.001,
        layout=TINY_LAYOUT.id,
    )
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["clip", "subject", "split", "action", "licence"])
        writer.writeheader()
        for subject, split in splits.items():
            writer.writerow(
                {"clip": f"{subject}_0", "subject": subject, "split": split, "action": "sway", "licence": "CC0-1.0"}
            )
