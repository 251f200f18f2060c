"""Messages with frames, made cheaply: the landmarks are encoded once, name, number and time are put before them.

A message may be cut anywhere between its fields and its parts joined again (protobuf's encoding of a message is the
encodings of its fields in a row), so only the few bytes that change are encoded for every frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bridge.bench.serve.schedule import LoadPlan
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2

FIRST_TIMESTAMP_US = 1_000_000
"""Time of capture of what is due at the start."""
_POSES = 64
_BODY_SIZE_M = 0.35
_SWAY_M = 0.05


class FrameMessages:
    """The messages of every session and tick of a plan; with ``enveloped`` as ZeroMQ carries them."""

    def __init__(self, plan: LoadPlan, layout: Layout, *, enveloped: bool) -> None:
        self._plan = plan
        self._enveloped = enveloped
        self._bodies = [_body(layout, 2 * np.pi * number / _POSES) for number in range(_POSES)]

    def of(self, session: int, tick: int) -> tuple[list[int], list[bytes]]:
        """Return which of the session's avatars have a frame at this tick, and the messages that carry them."""
        timestamp_us = FIRST_TIMESTAMP_US + self._plan.due_ns(session, tick) // 1000
        present: list[int] = []
        frames: list[bytes] = []
        for number, avatar in enumerate(self._plan.sessions[session].avatars):
            if avatar.first_tick <= tick < avatar.end_tick:
                head = pose_pb2.PoseFrame(avatar_id=avatar.name, sequence=tick, timestamp_us=timestamp_us)
                frames.append(head.SerializeToString() + self._bodies[(tick + 7 * number) % _POSES])
                present.append(number)
        return present, self._messages(frames)

    def _messages(self, frames: Sequence[bytes]) -> list[bytes]:
        if not frames:
            return []
        if self._plan.batched:
            batch = b"".join(_field(_FRAMES_OF_BATCH, frame) for frame in frames)
            requests = [_field(_FRAMES_OF_REQUEST, batch)]
        else:
            requests = [_field(_FRAME_OF_REQUEST, frame) for frame in frames]
        return [_field(_STREAM_OF_ENVELOPE, request) for request in requests] if self._enveloped else requests


def _body(layout: Layout, phase: float) -> bytes:
    """Landmarks of a body that sways, as bytes of a ``PoseFrame`` that has nothing else."""
    sway = _SWAY_M * np.sin(phase + np.arange(layout.joints))[:, None]
    points_m = _BODY_SIZE_M * layout.template + sway
    landmarks = np.concatenate([points_m, np.ones((layout.joints, 1))], axis=1)
    return pose_pb2.PoseFrame(landmarks=landmarks.astype(np.float32).ravel().tolist()).SerializeToString()


def _number_of(message: type, field: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
    return number


_FRAME_OF_REQUEST = _number_of(forecast_pb2.StreamForecastsRequest, "frame")
_FRAMES_OF_REQUEST = _number_of(forecast_pb2.StreamForecastsRequest, "frames")
_FRAMES_OF_BATCH = _number_of(forecast_pb2.FrameBatch, "frames")
_STREAM_OF_ENVELOPE = _number_of(envelope_pb2.ClientEnvelope, "stream")
_LENGTH_DELIMITED = 2


def _field(number: int, payload: bytes) -> bytes:
    """A field of bytes or of a message, numbers below 16."""
    length = len(payload)
    sizes = bytearray((number << 3 | _LENGTH_DELIMITED,))
    while length > 0x7F:
        sizes.append(length & 0x7F | 0x80)
        length >>= 7
    sizes.append(length)
    return bytes(sizes) + payload
