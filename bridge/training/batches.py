"""Batches: windows of a `MotionSet`, augmented, canonical, as the tensors that the model reads and predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridge.forecaster.model import ContextBatch
from bridge.geometry import canonicalise
from bridge.skeleton import Layout
from bridge.training.augment import (
    Augmentation,
    change_proportions,
    drop_landmarks,
    mirror,
    random_factors,
    tracker_noise,
)
from bridge.training.motion import MotionSet


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Contexts and what came next, canonical.

    Attributes:
        context: B windows of C frames.
        future: (B, H, J*3) poses after the context.
        future_root: (B, H, 3) roots after it, zero where unknown.
        root_known: (B, 3) axes of the root that were captured.
        scale_m: (B,) metres per canonical unit.
    """

    context: ContextBatch
    future: Tensor
    future_root: Tensor
    root_known: Tensor
    scale_m: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> TrainingBatch:
        """The same batch with every tensor changed, for instance moved to a device or cut to some rows."""
        context = ContextBatch(*(change(t) for t in self.context.tensors()))
        rest = (self.future, self.future_root, self.root_known, self.scale_m)
        return TrainingBatch(context, *(change(t) for t in rest))

    def parts(self, windows: int) -> Iterator[TrainingBatch]:
        """The batch in parts of at most ``windows`` windows."""
        for start in range(0, len(self.future), windows):
            yield self.map(partial(_rows, start=start, stop=start + windows))


def _rows(tensor: Tensor, start: int, stop: int) -> Tensor:
    return tensor[start:stop]


def make_batch(
    motion: MotionSet,
    starts: NDArray[np.int64],
    layout: Layout,
    *,
    context_frames: int,
    horizon_frames: int,
    augmentation: Augmentation | None = None,
    rng: np.random.Generator | None = None,
) -> TrainingBatch:
    """Cut windows out at ``starts``; with an augmentation (and its generator), vary them.

    The future stays clean; noise and dropouts touch the context only, because that is what the tracker will deliver.
    """
    frames = context_frames + horizon_frames
    rows = starts[:, None] + np.arange(frames)
    known = motion.has_root[starts]
    if augmentation is None or rng is None:
        pose, root = motion.pose_m[rows], motion.root_m[rows]
        return _tensors(pose, root, known, np.any(known, axis=1), layout, context_frames)
    windows = len(starts)
    pose, root = _at_other_speeds(motion, starts, frames, augmentation.speed_range, rng)
    flip = rng.random(windows) < augmentation.mirror_share
    pose[flip], root[flip] = mirror(pose[flip], root[flip], layout)
    pose = change_proportions(pose, layout, random_factors(rng, windows, layout, augmentation.bone_deviation))
    keep_root = known.any(axis=1) & (rng.random(windows) < augmentation.root_share)
    return _tensors(pose, root, known, keep_root, layout, context_frames, augmentation, rng)


def _at_other_speeds(
    motion: MotionSet, starts: NDArray[np.int64], frames: int, speed_range: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows played faster or slower; never beyond the segment's end."""
    last_row = np.searchsorted(motion.segment, motion.segment[starts], side="right") - 1
    fastest = (last_row - starts) / (frames - 1)
    log_range = np.log1p(speed_range)
    speed = np.minimum(np.exp(rng.uniform(-log_range, log_range, len(starts))), fastest)
    position = starts[:, None] + speed[:, None] * np.arange(frames)
    lower = np.minimum(position.astype(np.int64), last_row[:, None])
    upper = np.minimum(lower + 1, last_row[:, None])
    share = (position - lower).astype(np.float32)
    pose = motion.pose_m[lower]
    pose += share[..., None, None] * (motion.pose_m[upper] - pose)
    root = motion.root_m[lower]
    root += share[..., None] * (motion.root_m[upper] - root)
    return pose, root


def _tensors(
    pose_m: NDArray[np.float32],
    root_m: NDArray[np.float32],
    known: NDArray[np.bool_],
    has_root: NDArray[np.bool_],
    layout: Layout,
    context_frames: int,
    augmentation: Augmentation | None = None,
    rng: np.random.Generator | None = None,
) -> TrainingBatch:
    window = canonicalise(pose_m, layout, root_m=root_m, context_frames=context_frames)
    assert window.root is not None
    pose, root = window.pose, window.root * known[:, None]
    context = pose[:, :context_frames]
    observed = np.ones(context.shape[:3], np.bool_)
    if augmentation is not None and rng is not None:
        pose, root = _turn_a_little(pose, root, rng.normal(0.0, augmentation.heading_deviation_rad, len(pose)))
        noisy = rng.random(len(pose)) < augmentation.noise_share
        size = rng.uniform(0.0, augmentation.noise_max, len(pose)).astype(np.float32) * noisy
        context = pose[:, :context_frames].copy()
        context[noisy] += tracker_noise(rng, (int(noisy.sum()), *context.shape[1:3]), size[noisy])
        context -= 0.5 * (context[:, :, layout.hips[0]] + context[:, :, layout.hips[1]])[:, :, None]
        context, observed = drop_landmarks(rng, context, layout, augmentation.dropout_share)
    flat = context.reshape(*context.shape[:2], -1)
    return TrainingBatch(
        context=ContextBatch(
            pose=torch.from_numpy(np.ascontiguousarray(flat)),
            observed=torch.from_numpy(observed.astype(np.float32)),
            root=torch.from_numpy(root[:, :context_frames] * has_root[:, None, None]),
            has_root=torch.from_numpy(has_root.astype(np.float32))[:, None],
        ),
        future=torch.from_numpy(np.ascontiguousarray(pose[:, context_frames:])).flatten(2),
        future_root=torch.from_numpy(np.ascontiguousarray(root[:, context_frames:])),
        root_known=torch.from_numpy(known.astype(np.float32)),
        scale_m=torch.from_numpy(window.frame.scale_m.astype(np.float32)),
    )


def _turn_a_little(
    pose: NDArray[np.float32], root: NDArray[np.float32], angle_rad: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn whole windows about the vertical: a tracker's idea of the heading is not exact."""
    cos, sin = np.cos(angle_rad).astype(np.float32), np.sin(angle_rad).astype(np.float32)
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    turn = np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], axis=-1).reshape(-1, 1, 3, 3)
    return (pose.reshape(len(pose), -1, 3)[:, None] @ turn)[:, 0].reshape(pose.shape), (root[:, None] @ turn)[:, 0]
