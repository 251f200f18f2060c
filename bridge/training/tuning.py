"""Choosing the refinement: every kernel and every control gets the same number of tries on the same validation windows.

The score is the energy score (fair form) of the whole trajectory in metres, hip-centred, as `pose-bridge evaluate`
prints it. All tries share weights, samples and base noise, so that differences are due to the sampler alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.forecaster.checkpoint import rewrite_metadata
from bridge.forecaster.forecaster import Forecaster, WindowBatch
from bridge.forecaster.refinement import KERNEL_FUNCTIONS, Refinement
from bridge.forecaster.sampling import BlockSampler, Control, RefinedFlow
from bridge.training.batches import TrainingBatch, make_batch
from bridge.training.motion import MotionSet

_HORIZON_FRAMES = 30
_SAMPLES = 16
_TEMPERATURES = (1.15, 1.05, 0.95, 0.85)
_COARSE, _FINE = 16, 8
_SAME_SCORE = 1e-3

Dials = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        refinement: the default.
        kernels: the best setting of each kernel, which had as many tries as any control.
        controls: the best setting of each control.
        tries: (method, setting, energy score in metres) of everything.
        windows: scored on.
    """

    refinement: Refinement
    kernels: dict[str, Refinement]
    controls: dict[str, Control]
    tries: list[tuple[str, str, float]]
    windows: int


@dataclass(frozen=True, slots=True)
class Family:
    """A way to draw with two dials: temperature and a strength that each family reads in its own way.

    Attributes:
        build: (temperature, strength, variant) to a sampler.
        settings: (strength, variant) pairs tried at every coarse temperature; empty: temperature is the only dial.
    """

    build: Callable[[float, float, str], BlockSampler]
    settings: tuple[tuple[float, str], ...] = ()

    def coarse(self) -> list[Dials]:
        """The first `_COARSE` tries."""
        if not self.settings:
            return [(float(t), 0.0, "") for t in np.linspace(0.55, 1.45, _COARSE)]
        return [(t, strength, variant) for t, (strength, variant) in product(_TEMPERATURES, self.settings)]

    def around(self, best: Dials) -> list[Dials]:
        """The other `_FINE` tries, around the best so far."""
        t, strength, variant = best
        if not self.settings:
            return [(t + step, 0.0, "") for step in (-0.04, -0.03, -0.02, -0.01, 0.01, 0.02, 0.03, 0.04)]
        moves = [*product((-0.06, 0.06), (0.75, 1.0, 1.33)), (0.0, 0.75), (0.0, 1.33)]
        return [(t + step, strength * factor, variant) for step, factor in moves]


def _refined(kernel: str) -> Callable[[float, float, str], BlockSampler]:
    def build(temperature: float, strength: float, variant: str) -> BlockSampler:
        layers, persistence, guide = variant.split()
        size = round(min(strength, 1.0) if kernel == "pcn" else strength, 4)
        chosen = Refinement(kernel, 1, size, round(temperature, 4), layers, float(persistence), float(guide))
        return RefinedFlow(chosen)

    return build


# Strength; layers, persistence and guide of the kernels. The white-noise control gets the same strengths.
_KERNELS = ((0.12, "all 0 0"), (0.12, "all 0.9 0"), (0.3, "last 0 0"), (0.3, "last 0.9 0"))
_GUIDED_KERNELS = ((0.12, "all 0.9 0.5"), (0.3, "last 0 0.5"), (0.3, "last 0.9 0.35"), (0.3, "last 0.9 0.55"))
_NOISE = ((0.12, "0"), (0.12, "0.9"), (0.3, "0"), (0.3, "0.9"))

