"""Limbs of forecasts keep the lengths they had in the context."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bridge.forecaster.limbs import HOLD, LimbLengths
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from tests.support import TINY_LAYOUT


def bone_lengths(poses: torch.Tensor, layout: Layout) -> torch.Tensor:
    """(..., bones) of poses (..., J*3)."""
    points = torch.unflatten(poses, -1, (-1, 3))
    return torch.stack([(points[..., a, :] - points[..., b, :]).norm(dim=-1) for a, b in layout.limb_bones], dim=-1)


def wobbling_poses(layout: Layout, *shape: int, size: float = 0.1, seed: int = 0) -> torch.Tensor:
    """Template poses (*shape, J*3) with white noise."""
    generator = torch.Generator().manual_seed(seed)
    template = torch.from_numpy(layout.template).flatten()
    return template + size * torch.randn(*shape, len(template), generator=generator)


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
def test_full_hold_gives_every_limb_its_length_and_leaves_the_trunk_alone(layout: Layout) -> None:
    limbs = LimbLengths(layout, hold=1.0)
    poses = wobbling_poses(layout, 2, 3, 4)
    wanted = torch.rand(2, len(layout.limb_bones), generator=torch.Generator().manual_seed(1)) + 0.5
    held = limbs.restore_(poses.clone(), wanted)
    assert torch.allclose(bone_lengths(held, layout), wanted[:, None, None].expand(2, 3, 4, -1), atol=1e-4)
    trunk = [*layout.hips, *layout.shoulders, 0]
    points, before = torch.unflatten(held, -1, (-1, 3)), torch.unflatten(poses, -1, (-1, 3))
    assert torch.equal(points[..., trunk, :], before[..., trunk, :])


def test_directions_of_all_limb_bones_stay() -> None:
    layout = MEDIAPIPE_POSE_33
    poses = wobbling_poses(layout, 1, 5)
    held = LimbLengths(layout, hold=1.0).restore_(poses.clone(), torch.full((1, len(layout.limb_bones)), 0.7))
    for start, end in layout.limb_bones:
        vectors = [torch.unflatten(p, -1, (-1, 3))[..., end, :] for p in (poses, held)]
        starts = [torch.unflatten(p, -1, (-1, 3))[..., start, :] for p in (poses, held)]
        before, after = (v - s for v, s in zip(vectors, starts, strict=True))
        assert torch.cosine_similarity(before, after, dim=-1).min() > 1 - 1e-5


def test_hands_and_feet_move_along_with_what_carries_them() -> None:
    layout = MEDIAPIPE_POSE_33
    poses = wobbling_poses(layout, 1, 5)
    held = LimbLengths(layout, hold=1.0).restore_(poses.clone(), torch.full((1, len(layout.limb_bones)), 0.7))
    moved = torch.unflatten(held - poses, -1, (-1, 3))
    wrist, fingers = layout.names.index("left_wrist"), [layout.names.index(f"left_{n}") for n in ("pinky", "index")]
    ankle, toe = layout.names.index("right_ankle"), layout.names.index("right_foot_index")
    assert moved[..., wrist, :].abs().min() > 0
    for finger in fingers:
        assert torch.allclose(moved[..., finger, :], moved[..., wrist, :], atol=1e-5)
    assert torch.allclose(moved[..., toe, :], moved[..., ankle, :], atol=1e-5)


def test_default_hold_leaves_a_tenth_of_a_stretch() -> None:
    layout = TINY_LAYOUT
    poses = wobbling_poses(layout, 1, 50)
    wanted = torch.ones(1, len(layout.limb_bones))
    before = (bone_lengths(poses, layout) - 1.0).abs().mean()
    after = (bone_lengths(LimbLengths(layout).restore_(poses.clone(), wanted), layout) - 1.0).abs().mean()
    assert after / before == pytest.approx(1.0 - HOLD, abs=1e-3)


def test_lengths_are_measured_where_both_ends_were_seen() -> None:
    layout = TINY_LAYOUT
    pose = torch.from_numpy(np.broadcast_to(layout.template, (1, 4, *layout.template.shape)).copy())
    foot = layout.names.index("left_foot")
    true_length = bone_lengths(pose.flatten(2), layout)[0, 0]
    pose[0, 2:, foot] += 5.0
    observed = torch.ones(1, 4, layout.joints)
    observed[0, 2:, foot] = 0.0
    limbs = LimbLengths(layout)
    assert torch.allclose(limbs.measure(pose.flatten(2), observed)[0], true_length)
    observed[0, :, foot] = 0.0
    never_seen = limbs.measure(pose.flatten(2), observed)[0]
    assert torch.allclose(never_seen, bone_lengths(pose.flatten(2), layout)[0].mean(dim=0))


def test_a_collapsed_limb_stays_finite() -> None:
    layout = TINY_LAYOUT
    poses = torch.zeros(1, 2, layout.joints * 3)
    assert LimbLengths(layout).restore_(poses, torch.ones(1, len(layout.limb_bones))).isfinite().all()


def test_a_layout_without_limb_bones_is_left_alone() -> None:
    layout = replace(TINY_LAYOUT, id="test.limbless", limb_bones=())
    poses = wobbling_poses(layout, 2, 3)
    limbs = LimbLengths(layout)
    lengths = limbs.measure(poses, torch.ones(2, 3, layout.joints))
    assert limbs.restore_(poses, lengths) is poses
