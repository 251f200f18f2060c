"""The clip that a command works on."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import NotFound
from bridge.recordings import BUNDLED_RECORDING, Clip, load_clips

__all__ = ["BUNDLED_RECORDING", "choose_clip"]


def choose_clip(path: Path, clip_id: str | None) -> Clip:
    """Return the clip with this id from a recording, a motion file or a folder; the first one if no id is given.

    Raises:
        NotFound: if there is no such file or no such clip.
        InvalidInput: if the file cannot be read.
    """
    clips = load_clips(path)
    if clip_id is None:
        return clips[0]
    for clip in clips:
        if clip.clip_id == clip_id:
            return clip
    some = ", ".join(clip.clip_id for clip in clips[:8]) + (", ..." if len(clips) > 8 else "")
    raise NotFound(f"{path} has no clip {clip_id!r}", field="clip", expected=f"one of: {some}")
