"""How likely the newest block of a window was, as seen from just before it: exact, under the flow that draws forecasts.

A block of F frames (`bridge.forecaster.features`) has the density of the unrefined flow at temperature 1, given the
rows before it: the last F rows of a window are the block, the rows before them the context. The context's own last row
gives the canonical frame, so that nothing of the block leaks into what it is judged by. What the block's coordinates
cannot say is measured beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.brief import brief_repr
from bridge.errors import InvalidInput
from bridge.forecaster.flow import standard_normal_log_prob
from bridge.forecaster.forecaster import Forecaster, WindowBatch
from bridge.forecaster.results import OneStep
from bridge.geometry import canonicalise
from bridge.timeline import Window


@dataclass(frozen=True, slots=True)
class OneStepBatch:
    """B windows' newest blocks; see `bridge.forecaster.results.OneStep`.

    Attributes:
        log_density: (B,) nats, per unit volume of the block's D coordinates.
        base_square: (B,) squared length of what the flow maps the block to; D on average for motion of its own.
        outside_m: (B, J) root mean square over the block of what D coordinates cannot say, metres.
    """

    log_density: NDArray[np.float32]
    base_square: NDArray[np.float32]
    outside_m: NDArray[np.float32]

    __repr__ = brief_repr

    def __getitem__(self, index: int) -> OneStep:
        """What is said of one window."""
        return OneStep(
            float(self.log_density[index]),
            float(self.base_square[index]),
            self.outside_m[index].copy(),
        )


def one_step(forecaster: Forecaster, windows: Sequence[Window]) -> OneStepBatch:
    """Judge the newest block of every window (C rows) by the C - F rows before it.

    Costs one reading of the context and one pass of the flow for each window: a few percent of a rollout.

    Raises:
        InvalidInput: if a window has too few rows, or the body has no extent.
    """
    model, layout = forecaster.model, forecaster.layout
    frames = model.arch.block_frames
    pose_m = np.stack([window.pose_m for window in windows])
    context = pose_m.shape[1] - frames
    if context <= frames or (context - 1) % frames:
        raise InvalidInput(f"{pose_m.shape[1]} rows", field="window", expected=f"{forecaster.context_frames} rows")
    observed = np.stack([window.observed for window in windows])
    has_root = np.array([window.root_m is not None for window in windows])
    blank = np.zeros((pose_m.shape[1], 3))
    root_m = np.stack([blank if w.root_m is None else np.asarray(w.root_m, np.float64) for w in windows])
    heading = np.array([np.nan if w.initial_heading_rad is None else w.initial_heading_rad for w in windows])
    canonical = canonicalise(
        pose_m, layout, root_m=root_m, observed=observed, initial_heading_rad=heading, context_frames=context
    )
    assert canonical.root is not None
    before = WindowBatch(canonical.pose[:, :context], observed[:, :context], canonical.root[:, :context], has_root)
    with torch.inference_mode():
        state = model.start(forecaster.context(before)).state
        poses = torch.from_numpy(canonical.pose[:, context - 1 :]).flatten(2).to(forecaster.device)  # (B, 1 + F, J*3)
        block = model.codec.encode_blocks(poses)[:, 0]
        condition = model.flow.condition(state)
        base, log_det = model.flow.pull(block, condition)
        said = model.codec.decode_block(block, poses[:, 0])
        outside = _distances(said - poses[:, 1:]).square().mean(dim=1).sqrt()
        log_density = standard_normal_log_prob(base) + log_det
    scale_m = canonical.frame.scale_m[:, None].astype(np.float32)
    return OneStepBatch(
        log_density=log_density.cpu().numpy(),
        base_square=base.square().sum(dim=-1).cpu().numpy(),
        outside_m=outside.cpu().numpy() * scale_m,
    )


def _distances(differences: torch.Tensor) -> torch.Tensor:
    """Lengths (..., J) of the landmarks' parts of (..., J*3)."""
    return torch.unflatten(differences, -1, (-1, 3)).square().sum(dim=-1).sqrt()
