"""The guide: what a second look at the context says of the whole horizon, and how refinement heeds it.

The paper's energy blends a Gaussian prior with a prediction g. The GRU's own next-frame prediction is the flow's
outermost layer here, so pulling a sample towards it teaches it nothing new, and pulls every sample to the same place.
The guide is a prediction with other mistakes than the rollouts': small networks that predict all frames at once
(`bridge.forecaster.residual_mlp`), averaged. Its energy acts on the mean of a window's S samples, frame by frame, and
leaves what sets them apart alone. With x the mean of the samples x_1..x_S as drawn, m the mean after the step, g the
prediction and k the guide's strength::

    E(m) = (1 - k) S/2 |m - x|^2 + k S/2 |m - g|^2
    x_s <- x_s + k (1 - 1/S) (g - x)

which is the step to the energy's minimum (for a large S; a single sample is left as it is: its mean says nothing of the
flow's). It moves all samples alike: no volume changes, and no trajectory loses its shape. It is the zero-temperature
step of the blended energy, taken on the mean, where kernels stir the samples about it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bridge.forecaster.architecture import Architecture
from bridge.forecaster.residual_mlp import ResidualMlp, ResidualSizes


class Guide(nn.Module):
    """The mean of several networks that were trained from different beginnings."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        sizes = ResidualSizes(
            arch.joints, arch.context_frames, arch.guide_frames, width=arch.guide_width, blocks=arch.guide_blocks
        )
        self.nets = nn.ModuleList(ResidualMlp(sizes) for _ in range(arch.guide_nets))

    def forward(self, pose: Tensor) -> Tensor:
        """Canonical contexts (B, C, J*3) to predictions (B, guide_frames, J*3)."""
        return torch.stack([net(pose) for net in self.nets]).mean(dim=0)


def pull_(poses: Tensor, prediction: Tensor, strength: float) -> Tensor:
    """Move each window's samples together, in place, so that their mean comes nearer to a prediction.

    Args:
        poses: (B, S, H, J*3). prediction: (B, H', J*3); frames after H' move like the last one before.
        strength: share of the way that the mean of many samples goes, 0 to 1.
    """
    samples, frames = poses.shape[1], min(poses.shape[2], prediction.shape[1])
    mean = poses[:, :, :frames].mean(dim=1)
    shift = (prediction[:, :frames] - mean).mul_(strength * (1.0 - 1.0 / samples))[:, None]
    poses[:, :, :frames] += shift
    poses[:, :, frames:] += shift[:, :, -1:]
    return poses
