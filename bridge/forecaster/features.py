"""Coordinates: from canonical poses to the few numbers that the network reads and draws, and back.

A *block* is F frames of change against the pose before it, projected on the D directions in which training motion moves
most (principal components, scaled to unit variance). Face, hands and heels follow from the rest of the body, so D is
far below F * J * 3. What the projection drops is held, not lost: a forecast starts at the observed pose and adds
changes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bridge.forecaster.architecture import Architecture


class BlockCodec(nn.Module):
    """Linear maps between poses and coordinates; fixed after `fit`, stored with the weights as buffers."""

    block_encode: Tensor  # (F*J*3, D)
    block_decode: Tensor  # (D, F*J*3)
    pose_mean: Tensor  # (J*3,)
    pose_encode: Tensor  # (J*3, P)
    root_encode: Tensor  # (F, 2)
    root_decode: Tensor  # (2, F)

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.block_frames = arch.block_frames
        features = arch.joints * 3
        self.register_buffer("block_encode", torch.zeros(arch.block_frames * features, arch.block_dim))
        self.register_buffer("block_decode", torch.zeros(arch.block_dim, arch.block_frames * features))
        self.register_buffer("pose_mean", torch.zeros(features))
        self.register_buffer("pose_encode", torch.zeros(features, arch.pose_dim))
        # Root displacement over a block as a quadratic in time through zero: t and t^2, orthonormal over the F frames.
        time = torch.arange(1, arch.block_frames + 1, dtype=torch.float64) / arch.block_frames
        basis, _ = torch.linalg.qr(torch.stack([time, time**2], dim=1))
        basis = basis * torch.sign(basis[-1])
        self.register_buffer("root_encode", basis.float())
        self.register_buffer("root_decode", basis.T.contiguous().float())

    def fit(self, blocks: NDArray[np.float32], poses: NDArray[np.float32]) -> None:
        """Find the directions.

        Args:
            blocks: (N, F, J, 3) canonical displacements against the pose before the block.
            poses: (N, J, 3) canonical poses.
        """
        flat = blocks.reshape(len(blocks), -1).astype(np.float64)
        directions, deviations = _principal(flat, self.block_encode.shape[1])
        # Even ranks first, then odd ones: the flow's couplings work on halves, each with its share of the large ones.
        comb = np.r_[0 : len(deviations) : 2, 1 : len(deviations) : 2]
        directions, deviations = directions[:, comb], deviations[comb]
        flat_poses = poses.reshape(len(poses), -1).astype(np.float64)
        mean = flat_poses.mean(axis=0)
        pose_directions, pose_deviations = _principal(flat_poses - mean, self.pose_encode.shape[1])
        self.block_encode.copy_(torch.from_numpy(directions / deviations))
        self.block_decode.copy_(torch.from_numpy((directions * deviations).T.copy()))
        self.pose_mean.copy_(torch.from_numpy(mean))
        self.pose_encode.copy_(torch.from_numpy(pose_directions / pose_deviations))

    def encode_blocks(self, poses: Tensor) -> Tensor:
        """(..., 1 + n*F, J*3) consecutive poses to (..., n, D) block coordinates."""
        before = poses[..., : -1 : self.block_frames, :].unsqueeze(-2)  # (..., n, 1, J*3)
        after = torch.unflatten(poses[..., 1:, :], -2, (-1, self.block_frames))  # (..., n, F, J*3)
        return (after - before).flatten(-2) @ self.block_encode

    def decode_block(self, block: Tensor, pose: Tensor) -> Tensor:
        """(..., D) block coordinates and the (..., J*3) pose before them to (..., F, J*3) poses."""
        change = torch.unflatten(block @ self.block_decode, -1, (self.block_frames, -1))
        return pose.unsqueeze(-2) + change

    def encode_pose(self, pose: Tensor) -> Tensor:
        """(..., J*3) canonical pose to (..., P) coordinates of about unit size."""
        return (pose - self.pose_mean) @ self.pose_encode

    def encode_roots(self, root: Tensor) -> Tensor:
        """(..., 1 + n*F, 3) consecutive root positions to (..., n, 6) block coordinates, axis by axis."""
        before = root[..., : -1 : self.block_frames, :].unsqueeze(-2)
        after = torch.unflatten(root[..., 1:, :], -2, (-1, self.block_frames))  # (..., n, F, 3)
        return ((after - before).transpose(-1, -2) @ self.root_encode).flatten(-2)

    def decode_roots(self, block: Tensor, root: Tensor) -> Tensor:
        """(..., 6) block coordinates and the (..., 3) root before them to (..., F, 3) roots."""
        change = torch.unflatten(block, -1, (3, 2)) @ self.root_decode  # (..., 3, F)
        return root.unsqueeze(-2) + change.transpose(-1, -2)


_ONE = torch.ones(())


def squash(values: Tensor) -> Tensor:
    """Bound what the GRU reads to (-8, 8), linear near zero, so that a jump does not saturate it."""
    return bounded(values, 8.0)


def bounded(raw: Tensor, limit: float) -> Tensor:
    """Bound smoothly to (-limit, limit): raw / (1 + |raw| / limit). A softsign: cheaper than tanh, same slope at 0."""
    # Not 1.0 + ...: torch would make the number a tensor each time, at the price of two more operations.
    return raw / torch.add(_ONE, raw.abs(), alpha=1.0 / limit)


class Affine(nn.Module):
    """x W + b for rows x (N, in): `torch.nn.Linear` with its weight stored as (in, out).

    With few rows a product with a transposed weight costs up to twice as much; rollouts make thousands of them.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        limit = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-limit, limit)) if bias else None

    def forward(self, rows: Tensor) -> Tensor:
        """(N, in) to (N, out)."""
        return rows @ self.weight if self.bias is None else torch.addmm(self.bias, rows, self.weight)


def _principal(rows: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (features, count) of largest mean square of ``rows`` and the root mean squares (count,) along them."""
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    order = np.argsort(values)[::-1][:count]
    return vectors[:, order], np.sqrt(np.maximum(values[order], 1e-12))