_CONTROLS: dict[str, Family] = {
    "gaussian_head": Family(lambda t, _strength, _variant: Control(source="head", temperature=round(t, 4))),
    "gru_nf_tempered": Family(lambda t, _strength, _variant: Control(temperature=round(t, 4))),
    "gru_nf_clamped": Family(
        lambda t, strength, _variant: Control(temperature=round(t, 4), clamp=round(strength, 4)),
        ((1.5, ""), (2.0, ""), (3.0, ""), (4.0, "")),
    ),
    "gru_nf_noise": Family(
        lambda t, strength, variant: Control(
            temperature=round(t, 4), noise=round(strength, 4), persistence=float(variant)
        ),
        _NOISE,
    ),
    "gru_nf_shrunk": Family(
        lambda t, strength, _variant: Control(temperature=round(t, 4), shrink=round(min(strength, 0.9), 4)),
        ((0.05, ""), (0.1, ""), (0.2, ""), (0.3, "")),
    ),
}
# The guide alone, without any MCMC: how much of a guided refinement's gain is the guide's.
_GUIDED = Family(
    lambda t, strength, _variant: Control(temperature=round(t, 4), guide=round(min(strength, 1.0), 4)),
    ((0.15, ""), (0.3, ""), (0.45, ""), (0.6, "")),
)


def families(*, guided: bool) -> dict[str, Family]:
    """What is tried, by name, for weights with or without a guide."""
    variants = _GUIDED_KERNELS if guided else _KERNELS
    refined = {f"gru_snf:{kernel}": Family(_refined(kernel), variants) for kernel in KERNEL_FUNCTIONS}
    return {**refined, **_CONTROLS, **({"gru_nf_guided": _GUIDED} if guided else {})}


TRIES_EACH = _COARSE + _FINE


def tune_refinement(
    weights: Path, validation: MotionSet, say: Callable[[str], None], *, budget_s: float = 600.0, device: str = "cpu"
) -> Choice:
    """Try all candidates on validation windows, keep the best in the weights' metadata.

    Args:
        weights: file to tune; rewritten with its new default refinement, the settings of kernels and controls, and the
            tries behind them.
        validation: motion of subjects that were not trained on.
        say: told what is going on.
        budget_s: time to spend; fewer windows are used where the machine is slow.
    """
    forecaster = Forecaster.load(weights, device=device, record=False)
    metadata, context_frames = forecaster.metadata, forecaster.context_frames
    frames = context_frames + _HORIZON_FRAMES
    starts = validation.window_starts(frames, stride=15)

    def batch_of(windows: int) -> TrainingBatch:
        chosen = starts[np.linspace(0, len(starts) - 1, windows).astype(np.int64)]
        return make_batch(
            validation,
            chosen,
            metadata.layout,
            context_frames=context_frames,
            horizon_frames=_HORIZON_FRAMES,
        )

    probe = batch_of(min(32, len(starts)))
    tried = families(guided=forecaster.model.guide is not None)
    tries = len(tried) * TRIES_EACH
    heaviest = tried["gru_snf:langevin"].build(1.0, 0.2, "all 0 0")
    energy_scores(forecaster, probe, heaviest)
    begun = time.monotonic()
    energy_scores(forecaster, probe, heaviest)
    per_window_s = (time.monotonic() - begun) / len(probe.future)
    windows = int(np.clip(budget_s / tries / per_window_s, min(16, len(starts)), len(starts)))
    batch = batch_of(windows)
    say(f"choosing the refinement: {tries} settings on {windows} validation windows, {_SAMPLES} samples each")
    scored: list[Try] = []
    for name, family in tried.items():
        best = _search(name, family, lambda sampler: float(energy_scores(forecaster, batch, sampler).mean()), scored)
        say(f"  {name:20s} {best[2]:.4f}  {_describe(best[1])}")
    plain = float(energy_scores(forecaster, batch, RefinedFlow(Refinement())).mean())
    say(f"  {'gru_nf':20s} {plain:.4f}")
    refined = [(s.refinement, score) for _, s, score in scored if isinstance(s, RefinedFlow)]
    refinement, score = _choose(refined)
    kernels = {kernel: _best_of_kernel(kernel, refined) for kernel in sorted({r.kernel for r, _ in refined})}
    controls = {
        name: min(((s, v) for n, s, v in scored if n == name and isinstance(s, Control)), key=lambda pair: pair[1])[0]
        for name in tried
        if not name.startswith("gru_snf:")
    }
    table = [(name, _describe(sampler), round(value, 5)) for name, sampler, value in scored]
    table.append(("gru_nf", str(Refinement()), round(plain, 5)))
    search = {
        "score": "energy score, metres, fair form, whole trajectory, hip-centred",
        "windows": windows,
        "samples": _SAMPLES,
        "horizon_frames": _HORIZON_FRAMES,
        "chosen": {"refinement": str(refinement), "energy_score": round(score, 5)},
        "tries": table,
    }
    rewrite_metadata(
        weights,
        refinement=refinement,
        validation={**metadata.validation, "refinement_search": search},
        controls={name: _settings(control) for name, control in controls.items()},
        kernels={kernel: str(best) for kernel, best in kernels.items()},
    )
    say(f"default refinement: {refinement}")
    return Choice(refinement, kernels, controls, table, windows)


