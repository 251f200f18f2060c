"""Weights on disk: one safetensors file whose metadata says what they are, for whom, and how good.

Nothing is ever unpickled. A file that is missing, truncated, foreign or newer than this software is refused with a
`CheckpointError` that says which.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bridge.errors import BridgeError, CheckpointError
from bridge.forecaster.architecture import Architecture
from bridge.forecaster.model import GruSnf
from bridge.forecaster.refinement import Refinement
from bridge.limits import MAX_FRAME_RATE_HZ
from bridge.skeleton import Layout
from bridge.whole_file import whole_file

FORMAT = "posebridge.gru_snf"
FORMAT_VERSION = 1
BUNDLED_WEIGHTS = Path(__file__).parent / "weights" / "mediapipe_pose_33.safetensors"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a weights file says about itself.

    Attributes:
        layout: landmarks it was trained on, in full: a server needs nothing else to serve them.
        rate_hz: frame rate of its windows.
        architecture: sizes.
        refinement: default, chosen on the validation split.
        training: data, licences, time, seed ... as JSON values.
        validation: scores behind the choice of refinement, as JSON values.
        controls: settings of the controls, tuned on the same split, as JSON values.
        kernels: the best refinement found with each kernel, as `Refinement.parse` reads it; may be empty.
    """

    layout: Layout
    rate_hz: float
    architecture: Architecture
    refinement: Refinement = field(default_factory=Refinement)
    training: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, Any] = field(default_factory=dict)
    kernels: dict[str, str] = field(default_factory=dict)

    def to_strings(self) -> dict[str, str]:
        """As safetensors stores metadata: strings."""
        return {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "layout": json.dumps(self.layout.to_dict()),
            "rate_hz": repr(self.rate_hz),
            "architecture": json.dumps(self.architecture.to_dict()),
            "refinement": str(self.refinement),
            "training": json.dumps(self.training),
            "validation": json.dumps(self.validation),
            "controls": json.dumps(self.controls),
            "kernels": json.dumps(self.kernels),
        }

    @classmethod
    def from_strings(cls, values: dict[str, str], path: Path) -> Metadata:
        """Inverse of `to_strings`.

        Raises:
            CheckpointError: if the format is another or newer, or a part is missing or malformed.
        """
        if values.get("format") != FORMAT:
            raise CheckpointError(f"{path} holds no PoseBridge weights", field="weights", expected=f"format {FORMAT}")
        version = values.get("format_version", "")
        if not version.isdigit() or int(version) > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format version {version or 'missing'}",
                field="weights",
                expected=f"version {FORMAT_VERSION} or older; a newer PoseBridge reads it",
            )
        try:
            return cls(
                layout=Layout.from_dict(json.loads(values["layout"])),
                rate_hz=_frame_rate(values["rate_hz"]),
                architecture=Architecture.from_dict(json.loads(values["architecture"])),
                refinement=Refinement.parse(values["refinement"]),
                training=json.loads(values["training"]),
                validation=json.loads(values["validation"]),
                controls=json.loads(values["controls"]),
                kernels=json.loads(values.get("kernels", "{}")),
            )
        except (KeyError, ValueError, BridgeError) as error:
            raise CheckpointError(f"{path} has unusable metadata: {error}", field="weights") from error


def _frame_rate(text: str) -> float:
    rate_hz = float(text)
    if not 0.0 < rate_hz <= MAX_FRAME_RATE_HZ:
        raise ValueError(f"a frame rate of {text} Hz")
    return rate_hz


def save_checkpoint(path: Path, model: GruSnf, metadata: Metadata) -> None:
    """Write weights and metadata; an existing file is replaced only when the new one is complete."""
    save_tensors(path, {name: tensor.detach() for name, tensor in model.state_dict().items()}, metadata.to_strings())


def load_checkpoint(path: Path) -> tuple[GruSnf, Metadata, str]:
    """Read weights: the network in evaluation mode on the CPU, its metadata, and the SHA-256 of the file.

    Raises:
        CheckpointError: if the file is missing, truncated, not ours, too new or does not fit its own sizes.
    """
    tensors, strings = load_tensors(path)
    metadata = Metadata.from_strings(strings, path)
    model = GruSnf(metadata.architecture)
    expected = model.state_dict()
    for name, tensor in expected.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            found = "missing" if name not in tensors else f"of shape {tuple(tensors[name].shape)}"
            raise CheckpointError(
                f"tensor {name!r} in {path} is {found}", field="weights", expected=f"shape {tuple(tensor.shape)}"
            )
        if not bool(torch.isfinite(tensors[name].float()).all()):
            raise CheckpointError(f"tensor {name!r} in {path} is not finite", field="weights")
    extra = sorted(set(tensors) - set(expected))
    if extra:
        raise CheckpointError(f"{path} has unknown tensors, for example {extra[0]!r}", field="weights")
    model.load_state_dict(tensors)
    model.eval().requires_grad_(False)
    return model, metadata, hashlib.sha256(path.read_bytes()).hexdigest()


def rewrite_metadata(path: Path, **changes: Any) -> None:
    """Change parts of the metadata (fields of `Metadata`) of a weights file; the weights stay as they are."""
    model, metadata, _ = load_checkpoint(path)
    save_checkpoint(path, model, replace(metadata, **changes))


def save_tensors(path: Path, tensors: dict[str, Tensor], strings: dict[str, str]) -> None:
    """Write named tensors with string metadata, atomically.

    Raises:
        InvalidInput: if the file cannot be written.
        ResourceExhausted: if there is no room for it.
    """
    # Not save_file: it leaves a file that only its owner can read.
    content = save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, metadata=strings)
    with whole_file(path) as draft:
        draft.write_bytes(content)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read named tensors and string metadata.

    Raises:
        CheckpointError: if the file is missing or damaged.
    """
    try:
        if not path.is_file():
            raise CheckpointError(f"no such file: {path}", field="weights", expected="a .safetensors file")
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file: {error}", field="weights", expected="a complete file"
        ) from error
