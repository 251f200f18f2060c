"""A recording as the requests of a stream, one JSON object a line: for grpcurl and clients in other languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import json_format

from bridge.recordings import Clip, clip_frames
from bridge.whole_file import whole_file
from bridge.wire.codec import config_to_message, frame_to_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import SessionConfig

SUFFIX = ".jsonl"


def save_request_lines(path: Path, clip: Clip, config: SessionConfig, *, avatar_id: str) -> int:
    """Write a ``StreamForecastsRequest`` a line, the config first, then the frames; return the file's length in bytes.

    Field names are protobuf JSON's (``timestampUs``); times of capture are the recording's. A file there is replaced.

    Raises:
        InvalidInput: if a field of the config is wrong, or does not go with another, or the file cannot be written.
        ResourceExhausted: if there is no room for the file.
    """
    with whole_file(path, field="export") as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        for request in _requests(clip, config.validated(), avatar_id):
            # What has its default value is written too: `"landmarks": []` says that nobody was detected.
            line = json_format.MessageToJson(request, indent=None, always_print_fields_with_no_presence=True)
            file.write(line + "\n")
        size = file.tell()
    return size


def _requests(clip: Clip, config: SessionConfig, avatar_id: str) -> Iterator[forecast_pb2.StreamForecastsRequest]:
    yield forecast_pb2.StreamForecastsRequest(config=config_to_message(config))
    # The wire wants times above 0.
    for frame in clip_frames(clip, avatar_id, start_us=max(1, int(clip.timestamp_us[0]))):
        yield forecast_pb2.StreamForecastsRequest(frame=frame_to_message(frame))
