"""The clip that a command works on."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import BridgeError, NotFound
from bridge.recordings import Clip, load_clips

BUNDLED_RECORDING = Path(__file__).parent / "data" / "sports2d_demo.npz"
"""A real MediaPipe recording; where it comes from is written beside it."""


def read_clips(path: Path, *, field: str) -> list[Clip]:
    """Return every clip of a file or folder, as `load_clips`; an error names the option that it was given for.

    Raises:
        NotFound, InvalidInput: as `load_clips`.
    """
    try:
        return load_clips(path)
    except BridgeError as error:
        if error.field != "data":  # of something in the file, which names no file
            error.problem = f"{path}: {error.problem}"
        error.field = field
        raise


def choose_clip(path: Path, clip_id: str | None) -> Clip:
    """Return the clip with this id from a recording, a motion file or a folder; the first one if no id is given.

    Raises:
        NotFound: if there is no such file or no such clip.
        InvalidInput: if the file cannot be read.
    """
    clips = read_clips(path, field="recording")
    if clip_id is None:
        return clips[0]
    for clip in clips:
        if clip.clip_id == clip_id:
            return clip
    some = ", ".join(clip.clip_id for clip in clips[:8]) + (", ..." if len(clips) > 8 else "")
    raise NotFound(f"{path} has no clip {clip_id!r}", field="clip", expected=f"one of: {some}")
