"""A recording played again and again by several avatars, as the demo streams it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bridge.frames import Frame
from bridge.recordings import Clip, clip_frames

PAUSE_US = 500_000
"""Silence between two rounds of the recording: longer than a gap that is bridged, so windows start anew after it."""
FIRST_TIMESTAMP_US = 1_000_000


def avatar_names(avatars: int) -> list[str]:
    """Names of so many avatars."""
    return [f"avatar{number}" for number in range(1, avatars + 1)]


def default_seconds(clip: Clip) -> float:
    """Seconds that two rounds with one pause take."""
    return (2 * round_us(clip) - PAUSE_US) / 1e6


def perform(clip: Clip, avatar_id: str, *, seconds: float, phase: float = 0.0) -> list[Frame]:
    """Return an avatar's frames in order: rounds of the clip at its true speed with a pause after each.

    Times of capture count from `FIRST_TIMESTAMP_US`. ``phase`` (0 to 1) is the share of a round that lies before the
    start, so avatars of different phase do different things at one time. Frames without a detection stay what they are.
    """
    frames = list(clip_frames(clip, avatar_id))
    first_us = frames[0].timestamp_us
    period_us = round_us(clip)
    end_us = round(seconds * 1e6)
    performed: list[Frame] = []
    for start_us in range(-round(phase * period_us), end_us, period_us):
        for frame in frames:
            at_us = start_us + frame.timestamp_us - first_us
            if 0 <= at_us < end_us:
                sequence = len(performed)
                performed.append(replace(frame, sequence=sequence, timestamp_us=FIRST_TIMESTAMP_US + at_us))
    return performed


def in_order_of_time(performances: Sequence[Sequence[Frame]]) -> list[Frame]:
    """Return the frames of all avatars in the order in which they are captured."""
    return list(heapq.merge(*performances, key=lambda frame: frame.timestamp_us))


def round_us(clip: Clip) -> int:
    """Microseconds from one start of the clip to the next: the clip, one frame period and the pause."""
    return int(clip.timestamp_us[-1] - clip.timestamp_us[0]) + round(1e6 / clip.fps) + PAUSE_US


def endless(clip: Clip, avatars: int) -> Iterator[Frame]:
    """Yield the frames of so many avatars, evenly shifted in phase, in order of time and without an end."""
    period_us = round_us(clip)
    once = [
        perform(clip, name, seconds=period_us / 1e6, phase=index / avatars)
        for index, name in enumerate(avatar_names(avatars))
    ]
    merged = in_order_of_time(once)
    counts = {frames[0].avatar_id: len(frames) for frames in once if frames}
    for number in itertools.count():
        for frame in merged:
            yield replace(
                frame,
                sequence=frame.sequence + number * counts[frame.avatar_id],
                timestamp_us=frame.timestamp_us + number * period_us,
            )
