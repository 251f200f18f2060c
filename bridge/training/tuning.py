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

from bridge.forecaster.checkpoint import load_checkpoint, rewrite_metadata
from bridge.forecaster.model import GruSnf
from bridge.forecaster.refinement import Refinement
from bridge.forecaster.rollout import blocks_for, draw_noise, rollout
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
    """The refinement chosen, the controls' settings, and every try: (method, setting, energy score in metres)."""

    refinement: Refinement
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
        layers, persistence = variant.split()
        size = min(strength, 1.0) if kernel == "pcn" else strength
        return RefinedFlow(Refinement(kernel, 1, round(size, 4), round(temperature, 4), layers, float(persistence)))

    return build


# Strength, layers and persistence of the kernels; the white-noise control gets the same ones (it has no layers).
_KERNELS = ((0.12, "all 0"), (0.12, "all 0.9"), (0.3, "last 0"), (0.3, "last 0.9"))
_NOISE = ((0.12, "0"), (0.12, "0.9"), (0.3, "0"), (0.3, "0.9"))

FAMILIES: dict[str, Family] = {
    "gru_snf:pcn": Family(_refined("pcn"), _KERNELS),
    "gru_snf:metropolis": Family(_refined("metropolis"), _KERNELS),
    "gru_snf:langevin": Family(_refined("langevin"), _KERNELS),
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
TRIES = len(FAMILIES) * (_COARSE + _FINE)


def tune_refinement(
    weights: Path, validation: MotionSet, say: Callable[[str], None], *, budget_s: float = 600.0, device: str = "cpu"
) -> Choice:
    """Try all candidates on validation windows, keep the best in the weights' metadata.

    Args:
        weights: file to tune; rewritten with its new default refinement, control settings and the tries behind them.
        validation: motion of subjects that were not trained on.
        say: told what is going on.
        budget_s: time to spend; fewer windows are used where the machine is slow.
    """
    model, metadata, _ = load_checkpoint(weights)
    model.to(device)
    frames = model.arch.context_frames + _HORIZON_FRAMES
    starts = validation.window_starts(frames, stride=15)

    def batch_of(windows: int) -> TrainingBatch:
        chosen = starts[np.linspace(0, len(starts) - 1, windows).astype(np.int64)]
        made = make_batch(
            validation,
            chosen,
            metadata.layout,
            context_frames=model.arch.context_frames,
            horizon_frames=_HORIZON_FRAMES,
        )
        return made.map(lambda tensor: tensor.to(device))

    probe = batch_of(min(32, len(starts)))
    heaviest = FAMILIES["gru_snf:pcn"].build(1.0, 0.2, "all 0")
    energy_scores(model, probe, heaviest)
    begun = time.monotonic()
    energy_scores(model, probe, heaviest)
    per_window_s = (time.monotonic() - begun) / len(probe.future)
    windows = int(np.clip(budget_s / TRIES / per_window_s, min(16, len(starts)), len(starts)))
    batch = batch_of(windows)
    say(f"choosing the refinement: {TRIES} settings on {windows} validation windows, {_SAMPLES} samples each")
    scored: list[Try] = []
    for name, family in FAMILIES.items():
        best = _search(name, family, lambda sampler: float(energy_scores(model, batch, sampler).mean()), scored)
        say(f"  {name:20s} {best[2]:.4f}  {_describe(best[1])}")
    plain = float(energy_scores(model, batch, RefinedFlow(Refinement())).mean())
    say(f"  {'gru_nf':20s} {plain:.4f}")
    refined = [(s.refinement, score) for _, s, score in scored if isinstance(s, RefinedFlow)]
    refinement, score = _choose(refined)
    controls = {
        name: min(((s, v) for n, s, v in scored if n == name and isinstance(s, Control)), key=lambda pair: pair[1])[0]
        for name in FAMILIES
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
    )
    say(f"default refinement: {refinement}")
    return Choice(refinement, controls, table, windows)


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


@torch.inference_mode()
def energy_scores(model: GruSnf, batch: TrainingBatch, sampler: BlockSampler) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Fair energy score (B,) in metres of ``sampler`` on a batch; the noise of window i has seed i."""
    scores = []
    first = 0
    for part in batch.parts(64):
        windows = len(part.future)
        noise = draw_noise(
            range(first, first + windows),
            steps=blocks_for(part.future.shape[1], model.arch.block_frames),
            samples=_SAMPLES,
            dim=model.arch.block_dim,
            root_dim=model.arch.root_dim,
            kicks=sampler.kicks(model.flow),
            device=part.future.device,
            persistence=sampler.persistence,
        )
        drawn = rollout(model, part.context, noise, sampler, horizon_frames=part.future.shape[1]).poses.flatten(2)
        error = (drawn - part.future.flatten(1)[:, None]).norm(dim=-1).mean(dim=1)
        spread = torch.cdist(drawn, drawn).sum(dim=(1, 2)) / (_SAMPLES * (_SAMPLES - 1))
        scores.append((part.scale_m * (error - 0.5 * spread)).double().cpu().numpy())
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
