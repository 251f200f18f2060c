"""A deterministic baseline in the manner of siMLPe: `bridge.forecaster.residual_mlp` with weights of its own.

It is trained on positions and velocities (`bridge.training.residual`), on the same motion as the forecaster, and reads
the same canonical windows. Where futures go further than it was trained for, it reads its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.errors import CheckpointError
from bridge.forecaster.checkpoint import load_tensors, save_tensors
from bridge.forecaster.jobs import canonical_batch
from bridge.forecaster.residual_mlp import ResidualMlp, ResidualSizes
from bridge.frames import Window
from bridge.skeleton import Layout

FORMAT = "posebridge.residual_mlp"
FORMAT_VERSION = 1
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class ResidualWeights:
    """A trained network, what it is for, and what is told about its training (JSON values)."""

    network: ResidualMlp
    layout_id: str
    rate_hz: float
    training: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write one safetensors file; an existing one is replaced only when the new one is complete."""
        strings = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "layout_id": self.layout_id,
            "rate_hz": repr(self.rate_hz),
            "sizes": json.dumps(asdict(self.network.sizes)),
            "training": json.dumps(self.training),
        }
        save_tensors(path, {name: tensor.detach() for name, tensor in self.network.state_dict().items()}, strings)

    @classmethod
    def load(cls, path: Path) -> ResidualWeights:
        """Read what `save` wrote: the network in evaluation mode.

        Raises:
            CheckpointError: if the file is missing, damaged, foreign, newer than this software, or does not fit itself.
        """
        tensors, strings = load_tensors(path)
        version = strings.get("format_version", "")
        if strings.get("format") != FORMAT or not version.isdigit() or int(version) > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} holds no weights of a residual baseline that can be read here",
                field="residual_weights",
                expected=f"format {FORMAT}, version {FORMAT_VERSION} or older",
            )
        try:
            values = json.loads(strings["sizes"])
            network = ResidualMlp(ResidualSizes(**{f.name: values[f.name] for f in fields(ResidualSizes)}))
            network.load_state_dict(tensors)
            weights = cls(network, strings["layout_id"], float(strings["rate_hz"]), json.loads(strings["training"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} does not fit itself: {error}", field="residual_weights") from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise CheckpointError(f"{path} holds numbers that are not finite", field="residual_weights")
        network.eval().requires_grad_(False)
        return weights


def bundled_weights(layout: Layout) -> Path:
    """Where the weights of the baseline for a layout are, if there are any."""
    return WEIGHTS_FOLDER / f"residual_{layout.id.replace('.', '_')}.safetensors"


@dataclass(frozen=True, slots=True)
class ResidualBaseline:
    """The network as a method: one future each."""

    network: ResidualMlp
    layout: Layout
    name: str = "residual_mlp"
    stochastic: bool = False

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        """(B, 1, H, J, 3) metres, hip-centred."""
        batch, frame = canonical_batch(windows, self.layout)
        with torch.inference_mode():
            context = torch.from_numpy(np.ascontiguousarray(batch.pose)).flatten(2)
            future = torch.unflatten(self.network.roll(context, horizon_frames), -1, (-1, 3)).numpy()
        return frame.pose_to_world(future)[:, None]
