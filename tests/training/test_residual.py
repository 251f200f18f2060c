"""Training of the deterministic baseline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.errors import BridgeError, InvalidInput
from bridge.evaluation.residual_mlp import ResidualWeights
from bridge.training.residual import Pair, ResidualOptions, ResidualReport, error_ratio, fit, loss, train_residual
from tests.support import TINY_LAYOUT
from tests.training.builders import motion_set, write_motion_file

FEATURES = TINY_LAYOUT.joints * 3


class Line(nn.Module):
    """Goes on with a share of the last velocity: the simplest network that can learn."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(()))
        self.frames = frames

    def forward(self, context: Tensor) -> Tensor:
        step = context[:, -1:] - context[:, -2:-1]
        return context[:, -1:] + self.share * step * torch.arange(1, self.frames + 1)[None, :, None]


def test_the_loss_is_the_mean_distance_of_landmarks_and_of_their_steps() -> None:
    future, last = torch.randn(2, 4, 6), torch.randn(2, 1, 6)
    shifted = future + torch.tensor([0.3, 0.0, 0.4] * 2)
    assert float(loss(shifted, future, last, 0.0)) == pytest.approx(0.5, abs=1e-4)
    # Only the first of four steps is wrong.
    assert float(loss(shifted, future, last, 1.0)) == pytest.approx(0.5 + 0.5 / 4, abs=1e-4)


def test_holding_the_last_pose_has_ratio_one() -> None:
    context = torch.randn(300, 5, FEATURES)
    assert error_ratio(Line(3), (context, torch.randn(300, 3, FEATURES))) == pytest.approx(1.0, abs=1e-6)


def test_what_can_be_learnt_is_learnt_and_the_averaged_weights_stay() -> None:
    network = Line(4)
    reports: list[ResidualReport] = []
    last = fit(network, _lines, _lines(-1), ResidualOptions(minutes=0.02, learning_rate=0.1), reports.append)
    assert reports[-1] == last
    assert float(network.share.detach()) == pytest.approx(1.0, abs=0.1)
    assert last.ratio < 0.1 and last.step > 50
    assert error_ratio(network, _lines(-1)) == pytest.approx(last.ratio, abs=1e-6)


def test_training_reads_contexts_and_futures_of_the_given_lengths() -> None:
    shapes = set()

    class Seen(Line):
        def forward(self, context: Tensor) -> Tensor:
            shapes.add(tuple(context.shape[1:]))
            return super().forward(context)

    last = train_residual(
        Seen(6),
        motion_set("anna", "ben"),
        motion_set("cleo"),
        TINY_LAYOUT,
        ResidualOptions(minutes=0.005, batch_windows=8),
        context_frames=9,
        horizon_frames=6,
        on_report=lambda report: None,
    )
    assert shapes == {(9, FEATURES)} and np.isfinite(last.ratio)


def test_clips_that_are_too_short_are_refused() -> None:
    with pytest.raises(InvalidInput, match="long enough"):
        train_residual(
            Line(30),
            motion_set("anna"),
            motion_set("ben", frames=40),
            TINY_LAYOUT,
            ResidualOptions(minutes=0.01),
            context_frames=31,
            horizon_frames=30,
            on_report=lambda report: None,
        )


def test_the_command_writes_weights_that_the_evaluation_reads(tmp_path: Path) -> None:
    write_motion_file(tmp_path / "data", {"anna": "train", "ben": "validation", "cleo": "test"})
    out = tmp_path / "new" / "residual.safetensors"
    arguments = ["train", "--data", str(tmp_path / "data"), "--out", str(out), "--layout", TINY_LAYOUT.id]
    result = CliRunner().invoke(
        app, [*arguments, "--residual-baseline", "--minutes", "0.05", "--threads", "1", "--json"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["out"] == str(out) and report["step"] > 0 and np.isfinite(report["ratio"])
    weights = ResidualWeights.load(out)
    assert weights.layout_id == TINY_LAYOUT.id and weights.network.sizes.joints == TINY_LAYOUT.joints
    assert weights.training["subjects"] == ["anna"] and weights.training["licences"] == ["CC0-1.0"]


@pytest.mark.parametrize("option", [["--init", "weights.safetensors"], ["--fresh"]])
def test_options_of_the_other_training_are_refused(tmp_path: Path, option: list[str]) -> None:
    write_motion_file(tmp_path / "data", {"anna": "train", "ben": "validation"})
    arguments = ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "w"), "--layout", TINY_LAYOUT.id]
    result = CliRunner().invoke(app, [*arguments, "--residual-baseline", *option])
    assert isinstance(result.exception, BridgeError) and option[0] in str(result.exception)
    assert not (tmp_path / "w").exists()


def _lines(step: int) -> Pair:
    """Landmarks on straight lines: 5 frames seen, 4 to come."""
    generator = torch.Generator().manual_seed(step + 10)
    velocity = torch.randn(16, 1, FEATURES, generator=generator)
    path = velocity * torch.arange(-4, 5)[None, :, None]
    return path[:, :5], path[:, 5:]
