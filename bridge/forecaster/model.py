"""GRU-SNF's network: a GRU that reads the context, a GRU that every trajectory carries, the flow over the next block.

Causality: the state that conditions block n has read the context and blocks < n, nothing else. Residual target: a block
is the change against the pose before it (`features.BlockCodec`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.features import Affine, BlockCodec, bounded, squash
from bridge.forecaster.flow import ConditionalFlow
from bridge.forecaster.guide import Guide


@dataclass(frozen=True, slots=True)
class ContextBatch:
    """Canonical windows as tensors.

    Attributes:
        pose: (B, C, J*3).
        observed: (B, C, J) float, 1 where the landmark was seen.
        root: (B, C, 3), zero at the last frame; all zero where there is none.
        has_root: (B, 1) float, 1 where the window has a root.
    """

    pose: Tensor
    observed: Tensor
    root: Tensor
    has_root: Tensor

    def repeat(self, times: int) -> ContextBatch:
        """Every window ``times`` times, neighbours together."""
        return ContextBatch(*(t.repeat_interleave(times, dim=0) for t in self.tensors()))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four tensors in order."""
        return self.pose, self.observed, self.root, self.has_root


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Where N trajectories stand: GRU state, the window's constant part of the gates, and the pose and root reached."""

    state: Tensor  # (N, hidden)
    gates: Tensor  # (N, 3*hidden)
    pose: Tensor  # (N, J*3)
    root: Tensor  # (N, 3)
    has_root: Tensor  # (N, 1)

    def repeat(self, times: int) -> Trajectory:
        """Every trajectory ``times`` times, neighbours together: (B, ...) to (B*times, ...)."""
        return Trajectory(
            *(t.repeat_interleave(times, dim=0) for t in (self.state, self.gates, self.pose, self.root, self.has_root))
        )


class RootHead(nn.Module):
    """Gaussian over a block's root displacement (6 coordinates), given the state and the block of poses just drawn."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Affine(arch.decoder_hidden + arch.block_dim, arch.root_hidden),
            nn.ReLU(inplace=True),
            Affine(arch.root_hidden, 2 * arch.root_dim),
        )

    def forward(self, state: Tensor, block: Tensor) -> tuple[Tensor, Tensor]:
        """State (N, hidden), block (N, D) to mean and log-scale, (N, 6) each."""
        return self.gaussian(self.net[0](torch.cat([state, squash(block)], dim=-1)))

    def gaussian(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The same from what the first layer gives, before its ReLU."""
        mean, raw = self.net[2](functional.relu(hidden, inplace=True)).chunk(2, dim=-1)
        return mean, bounded(raw, 6.0) - 3.0


class GruSnf(nn.Module):
    """The network. Sampling lives in `rollout`, refinement in `refinement`."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch
        self.codec = BlockCodec(arch)
        step_features = arch.block_dim + arch.pose_dim + arch.root_dim + 1
        self.encoder = nn.GRU(step_features + arch.joints, arch.encoder_hidden, batch_first=True)
        self.to_state = Affine(arch.encoder_hidden, arch.decoder_hidden)
        self.to_gates = Affine(arch.encoder_hidden, 3 * arch.decoder_hidden)
        self.from_step = Affine(step_features, 3 * arch.decoder_hidden, bias=False)
        self.from_state = Affine(arch.decoder_hidden, 3 * arch.decoder_hidden)
        self.flow = ConditionalFlow(arch)
        self.root_head = RootHead(arch)
        self.guide = Guide(arch) if arch.guide_nets else None

    def start(self, context: ContextBatch) -> Trajectory:
        """Read B windows: the trajectories as they stand at the last context frame."""
        blocks = self.codec.encode_blocks(context.pose)  # (B, n, D)
        poses = context.pose[:, self.arch.block_frames :: self.arch.block_frames]
        roots = self.codec.encode_roots(context.root) * context.has_root[:, None]
        seen = torch.unflatten(context.observed[:, 1:], 1, (-1, self.arch.block_frames)).mean(dim=2)  # (B, n, J)
        flags = context.has_root[:, None].expand(-1, blocks.shape[1], -1)
        steps = torch.cat([self._step_features(blocks, poses, roots, flags), seen], dim=-1)
        _, last = self.encoder(steps)
        summary = last[0]
        return Trajectory(
            state=torch.tanh(self.to_state(summary)),
            gates=self.to_gates(summary),
            pose=context.pose[:, -1],
            root=context.root[:, -1],
            has_root=context.has_root,
        )

    def _step_features(self, block: Tensor, pose: Tensor, root_block: Tensor, has_root: Tensor) -> Tensor:
        coordinates = torch.cat([block, self.codec.encode_pose(pose), root_block * 10.0], dim=-1)
        return torch.cat([squash(coordinates), has_root], dim=-1)

    def advance(self, at: Trajectory, block: Tensor, root_block: Tensor, poses: Tensor, roots: Tensor) -> Trajectory:
        """Feed a trajectory its own block (N, D), decoded as poses (N, F, J*3) and roots (N, F, 3)."""
        pose, root = poses[:, -1], roots[:, -1]
        features = self._step_features(block, pose, root_block * at.has_root, at.has_root)
        state = self._gru_step(features, at.state, at.gates)
        return Trajectory(state, at.gates, pose, root, at.has_root)

    def _gru_step(self, features: Tensor, state: Tensor, gates: Tensor) -> Tensor:
        """One GRU step (Cho et al. 2014) whose input gates carry a constant part from the context."""
        reset_in, update_in, new_in = (self.from_step(features) + gates).chunk(3, dim=-1)
        reset_h, update_h, new_h = self.from_state(state).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_in + reset_h)
        update = torch.sigmoid(update_in + update_h)
        new = torch.tanh(new_in + reset * new_h)
        return torch.lerp(new, state, update)

    def teacher_forced_states(
        self, context: ContextBatch, blocks: Tensor, poses: Tensor, root_blocks: Tensor
    ) -> Tensor:
        """States (B, n, hidden) that condition each of n blocks, every one having read the true blocks before it.

        Args:
            context: the windows.
            blocks: (B, n, D) true blocks. poses: (B, n, J*3) the pose at each block's end. root_blocks: (B, n, 6).
        """
        at = self.start(context)
        flags = context.has_root[:, None].expand(-1, blocks.shape[1], -1)
        features = self._step_features(blocks, poses, root_blocks * flags, flags)
        states = [at.state]
        for n in range(blocks.shape[1] - 1):
            states.append(self._gru_step(features[:, n], states[-1], at.gates))
        return torch.stack(states, dim=1)
