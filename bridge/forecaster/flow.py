"""A conditional normalizing flow: u ~ N(0, I) through affine couplings, then the head's mean and scale, to x.

Source of the formulas: Dinh, Sohl-Dickstein and Bengio 2017 (RealNVP); conditioning on a recurrent state as in Rasul et
al. 2021. Sampling direction, for couplings i = 1..K and the head g (mean m, log-scale r, both functions of the GRU
state)::

    y_0 = u
    y_i = [a, b * exp(s_i(a, h)) + t_i(a, h)]      with (a, b) = the halves of y_{i-1}, in turn
    x   = m(h) + exp(r(h)) * y_K

    log p(x|h) = log N(u; 0, I) - sum_i sum s_i - sum r

The head is the outermost layer: what the couplings bend is the residual in units of the head's own prediction error, so
at every layer the head's Gaussian prediction is N(0, I).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.features import Affine, bounded

LayerHook = Callable[[int, Tensor], Tensor]
Halves = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a GRU state (N, hidden) says to the flow: first-layer biases of every coupling and the head's Gaussian."""

    coupling_bias: tuple[Tensor, ...]  # K times (N, coupling_hidden)
    mean: Tensor  # (N, D)
    log_scale: Tensor  # (N, D)


class ConditionalFlow(nn.Module):
    """The flow over one block of D coordinates, conditioned on a state."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.dim = arch.block_dim
        self.half_dim = arch.block_dim // 2
        self.max_log_scale = arch.max_log_scale
        width = arch.coupling_hidden
        self.couplings = arch.couplings
        self.from_state = Affine(arch.decoder_hidden, arch.couplings * width)
        self.first = nn.ModuleList(Affine(self.half_dim, width, bias=False) for _ in range(arch.couplings))
        self.second = nn.ModuleList(Affine(width, width) for _ in range(arch.couplings))
        self.third = nn.ModuleList(Affine(width, 2 * self.half_dim) for _ in range(arch.couplings))
        for layer in self.third:
            assert isinstance(layer, Affine) and layer.bias is not None
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)
        self.head = nn.Sequential(
            Affine(arch.decoder_hidden, arch.head_hidden),
            nn.ReLU(inplace=True),
            Affine(arch.head_hidden, 2 * self.dim),
        )

    def condition(self, state: Tensor) -> Condition:
        """Everything that depends only on the state (N, hidden), computed once per step for all couplings."""
        return self.condition_from(self.from_state(state).chunk(self.couplings, dim=-1), self.head[0](state))

    def condition_from(self, coupling_bias: Sequence[Tensor], head_hidden: Tensor) -> Condition:
        """The same from what the first layers make of the state: the couplings' and the head's (before its ReLU)."""
        mean, raw = torch.split(self.head[2](functional.relu(head_hidden, inplace=True)), [self.dim, self.dim], dim=1)
        # exp(r) between 0.7 % and 150 times a coordinate's typical change.
        return Condition(tuple(coupling_bias), mean, bounded(raw, 5.0))

    def _scale_and_shift(self, i: int, kept: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        first = self.first[i]
        assert isinstance(first, Affine)
        hidden = functional.relu(torch.addmm(condition.coupling_bias[i], kept, first.weight), inplace=True)
        hidden = functional.relu(self.second[i](hidden), inplace=True)
        raw, shift = self.halves(self.third[i](hidden))
        return bounded(raw, self.max_log_scale), shift

    def bend(self, i: int, halves: Halves, condition: Condition) -> tuple[Halves, Tensor]:
        """Coupling i, from the base towards the data: halves of y to those of y' and log-scales (N, D/2).

        One half is kept, the other changed, in turn; log|det dy'/dy| is the sum of the log-scales.
        """
        kept, changed = halves if i % 2 == 0 else halves[::-1]
        log_scale, shift = self._scale_and_shift(i, kept, condition)
        changed = torch.addcmul(shift, changed, torch.exp(log_scale))
        return ((kept, changed) if i % 2 == 0 else (changed, kept)), log_scale

    def unbend(self, i: int, halves: Halves, condition: Condition) -> tuple[Halves, Tensor]:
        """Exact inverse of `bend`: halves of y' to those of y, and the log-scales (N, D/2) that it had."""
        kept, changed = halves if i % 2 == 0 else halves[::-1]
        log_scale, shift = self._scale_and_shift(i, kept, condition)
        changed = (changed - shift) * torch.exp(-log_scale)
        return ((kept, changed) if i % 2 == 0 else (changed, kept)), log_scale

    def coupling(self, i: int, y: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Coupling i, from the base towards the data: y (N, D) to (y', log|det dy'/dy| (N,))."""
        moved, log_scale = self.bend(i, self.halves(y), condition)
        return self.whole(moved), log_scale.sum(dim=1)

    def coupling_inverse(self, i: int, y: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Exact inverse of `coupling`: y' (N, D) to (y, log|det dy/dy'| (N,))."""
        moved, log_scale = self.unbend(i, self.halves(y), condition)
        return self.whole(moved), -log_scale.sum(dim=1)

    def halves(self, y: Tensor) -> Halves:
        """The two halves (N, D/2) of y (N, D)."""
        first, second = torch.split(y, [self.half_dim, self.half_dim], dim=1)
        return first, second

    def whole(self, halves: Halves) -> Tensor:
        """Inverse of `halves`."""
        return torch.cat(halves, dim=1)

    def push(self, base: Tensor, condition: Condition, between: LayerHook | None = None) -> Tensor:
        """Base draws (N, D) to data (N, D); ``between(i, y)`` may change y after coupling i (0-based)."""
        halves = self.halves(base)
        for i in range(self.couplings):
            halves, _ = self.bend(i, halves, condition)
            if between is not None:
                halves = self.halves(between(i, self.whole(halves)))
        return torch.addcmul(condition.mean, torch.exp(condition.log_scale), self.whole(halves))

    def pull(self, x: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Data (N, D) to (base draws (N, D), log|det du/dx| (N,))."""
        y = (x - condition.mean) * torch.exp(-condition.log_scale)
        halves, stretch = self.halves(y), torch.add(*self.halves(condition.log_scale))
        for i in reversed(range(self.couplings)):
            halves, log_scale = self.unbend(i, halves, condition)
            stretch = stretch + log_scale
        return self.whole(halves), -stretch.sum(dim=1)

    def log_prob(self, x: Tensor, condition: Condition) -> Tensor:
        """Exact log density (N,) of x (N, D), in nats, per unit volume of the block coordinates."""
        base, log_det = self.pull(x, condition)
        return standard_normal_log_prob(base) + log_det

    def head_log_prob(self, x: Tensor, condition: Condition) -> Tensor:
        """Log density (N,) of x (N, D) under the head's Gaussian alone."""
        y = (x - condition.mean) * torch.exp(-condition.log_scale)
        return standard_normal_log_prob(y) - condition.log_scale.sum(dim=1)


def standard_normal_log_prob(u: Tensor) -> Tensor:
    """log N(u; 0, I) summed over the last axis."""
    return -0.5 * (u * u).sum(dim=-1) - 0.5 * u.shape[-1] * math.log(2 * math.pi)
