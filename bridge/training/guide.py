"""Training of the guide: small networks from different beginnings, added to weights that are already trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from bridge.forecaster.checkpoint import load_checkpoint, save_checkpoint
from bridge.forecaster.model import GruSnf
from bridge.forecaster.residual_mlp import ResidualMlp
from bridge.training.motion import MotionSet
from bridge.training.residual import ResidualOptions, ResidualReport, train_residual

GUIDE_NETS = 2


def train_guide(
    weights: Path,
    train: MotionSet,
    validation: MotionSet,
    options: ResidualOptions,
    say: Callable[[str], None],
    *,
    nets: int = GUIDE_NETS,
) -> list[ResidualReport]:
    """Train the networks of `bridge.forecaster.guide`, one after another, and write them into a weights file.

    Each has its own seed, for its first values and for the windows it sees. A guide that the file already has is
    replaced. Training runs on the CPU: the networks are small, and what costs most is making the batches.

    Args:
        weights: file to add the guide to. train, validation: motion of different subjects.
        options: of every network; ``minutes`` is the time for all of them.
        say: told what is going on.
        nets: how many.

    Returns:
        The last validation of each.

    Raises:
        InvalidInput: if no clip is long enough.
    """
    plain, metadata, _ = load_checkpoint(weights)
    sizes = metadata.architecture
    architecture = replace(sizes, guide_nets=nets, guide_frames=min(sizes.guide_frames, sizes.context_frames))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = GruSnf(architecture)
    kept = {name: tensor for name, tensor in plain.state_dict().items() if not name.startswith("guide.")}
    model.load_state_dict(kept, strict=False)
    assert model.guide is not None
    reports = []

    def tell(number: int, report: ResidualReport) -> None:
        say(
            f"guide {number + 1} of {nets}  step {report.step:6d}  loss {report.train_loss:.4f}  "
            f"validation: error over last pose {report.ratio:.4f}"
        )

    for number, network in enumerate(model.guide.nets):
        assert isinstance(network, ResidualMlp)
        last = train_residual(
            network,
            train,
            validation,
            metadata.layout,
            replace(options, minutes=options.minutes / nets, seed=options.seed * nets + number),
            context_frames=architecture.context_frames,
            horizon_frames=architecture.guide_frames,
            on_report=partial(tell, number),
        )
        reports.append(last)
    training = {**metadata.training, "guide": [asdict(report) for report in reports]}
    save_checkpoint(weights, model, replace(metadata, architecture=architecture, training=training))
    return reports
