"""Training of a network that forecasts one future: the deterministic baseline that the evaluation compares with.

The loss is that of siMLPe (Guo et al. 2023): the mean distance of landmarks, and the same of their velocities. Batches
are those of the forecaster's training: same windows, same weights of families and movement, same augmentation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from bridge.errors import InvalidInput
from bridge.skeleton import Layout
from bridge.training.augment import Augmentation
from bridge.training.batches import make_batch
from bridge.training.motion import MotionSet, sampling_weights

Pair = tuple[Tensor, Tensor]
"""Contexts (B, C, J*3) and what came after them (B, H, J*3), canonical."""


@dataclass(frozen=True, slots=True)
class ResidualOptions:
    """How to train.

    Attributes:
        minutes: time to spend, making of batches included, validation not.
        batch_windows: windows per step.
        learning_rate: its peak; it rises over the first steps and falls to nothing along a cosine of time.
        velocity_weight: of the velocities' part of the loss.
        average_decay: of the running average of the weights, which is what is kept.
        validation_windows: at most so many, evenly spread.
        seed: of everything random.
    """

    minutes: float = 10.0
    batch_windows: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    velocity_weight: float = 1.0
    average_decay: float = 0.99
    validation_windows: int = 1024
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, slots=True)
class ResidualReport:
    """One validation: ``ratio`` is the mean landmark error over all frames, by that of the last pose held."""

    step: int
    elapsed_s: float
    train_loss: float
    ratio: float


def train_residual(
    network: nn.Module,
    train: MotionSet,
    validation: MotionSet,
    layout: Layout,
    options: ResidualOptions,
    *,
    context_frames: int,
    horizon_frames: int,
    on_report: Callable[[ResidualReport], None],
) -> ResidualReport:
    """Train a network on motion, leave it with its averaged weights and return the last report.

    Args:
        network: from contexts (B, C, J*3) to futures (B, H, J*3), canonical.
        train, validation: of different subjects.
        context_frames: C. horizon_frames: H.
        on_report: told about every validation.

    Raises:
        InvalidInput: if no clip is long enough.
    """
    frames = context_frames + horizon_frames
    starts, held_out = train.window_starts(frames), validation.window_starts(frames, stride=15)
    if len(starts) == 0 or len(held_out) == 0:
        raise InvalidInput("no clip is long enough", field="data", expected=f"clips of {frames} frames or more")
    cumulative = np.cumsum(sampling_weights(train, starts, frames))

    def batch(step: int) -> Pair:
        rng = np.random.default_rng([options.seed, 3, step])
        rows = np.searchsorted(cumulative, rng.random(options.batch_windows)).clip(max=len(starts) - 1)
        made = make_batch(
            train,
            starts[rows],
            layout,
            context_frames=context_frames,
            horizon_frames=horizon_frames,
            augmentation=options.augmentation,
            rng=rng,
        )
        return made.context.pose, made.future

    chosen = np.linspace(0, len(held_out) - 1, min(len(held_out), options.validation_windows)).astype(np.int64)
    made = make_batch(
        validation, held_out[chosen], layout, context_frames=context_frames, horizon_frames=horizon_frames
    )
    return fit(network, batch, (made.context.pose, made.future), options, on_report)


def fit(
    network: nn.Module,
    batch: Callable[[int], Pair],
    validation: Pair,
    options: ResidualOptions,
    on_report: Callable[[ResidualReport], None],
) -> ResidualReport:
    """Minimise `loss` on ``batch(0)``, ``batch(1)`` ... until the time is over; see `train_residual`."""
    parameters: list[Tensor] = list(network.parameters())
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=options.weight_decay
    )
    total_s, elapsed_s, step = options.minutes * 60.0, 0.0, 0
    report_s, losses = total_s / 10.0, [math.nan]
    while elapsed_s < total_s:
        losses, due_s = [], min(elapsed_s + report_s, total_s)
        while elapsed_s < due_s or not losses:
            begun = time.monotonic()
            share = min(elapsed_s / total_s, 1.0)
            for group in optimizer.param_groups:
                rise = min(1.0, (step + 1) / 50.0)
                group["lr"] = options.learning_rate * rise * 0.5 * (1.0 + math.cos(math.pi * share))
            context, future = batch(step)
            value = loss(network(context), future, context[:, -1:], options.velocity_weight)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(value)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            decay = min(options.average_decay, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(average, parameters, 1.0 - decay)
            losses.append(float(value.detach()))
            step += 1
            elapsed_s += time.monotonic() - begun
        ratio = _with_weights(network, average, lambda: error_ratio(network, validation))
        on_report(report := ResidualReport(step, elapsed_s, float(np.mean(losses)), ratio))
    with torch.no_grad():
        torch._foreach_copy_(parameters, average)
    return report


def loss(predicted: Tensor, future: Tensor, last_pose: Tensor, velocity_weight: float) -> Tensor:
    """Mean distance of landmarks, plus that of their steps from frame to frame (the first one from the last pose).

    Args:
        predicted, future: (B, H, J*3). last_pose: (B, 1, J*3).
    """
    steps = torch.diff(predicted, dim=1, prepend=last_pose) - torch.diff(future, dim=1, prepend=last_pose)
    return _distance(predicted - future).mean() + velocity_weight * _distance(steps).mean()


@torch.no_grad()
def error_ratio(network: nn.Module, pair: Pair) -> float:
    """Mean landmark error over all frames, by that of the last pose held."""
    context, future = pair
    predicted = torch.cat([network(part) for part in torch.split(context, 256)])
    return float(_distance(predicted - future).mean() / _distance(context[:, -1:] - future).mean())


def _distance(error: Tensor) -> Tensor:
    """(..., J*3) to (..., J), with a finite slope at zero."""
    return torch.sqrt(torch.unflatten(error, -1, (-1, 3)).square().sum(dim=-1) + 1e-10)


def _with_weights(network: nn.Module, values: list[Tensor], run: Callable[[], float]) -> float:
    parameters: list[Tensor] = [p.detach() for p in network.parameters()]
    kept = [p.clone() for p in parameters]
    torch._foreach_copy_(parameters, values)
    result = run()
    torch._foreach_copy_(parameters, kept)
    return result