def _best_of_kernel(kernel: str, tries: list[tuple[Refinement, float]]) -> Refinement:
    return min((pair for pair in tries if pair[0].kernel == kernel), key=lambda pair: pair[1])[0]


def _choose(tries: list[tuple[Refinement, float]]) -> tuple[Refinement, float]:
    """The best of all; among those that score the same (within 0.1 %), the best of the cheapest kernel.

    Preconditioned Crank-Nicolson needs neither energies nor decisions, Metropolis needs both, Langevin more of them.
    """
    cost = {"pcn": 0, "metropolis": 1, "langevin": 2}
    limit = min(score for _, score in tries) * (1 + _SAME_SCORE)
    level = [pair for pair in tries if pair[1] <= limit]
    return min(level, key=lambda pair: (cost[pair[0].kernel], pair[1]))


Try = tuple[str, BlockSampler, float]


def _search(name: str, family: Family, score: Callable[[BlockSampler], float], tries: list[Try]) -> Try:
    """Score the coarse settings, then those around the best; all go into ``tries``, the best comes back."""
    mine: list[tuple[Dials, Try]] = []
    for round_of_dials in (family.coarse, lambda: family.around(min(mine, key=lambda pair: pair[1][2])[0])):
        for dials in round_of_dials():
            sampler = family.build(*dials)
            mine.append((dials, (name, sampler, score(sampler))))
    tries.extend(one for _, one in mine)
    return min((one for _, one in mine), key=lambda one: one[2])


def energy_scores(forecaster: Forecaster, batch: TrainingBatch, sampler: BlockSampler) -> NDArray[np.float64]:
    """Fair energy score (B,) in metres of ``sampler`` on a batch; window i has seed i."""
    scores, first = [], 0
    for part in batch.parts(64):
        context = part.context
        windows, horizon = part.future.shape[:2]
        drawn = forecaster.sample(
            WindowBatch(
                pose=torch.unflatten(context.pose, -1, (-1, 3)).numpy(),
                observed=context.observed.numpy() > 0.5,
                root=context.root.numpy(),
                has_root=context.has_root[:, 0].numpy() > 0.5,
            ),
            horizon_frames=horizon,
            samples=_SAMPLES,
            seeds=range(first, first + windows),
            sampler=sampler,
        )
        x = torch.from_numpy(drawn.pose).flatten(2)  # (B, S, H*J*3)
        error = (x - part.future.flatten(1)[:, None]).norm(dim=-1).mean(dim=1)
        spread = torch.cdist(x, x).sum(dim=(1, 2)) / (_SAMPLES * (_SAMPLES - 1))
        scores.append((part.scale_m * (error - 0.5 * spread)).double().numpy())
        first += windows
    return np.concatenate(scores)


def _settings(control: Control) -> dict[str, Any]:
    """What differs from a plain control, for the metadata."""
    return {f.name: getattr(control, f.name) for f in fields(control) if getattr(control, f.name) != f.default}


def _describe(sampler: BlockSampler) -> str:
    if isinstance(sampler, RefinedFlow):
        return str(sampler.refinement)
    assert isinstance(sampler, Control)
    return ", ".join(f"{name}={value}" for name, value in asdict(sampler).items() if value is not None)
