"""Small networks with lively random weights, and windows for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bridge.forecaster import Forecaster, Metadata, Refinement, WindowBatch
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.features import Affine
from bridge.forecaster.flow import ConditionalFlow
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.frames import Window
from bridge.skeleton import Layout
from tests.support import TINY_LAYOUT, small_architecture

SMALL = small_architecture(TINY_LAYOUT.joints, couplings=3)


def small_model(arch: Architecture = SMALL, *, seed: int = 0) -> GruSnf:
    """A network whose couplings and head really do something, in evaluation mode."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GruSnf(arch)
        enliven(model.flow)
    poses = 0.3 * rng.standard_normal((512, arch.joints, 3))
    blocks = 0.05 * rng.standard_normal((512, arch.block_frames, arch.joints, 3))
    model.codec.fit(blocks.astype(np.float32), poses.astype(np.float32))
    return model.eval().requires_grad_(False)


def enliven(flow: ConditionalFlow, deviation: float = 0.25) -> None:
    """Give the couplings' last layers weights of this size: as initialised, every coupling is close to the identity."""
    for layer in flow.third:
        assert isinstance(layer, Affine)
        assert layer.bias is not None
        nn.init.normal_(layer.weight, std=deviation)
        nn.init.normal_(layer.bias, std=deviation)


def small_forecaster(*, seed: int = 0, refinement: Refinement | None = None) -> Forecaster:
    """A forecaster of `TINY_LAYOUT` around `small_model`."""
    metadata = Metadata(TINY_LAYOUT, 30.0, SMALL, refinement or Refinement("pcn", steps=1, step_size=0.3))
    return Forecaster(small_model(seed=seed), metadata, "test", torch.device("cpu"))


def contexts(windows: int, arch: Architecture = SMALL, *, seed: int = 0) -> ContextBatch:
    """Random windows, every second one with a root and a few landmarks unobserved."""
    generator = torch.Generator().manual_seed(seed)
    shape = (windows, arch.context_frames)
    has_root = (torch.arange(windows) % 2 == 0).float()[:, None]
    root = 0.1 * torch.randn(*shape, 3, generator=generator)
    return ContextBatch(
        pose=0.3 * torch.randn(*shape, arch.joints * 3, generator=generator),
        observed=(torch.rand(*shape, arch.joints, generator=generator) > 0.1).float(),
        root=(root - root[:, -1:]) * has_root[:, None],
        has_root=has_root,
    )


def window_batch(windows: int, *, seed: int = 0) -> WindowBatch:
    """The same as `contexts`, as `Forecaster.sample` takes them."""
    made = contexts(windows, seed=seed)
    return WindowBatch(
        pose=made.pose.unflatten(-1, (-1, 3)).numpy(),
        observed=made.observed.numpy() > 0,
        root=made.root.numpy(),
        has_root=made.has_root[:, 0].numpy() > 0,
    )


def rows_of(batch: WindowBatch, rows: list[int]) -> WindowBatch:
    """Some windows of a batch, in this order."""
    return WindowBatch(batch.pose[rows], batch.observed[rows], batch.root[rows], batch.has_root[rows])


def moving_window(
    *, seed: int = 0, layout: Layout = TINY_LAYOUT, frames: int = SMALL.context_frames, with_root: bool = True
) -> Window:
    """A body near the layout's template that sways and drifts, metres, hip-centred."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 30.0
    phase = rng.uniform(0, 6, (layout.joints, 3))
    sway = 0.05 * np.sin(6.0 * time[:, None, None] + phase)
    pose = 0.45 * (layout.template + sway)
    pose -= 0.5 * (pose[:, layout.hips[0]] + pose[:, layout.hips[1]])[:, None]
    root = np.cumsum(0.02 * rng.standard_normal((frames, 3)), axis=0) + rng.normal(0, 3, 3)
    return Window(
        layout_id=layout.id,
        pose_m=pose.astype(np.float32),
        observed=np.ones((frames, layout.joints), np.bool_),
        root_m=root.astype(np.float32) if with_root else None,
        bridged=np.zeros(frames, np.bool_),
        sequence=frames - 1,
        timestamp_us=frames * 33_333,
    )


def turned(points_m: NDArray[np.floating], angle_rad: float, scale: float = 1.0) -> NDArray[np.float64]:
    """Points (..., 3) turned about the vertical y, from +x towards +z, and scaled."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    return scale * np.asarray(points_m, np.float64) @ turn


def moved_window(window: Window, angle_rad: float, scale: float, shift_m: NDArray[np.floating]) -> Window:
    """The same window in another world: turned about the vertical, scaled and shifted."""
    root_m = None if window.root_m is None else (turned(window.root_m, angle_rad, scale) + shift_m).astype(np.float32)
    return replace(window, pose_m=turned(window.pose_m, angle_rad, scale).astype(np.float32), root_m=root_m)
