"""Inference-time refinement: a few MCMC steps between the flow's layers.

Sources: Haque and Das 2025 (arXiv 2512.04282) for the idea, energies and schedule; Wu, Köhler and Noé 2020 (arXiv
2002.06707) for stochastic normalizing flows and their path weights. After coupling i of K (i = 0..K-1) the energy is::

    lambda_i = i / (K - 1)
    E_i(y)   = (1 - lambda_i) * |y|^2 / 2 + lambda_i * |(y - m) / s|^2 / 2

a blend of the flow's base with the head's TRAINED Gaussian prediction. E_i is quadratic, so its Gibbs distribution is
the Gaussian N(mu_i, P_i^-1) with precision P_i = (1 - lambda_i) + lambda_i / s^2 and mean mu_i = lambda_i m / s^2 /
P_i. In this model the head is the flow's outermost layer, so between the couplings the head predicts m = 0, s = 1 and
every E_i is |y|^2 / 2. Kernels are exact for it: one acceptance per sample on the summed energy, never per coordinate.

Mind what that means: the kernels leave the HEAD's Gaussian invariant, not the flow. Many steps forget the flow and its
modes; a few small ones pull strays back and stir the rest.

What the kernels cannot know the guide adds: a prediction with other mistakes than the flow's, whose energy acts on the
mean of a window's samples once they are drawn (`bridge.forecaster.guide`).

The default of the bundled weights, ``pcn(steps=1, step_size=0.3, temperature=1.05, layers=last, persistence=0.9,
guide=0.42)``, comes from a search by energy score on the validation subjects, 24 settings for every kernel and every
control (`bridge.training.tuning`). The search chose temperature 1.15 and guide 0.55, which score .3 % better, but
spread the first frames too wide (90 % coverage 95.6 %) and lie farther from the truth in energy distance than the plain
flow: the default is the nearest setting that has neither fault. `pose-bridge evaluate` prints it beside all others;
``validation.refinement_search`` in the weights' metadata lists every try.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from bridge.errors import InvalidInput

KERNELS = ("none", "metropolis", "pcn", "langevin")


@dataclass(frozen=True, slots=True)
class Refinement:
    """How a forecast is refined.

    Attributes:
        kernel: ``none`` (plain GRU-NF), ``metropolis``, ``pcn`` or ``langevin``.
        steps: kernel steps after every refined coupling, 0 or more.
        step_size: of the kernel, in units of the energy's own standard deviation; (0, 1] for ``pcn``.
        temperature: standard deviation of the flow's base, > 0.
        layers: refine after ``all`` couplings or only after the ``last`` one.
        persistence: correlation of a trajectory's proposals from block to block, [0, 1). Exactness given the past needs
            0: see `rollout.draw_noise`.
        guide: strength of the step on the samples' mean towards the guide's prediction, [0, 1]: see `guide.pull_`.
    """

    kernel: str = "none"
    steps: int = 0
    step_size: float = 0.0
    temperature: float = 1.0
    layers: str = "all"
    persistence: float = 0.0
    guide: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            InvalidInput: naming the field.
        """
        if self.kernel not in KERNELS:
            raise InvalidInput(f"{self.kernel!r}", field="refinement.kernel", expected=f"one of {', '.join(KERNELS)}")
        if not 0 <= self.steps <= 64:
            raise InvalidInput(f"{self.steps}", field="refinement.steps", expected="0 to 64")
        if not 0.0 <= self.step_size <= 4.0 or (self.kernel == "pcn" and self.step_size > 1.0):
            raise InvalidInput(f"{self.step_size}", field="refinement.step_size", expected="0 to 4 (0 to 1 for pcn)")
        if not 0.0 < self.temperature <= 4.0:
            raise InvalidInput(f"{self.temperature}", field="refinement.temperature", expected="above 0, at most 4")
        if self.layers not in ("all", "last"):
            raise InvalidInput(f"{self.layers!r}", field="refinement.layers", expected="'all' or 'last'")
        if not 0.0 <= self.persistence < 1.0:
            raise InvalidInput(f"{self.persistence}", field="refinement.persistence", expected="0 to below 1")
        if not 0.0 <= self.guide <= 1.0:
            raise InvalidInput(f"{self.guide}", field="refinement.guide", expected="0 to 1")

    @property
    def active(self) -> bool:
        """Whether any step is taken at all."""
        return self.kernel != "none" and self.steps > 0 and self.step_size > 0

    def layer_steps(self, layer: int, layers: int) -> int:
        """Kernel steps after coupling ``layer`` of ``layers``."""
        return self.steps if self.active and (self.layers == "all" or layer == layers - 1) else 0

    def kicks(self, layers: int) -> int:
        """Proposals a block of ``layers`` couplings needs in all."""
        return sum(self.layer_steps(i, layers) for i in range(layers))

    def __str__(self) -> str:
        """For example ``pcn(steps=1, step_size=0.2, temperature=0.85, layers=all, persistence=0)``."""
        if not self.active:
            return f"none(temperature={self.temperature:g})"
        sizes = f"steps={self.steps}, step_size={self.step_size:g}, temperature={self.temperature:g}"
        guide = f", guide={self.guide:g}" if self.guide else ""
        return f"{self.kernel}({sizes}, layers={self.layers}, persistence={self.persistence:g}{guide})"

    @classmethod
    def parse(cls, text: str) -> Refinement:
        """Read what `__str__` writes; missing numbers take their defaults (steps=1, step_size=0.2).

        Raises:
            InvalidInput: if the text has another form.
        """
        match = re.fullmatch(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*", text)
        if match is None:
            raise InvalidInput(f"{text!r}", field="refinement", expected="for example pcn(steps=1, step_size=0.2)")
        kernel, body = match.group(1), match.group(2) or ""
        values: dict[str, str] = {}
        for part in filter(None, (p.strip() for p in body.split(","))):
            name, _, value = part.partition("=")
            values[name.strip()] = value.strip()
        known = ("steps", "step_size", "temperature", "layers", "persistence", "guide")
        unknown = set(values) - set(known)
        if unknown:
            raise InvalidInput(
                f"unknown setting {sorted(unknown)[0]!r}",
                field="refinement",
                expected=", ".join(known),
            )
        try:
            return cls(
                kernel=kernel,
                steps=int(values.get("steps", "0" if kernel == "none" else "1")),
                step_size=float(values.get("step_size", "0" if kernel == "none" else "0.2")),
                temperature=float(values.get("temperature", "1")),
                layers=values.get("layers", "all"),
                persistence=float(values.get("persistence", "0")),
                guide=float(values.get("guide", "0")),
            )
        except ValueError as error:
            raise InvalidInput(str(error), field="refinement", expected="numbers") from None


@dataclass(frozen=True, slots=True)
class BlendedEnergy:
    """E(y) = sum of precision * (y - mean)^2 / 2: base and prediction blended, both diagonal Gaussians.

    ``mean`` and ``precision`` broadcast against y (N, D); plain numbers where they are the same for all.
    """

    mean: Tensor | float
    precision: Tensor | float

    @classmethod
    def between(
        cls, layer: int, layers: int, prediction_mean: Tensor | float, prediction_scale: Tensor | float
    ) -> BlendedEnergy:
        """Energy after coupling ``layer`` (0-based) of ``layers``, on the schedule in the module's docstring."""
        blend = layer / (layers - 1) if layers > 1 else 1.0
        pull = blend / prediction_scale**2
        precision = (1.0 - blend) + pull
        return cls(pull * prediction_mean / precision, precision)

    def kicked(self, y: Tensor, normal: Tensor, step_size: float) -> Tensor:
        """Y + ``step_size`` P^-1/2 ``normal``: a step in units of the energy's own standard deviation."""
        if isinstance(self.precision, float):
            return torch.add(y, normal, alpha=step_size / math.sqrt(self.precision))
        return y + normal * (step_size * self.precision.rsqrt())

    def contract(self, y: Tensor, factor: float) -> Tensor:
        """mu + ``factor`` (y - mu)."""
        if isinstance(self.mean, float):
            shrunk = torch.sub(y, y, alpha=1.0 - factor)
            return shrunk if self.mean == 0.0 else shrunk + self.mean * (1.0 - factor)
        return torch.lerp(self.mean.expand_as(y), y, factor)

    def __call__(self, y: Tensor) -> Tensor:
        """Energy (N,) of y (N, D), in nats up to a constant."""
        return 0.5 * (self.precision * (y - self.mean) ** 2).sum(dim=-1)


@dataclass(slots=True)
class PathRecord:
    """What happened along the way from base to data, for N samples.

    Attributes:
        log_weight: (N,) accumulated sum of dS of stochastic normalizing flows: log|det J| of every coupling and
            u(y') - u(y) of every kernel step; None where it is not wanted.
        accepted: acceptance probabilities of each kernel step taken, (N,) or one for all.
    """

    log_weight: Tensor | None = None
    accepted: list[Tensor] = field(default_factory=list)

    def add(self, change: Callable[[], Tensor]) -> None:
        """Add to the path weight, if it is wanted; ``change()`` gives (N,)."""
        if self.log_weight is not None:
            self.log_weight = self.log_weight + change()


Kernel = Callable[[Tensor, BlendedEnergy, float, Tensor, Tensor], tuple[Tensor, Tensor]]


def pcn(
    y: Tensor, energy: BlendedEnergy, step_size: float, normal: Tensor, log_uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Preconditioned Crank-Nicolson: y' = mu + sqrt(1 - b^2) (y - mu) + b P^-1/2 xi.

    Leaves the Gaussian exp(-E) invariant exactly and without rejections (Cotter, Roberts, Stuart and White 2013): it is
    the stationary autoregressive process of that Gaussian. With ``step_size`` b = 1 it draws from it afresh.

    Args:
        y: (N, D). normal: (N, D) standard normal numbers. log_uniform: (N,) not used.

    Returns:
        New y (N, D) and its acceptance probability, one for all.
    """
    moved = energy.kicked(energy.contract(y, (1.0 - step_size**2) ** 0.5), normal, step_size)
    return moved, y.new_ones(())


def metropolis(
    y: Tensor, energy: BlendedEnergy, step_size: float, normal: Tensor, log_uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Random-walk Metropolis: propose y + e P^-1/2 xi, accept the WHOLE sample with probability min(1, exp(E - E')).

    Leaves exp(-E) invariant: the proposal is symmetric and there is one decision per sample on the summed energy.
    Efficient near e = 2.38 / sqrt(D) (Roberts, Gelman and Gilks 1997).

    Args:
        y: (N, D). normal: (N, D) standard normal numbers. log_uniform: (N,) logs of uniform numbers on (0, 1).

    Returns:
        New y (N, D) and acceptance probabilities (N,).
    """
    proposal = energy.kicked(y, normal, step_size)
    return _accept(y, proposal, energy(y) - energy(proposal), log_uniform)


def langevin(
    y: Tensor, energy: BlendedEnergy, step_size: float, normal: Tensor, log_uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Metropolis-adjusted Langevin, preconditioned: propose y - e^2/2 (y - mu) + e P^-1/2 xi (P^-1 grad E = y - mu).

    Leaves exp(-E) invariant: the acceptance includes the ratio of forward and backward proposal densities (Roberts and
    Tweedie 1996), one decision per sample.

    Args:
        y: (N, D). normal: (N, D) standard normal numbers. log_uniform: (N,) logs of uniform numbers on (0, 1).

    Returns:
        New y (N, D) and acceptance probabilities (N,).
    """
    drift = 1.0 - 0.5 * step_size**2
    proposal = energy.kicked(energy.contract(y, drift), normal, step_size)
    back = y - energy.contract(proposal, drift)
    log_forward = -0.5 * (normal**2).sum(dim=-1)
    log_backward = -0.5 * (energy.precision * back**2).sum(dim=-1) / step_size**2
    return _accept(y, proposal, energy(y) - energy(proposal) + log_backward - log_forward, log_uniform)


def _accept(y: Tensor, proposal: Tensor, log_ratio: Tensor, log_uniform: Tensor) -> tuple[Tensor, Tensor]:
    accepted = log_uniform < log_ratio
    return torch.where(accepted[:, None], proposal, y), log_ratio.clamp(max=0.0).exp()


KERNEL_FUNCTIONS: dict[str, Kernel] = {"pcn": pcn, "metropolis": metropolis, "langevin": langevin}


def refine(
    y: Tensor,
    energy: BlendedEnergy,
    refinement: Refinement,
    steps: int,
    normals: Tensor,
    log_uniforms: Tensor,
    record: PathRecord | None = None,
) -> Tensor:
    """Take ``steps`` kernel steps on y (N, D) with normals (steps, N, D) and log_uniforms (steps, N)."""
    kernel = KERNEL_FUNCTIONS[refinement.kernel]
    for i in range(steps):
        before = y
        y, acceptance = kernel(before, energy, refinement.step_size, normals[i], log_uniforms[i])
        if record is not None:
            record.add(partial(_energy_change, energy, before, y))
            record.accepted.append(acceptance)
    return y


def _energy_change(energy: BlendedEnergy, before: Tensor, after: Tensor) -> Tensor:
    return energy(after) - energy(before)


def effective_sample_size(log_weight: Tensor) -> Tensor:
    """Kish's effective sample size (...) of log weights (..., S): (sum w)^2 / sum w^2, from 1 to S."""
    weight = torch.softmax(log_weight, dim=-1)
    return 1.0 / (weight**2).sum(dim=-1)
