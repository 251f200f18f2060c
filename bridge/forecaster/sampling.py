"""Drawing one block: the refined flow, and the controls that refinement has to beat with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from bridge.forecaster.flow import Condition, ConditionalFlow, standard_normal_log_prob
from bridge.forecaster.refinement import BlendedEnergy, PathRecord, Refinement, refine


class BlockNoise(NamedTuple):
    """All randomness of one block for N trajectories: drawn beforehand, per window, so that batches change nothing."""

    base: Tensor  # (N, D) standard normal
    kicks: Tensor  # (kicks, N, D) standard normal
    log_uniforms: Tensor  # (kicks, N) logs of uniform numbers
    root: Tensor  # (N, 6) standard normal


class BlockSampler(Protocol):
    """Draws blocks; `kicks` says how many extra noise vectors each one takes."""

    @property
    def persistence(self) -> float:
        """Correlation of a trajectory's extra noise from one block to the next, [0, 1)."""
        ...

    @property
    def root_temperature(self) -> float:
        """Factor on the standard deviation of the root's displacement; 0: its mean."""
        ...

    @property
    def guide(self) -> float:
        """Strength of the step on the samples' mean towards the guide's prediction, [0, 1]; 0: none."""
        ...

    def kicks(self, flow: ConditionalFlow) -> int:
        """Noise vectors per block besides the base draw."""
        ...

    def draw(
        self, flow: ConditionalFlow, condition: Condition, noise: BlockNoise, record: PathRecord | None = None
    ) -> Tensor:
        """One block (N, D) per trajectory."""
        ...


@dataclass(frozen=True, slots=True)
class RefinedFlow:
    """GRU-SNF: the flow with MCMC steps between its couplings; with ``Refinement("none")`` GRU-NF, bit for bit."""

    refinement: Refinement

    @property
    def persistence(self) -> float:
        """Of the proposals."""
        return self.refinement.persistence

    @property
    def root_temperature(self) -> float:
        """The root is drawn as predicted."""
        return 1.0

    @property
    def guide(self) -> float:
        """Of the refinement, if there is any."""
        return self.refinement.guide if self.refinement.active else 0.0

    def kicks(self, flow: ConditionalFlow) -> int:
        """Proposals per block."""
        return self.refinement.kicks(flow.couplings)

    def draw(
        self, flow: ConditionalFlow, condition: Condition, noise: BlockNoise, record: PathRecord | None = None
    ) -> Tensor:
        """Draw a block (N, D); with a record also path weights (without the target, see `path_log_weight`)."""
        base = noise.base * self.refinement.temperature
        # The head is the outermost layer: between the couplings its prediction is the standard normal.
        halves, used = flow.halves(base), 0
        for i in range(flow.couplings):
            halves, log_scale = flow.bend(i, halves, condition)
            if record is not None:
                record.add(partial(log_scale.sum, dim=1))
            steps = self.refinement.layer_steps(i, flow.couplings)
            if steps:
                energy = BlendedEnergy.between(i, flow.couplings, 0.0, 1.0)
                kicks, uniforms = noise.kicks[used : used + steps], noise.log_uniforms[used : used + steps]
                y = refine(flow.whole(halves), energy, self.refinement, steps, kicks, uniforms, record)
                halves = flow.halves(y)
                used += steps
        if record is not None:
            record.add(partial(condition.log_scale.sum, dim=-1))
        return torch.addcmul(condition.mean, torch.exp(condition.log_scale), flow.whole(halves))


def path_log_weight(
    flow: ConditionalFlow,
    condition: Condition,
    x: Tensor,
    noise: BlockNoise,
    record: PathRecord,
    refinement: Refinement,
) -> Tensor:
    """SNF path weights log w (N,) of blocks x (N, D) for a NAMED target: the unrefined flow's density at temperature 1.

    log w = -u_X(x) + u_Z(z) + sum of dS (Wu, Köhler and Noé 2020), u_X = -log p_flow(x|h), u_Z = -log q(z) with z the
    base draw at the refinement's temperature.
    """
    assert record.log_weight is not None
    tau = refinement.temperature
    log_base = standard_normal_log_prob(noise.base) - noise.base.shape[-1] * torch.log(torch.tensor(tau))
    return flow.log_prob(x, condition) - log_base + record.log_weight


@dataclass(frozen=True, slots=True)
class Control:
    """GRU-NF or the head with a simpler device in refinement's place, to tell a gain of MCMC from a gain of taming.

    Attributes:
        source: ``flow``, ``head`` (the head's Gaussian alone) or ``mean`` (the head's mean, no randomness).
        temperature: standard deviation of the base (or of the head's noise, in units of its scale).
        clamp: activations are cut to [-clamp, clamp] after every coupling; None: not.
        noise: white noise of this size, in units of the head's scale, added to every block.
        shrink: every block is pulled towards the head's mean by this share, [0, 1).
        persistence: correlation of that noise from one block to the next, [0, 1).
        guide: the guide's step on the samples' mean, [0, 1], without any MCMC.
    """

    source: str = "flow"
    temperature: float = 1.0
    clamp: float | None = None
    noise: float = 0.0
    shrink: float = 0.0
    persistence: float = 0.0
    guide: float = 0.0

    @property
    def root_temperature(self) -> float:
        """The root is drawn as predicted; with ``source="mean"`` it has no randomness either."""
        return 0.0 if self.source == "mean" else 1.0

    def kicks(self, flow: ConditionalFlow) -> int:
        """One noise vector when noise is added."""
        return 1 if self.noise > 0 else 0

    def draw(
        self, flow: ConditionalFlow, condition: Condition, noise: BlockNoise, record: PathRecord | None = None
    ) -> Tensor:
        """Draw a block (N, D)."""
        scale = torch.exp(condition.log_scale)
        if self.source == "mean":
            return condition.mean
        base = noise.base * self.temperature
        if self.source == "head":
            return condition.mean + scale * base
        clamp = self.clamp

        def between(_: int, y: Tensor) -> Tensor:
            return y if clamp is None else y.clamp(-clamp, clamp)

        x = flow.push(base, condition, between)
        if self.noise > 0:
            x = x + self.noise * scale * noise.kicks[0]
        return condition.mean + (1.0 - self.shrink) * (x - condition.mean) if self.shrink else x
