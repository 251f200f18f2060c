"""Which model bundle is used: one that is named, one in the cache, or one that is fetched into it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bridge.capture.download import MODEL_URL, Progress, fetch_file
from bridge.errors import InvalidInput, NotFound

MODELS = ("lite", "full", "heavy")
DEFAULT_MODEL = "full"
MODEL_VARIABLE = "POSE_BRIDGE_MODEL"
_EXPECTED = f"one of {', '.join(MODELS)}, or a pose landmarker bundle (.task)"


def find_model(
    wanted: str | None = None,
    *,
    check: Callable[[Path], None],
    base_url: str = MODEL_URL,
    progress: Progress | None = None,
) -> Path:
    """Return the file of a model bundle, fetched into the cache if it is neither there nor named as a file.

    Args:
        wanted: lite, full, heavy or a file; None takes what ``POSE_BRIDGE_MODEL`` says, else full.
        check: raises an error if a fetched file is no usable model.
        base_url: where the models are; another one for a mirror of your own.
        progress: called with bytes had and bytes in all (None if unknown) while a model is fetched.

    Raises:
        NotFound: if a named file is not there.
        InvalidInput: if the name is none of the models.
        Unavailable: if the model cannot be fetched; says what to put where by hand.
        CheckpointError: if what was fetched is not what the server has, or no model.
    """
    named = wanted or os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL
    field = "model" if wanted or not os.environ.get(MODEL_VARIABLE) else MODEL_VARIABLE
    if named in MODELS:
        target = cached_model(named)
        if not target.is_file():
            fetch_file(model_url(named, base_url), target, check=check, progress=progress)
        return target
    path = Path(named)
    if path.is_file():
        return path
    if path.suffix == ".task" or path.name != named:
        raise NotFound(f"there is no {path}", field=field, expected=_EXPECTED)
    raise InvalidInput(f"no model is called {named!r}", field=field, expected=_EXPECTED)


def cached_model(name: str) -> Path:
    """Return where a model is kept: ``pose-bridge/models`` in the user's cache (``XDG_CACHE_HOME``)."""
    cache = os.environ.get("XDG_CACHE_HOME")
    folder = Path(cache) if cache else Path.home() / ".cache"
    return folder / "pose-bridge" / "models" / f"pose_landmarker_{name}.task"


def model_url(name: str, base_url: str = MODEL_URL) -> str:
    """Return the address of a model (lite, full or heavy), version 1 of its float16 bundle."""
    stem = f"pose_landmarker_{name}"
    return f"{base_url.rstrip('/')}/{stem}/float16/1/{stem}.task"
