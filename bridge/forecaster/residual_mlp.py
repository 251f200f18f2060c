"""A network that predicts the whole horizon at once: an MLP over time, one future, no randomness.

In the manner of siMLPe (Guo, Du, Shen, Lepetit, Alameda-Pineda and Moreno-Noguer 2023, "Back to MLP"): the context's
poses go through a discrete cosine transform over time, a fully connected layer over coordinates, a stack of blocks

    z <- z + norm(W z + b)        W (C, C) over time, the norm over the features of a frame

another layer over coordinates and the inverse transform; the result is added to the last pose. With some 44 thousand
weights it has little to remember people by, and does well on new ones.

The evaluation trains one as a deterministic baseline; refinement uses others as its guide (`bridge.forecaster.guide`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from bridge.errors import CheckpointError

# Displacements over a window are about a fifth of a bone: with this they are of the size of poses.
_DISPLACEMENT_GAIN = 5.0


@dataclass(frozen=True, slots=True)
class ResidualSizes:
    """Sizes: J landmarks, C frames read, H frames predicted at once (at most C), features of a frame, blocks."""

    joints: int
    context_frames: int = 31
    horizon_frames: int = 30
    width: int = 96
    blocks: int = 12

    def __post_init__(self) -> None:
        """Check that the sizes make a network.

        Raises:
            CheckpointError: if one of them is no positive whole number, or more is predicted than read.
        """
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise CheckpointError(f"{value!r}", field=f"sizes.{name}", expected="a whole number above 0")
        if self.horizon_frames > self.context_frames:
            raise CheckpointError(
                f"{self.horizon_frames} frames from {self.context_frames}",
                field="sizes.horizon_frames",
                expected="at most context_frames",
            )


class ResidualMlp(nn.Module):
    """The network: canonical contexts (B, C, J*3) to futures (B, H, J*3)."""

    cosines: Tensor  # (C, C)

    def __init__(self, sizes: ResidualSizes) -> None:
        super().__init__()
        self.sizes = sizes
        frames, width, features = sizes.context_frames, sizes.width, sizes.joints * 3
        self.register_buffer("cosines", cosine_transform(frames), persistent=False)
        self.enter = nn.Linear(features, width)
        self.enter_pose = nn.Linear(features, width, bias=False)
        self.first = nn.Parameter(torch.eye(frames))
        self.mix = nn.ParameterList(nn.init.xavier_uniform_(torch.empty(frames, frames)) for _ in range(sizes.blocks))
        self.bias = nn.ParameterList(torch.zeros(frames, 1) for _ in range(sizes.blocks))
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(sizes.blocks))
        self.leave = nn.Linear(width, features)
        # At first nearly the last pose, held.
        nn.init.xavier_uniform_(self.leave.weight, gain=1e-2)
        nn.init.zeros_(self.leave.bias)

    def forward(self, context: Tensor) -> Tensor:
        """(B, C, J*3) to (B, H, J*3)."""
        windows, frames, features = context.shape
        last = context[:, -1]
        # Time first: a layer over time is one matrix product for all windows.
        moved = (context - last[:, None]).transpose(0, 1).reshape(frames, -1) * _DISPLACEMENT_GAIN
        z = self.enter((self.cosines @ moved).view(frames, windows, features)) + self.enter_pose(last)
        z = (self.first @ z.view(frames, -1)).view_as(z)  # (C, B, width)
        for weight, bias, norm in zip(self.mix, self.bias, self.norm, strict=True):
            z = z + norm(torch.addmm(bias, weight, z.view(frames, -1)).view_as(z))
        change: Tensor = self.leave(z).view(frames, -1)
        future: Tensor = self.cosines.T[: self.sizes.horizon_frames] @ change
        return future.view(-1, windows, features).transpose(0, 1) + last[:, None]

    def roll(self, context: Tensor, horizon_frames: int) -> Tensor:
        """(B, C', J*3), C' at least C, to (B, ``horizon_frames``, J*3): its own futures follow the context."""
        path, frames = context, 0
        while frames < horizon_frames:
            more = self(path[:, -self.sizes.context_frames :])
            path, frames = torch.cat([path, more], dim=1), frames + more.shape[1]
        return path[:, context.shape[1] : context.shape[1] + horizon_frames]


def cosine_transform(frames: int) -> Tensor:
    """The orthonormal discrete cosine transform (type II) as a matrix (frequency, frame), inverted by its transpose."""
    frequency, time = torch.arange(frames, dtype=torch.float64)[:, None], torch.arange(frames, dtype=torch.float64)
    rows = torch.cos(math.pi / frames * (time + 0.5) * frequency) * math.sqrt(2.0 / frames)
    rows[0] *= math.sqrt(0.5)
    return rows.float()
