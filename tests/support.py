"""What tests of all folders share."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest

from bridge.skeleton import MEDIAPIPE_POSE_33, Layout, register_layout

if TYPE_CHECKING:
    from bridge.forecaster.architecture import Architecture

REPOSITORY = Path(__file__).resolve().parents[1]

TINY_LAYOUT = Layout(
    id="test.tiny.7",
    names=("head", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_foot", "right_foot"),
    bones=((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4), (3, 5), (4, 6)),
    mirror_pairs=((1, 2), (3, 4), (5, 6)),
    hips=(3, 4),
    shoulders=(1, 2),
    scale_bones=((1, 3), (2, 4), (3, 5), (4, 6)),
    limb_bones=((3, 5), (4, 6)),
    template=np.array(
        [
            (0.00, -0.95, -0.10),
            (0.25, -0.70, 0.00),
            (-0.25, -0.70, 0.00),
            (0.13, 0.00, 0.00),
            (-0.13, 0.00, 0.00),
            (0.14, 1.29, 0.02),
            (-0.14, 1.29, 0.02),
        ],
        np.float32,
    ),
)
"""A second layout, registered by importing this module: nothing may depend on MediaPipe's 33 landmarks."""

register_layout(TINY_LAYOUT)


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test for want of ``reason``; fail where nothing may be missing (``POSE_BRIDGE_STRICT=1``, as in CI)."""
    if os.environ.get("POSE_BRIDGE_STRICT") == "1":
        pytest.fail(f"nothing may be skipped here: {reason}", pytrace=False)
    pytest.skip(reason)


def skip_allowed(reason: str) -> NoReturn:
    """Skip for want of what no CI machine need have: a GPU, a game editor, the data folder beside the checkout."""
    pytest.skip(reason)


def shared_dir() -> Path | None:
    """Return the data folder: ``POSE_BRIDGE_SHARED``, else ``shared`` beside the checkout; None if it is not there."""
    folder = Path(os.environ.get("POSE_BRIDGE_SHARED") or REPOSITORY.parent / "shared")
    return folder if folder.is_dir() else None


def free_port() -> int:
    """Return a TCP port on the loopback that was free a moment ago; prefer port 0 where the server can say its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def small_architecture(joints: int, *, block_dim: int = 6, couplings: int = 2) -> Architecture:
    """Sizes of a network that is built and run in milliseconds."""
    from bridge.forecaster.architecture import Architecture

    return Architecture(
        joints=joints,
        context_frames=13,
        block_dim=block_dim,
        pose_dim=8,
        encoder_hidden=16,
        decoder_hidden=16,
        couplings=couplings,
        coupling_hidden=16,
        head_hidden=16,
        root_hidden=8,
    )


def tiny_weights(folder: Path, layout: Layout = MEDIAPIPE_POSE_33, *, seed: int = 0) -> Path:
    """Write the weights of a small network with random (untrained) values, return the file: quick, real, not good."""
    import torch

    from bridge.forecaster.checkpoint import Metadata, save_checkpoint
    from bridge.forecaster.model import GruSnf
    from bridge.forecaster.refinement import Refinement

    sizes = small_architecture(layout.joints, block_dim=8)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GruSnf(sizes)
    poses = layout.template + 0.1 * rng.standard_normal((256, layout.joints, 3)).astype(np.float32)
    blocks = 0.05 * rng.standard_normal((256, sizes.block_frames, layout.joints, 3)).astype(np.float32)
    model.codec.fit(blocks, poses)
    path = folder / f"tiny_{layout.id}_{seed}.safetensors"
    refinement = Refinement("pcn", steps=1, step_size=0.3)
    save_checkpoint(path, model, Metadata(layout, 30.0, sizes, refinement))
    return path
