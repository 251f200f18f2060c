from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.errors import CheckpointError
from bridge.evaluation.residual_mlp import ResidualBaseline, ResidualWeights, bundled_weights
from bridge.evaluation.windows import cut_windows
from bridge.forecaster.checkpoint import load_tensors, save_tensors
from bridge.forecaster.residual_mlp import ResidualMlp, ResidualSizes, cosine_transform
from bridge.frames import Window
from bridge.recordings import load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.support import TINY_LAYOUT, shared_dir, skip_or_fail

SIZES = ResidualSizes(TINY_LAYOUT.joints, context_frames=8, horizon_frames=5, width=12, blocks=2)
QUARTER = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)


def test_the_cosine_transform_is_orthonormal_and_its_first_row_is_the_mean() -> None:
    matrix = cosine_transform(9)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(9), atol=1e-6, rtol=0)
    torch.testing.assert_close(matrix[0], torch.full((9,), 1 / 3))
    slow, fast = torch.cos(torch.linspace(0, 2, 9)), torch.cos(torch.pi * torch.arange(9.0))
    assert (matrix @ slow)[:3].norm() > 0.99 * slow.norm()
    assert (matrix @ fast)[-3:].norm() > 0.9 * fast.norm()


def test_without_training_it_nearly_holds_the_last_pose() -> None:
    context = torch.randn(3, 8, 21)
    future = _network()(context)
    assert future.shape == (3, 5, 21)
    assert float((future - context[:, -1:]).detach().abs().max()) < 0.2


def test_a_window_is_forecast_alike_in_any_batch() -> None:
    network, context = _trained(), torch.randn(4, 8, 21)
    torch.testing.assert_close(network(context)[2:3], network(context[2:3]), atol=1e-5, rtol=1e-4)


def test_further_frames_come_from_its_own_futures() -> None:
    network, context = _trained(), torch.randn(2, 11, 21)
    rolled = network.roll(context, 12)
    assert rolled.shape == (2, 12, 21)
    first = network(context[:, 3:])
    torch.testing.assert_close(rolled[:, :5], first)
    torch.testing.assert_close(rolled[:, 5:10], network(torch.cat([context[:, 8:], first], dim=1)))
    torch.testing.assert_close(network.roll(context, 3), first[:, :3])


def test_futures_turn_and_grow_with_the_person() -> None:
    pose_m = _pose_m()
    method = ResidualBaseline(_trained(), TINY_LAYOUT)
    here, there = method.futures([_window(pose_m), _window(2 * pose_m @ QUARTER)], 9, [0, 0])
    assert here.shape == (1, 9, TINY_LAYOUT.joints, 3) and here.dtype == np.float32
    np.testing.assert_allclose(there, 2 * here @ QUARTER, atol=1e-4)
    assert np.abs(here[0, -1] - pose_m[-1]).max() > 1e-3


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = ResidualWeights(_trained(), TINY_LAYOUT.id, 30.0, {"seed": 3})
    written.save(tmp_path / "w.safetensors")
    read = ResidualWeights.load(tmp_path / "w.safetensors")
    assert (read.layout_id, read.rate_hz, read.training, read.network.sizes) == (
        TINY_LAYOUT.id,
        30.0,
        {"seed": 3},
        SIZES,
    )
    context = torch.randn(2, 8, 21)
    torch.testing.assert_close(read.network(context), written.network(context))
    assert not read.network.training and not any(p.requires_grad for p in read.network.parameters())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": "posebridge.gru_snf"}, "format"),
        ({"format_version": "2"}, "version 1"),
        ({"sizes": '{"joints": 7}'}, "does not fit"),
        ({"sizes": '{"joints":7,"context_frames":8,"horizon_frames":5,"width":13,"blocks":2}'}, "does not fit"),
        ({"sizes": '{"joints":7,"context_frames":8,"horizon_frames":9,"width":12,"blocks":2}'}, "at most"),
        ({"rate_hz": "often"}, "does not fit"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    path = tmp_path / "w.safetensors"
    ResidualWeights(_network(), TINY_LAYOUT.id, 30.0).save(path)
    tensors, strings = load_tensors(path)
    save_tensors(path, tensors, strings | change)
    with pytest.raises(CheckpointError, match=problem):
        ResidualWeights.load(path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = _network()
    with torch.no_grad():
        network.leave.bias[3] = float("nan")
    ResidualWeights(network, TINY_LAYOUT.id, 30.0).save(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="finite"):
        ResidualWeights.load(tmp_path / "w.safetensors")


@pytest.mark.parametrize("width", [0, -1, True])
def test_sizes_that_make_no_network_are_refused(width: int) -> None:
    with pytest.raises(CheckpointError, match="width"):
        ResidualSizes(7, width=width)


def test_the_bundled_weights_are_small_and_for_the_layout_they_are_bundled_for() -> None:
    path = bundled_weights(MEDIAPIPE_POSE_33)
    assert path.stat().st_size < 3e6
    weights = ResidualWeights.load(path)
    assert weights.layout_id == MEDIAPIPE_POSE_33.id and weights.network.sizes.joints == MEDIAPIPE_POSE_33.joints
    assert weights.training["subjects"] and weights.training["licences"]


def test_the_bundled_weights_beat_the_last_pose_on_somebody_they_were_not_trained_on() -> None:
    shared = shared_dir()
    if shared is None:
        skip_or_fail("no motion data")
    weights = ResidualWeights.load(bundled_weights(MEDIAPIPE_POSE_33))
    clips = [clip for clip in load_clips(shared / "motion" / "cmu003.npz") if clip.split == "validation"]
    assert clips and not {clip.subject for clip in clips} & set(weights.training["subjects"])
    windows = cut_windows(
        clips,
        MEDIAPIPE_POSE_33,
        context_frames=weights.network.sizes.context_frames,
        horizon_frames=30,
        rate_hz=weights.rate_hz,
        max_windows=16,
    )
    method = ResidualBaseline(weights.network, MEDIAPIPE_POSE_33)
    truth_m = np.stack([item.truth_m for item in windows])
    futures = method.futures([item.window for item in windows], 30, [0] * len(windows))[:, 0]
    held = np.stack([item.window.pose_m[-1:] for item in windows])
    error_m, held_m = (np.linalg.norm(p - truth_m, axis=-1).mean() for p in (futures, held))
    assert error_m < 0.85 * held_m


def _network() -> ResidualMlp:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResidualMlp(SIZES).eval()


def _trained() -> ResidualMlp:
    """With random values throughout, so that everything matters."""
    network = _network()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def _pose_m() -> NDArray[np.float32]:
    sway = 0.02 * np.random.default_rng(0).standard_normal((SIZES.context_frames, TINY_LAYOUT.joints, 3)).cumsum(axis=0)
    sway[:, list(TINY_LAYOUT.hips)] = 0.0
    return (0.4 * TINY_LAYOUT.template + sway).astype(np.float32)


def _window(pose_m: NDArray[np.floating]) -> Window:
    frames, joints = pose_m.shape[:2]
    return Window(
        layout_id=TINY_LAYOUT.id,
        pose_m=pose_m.astype(np.float32),
        observed=np.ones((frames, joints), bool),
        root_m=None,
        bridged=np.zeros(frames, bool),
        sequence=frames - 1,
        timestamp_us=frames * 33_333,
    )
