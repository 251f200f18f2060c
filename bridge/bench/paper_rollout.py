"""The published sizes, done right and fast: all samples in one batch, each with its own GRU state and its own frames.

What makes it fast, against `PaperNet.loop`: the conditioning products of all couplings once per step; scale and shift
net as one batched product; weights in square pieces (with few rows a product with weights many columns wide is up to
twice as slow); only the half that is kept is read, only the half that changes is computed; the batch-norm and all
refinement steps after a coupling are one multiply-add; random numbers of a step are drawn at once; nothing is allocated
from step to step.

Refinement is preconditioned Crank-Nicolson on the paper's energies, which it leaves invariant exactly::

    E_i(y) = (1 - l) |y|^2 / 2 + l |y - g|^2         has precision P = 1 + l and mean mu = 2 l g / (1 + l)
    y' = mu + c (y - mu) + sqrt(1 - c^2) P^-1/2 xi   with c = (1 - step_size^2)^(1/2)

n such steps are, in distribution, one with c^n in place of c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bridge.bench.paper import Coupling, PaperNet

Lap = Callable[[str], None]
"""Called with the name of the part that just ended: ``gru``, ``flow``, ``refinement`` or ``other``."""


def _no_lap(part: str) -> None:
    """Measure nothing."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Buffers for N trajectories."""

    noise: Tensor  # (1 + K, N, D): base, then one kick per coupling
    pull: Tensor  # (N, D)
    first: Tensor  # (2K, N, width)
    hidden: Tensor  # (2, N, width)
    change: Tensor  # (2, N, D/2)
    state: Tensor  # (layers, N, hidden)
    gates: Tensor  # (3, N, hidden)
    remembered: Tensor  # (N, hidden)


def _linears(net: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in net if isinstance(layer, nn.Linear)]


