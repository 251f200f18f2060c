"""The arithmetic of a rollout, counted by hand: every matrix product it needs, from the layer sizes.

A product of (rows, inner) with (inner, columns) is 2 * rows * inner * columns floating-point operations. Only these are
counted: what is done element by element (gates, activations, scaling, refinement, random numbers) is time spent, not
work done. Nothing is counted that a rollout need not do: masked halves, a state after the last frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.bench.paper import PaperSizes
from bridge.forecaster.architecture import Architecture

Part = Literal["gru", "flow", "codec", "guide", "limbs"]


@dataclass(frozen=True, slots=True)
class Gemm:
    """``times`` products of (rows, inner) with (inner, columns) within one rollout; ``part`` is what they belong to.

    Layers that read the same input are one product: ``within`` is then how many columns that has in all.
    """

    part: Part
    name: str
    rows: int
    inner: int
    columns: int
    times: int
    within: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, inner, columns) of the product that is made."""
        return self.rows, self.inner, self.within or self.columns

    @property
    def share(self) -> float:
        """Of that product's columns."""
        return self.columns / self.shape[2]

    @property
    def flop(self) -> int:
        """Floating-point operations of all of them."""
        return 2 * self.rows * self.inner * self.columns * self.times

    def __str__(self) -> str:
        """The formula with its numbers."""
        numbers = f"2 x {self.rows} x {self.inner} x {self.columns} x {self.times} times"
        return f"{self.part:5} {self.name:34} {numbers:36} = {self.flop / 1e9:9.3f} GFLOP"


