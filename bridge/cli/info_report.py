"""What is installed here, and what the weights say about themselves."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

import bridge
from bridge.limits import PROTOCOL_VERSION

_LIBRARIES = ("torch", "numpy", "grpcio", "protobuf", "pyzmq", "safetensors", "matplotlib", "mediapipe")


def describe(weights: Path | None, *, device: str, threads: int | None) -> dict[str, Any]:
    """Return versions, device, threads and the weights' metadata as JSON values.

    Raises:
        CheckpointError: if the weights cannot be used.
        InvalidInput: if there is no such device.
    """
    import torch

    from bridge.forecaster import BUNDLED_WEIGHTS, Forecaster

    path = weights or BUNDLED_WEIGHTS
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    metadata = forecaster.metadata
    return {
        "version": bridge.__version__,
        "protocol_version": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _installed(name) for name in _LIBRARIES},
        "device": str(forecaster.device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "weights": {
            "path": str(path.resolve()),
            "bytes": path.stat().st_size,
            "id": forecaster.weights_id,
            "layout": forecaster.layout.id,
            "landmarks": forecaster.layout.joints,
            "rate_hz": forecaster.rate_hz,
            "context_frames": forecaster.context_frames,
            "refinement": str(forecaster.refinement),
            "architecture": metadata.architecture.to_dict(),
            "training": metadata.training,
            "validation": metadata.validation,
            "controls": metadata.controls,
        },
    }


def describe_as_table(facts: dict[str, Any]) -> Table:
    """Return what `describe` gives as a table for a terminal."""
    table = Table(title=f"PoseBridge {facts['version']}", title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if name == "weights":
            continue
        table.add_row(name.replace("_", " "), _in_words(value))
    table.add_section()
    for name, value in facts["weights"].items():
        table.add_row(f"weights: {name.replace('_', ' ')}", _in_words(value))
    return table


def _in_words(value: Any) -> str:
    """A JSON value in one cell; what is nested deeper than a list of settings is left to the JSON."""
    if isinstance(value, dict):
        plain = {name: inner for name, inner in value.items() if not isinstance(inner, dict) and inner is not None}
        return "\n".join(f"{name} {_in_words(inner)}" for name, inner in plain.items()) or "none"
    if isinstance(value, list):
        return f"({len(value)}, see --json)" if value and isinstance(value[0], dict) else ", ".join(map(str, value))
    return str(value)


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
