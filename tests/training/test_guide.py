"""The guide is trained beside the rest and travels in the same file."""

from __future__ import annotations

from pathlib import Path

import torch

from bridge.forecaster.checkpoint import load_checkpoint
from bridge.training import ResidualOptions, train_guide
from tests.support import TINY_LAYOUT, tiny_weights
from tests.training.builders import motion_set

OPTIONS = ResidualOptions(minutes=0.02, batch_windows=4, validation_windows=8, seed=3)


def test_networks_differ_and_the_rest_of_the_weights_stays(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, TINY_LAYOUT)
    before, old, _ = load_checkpoint(weights)
    said: list[str] = []
    reports = train_guide(weights, motion_set("a"), motion_set("b"), OPTIONS, said.append, nets=2)
    after, new, _ = load_checkpoint(weights)
    assert after.guide is not None and len(after.guide.nets) == len(reports) == 2
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name]), name
    pose = torch.randn(1, old.architecture.context_frames, TINY_LAYOUT.joints * 3)
    assert not torch.allclose(*(net(pose) for net in after.guide.nets))
    assert new.architecture.guide_frames == old.architecture.context_frames == 13
    assert [entry["step"] for entry in new.training["guide"]] == [report.step for report in reports]
    assert any(line.startswith("guide 2 of 2") for line in said)


def test_training_again_replaces_the_guide(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, TINY_LAYOUT)
    for nets in (2, 1):
        train_guide(weights, motion_set("a"), motion_set("b"), OPTIONS, lambda _: None, nets=nets)
    model, metadata, _ = load_checkpoint(weights)
    assert model.guide is not None and len(model.guide.nets) == metadata.architecture.guide_nets == 1
