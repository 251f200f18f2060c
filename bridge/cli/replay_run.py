"""What replay does: sends a clip frame by frame and keeps the forecasts, or writes the clip for other clients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bridge import native_recordings
from bridge.cli import request_lines
from bridge.cli.progress import busy, counting
from bridge.client import Client
from bridge.errors import DeadlineExceeded, InvalidInput, Unavailable
from bridge.frames import Frame
from bridge.recordings import Clip, clip_frames
from bridge.skeleton import get_layout
from bridge.timeline import Timeline
from bridge.whole_file import whole_file
from bridge.wire.values import Forecast, FrameFault, SessionConfig

AVATAR = "replay"
_ANSWER_TIMEOUT_S = 10.0
_LAST_ANSWERS_S = 2.0


def replay_clip(
    client: Client, clip: Clip, *, as_recorded: bool, console: Console
) -> tuple[list[Forecast], list[FrameFault]]:
    """Send a clip and return the forecasts, on the clip's own clock, and the frames that the server did not use.

    With ``as_recorded`` frames go out when their time comes; else each waits for the forecast of the one before, so
    there is one for every frame with a full window.

    Raises:
        Unavailable: if not one forecast came.
        DeadlineExceeded: if, not ``as_recorded``, the server leaves a frame unanswered.
    """
    frames = list(clip_frames(clip, AVATAR))
    with busy(console, f"connecting to {client.address}"):
        full = _with_full_window(client, clip, frames)
    forecasts: list[Forecast] = []
    begin_s = time.monotonic()
    with counting(console, "frames", len(frames)) as advance:
        for frame in frames:
            if as_recorded:
                due_s = begin_s + (frame.timestamp_us - frames[0].timestamp_us) / 1e6
                _gather(client, forecasts, until_s=due_s)
            client.send(frame)
            if not as_recorded and frame.sequence in full:
                _await(client, forecasts, frame)
            advance(1)
    if as_recorded:
        last = max(full, default=-1)
        deadline_s = time.monotonic() + _LAST_ANSWERS_S
        while full and time.monotonic() < deadline_s and (not forecasts or forecasts[-1].based_on_sequence < last):
            _gather(client, forecasts, until_s=time.monotonic() + 0.05)
    if not forecasts:
        if full:
            raise Unavailable(f"no forecast came back for {clip.clip_id}", expected="a server that keeps up")
        raise Unavailable(
            f"no forecast came back for {clip.clip_id}",
            field="recording",
            expected="a person, seen for long enough without a gap above 200 ms",
        )
    return forecasts, list(client.frame_faults())


def require_known_export(path: Path) -> None:
    """Check that a file's suffix says in which form a recording is wanted.

    Raises:
        InvalidInput: if not.
    """
    if path.suffix not in (native_recordings.SUFFIX, request_lines.SUFFIX):
        raise InvalidInput(
            f"{path.name} has no suffix that says in which form",
            field="export",
            expected=f"FILE{native_recordings.SUFFIX} (native client) or FILE{request_lines.SUFFIX} (JSON requests)",
        )


def export_clip(path: Path, clip: Clip, config: SessionConfig) -> int:
    """Write a clip in the form that the file's suffix names; return the file's length in bytes.

    Raises:
        InvalidInput: if the suffix names none, nothing can be written there, the layout's name does not fit, or the
            config is wrong.
        ResourceExhausted: if there is no room for the file.
    """
    require_known_export(path)
    if path.suffix == request_lines.SUFFIX:
        return request_lines.save_request_lines(path, clip, config, avatar_id=AVATAR)
    return native_recordings.save_native_recording(path, clip)


def save_forecasts(path: Path, forecasts: Sequence[Forecast], clip: Clip, *, recording: str) -> None:
    """Write forecasts as npz; the keys are in the help of ``pose-bridge replay``. A file there is replaced."""
    futures = max(len(forecast.probabilities) for forecast in forecasts)
    shift_us = int(clip.timestamp_us[0]) - 1
    arrays: dict[str, NDArray[Any]] = {
        "futures": np.stack([_padded(forecast.futures_m, futures, np.nan) for forecast in forecasts]),
        "probabilities": np.stack([_padded(forecast.probabilities, futures, 0.0) for forecast in forecasts]),
        "mode_ids": np.stack([_padded(np.array(f.mode_ids, np.int64), futures, -1) for f in forecasts]),
        "spread": np.stack([forecast.spread_m for forecast in forecasts]),
        "based_on_sequence": np.array([forecast.based_on_sequence for forecast in forecasts], np.int64),
        "based_on_timestamp_us": np.array([f.based_on_timestamp_us + shift_us for f in forecasts], np.int64),
        "acceptance_rate": np.array(
            [np.nan if f.acceptance_rate is None else f.acceptance_rate for f in forecasts], np.float32
        ),
        "latency_us": np.array([forecast.timing.age_us for forecast in forecasts], np.int64),
        "step_us": np.asarray(forecasts[0].step_us, np.int64),
        "layout": np.asarray(clip.layout_id),
        "recording": np.asarray(recording),
        "clip": np.asarray(clip.clip_id),
    }
    roots = [forecast.roots_m for forecast in forecasts]
    if all(root_m is not None for root_m in roots):
        arrays["roots"] = np.stack([_padded(root_m, futures, np.nan) for root_m in roots if root_m is not None])
    with whole_file(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _with_full_window(client: Client, clip: Clip, frames: Sequence[Frame]) -> set[int]:
    """Sequences of the frames at which the server has a full window, by the rule that the server itself goes by."""
    accepted = client.wait_connected()
    timeline = Timeline(
        get_layout(clip.layout_id),
        context_frames=accepted.context_frames,
        rate_hz=accepted.rate_hz,
        visibility_threshold=accepted.config.visibility_threshold,
    )
    full = set()
    for frame in frames:
        timeline.add(frame)
        if frame.landmarks is not None and timeline.window() is not None:
            full.add(frame.sequence)
    return full


def _gather(client: Client, forecasts: list[Forecast], *, until_s: float) -> None:
    """Take what comes in until a time."""
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            forecasts.append(next(client.forecasts(left_s)))
        except DeadlineExceeded:
            return


def _await(client: Client, forecasts: list[Forecast], frame: Frame) -> None:
    for forecast in client.forecasts(_ANSWER_TIMEOUT_S):
        forecasts.append(forecast)
        if forecast.based_on_sequence >= frame.sequence:
            return


def _padded(array: NDArray[Any], length: int, filler: float) -> NDArray[Any]:
    """The array with its first axis filled up to ``length``."""
    missing = np.full((length - len(array), *array.shape[1:]), filler, array.dtype)
    return np.concatenate([array, missing])