def default_gemms(
    arch: Architecture, batch: int, samples: int, horizon_frames: int, *, limb_bones: int = 0, guided: bool = False
) -> tuple[Gemm, ...]:
    """Products of the forecaster's own network: B windows, N = B * S trajectories, blocks of F frames.

    Args:
        limb_bones: of the layout, whose lengths are held at the end.
        guided: whether the weights' guide is asked.
    """
    rows, steps = batch * samples, -(-horizon_frames // arch.block_frames)
    read, state = arch.context_blocks, arch.decoder_hidden
    half, width, dim = arch.block_dim // 2, arch.coupling_hidden, arch.block_dim
    pose, block = arch.joints * 3, arch.block_frames * arch.joints * 3
    features = dim + arch.pose_dim + arch.root_dim + 1
    conditions = arch.couplings * width
    readers = conditions + arch.head_hidden + arch.root_hidden + 3 * state
    products = (
        Gemm("codec", "context: blocks to coordinates", batch * read, block, dim, 1),
        Gemm("codec", "context: poses to coordinates", batch * read, pose, arch.pose_dim, 1),
        Gemm("gru", "context: input to gates", batch * read, features + arch.joints, 3 * arch.encoder_hidden, 1),
        Gemm("gru", "context: state to gates", batch, arch.encoder_hidden, 3 * arch.encoder_hidden, read),
        Gemm("gru", "context: to first state", batch, arch.encoder_hidden, state, 1),
        Gemm("gru", "context: to constant gates", batch, arch.encoder_hidden, 3 * state, 1),
        Gemm("flow", "state to all couplings", rows, state, conditions, steps, readers),
        Gemm("flow", "state to head", rows, state, arch.head_hidden, steps, readers),
        Gemm("codec", "state to root", rows, state, arch.root_hidden, steps, readers),
        Gemm("gru", "state to gates", rows, state, 3 * state, steps - 1, readers),
        Gemm("flow", "head to mean and scale", rows, arch.head_hidden, 2 * dim, steps),
        Gemm("flow", "couplings, first layer", rows, half, width, arch.couplings * steps),
        Gemm("flow", "couplings, second layer", rows, width, width, arch.couplings * steps),
        Gemm("flow", "couplings, scale and shift", rows, width, 2 * half, arch.couplings * steps),
        Gemm("codec", "block to root", rows, dim, arch.root_hidden, steps),
        Gemm("codec", "root to mean and scale", rows, arch.root_hidden, 2 * arch.root_dim, steps),
        Gemm("codec", "coordinates to poses", rows, dim, block, steps),
        Gemm("gru", "block to pose coordinates", rows, dim, arch.pose_dim, steps - 1),
        Gemm("gru", "input to gates", rows, features, 3 * state, steps - 1),
        *(_guide_gemms(arch, batch) if guided else ()),
        *(_limb_gemms(pose, 3 * limb_bones, batch * arch.context_frames, rows * steps * arch.block_frames)),
    )
    return tuple(product for product in products if product.times)


def _guide_gemms(arch: Architecture, batch: int) -> tuple[Gemm, ...]:
    """Products of all networks of the guide; layers over time have all windows side by side as columns."""
    frames, width, pose, nets = arch.context_frames, arch.guide_width, arch.joints * 3, arch.guide_nets
    return (
        Gemm("guide", "cosines of the context", frames, frames, batch * pose, nets),
        Gemm("guide", "coordinates to features", batch * frames, pose, width, nets),
        Gemm("guide", "last pose to features", batch, pose, width, nets),
        Gemm("guide", "layers over time", frames, frames, batch * width, nets * (1 + arch.guide_blocks)),
        Gemm("guide", "features to coordinates", batch * frames, width, pose, nets),
        Gemm("guide", "cosines to frames", arch.guide_frames, frames, batch * pose, nets),
    )


def _limb_gemms(pose: int, bones: int, context_poses: int, drawn_poses: int) -> tuple[Gemm, ...]:
    if not bones:
        return ()
    return (
        Gemm("limbs", "context: poses to bones", context_poses, pose, bones, 1),
        Gemm("limbs", "drawn poses to bones", drawn_poses, pose, bones, 1),
        Gemm("limbs", "bones' changes to poses", drawn_poses, bones, pose, 1),
    )


def parts_by_size(gemms: Iterable[Gemm]) -> dict[tuple[int, int], dict[Part, float]]:
    """What products of (inner, columns), however many rows, are for: part to share, what they are for first in front.

    The gates' product may also come in pieces: some of the inputs, or two gates and the third by themselves.
    """
    parts: dict[tuple[int, int], dict[Part, float]] = {}
    for gemm in gemms:
        shares = parts.setdefault(gemm.shape[1:], {})
        shares[gemm.part] = shares.get(gemm.part, 0.0) + gemm.share
        if gemm.name == "input to gates":
            for inner in range(1, gemm.inner + 1):
                for gates in (1, 2, 3):
                    parts.setdefault((inner, gates * gemm.columns // 3), {gemm.part: 1.0})
    return parts


def paper_gemms(sizes: PaperSizes, batch: int, samples: int, horizon_frames: int) -> tuple[Gemm, ...]:
    """Products of the published sizes, with a GRU state for every one of the N = B * S trajectories."""
    rows, hidden, width, half = batch * samples, sizes.hidden, sizes.width, sizes.dim // 2
    nets, gates, above = 2 * sizes.couplings, 3 * hidden, sizes.layers - 1
    fed = horizon_frames - 1
    products = (
        Gemm("gru", "context: frame to gates", batch * sizes.context_frames, sizes.dim, gates, 1),
        Gemm("gru", "context: layer to gates", batch * sizes.context_frames, hidden, gates, above),
        Gemm("gru", "context: state to gates", batch, hidden, gates, sizes.layers * sizes.context_frames),
        Gemm("flow", "state to first layers", rows, hidden, width, nets * horizon_frames),
        Gemm("flow", "kept half to first layers", rows, half, width, nets * horizon_frames),
        Gemm("flow", "second and third layers", rows, width, width, 2 * nets * horizon_frames),
        Gemm("flow", "to scale and shift", rows, width, half, nets * horizon_frames),
        Gemm("flow", "state to energy", rows, hidden, sizes.dim, horizon_frames),
        Gemm("gru", "frame to each gate", rows, sizes.dim, hidden, 3 * fed),
        Gemm("gru", "layer to each gate", rows, hidden, hidden, 3 * above * fed),
        Gemm("gru", "state to each gate", rows, hidden, hidden, 3 * sizes.layers * fed),
    )
    return tuple(product for product in products if product.times)


def total_gflop(gemms: Iterable[Gemm]) -> float:
    """Work in 10^9 floating-point operations."""
    return sum(gemm.flop for gemm in gemms) / 1e9


def formula(gemms: Sequence[Gemm]) -> list[str]:
    """The count line by line: what, 2 x rows x inner x columns x times, and their sum."""
    return [*(str(gemm) for gemm in gemms), f"{'sum':77} = {total_gflop(gemms):9.3f} GFLOP"]
