from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.geometry import canonicalise
from bridge.training.augment import Augmentation
from bridge.training.batches import TrainingBatch, make_batch
from tests.support import TINY_LAYOUT
from tests.training.builders import motion_set

CONTEXT, HORIZON = 13, 9
OFF = {field.name: 0.0 for field in fields(Augmentation) if field.name != "root_share"}
MOTION = motion_set()
STARTS = np.array([0, 5, 40, 125, 190])


def _make(
    augmentation: Augmentation | None = None, *, seed: int = 0, starts: NDArray[np.int64] = STARTS
) -> TrainingBatch:
    return make_batch(
        MOTION,
        starts,
        TINY_LAYOUT,
        context_frames=CONTEXT,
        horizon_frames=HORIZON,
        augmentation=augmentation,
        rng=None if augmentation is None else np.random.default_rng(seed),
    )


def _same(first: TrainingBatch, second: TrainingBatch, *, atol: float = 0.0) -> bool:
    def tensors(batch: TrainingBatch) -> list[torch.Tensor]:
        rest = [batch.future, batch.future_root, batch.root_known, batch.scale_m]
        return [*batch.context.tensors(), *rest]

    return all(torch.allclose(a, b, rtol=0, atol=atol) for a, b in zip(tensors(first), tensors(second), strict=True))


def test_plain_batches_are_the_motion_in_the_canonical_frame_of_the_contexts_end() -> None:
    batch = _make()
    assert batch.context.pose.shape == (5, CONTEXT, 21) and batch.future.shape == (5, HORIZON, 21)
    for i, start in enumerate(STARTS):
        rows = slice(start, start + CONTEXT + HORIZON)
        expected = canonicalise(MOTION.pose_m[rows], TINY_LAYOUT, root_m=MOTION.root_m[rows], context_frames=CONTEXT)
        assert expected.root is not None
        pose = torch.cat([batch.context.pose[i], batch.future[i]]).unflatten(-1, (-1, 3))
        root = torch.cat([batch.context.root[i], batch.future_root[i]])
        np.testing.assert_allclose(pose, expected.pose, atol=1e-5)
        np.testing.assert_allclose(root, expected.root, atol=1e-5)
        assert float(batch.scale_m[i]) == pytest.approx(float(expected.frame.scale_m))
    assert bool((batch.context.observed == 1).all()) and bool((batch.context.has_root == 1).all())
    np.testing.assert_allclose(batch.context.root[:, -1], 0.0, atol=1e-6)


def test_augmentation_of_no_strength_is_none() -> None:
    assert _same(_make(Augmentation(**OFF, root_share=1.0)), _make(), atol=1e-5)


def test_same_generator_same_batch_and_another_one_another() -> None:
    assert _same(_make(Augmentation(), seed=3), _make(Augmentation(), seed=3))
    assert not _same(_make(Augmentation(), seed=3), _make(Augmentation(), seed=4))


@pytest.mark.parametrize(
    "change", [{"noise_share": 1.0, "noise_max": 0.04}, {"dropout_share": 1.0}], ids=["noise", "dropouts"]
)
def test_noise_and_dropouts_touch_the_context_and_never_the_future(change: dict[str, float]) -> None:
    starts = np.arange(60)
    plain = _make(Augmentation(**OFF, root_share=1.0), starts=starts)
    worse = _make(Augmentation(**{**OFF, **change}, root_share=1.0), starts=starts)
    assert torch.equal(worse.future, plain.future)
    assert torch.equal(worse.future_root, plain.future_root)
    assert not torch.equal(worse.context.pose, plain.context.pose)
    if "dropout_share" in change:
        seen = worse.context.observed.bool()
        assert not bool(seen.all())
        kept = seen[..., None].expand(*seen.shape, 3).flatten(2)
        torch.testing.assert_close(worse.context.pose[kept], plain.context.pose[kept], atol=1e-5, rtol=0)
    else:
        assert bool((worse.context.observed == 1).all())
        joints = worse.context.pose.unflatten(-1, (-1, 3))
        hips = joints[:, :, list(TINY_LAYOUT.hips)].mean(dim=2)
        torch.testing.assert_close(hips, torch.zeros_like(hips), atol=1e-5, rtol=0)


def test_root_is_sometimes_withheld_from_the_context_but_still_learnt() -> None:
    batch = _make(Augmentation(root_share=0.5), starts=np.arange(90))
    has_root = batch.context.has_root[:, 0].bool()
    assert 20 < int(has_root.sum()) < 70
    assert not bool(batch.context.root[~has_root].any())
    assert bool(batch.future_root[~has_root].any()) and bool((batch.root_known == 1).all())


def test_motion_without_roots_says_so() -> None:
    rootless = motion_set("a", "b", with_root=False)
    batch = make_batch(rootless, STARTS, TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON)
    for tensor in (batch.context.has_root, batch.context.root, batch.future_root, batch.root_known):
        assert not bool(tensor.any())


def test_playing_faster_or_slower_stays_inside_the_segment() -> None:
    """At a segment's last window there is no room to play faster, and what is read belongs to it alone."""
    only_speed = Augmentation(**{**OFF, "speed_range": 0.25}, root_share=1.0)
    last = 120 - CONTEXT - HORIZON
    batch = _make(only_speed, starts=np.full(64, last))
    plain = _make(starts=np.array([last]))
    path = torch.cat([batch.context.root, batch.future_root], dim=1)[:, :, 0]
    usual = torch.cat([plain.context.root, plain.future_root], dim=1)[0, :, 0]
    travelled, expected = path[:, -1] - path[:, 0], usual[-1] - usual[0]
    ratio = travelled / expected
    assert float(ratio.max()) < 1.05 and float(ratio.min()) > 0.75
    middle = _make(only_speed, starts=np.full(64, 30))
    path = torch.cat([middle.context.root, middle.future_root], dim=1)[:, :, 0]
    assert float((path[:, -1] - path[:, 0]).std()) > 0


def test_batches_are_cut_into_parts_in_order() -> None:
    batch = _make()
    parts = list(batch.parts(2))
    assert [len(part.future) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.context.pose for part in parts]), batch.context.pose)
    assert torch.equal(torch.cat([part.scale_m for part in parts]), batch.scale_m)
    doubled = batch.map(lambda tensor: tensor * 2)
    assert torch.equal(doubled.future, batch.future * 2) and torch.equal(doubled.context.root, batch.context.root * 2)
