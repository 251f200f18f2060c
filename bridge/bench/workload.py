"""What is measured: one preset at one batch, as calls that each make a whole forecast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.bench.anatomy import Anatomy, Laps, dissect, one_thread
from bridge.bench.clock import time_ms
from bridge.bench.gemms import Gemm, default_gemms, paper_gemms
from bridge.bench.paper import PaperNet
from bridge.bench.paper_rollout import PaperRollout
from bridge.forecaster import Forecaster, Refinement, WindowBatch

Draw = Callable[[], NDArray[np.floating]]


@dataclass(frozen=True)
class Workload:
    """One preset, batch, number of samples and horizon.

    Attributes:
        gemms: the matrix products of one rollout.
        warm: run it shortly, so that nothing is done for the first time while measured.
        refined: draw all samples with refinement: (B, S, ...) in host memory. plain: without.
        loop_ms: milliseconds of drawing the samples one by one, given the share of the loop to run, (0, 1].
        dissect: where time and memory of ``refined`` go.
        refinement: in words.
    """

    preset: str
    batch: int
    samples: int
    horizon: int
    device: torch.device
    gemms: tuple[Gemm, ...]
    warm: Callable[[], object]
    refined: Draw
    plain: Draw
    loop_ms: Callable[[float], float]
    dissect: Callable[[], Anatomy]
    refinement: str


def default_workload(forecaster: Forecaster, *, batch: int, samples: int, horizon: int) -> Workload:
    """The forecaster with its weights; in the loop, the same forecaster asked for one sample at a time.

    Refinement is the weights' own; without it the base keeps its temperature.

    Raises:
        InvalidInput: if samples or horizon are out of range.
    """
    windows = standing_windows(forecaster, batch)
    refinement = forecaster.refinement
    plain = Refinement("none", temperature=refinement.temperature)

    def draw(chosen: Refinement, count: int = samples, seed: int = 0, frames: int = horizon) -> NDArray[np.float32]:
        seeds = range(seed * batch, (seed + 1) * batch)
        return forecaster.sample(windows, horizon_frames=frames, samples=count, seeds=seeds, refinement=chosen).pose

    def loop_ms(share: float) -> float:
        count = max(1, round(samples * share))
        draw(plain, 1)
        spent = time_ms(lambda: [draw(plain, 1, seed) for seed in range(count)], forecaster.device)
        return spent * samples / count

    def anatomy() -> Anatomy:
        with one_thread():
            draw(refinement)
            return dissect(lambda: draw(refinement), gemms, forecaster.device)

    gemms = default_gemms(
        forecaster.metadata.architecture,
        batch,
        samples,
        horizon,
        limb_bones=len(forecaster.layout.limb_bones),
        guided=refinement.active and refinement.guide > 0,
    )
    return Workload(
        preset="default",
        batch=batch,
        samples=samples,
        horizon=horizon,
        device=forecaster.device,
        gemms=gemms,
        warm=lambda: [draw(chosen) for chosen in (refinement, plain)],
        refined=lambda: draw(refinement),
        plain=lambda: draw(plain),
        loop_ms=loop_ms,
        dissect=anatomy,
        refinement=str(refinement),
    )


def standing_windows(forecaster: Forecaster, batch: int) -> WindowBatch:
    """B windows of a body that stands and trembles; what is in a window does not change how long it takes."""
    layout, frames = forecaster.layout, forecaster.context_frames
    rng = np.random.default_rng(0)
    tremble = 0.01 * rng.standard_normal((batch, frames, layout.joints, 3))
    return WindowBatch(
        pose=(layout.template + tremble).astype(np.float32),
        observed=np.ones((batch, frames, layout.joints), np.bool_),
        root=np.zeros((batch, frames, 3), np.float32),
        has_root=np.ones(batch, np.bool_),
    )


def paper_workload(net: PaperNet, *, batch: int, samples: int, horizon: int) -> Workload:
    """The published sizes: our rollout against the published way to sample, on the same weights.

    Both refine after every coupling: ours by the exact kernel, the published loop by Metropolis steps. The loop that is
    timed goes WITHOUT refinement, which makes it faster than the one as published.
    """
    sizes = net.sizes
    device = net.head.weight.device
    generator = torch.Generator(device).manual_seed(0)
    context = torch.rand(batch, sizes.context_frames, sizes.dim, device=device, generator=generator)
    rollouts = {refined: PaperRollout(net, refined=refined) for refined in (True, False)}

    def draw(refined: bool, frames: int = horizon, **more: Any) -> NDArray[np.float32]:
        drawn = rollouts[refined](context, samples=samples, horizon_frames=frames, generator=generator, **more)
        array: NDArray[np.float32] = drawn.cpu().numpy()
        return array

    def loop_ms(share: float) -> float:
        frames = max(1, round(horizon * share))
        net.loop(context, samples=2, horizon_frames=1, refined=False)
        spent = time_ms(
            lambda: net.loop(context, samples=samples, horizon_frames=frames, refined=False),
            device,
        )
        return spent * horizon / frames

    gemms = paper_gemms(sizes, batch, samples, horizon)

    def anatomy() -> Anatomy:
        laps = Laps(device)
        rollout = PaperRollout(net, refined=True)  # fresh: its buffers count as memory

        def whole() -> None:
            laps.start()
            rollout(context, samples=samples, horizon_frames=horizon, generator=generator, lap=laps)

        peak_mb = dissect(whole, gemms, device).peak_mb
        return Anatomy(laps.shares, peak_mb)

    return Workload(
        preset="paper",
        batch=batch,
        samples=samples,
        horizon=horizon,
        device=device,
        gemms=gemms,
        warm=lambda: [draw(refined, 2) for refined in (True, False)],
        refined=lambda: draw(True),
        plain=lambda: draw(False),
        loop_ms=loop_ms,
        dissect=anatomy,
        refinement=f"pcn(steps={sizes.mcmc_steps}, step_size={sizes.step_size:g}, layers=all)",
    )
