"""Limbs keep their length: what a forecast stretches is put back, most of it, without bending anything.

A block of coordinates is a linear image of a pose, so sampled arms and legs come out some per cent too long or short.
Every limb bone of a sampled pose keeps its direction and gets back `HOLD` of the way to the mean length it had in the
context; what hangs on its end (the rest of the limb, a hand, a foot) moves along. With v the bone as drawn, l its mean
length in the context and h the hold::

    shift of the bone's end = shift of its start + h (l / |v| - 1) v

The bones of all poses are one matrix product, their shifts another.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bridge.skeleton import Layout

HOLD = 0.9
"""Share of a stretch that is taken back. Tracked limbs wobble themselves: the tenth left is about what theirs do."""
_SHORTEST = 1e-4


class LimbLengths:
    """Holds the limb bones of one layout; without limb bones it does nothing.

    Args:
        layout: of the landmarks; its ``limb_bones`` run from the trunk outwards.
        device: of the poses.
        hold: share of a stretch that is taken back, 0 to 1.
    """

    def __init__(self, layout: Layout, device: torch.device | str = "cpu", hold: float = HOLD) -> None:
        bones = layout.limb_bones
        self.hold = hold
        self.bones = len(bones)
        vectors, carried = torch.zeros(layout.joints, self.bones), torch.zeros(self.bones, layout.joints)
        for index, (start, end) in enumerate(bones):
            vectors[end, index] += 1.0
            vectors[start, index] -= 1.0
            carried[index, list(_carried(layout, index))] = 1.0
        axes = torch.eye(3)
        self._start = torch.tensor([start for start, _ in bones], dtype=torch.long, device=device)
        self._end = torch.tensor([end for _, end in bones], dtype=torch.long, device=device)
        # Per coordinate, with x, y, z of a bone side by side as they are of a landmark.
        self._vectors = torch.kron(vectors, axes).to(device)  # (J*3, bones*3)
        self._carried = torch.kron(carried, axes).to(device)  # (bones*3, J*3)

    def measure(self, pose: Tensor, observed: Tensor) -> Tensor:
        """Mean length (B, bones) of every limb bone in contexts.

        Frames in which both ends were seen count; for a bone that never was, all frames do.

        Args:
            pose: (B, C, J*3). observed: (B, C, J) float, 1 where the landmark was seen.
        """
        lengths = torch.unflatten(pose @ self._vectors, -1, (self.bones, 3)).norm(dim=-1)  # (B, C, bones)
        seen = observed[..., self._start] * observed[..., self._end]
        seen = torch.where(seen.sum(dim=1, keepdim=True) > 0, seen, torch.ones_like(seen))
        mean: Tensor = (lengths * seen).sum(dim=1) / seen.sum(dim=1)
        return mean

    def restore_(self, poses: Tensor, lengths: Tensor) -> Tensor:
        """Bring the limbs of contiguous poses (B, ..., J*3) back to ``lengths`` (B, bones), in place."""
        if not self.bones or self.hold == 0.0:
            return poses
        rows = poses.view(-1, poses.shape[-1])
        vectors = (rows @ self._vectors).view(len(poses), -1, self.bones, 3)
        drawn = vectors.square().sum(dim=-1).add_(_SHORTEST**2)
        vectors *= (lengths[:, None] * drawn.rsqrt_() - 1.0)[..., None]
        rows.addmm_(vectors.view(len(rows), -1), self._carried, alpha=self.hold)
        return poses


def _carried(layout: Layout, index: int) -> set[int]:
    """Landmarks that move along with the end of limb bone ``index``: the rest of the limb and what hangs on it."""
    trunk = {*layout.hips, *layout.shoulders}
    blocked = trunk | {layout.limb_bones[index][0]}
    moved, waiting = set[int](), [layout.limb_bones[index][1]]
    while waiting:
        joint = waiting.pop()
        if joint in moved or joint in blocked:
            continue
        moved.add(joint)
        for first, second in (*layout.bones, *layout.limb_bones):
            if joint in (first, second):
                waiting.append(second if joint == first else first)
    return moved
