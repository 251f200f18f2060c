"""The network made ready for inference: the same numbers as `rollout.take_step`, with fewer and larger operations.

What changes against the network as it is trained, none of it in meaning:

* Layers that read the same input are one matrix: the GRU state goes through a single product per block, which gives the
  first layers of all couplings, of the head and of the root's head, and the state's part of the gates.
* What is constant in a window (biases, the gates' part from the context, the flag of the root) is added up once.
* The pose is advanced in the coordinates the GRU reads: a block's coordinates times (its decoded last frame, encoded).
  Frames are decoded at the end, all blocks in one product.
* Gates and state are computed in place, in memory taken once per rollout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Sequential

from bridge.forecaster.features import Affine, squash
from bridge.forecaster.model import ContextBatch, GruSnf
from bridge.forecaster.refinement import PathRecord
from bridge.forecaster.rollout import RolloutNoise
from bridge.forecaster.sampling import BlockNoise, BlockSampler, RefinedFlow, path_log_weight

_ROOT_GAIN = 10.0


class Walk(NamedTuple):
    """N = B * S trajectories under way. A step overwrites ``spare`` (the next state), ``readout`` and ``pose``."""

    state: Tensor  # (N, hidden)
    spare: Tensor  # (B, S, hidden)
    readout: Tensor  # (B, S, R) what is read off the state
    constant: Tensor  # (B, 1, R) the window's part of that
    new_constant: Tensor  # (B, 1, hidden) and of the GRU's candidate state
    pose: Tensor  # (N, P) coordinates of the pose reached
    root_gain: Tensor  # (N, 1) what the root's displacement is multiplied by when read; 0 without a root

    def onward(self) -> Walk:
        """After a step: what was spare is the state, what was the state is spare."""
        return self._replace(state=self.spare.flatten(0, 1), spare=self.state.view_as(self.spare))


class Drawn(NamedTuple):
    """A block (N, D), its root displacement (N, 6) and the refinement's acceptance, (N,) or one for all, or None.

    ``log_weight`` (N,) only when asked for.
    """

    block: Tensor
    root_block: Tensor
    acceptance: Tensor | None
    log_weight: Tensor | None = None


Step = Callable[[Walk, BlockNoise, bool], Drawn]


@dataclass(frozen=True, slots=True)
class Paths:
    """Canonical frames: ``poses`` (B, S, n*F, J*3) and ``roots`` (B, S, n*F, 3)."""

    poses: Tensor
    roots: Tensor

    def of_windows(self, part: slice) -> Paths:
        """Some of the windows: a view."""
        return Paths(self.poses[part], self.roots[part])


class PreparedModel:
    """Weights of a network in evaluation mode, regrouped by what they read. Later changes to it are not seen."""

    def __init__(self, model: GruSnf) -> None:
        arch, flow, codec = model.arch, model.flow, model.codec
        hidden, block, features = arch.decoder_hidden, arch.block_dim, 3 * arch.joints
        head, root = _first(flow.head), _first(model.root_head.net)
        self.model = model
        with torch.inference_mode():
            states = (flow.from_state, head, root, model.from_state)
            self.read = torch.cat([layer.weight[:hidden] for layer in states], dim=1)  # (hidden, R)
            self.read_bias = torch.cat([_bias(layer) for layer in states])
            self.sizes = [
                *[arch.coupling_hidden] * arch.couplings,
                *(arch.head_hidden, arch.root_hidden, 2 * hidden, hidden),
            ]
            self.root_reads_block = root.weight[hidden:]
            gates, new = torch.split(model.from_step.weight, [2 * hidden, hidden], dim=1)
            sizes = [block + arch.pose_dim, arch.root_dim, 1]
            self.gates_seen, self.gates_root, self.gates_flag = (w.contiguous() for w in torch.split(gates, sizes))
            self.new_seen, self.new_root, self.new_flag = (w.contiguous() for w in torch.split(new, sizes))
            self.pose_move = codec.block_decode[:, -features:] @ codec.pose_encode  # (D, P)
            # (6, F*3): axis by axis in, frame by frame out.
            self.root_decode = torch.einsum("tf,ac->atfc", codec.root_decode, torch.eye(3).to(self.read)).reshape(
                arch.root_dim, -1
            )

    def new_paths(self, windows: int, samples: int, blocks: int) -> Paths:
        """Memory for the frames of a rollout."""
        frames = blocks * self.model.arch.block_frames
        return Paths(*(self.read.new_empty(windows, samples, frames, n) for n in (3 * self.model.arch.joints, 3)))

    def start(self, context: ContextBatch, samples: int) -> Walk:
        """Read B windows and set S trajectories out from each."""
        at = self.model.start(context)
        windows, hidden = at.state.shape
        gates = at.gates + at.has_root * torch.cat([self.gates_flag, self.new_flag], dim=1)
        constant = self.read_bias.repeat(windows, 1)
        constant[:, -3 * hidden : -hidden] += gates[:, : 2 * hidden]
        pose = self.model.codec.encode_pose(at.pose)
        state, pose, gain = (t.repeat_interleave(samples, dim=0) for t in (at.state, pose, _ROOT_GAIN * at.has_root))
        return Walk(
            state,
            spare=constant.new_empty(windows, samples, hidden),
            readout=constant.new_empty(windows, samples, constant.shape[1]),
            constant=constant[:, None],
            new_constant=gates[:, None, 2 * hidden :].contiguous(),
            pose=pose,
            root_gain=gain,
        )

    def step(
        self, sampler: BlockSampler, walk: Walk, noise: BlockNoise, last: bool, *, log_weights: bool = False
    ) -> Drawn:
        """Draw the next block of every trajectory and, unless it is the ``last``, advance it in place."""
        readout = walk.readout.copy_(walk.constant).flatten(0, 1)
        # After the last block nobody reads the gates, which stand last.
        hidden = self.new_seen.shape[1]
        used = -3 * hidden if last else readout.shape[1]
        readout[:, :used].addmm_(walk.state, self.read[:, :used])
        *coupling_bias, head, root, gates, new_read = torch.split(readout, self.sizes, dim=1)
        condition = self.model.flow.condition_from(coupling_bias, head)
        record = PathRecord(walk.state.new_zeros(len(walk.state)) if log_weights else None)
        block = sampler.draw(self.model.flow, condition, noise, record)
        log_weight = None
        if log_weights and isinstance(sampler, RefinedFlow):
            log_weight = path_log_weight(self.model.flow, condition, block, noise, record, sampler.refinement)
        seen = squash(torch.cat([block, walk.pose.addmm_(block, self.pose_move)], dim=1))
        root.addmm_(seen[:, : block.shape[1]], self.root_reads_block)
        mean, log_scale = self.model.root_head.gaussian(root)
        root_block = torch.addcmul(mean, torch.exp(log_scale), noise.root, value=sampler.root_temperature)
        if not last:
            root_seen = squash(root_block * walk.root_gain)
            gates.addmm_(seen, self.gates_seen).addmm_(root_seen, self.gates_root).sigmoid_()
            reset, update = torch.split(gates, [hidden, hidden], dim=1)
            new = walk.spare.copy_(walk.new_constant).flatten(0, 1)
            new.addmm_(seen, self.new_seen).addmm_(root_seen, self.new_root)
            new.addcmul_(reset, new_read).tanh_().lerp_(walk.state, update)
        acceptance = torch.stack(record.accepted).mean(dim=0) if record.accepted else None
        return Drawn(block, root_block, acceptance, log_weight)

    def run(self, context: ContextBatch, noise: RolloutNoise, blocks: int, step: Step, out: Paths) -> Tensor | None:
        """Draw the trajectories of B windows into ``out``; returns the acceptance rate (B,), None without proposals.

        Args:
            noise: for B * S trajectories and at least ``blocks`` steps. step: `step` with a sampler, or a recording.
        """
        walk = self.start(context, out.poses.shape[1])
        drawn = []
        for n in range(blocks):
            drawn.append(step(walk, noise.step(n), n + 1 == blocks))
            walk = walk.onward()
        self.decode(context, drawn, out)
        accepted = [d.acceptance for d in drawn if d.acceptance is not None]
        if not accepted:
            return None
        windows, samples = out.poses.shape[:2]
        return torch.stack([a.expand(windows * samples) for a in accepted]).mean(dim=0).view(windows, -1).mean(dim=1)

    def decode(self, context: ContextBatch, drawn: list[Drawn], out: Paths) -> None:
        """Frames of all blocks drawn, into ``out``."""
        codec = self.model.codec
        blocks = torch.stack([d.block for d in drawn], dim=1).flatten(0, 1)  # (N*n, D)
        root_blocks = torch.stack([d.root_block for d in drawn], dim=1).flatten(0, 1)
        _add_up(blocks, codec.block_decode, out.poses, context.pose[:, -1], len(drawn))
        _add_up(root_blocks, self.root_decode, out.roots, context.root[:, -1], len(drawn))


def _add_up(blocks: Tensor, decode: Tensor, out: Tensor, start: Tensor, count: int) -> None:
    """Decode n = ``count`` blocks each of N trajectories (N*n, D) into ``out`` (B, S, n*F, ·), end to end from a start.

    ``start`` (B, ·) is where a window's trajectories set out; every block continues the one before it.
    """
    torch.mm(blocks, decode, out=out.view(len(blocks), -1))
    frames = torch.unflatten(out, 2, (count, -1))  # (B, S, n, F, ·)
    before = start[:, None, None]
    for n in range(count):
        frames[:, :, n] += before
        before = frames[:, :, n, -1:]


def _first(layers: Sequential) -> Affine:
    layer = layers[0]
    assert isinstance(layer, Affine)
    return layer


def _bias(layer: Affine) -> Tensor:
    assert layer.bias is not None
    return layer.bias
