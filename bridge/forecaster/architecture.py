"""Sizes of a forecaster: everything needed to build the network that a checkpoint's tensors fit into."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bridge.errors import CheckpointError

_GUIDE = frozenset({"guide_nets", "guide_frames", "guide_width", "guide_blocks"})


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of the network.

    Attributes:
        joints: landmarks per frame, J.
        context_frames: frames read, C = 1 + context_blocks * block_frames.
        block_frames: frames predicted per step, F.
        block_dim: coordinates of one block that the flow models, D.
        pose_dim: coordinates of a pose that the GRU reads.
        encoder_hidden: state of the GRU that reads the context (once per window).
        decoder_hidden: state of the GRU that every trajectory carries.
        couplings: affine couplings of the flow.
        coupling_hidden: width of their nets.
        head_hidden: width of the net behind the head's mean and log-variance.
        root_hidden: width of the net that predicts the root's displacement.
        max_log_scale: bound of a coupling's log-scale, so that no trajectory is stretched without limit.
        guide_nets: networks that predict the whole horizon at once, whose mean guides refinement; 0: no guide.
        guide_frames: frames they predict, at most C. guide_width, guide_blocks: their size.
    """

    joints: int
    context_frames: int = 31
    block_frames: int = 3
    block_dim: int = 48
    pose_dim: int = 48
    encoder_hidden: int = 384
    decoder_hidden: int = 256
    couplings: int = 6
    coupling_hidden: int = 128
    head_hidden: int = 192
    root_hidden: int = 64
    max_log_scale: float = 1.5
    guide_nets: int = 0
    guide_frames: int = 30
    guide_width: int = 96
    guide_blocks: int = 12

    def __post_init__(self) -> None:
        """Check that the context is whole blocks after its first frame."""
        if (self.context_frames - 1) % self.block_frames or self.context_frames <= self.block_frames:
            raise CheckpointError(
                f"context of {self.context_frames} frames with blocks of {self.block_frames}",
                field="context_frames",
                expected="1 + a multiple of block_frames",
            )
        if self.block_dim < 2 or self.block_dim % 2 or self.block_frames < 2:
            raise CheckpointError(
                "too small or odd", field="block_dim, block_frames", expected="2 or more, block_dim even"
            )

    @classmethod
    def for_joints(cls, joints: int) -> Architecture:
        """Default sizes for J landmarks; never more coordinates than a hip-centred body of so few has."""
        usual = cls(joints)
        freedom = 3 * (joints - 1)
        block_dim = min(usual.block_dim, usual.block_frames * freedom // 2 * 2)
        return replace(usual, pose_dim=min(usual.pose_dim, freedom), block_dim=block_dim)

    @property
    def context_blocks(self) -> int:
        """Blocks in the context."""
        return (self.context_frames - 1) // self.block_frames

    @property
    def root_dim(self) -> int:
        """Coordinates of a block's root displacement: two per axis (drift and bend)."""
        return 6

    def to_dict(self) -> dict[str, int | float]:
        """Plain numbers, for the checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> Architecture:
        """Inverse of `to_dict`.

        Raises:
            CheckpointError: if a size is missing, unknown or no number.
        """
        known = {f.name: f.type for f in fields(cls)}
        # Weights from before there was a guide have none.
        wrong = {*known} - {*values} - _GUIDE | {*values} - {*known}
        if wrong:
            raise CheckpointError(
                f"sizes {sorted(wrong)} are missing or unknown",
                field="architecture",
                expected=", ".join(known),
            )
        numbers: dict[str, Any] = {}
        for name, value in values.items():
            least = 0 if name == "guide_nets" else 1e-9
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise CheckpointError(f"{value!r}", field=f"architecture.{name}", expected="a positive number")
            numbers[name] = value if known[name] == "float" else int(value)
        return cls(**numbers)