class PaperRollout:
    """`PaperNet`'s weights laid out for rollouts. Coordinates inside: first those at even places, then the odd ones."""

    def __init__(self, net: PaperNet, *, refined: bool) -> None:
        sizes = net.sizes
        self.sizes, self._gru, self._refined = sizes, net.gru, refined
        device = net.head.weight.device
        order = torch.cat([torch.arange(0, sizes.dim, 2), torch.arange(1, sizes.dim, 2)]).to(device)
        self._back = torch.argsort(order)
        self._memory: _Memory | None = None
        with torch.no_grad():
            self._lay_out_flow(net, order)
            self._lay_out_gru(net, order)
            self._lay_out_refinement(net, order)

    def _lay_out_flow(self, net: PaperNet, order: Tensor) -> None:
        """Weights as (2K, in, out): scale and shift net of every coupling one after the other, biases (2K, 1, out)."""
        dim, half = self.sizes.dim, self.sizes.dim // 2
        layers: list[list[tuple[Tensor, Tensor]]] = [[], [], [], [], []]
        for i, coupling in enumerate(net.couplings):
            assert isinstance(coupling, Coupling)
            kept, changed = (order[:half], order[half:]) if i % 2 == 0 else (order[half:], order[:half])
            for part in (coupling.scale, coupling.shift):
                first, second, third, last = _linears(part)
                layers[0].append((first.weight[:, dim:].t(), first.bias))
                layers[1].append((first.weight[:, kept].t(), first.bias))
                layers[2].append((second.weight.t(), second.bias))
                layers[3].append((third.weight.t(), third.bias))
                layers[4].append((last.weight[changed].t(), last.bias[changed]))
        stacked = [torch.stack([w for w, _ in layer]).contiguous() for layer in layers]
        biases = [torch.stack([b for _, b in layer])[:, None].contiguous() for layer in layers]
        self._condition, self._kept, self._second, self._third, self._last = stacked
        self._condition_bias, _, self._second_bias, self._third_bias, self._last_bias = biases

    def _lay_out_gru(self, net: PaperNet, order: Tensor) -> None:
        """Per layer: weights (3, in, hidden) of reset, update and new gate; where gates add up, one bias for both."""
        self._gates: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for layer in range(self.sizes.layers):
            w_in, w_state, b_in, b_state = (
                torch.unflatten(t, 0, (3, self.sizes.hidden)) for t in net.gru.all_weights[layer]
            )
            w_in = w_in[..., order] if layer == 0 else w_in
            bias = torch.stack([b_in[0] + b_state[0], b_in[1] + b_state[1], b_in[2]])[:, None]
            of_in, of_state = (w.transpose(1, 2).contiguous() for w in (w_in, w_state))
            self._gates.append((of_in, of_state, bias, b_state[2].clone()))

    def _lay_out_refinement(self, net: PaperNet, order: Tensor) -> None:
        """What happens between coupling i and i + 1, y * keep[i] + from_pull[i] * g + from_kick[i] * xi + rest[i]."""
        sizes, count = self.sizes, self.sizes.couplings
        self._head = (net.head.weight[order].t().contiguous(), net.head.bias[order].contiguous())
        norms = [c.normalization() for c in net.couplings if isinstance(c, Coupling)]
        factor = torch.stack([f[order] for f, _ in norms] + [torch.ones_like(norms[0][0])])[:, None]  # (K + 1, 1, D)
        offset = torch.stack([o[order] for _, o in norms] + [torch.zeros_like(norms[0][0])])[:, None]
        self._norm = (factor[0], offset[0])
        stay = (1 - sizes.step_size**2) ** (sizes.mcmc_steps / 2) if self._refined else 1.0
        blends = torch.tensor([sizes.blend(i) for i in range(count)], device=order.device)[:, None, None]
        self._keep = (stay * factor[1:]).contiguous()
        self._from_pull = ((1 - stay) * 2 * blends / (1 + blends) * factor[1:]).contiguous()
        self._from_kick = ((1 - stay**2) ** 0.5 * (1 + blends).rsqrt() * factor[1:]).contiguous()
        self._rest = offset[1:].contiguous()

    @torch.inference_mode()
    def __call__(
        self, context: Tensor, *, samples: int, horizon_frames: int, generator: torch.Generator, lap: Lap = _no_lap
    ) -> Tensor:
        """Draw S trajectories of H frames for each of B windows.

        Args:
            context: (B, C, D).
            generator: of all random numbers, on the context's device.
            lap: told when a part ends.

        Returns:
            (B, S, H, D).
        """
        batch = len(context)
        memory = self._memory_for(batch * samples, context.device)
        out = torch.empty(horizon_frames, batch * samples, self.sizes.dim, device=context.device)
        _, state = self._gru(context)
        memory.state.copy_(state.repeat_interleave(samples, dim=1))
        lap("gru")
        for n in range(horizon_frames):
            frame = self._draw(memory, generator, lap)
            out[n].copy_(frame)
            lap("other")
            if n + 1 < horizon_frames:
                self._advance(memory, frame)
                lap("gru")
        drawn = torch.unflatten(out.index_select(2, self._back), 1, (batch, samples)).permute(1, 2, 0, 3).contiguous()
        lap("other")
        return drawn

    def _memory_for(self, rows: int, device: torch.device) -> _Memory:
        if self._memory is None or self._memory.pull.shape[0] != rows:
            sizes, count = self.sizes, self.sizes.couplings
            kicks = count if self._refined else 0
            shapes = (
                *((1 + kicks, rows, sizes.dim), (rows, sizes.dim), (2 * count, rows, sizes.width)),
                *((2, rows, sizes.width), (2, rows, sizes.dim // 2), (sizes.layers, rows, sizes.hidden)),
                *((3, rows, sizes.hidden), (rows, sizes.hidden)),
            )
            self._memory = None
            self._memory = _Memory(*(torch.empty(shape, device=device) for shape in shapes))
        return self._memory

    def _draw(self, memory: _Memory, generator: torch.Generator, lap: Lap) -> Tensor:
        """The next frame (N, D) of every trajectory."""
        half = self.sizes.dim // 2
        base = memory.noise[0].normal_(generator=generator)
        y = base.mul_(self._norm[0]).add_(self._norm[1])
        lap("other")
        between = self._between(memory, generator)
        lap("refinement")
        state = memory.state[-1].expand(len(memory.first), -1, -1)
        torch.baddbmm(self._condition_bias, state, self._condition, out=memory.first)
        for i in range(self.sizes.couplings):
            kept, changed = (y[:, :half], y[:, half:]) if i % 2 == 0 else (y[:, half:], y[:, :half])
            both = slice(2 * i, 2 * i + 2)
            first = memory.first[both]
            first.baddbmm_(kept.expand(2, -1, -1), self._kept[both]).relu_()
            torch.baddbmm(self._second_bias[both], first, self._second[both], out=memory.hidden).relu_()
            torch.baddbmm(self._third_bias[both], memory.hidden, self._third[both], out=first).relu_()
            log_scale, shift = torch.baddbmm(self._last_bias[both], first, self._last[both], out=memory.change)
            changed.mul_(log_scale.tanh_().exp_()).add_(shift)
            torch.addcmul(between[i], y, self._keep[i], out=y)
        lap("flow")
        return y

    def _between(self, memory: _Memory, generator: torch.Generator) -> Tensor:
        """What is added after each coupling, all at once: (K, N, D), or (K, 1, D) without refinement."""
        if not self._refined:
            return self._rest
        weight, bias = self._head
        pull = torch.addmm(bias, memory.state[-1], weight, out=memory.pull)
        kicks = memory.noise[1:].normal_(generator=generator)
        return kicks.mul_(self._from_kick).add_(self._rest).addcmul_(self._from_pull, pull)

    def _advance(self, memory: _Memory, frame: Tensor) -> None:
        """Feed every trajectory its own frame (Cho et al. 2014, gates as in torch)."""
        x, gates = frame, memory.gates
        for layer, (of_in, of_state, bias, new_bias) in enumerate(self._gates):
            state = memory.state[layer]
            torch.baddbmm(bias, x.expand(3, -1, -1), of_in, out=gates)
            reset, update = gates[:2].baddbmm_(state.expand(2, -1, -1), of_state[:2]).sigmoid_()
            remembered = torch.addmm(new_bias, state, of_state[2], out=memory.remembered)
            new = gates[2].addcmul_(reset, remembered).tanh_()
            x = torch.lerp(new, state, update, out=state)
