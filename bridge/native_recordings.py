"""Recordings for the native client (``posebridge_probe``, engine plugins): plain binary that any language can read.

Little-endian:

=========  =====================================================
bytes      what
=========  =====================================================
8          ``PBREC``, 0, 0, 1: the format and its version
uint32     landmarks, J
uint32     flags; bit 0: every frame has a root
uint64     frames, T
64         layout id, padded with zero bytes
=========  =====================================================

then every frame:

=========  =====================================================
uint64     time of capture, microseconds; the first is 1
uint8      1 if a body was detected, else 0
7          zero bytes
float32    J * 4: x, y, z in metres, MediaPipe's axes; visibility
float64    3: the root in metres, only with the flag
=========  =====================================================
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from bridge.errors import InvalidInput
from bridge.recordings import Clip, clip_frames
from bridge.whole_file import whole_file

SUFFIX = ".pbr"
_HEADER = struct.Struct("<8sIIQ64s")
_MAGIC = b"PBREC\x00\x00\x01"


def save_native_recording(path: Path, clip: Clip) -> int:
    """Write a clip; return the file's length in bytes.

    Raises:
        InvalidInput: if the layout's name does not fit, or the file cannot be written.
        ResourceExhausted: if there is no room for the file.
    """
    layout = clip.layout_id.encode()
    if len(layout) > 64:
        raise InvalidInput(f"{len(layout)} bytes", field="layout", expected="at most 64 bytes of name")
    joints = clip.pose_m.shape[1]
    fields = [("timestamp_us", "<u8"), ("detected", "u1"), ("zero", "u1", (7,)), ("landmarks", "<f4", (joints, 4))]
    has_root = clip.root_m is not None
    rows = np.zeros(clip.frames, np.dtype(fields + ([("root_m", "<f8", (3,))] if has_root else [])))
    for row, frame in zip(rows, clip_frames(clip, clip.clip_id), strict=True):
        row["timestamp_us"] = frame.timestamp_us
        if frame.landmarks is not None:
            row["detected"] = 1
            row["landmarks"] = frame.landmarks
        if frame.root_m is not None:
            row["root_m"] = frame.root_m
    data = _HEADER.pack(_MAGIC, joints, int(has_root), clip.frames, layout) + rows.tobytes()
    with whole_file(path, field="export") as draft:
        draft.write_bytes(data)
    return len(data)
