"""The published GRU-SNF at its published sizes, in plain modules with random weights: something to be faster than.

Source: Haque and Das 2025 (arXiv 2512.04282). A GRU reads 8 frames of 60 keypoint coordinates; its state conditions 5
RealNVP blocks (batch-norm, then an affine coupling with separate nets for scale and shift: Dinh, Sohl-Dickstein and
Bengio 2017), from which the next frame is drawn. For speed only: the weights are random and nothing is forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class PaperSizes:
    """Sizes of the published network.

    Attributes:
        dim: coordinates of a frame, D, even. hidden: of the GRU. layers: of the GRU.
        couplings: RealNVP blocks. width: of their nets' three hidden layers.
        context_frames: read. horizon_frames: predicted. samples: drawn.
        mcmc_steps: after every coupling. step_size: of a step.
    """

    dim: int = 60
    hidden: int = 512
    layers: int = 3
    couplings: int = 5
    width: int = 512
    context_frames: int = 8
    horizon_frames: int = 16
    samples: int = 100
    mcmc_steps: int = 2
    step_size: float = 0.35

    def blend(self, coupling: int) -> float:
        """lambda of the energy after coupling i of K: i / (K - 1)."""
        return coupling / (self.couplings - 1) if self.couplings > 1 else 1.0


class Coupling(nn.Module):
    """One RealNVP block from the base towards the data: inverse batch-norm, then an affine coupling."""

    mask: Tensor  # (D,) 1 where a coordinate is kept
    mean: Tensor  # (D,) of the batch-norm, as are the next three
    variance: Tensor
    log_gamma: Tensor
    beta: Tensor

    def __init__(self, sizes: PaperSizes, index: int) -> None:
        super().__init__()
        self.scale = _net(sizes)
        self.shift = _net(sizes)
        self.register_buffer("mask", (torch.arange(sizes.dim) % 2 == index % 2).float())
        self.register_buffer("mean", 0.1 * torch.randn(sizes.dim))
        self.register_buffer("variance", 0.5 + torch.rand(sizes.dim))
        self.register_buffer("log_gamma", 0.1 * torch.randn(sizes.dim))
        self.register_buffer("beta", 0.1 * torch.randn(sizes.dim))

    def normalization(self) -> tuple[Tensor, Tensor]:
        """The inverse batch-norm as factor and offset, (D,) each."""
        factor = torch.exp(-self.log_gamma) * torch.sqrt(self.variance + 1e-5)
        return factor, self.mean - self.beta * factor

    def forward(self, y: Tensor, condition: Tensor) -> Tensor:
        """Y (N, D) given the GRU's output (N, hidden)."""
        y = (y - self.beta) * torch.exp(-self.log_gamma) * torch.sqrt(self.variance + 1e-5) + self.mean
        kept = y * self.mask
        joined = torch.cat([kept, condition], dim=1)
        log_scale = torch.tanh(self.scale(joined)) * (1 - self.mask)
        shift = self.shift(joined) * (1 - self.mask)
        moved: Tensor = kept + (1 - self.mask) * (y * torch.exp(log_scale) + shift)
        return moved


def _net(sizes: PaperSizes) -> nn.Sequential:
    """Three hidden layers; ReLU in the scale net too, where RealNVP has tanh at ten times the price, for both sides."""
    parts: list[nn.Module] = []
    inputs = sizes.dim + sizes.hidden
    for _ in range(3):
        parts += [nn.Linear(inputs, sizes.width), nn.ReLU()]
        inputs = sizes.width
    return nn.Sequential(*parts, nn.Linear(inputs, sizes.dim))


class PaperNet(nn.Module):
    """GRU, flow and the linear head of the energies, random weights of a fixed seed."""

    def __init__(self, sizes: PaperSizes, *, seed: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.gru = nn.GRU(sizes.dim, sizes.hidden, sizes.layers, batch_first=True)
            self.couplings = nn.ModuleList(Coupling(sizes, i) for i in range(sizes.couplings))
            self.head = nn.Linear(sizes.hidden, sizes.dim)

    def draw(self, condition: Tensor, *, refined: bool) -> Tensor:
        """One frame (B, D) for each GRU output (B, hidden), as published: Metropolis steps after every coupling."""
        y = torch.randn(len(condition), self.sizes.dim, device=condition.device)
        for i, coupling in enumerate(self.couplings):
            y = coupling(y, condition)
            if refined:
                y = self._metropolis(y, condition, self.sizes.blend(i))
        return y

    def _metropolis(self, y: Tensor, condition: Tensor, blend: float) -> Tensor:
        """Random-walk Metropolis with one decision per coordinate."""
        for _ in range(self.sizes.mcmc_steps):
            pull = self.head(condition)
            proposal = y + self.sizes.step_size * torch.randn_like(y)
            before = (1 - blend) * 0.5 * y**2 + blend * (y - pull) ** 2
            after = (1 - blend) * 0.5 * proposal**2 + blend * (proposal - pull) ** 2
            y = torch.where(torch.rand_like(y) < torch.exp(before - after), proposal, y)
        return y

    @torch.inference_mode()
    def loop(self, context: Tensor, *, samples: int, horizon_frames: int, refined: bool) -> Tensor:
        """Forecast as the public code does: sample after sample, one GRU state per window, fed the samples' mean.

        Args:
            context: (B, C, D).

        Returns:
            (B, S, H, D).
        """
        output, state = self.gru(context)
        frames = []
        for _ in range(horizon_frames):
            condition = output[:, -1]
            frame = torch.stack([self.draw(condition, refined=refined) for _ in range(samples)], dim=1)  # (B, S, D)
            frames.append(frame)
            output, state = self.gru(frame.mean(dim=1, keepdim=True), state)
        return torch.stack(frames, dim=2)
