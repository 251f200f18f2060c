"""Forecasts for observed windows: canonical frame, all samples in one batch, back to the world, K futures chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bridge.forecaster.forecaster import Forecaster, WindowBatch
from bridge.forecaster.refinement import Refinement
from bridge.forecaster.results import ForecastResult
from bridge.forecaster.selection import select_futures
from bridge.geometry import CanonicalFrame, canonicalise
from bridge.skeleton import Layout
from bridge.timeline import Window


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """One forecast to make: a window, how far (steps), how many samples and futures, and its seed."""

    window: Window
    horizon_frames: int
    samples: int
    futures: int
    seed: int


def canonical_batch(windows: Sequence[Window], layout: Layout) -> tuple[WindowBatch, CanonicalFrame]:
    """Stack windows of one layout and length, canonical, with the way back."""
    pose_m = np.stack([w.pose_m for w in windows])
    observed = np.stack([w.observed for w in windows])
    has_root = np.array([w.root_m is not None for w in windows])
    blank = np.zeros((pose_m.shape[1], 3))
    root_m = np.stack([blank if w.root_m is None else np.asarray(w.root_m, np.float64) for w in windows])
    heading = np.array([np.nan if w.initial_heading_rad is None else w.initial_heading_rad for w in windows])
    canonical = canonicalise(pose_m, layout, root_m=root_m, observed=observed, initial_heading_rad=heading)
    assert canonical.root is not None
    return WindowBatch(canonical.pose, observed, canonical.root, has_root), canonical.frame


def run_jobs(
    forecaster: Forecaster,
    jobs: Sequence[ForecastJob],
    *,
    refinement: Refinement | None = None,
    diagnostics: bool = False,
) -> list[ForecastResult]:
    """Make all forecasts, those of equal horizon and sample count in one batch; results in the jobs' order.

    Raises:
        InvalidInput: if a job does not fit the weights or the limits.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, job in enumerate(jobs):
        groups[job.horizon_frames, job.samples].append(i)
    results: dict[int, ForecastResult] = {}
    for members in groups.values():
        made = _run_group(forecaster, [jobs[i] for i in members], refinement, diagnostics)
        results.update(zip(members, made, strict=True))
    return [results[i] for i in range(len(jobs))]


def _run_group(
    forecaster: Forecaster, jobs: Sequence[ForecastJob], refinement: Refinement | None, diagnostics: bool
) -> list[ForecastResult]:
    batch, frame = canonical_batch([job.window for job in jobs], forecaster.layout)
    horizon, count = jobs[0].horizon_frames, jobs[0].samples
    drawn = forecaster.sample(
        batch,
        horizon_frames=horizon,
        samples=count,
        seeds=[job.seed for job in jobs],
        refinement=refinement,
        diagnostics=diagnostics,
    )
    windows, joints = len(jobs), forecaster.layout.joints
    flat = drawn.pose.reshape(windows, count * horizon, joints, 3)
    samples_m = frame.pose_to_world(flat).reshape(windows, count, horizon, joints, 3)
    roots_m = frame.root_to_world(drawn.root.reshape(windows, count * horizon, 3)).reshape(windows, count, horizon, 3)
    every = torch.from_numpy(samples_m)
    spread_m = (every - every.mean(dim=1, keepdim=True)).square_().mean(dim=1).sum(dim=-1).sqrt_().numpy()
    results: list[ForecastResult | None] = [None] * windows
    for futures in sorted({job.futures for job in jobs}):
        members = [i for i, job in enumerate(jobs) if job.futures == futures]
        chosen = select_futures(samples_m[members], futures)
        for row, i in enumerate(members):
            window = jobs[i].window
            index = chosen.index[row]
            results[i] = ForecastResult(
                futures_m=samples_m[i, index],
                roots_m=None if window.root_m is None else roots_m[i, index],
                probabilities=chosen.probabilities[row].copy(),
                spread_m=spread_m[i].copy(),
                samples_m=samples_m[i],
                acceptance_rate=None if drawn.acceptance_rate is None else float(drawn.acceptance_rate[i]),
                unobserved_landmarks=tuple(np.flatnonzero(~window.observed.any(axis=0)).tolist()),
                bridged_share=float(window.bridged.mean()),
                avatar_id=window.avatar_id,
                based_on_sequence=window.sequence,
                based_on_timestamp_us=window.timestamp_us,
                step_us=round(1e6 / forecaster.rate_hz),
            )
    return [result for result in results if result is not None]
