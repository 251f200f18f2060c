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
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.features import Affine, bounded

LayerHook = Callable[[int, Tensor], Tensor]


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
        bias = self.from_state(state).chunk(self.couplings, dim=-1)
        mean, raw = self.head(state).chunk(2, dim=-1)
        # exp(r) between 0.7 % and 150 times a coordinate's typical change.
        return Condition(tuple(bias), mean, bounded(raw, 5.0))

    def _scale_and_shift(self, i: int, kept: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        first = self.first[i]
        assert isinstance(first, Affine)
        hidden = functional.relu(torch.addmm(condition.coupling_bias[i], kept, first.weight), inplace=True)
        hidden = functional.relu(self.second[i](hidden), inplace=True)
        raw, shift = self.third[i](hidden).chunk(2, dim=-1)
        return bounded(raw, self.max_log_scale), shift

    def bend(self, i: int, y: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Coupling i, from the base towards the data: y (N, D) to (y', log-scales (N, D/2)); log|det| is their sum."""
        kept, changed = self._halves(i, y)
        log_scale, shift = self._scale_and_shift(i, kept, condition)
        return self._join(i, kept, torch.addcmul(shift, changed, torch.exp(log_scale))), log_scale

    def coupling(self, i: int, y: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Coupling i, from the base towards the data: y (N, D) to (y', log|det dy'/dy| (N,))."""
        moved, log_scale = self.bend(i, y, condition)
        return moved, log_scale.sum(dim=1)

    def coupling_inverse(self, i: int, y: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Exact inverse of `coupling`: y' (N, D) to (y, log|det dy/dy'| (N,))."""
        kept, changed = self._halves(i, y)
        log_scale, shift = self._scale_and_shift(i, kept, condition)
        return self._join(i, kept, (changed - shift) * torch.exp(-log_scale)), -log_scale.sum(dim=1)

    def _halves(self, i: int, y: Tensor) -> tuple[Tensor, Tensor]:
        """What coupling i keeps and what it changes: the two halves in turn."""
        first, second = y[:, : self.half_dim], y[:, self.half_dim :]
        return (first, second) if i % 2 == 0 else (second, first)

    def _join(self, i: int, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat([kept, changed] if i % 2 == 0 else [changed, kept], dim=1)

    def push(self, base: Tensor, condition: Condition, between: LayerHook | None = None) -> Tensor:
        """Base draws (N, D) to data (N, D); ``between(i, y)`` may change y after coupling i (0-based)."""
        y = base
        for i in range(self.couplings):
            y, _ = self.bend(i, y, condition)
            if between is not None:
                y = between(i, y)
        return torch.addcmul(condition.mean, torch.exp(condition.log_scale), y)

    def pull(self, x: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Data (N, D) to (base draws (N, D), log|det du/dx| (N,))."""
        y = (x - condition.mean) * torch.exp(-condition.log_scale)
        log_det = -condition.log_scale.sum(dim=1)
        for i in reversed(range(self.couplings)):
            y, step = self.coupling_inverse(i, y, condition)
            log_det = log_det + step
        return y, log_det

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
