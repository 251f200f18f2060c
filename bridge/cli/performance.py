"""A recording played again and again by several avatars, as the demo streams it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
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
    return (2 * _round_us(clip) - PAUSE_US) / 1e6


def perform(clip: Clip, avatar_id: str, *, seconds: float, phase: float = 0.0) -> list[Frame]:
    """Return an avatar's frames in order: rounds of the clip at its true speed with a pause after each.

    Times of capture count from `FIRST_TIMESTAMP_US`. ``phase`` (0 to 1) is the share of a round that lies before the
    start, so avatars of different phase do different things at one time. Frames without a detection stay what they are.
    """
    frames = list(clip_frames(clip, avatar_id))
    first_us = frames[0].timestamp_us
    round_us = _round_us(clip)
    end_us = round(seconds * 1e6)
    performed: list[Frame] = []
    for start_us in range(-round(phase * round_us), end_us, round_us):
        for frame in frames:
            at_us = start_us + frame.timestamp_us - first_us
            if 0 <= at_us < end_us:
                sequence = len(performed)
                performed.append(replace(frame, sequence=sequence, timestamp_us=FIRST_TIMESTAMP_US + at_us))
    return performed


def in_order_of_time(performances: Sequence[Sequence[Frame]]) -> list[Frame]:
    """Return the frames of all avatars in the order in which they are captured."""
    return list(heapq.merge(*performances, key=lambda frame: frame.timestamp_us))


def _round_us(clip: Clip) -> int:
    """Time from one start of the clip to the next: the clip, one frame period and the pause."""
    return int(clip.timestamp_us[-1] - clip.timestamp_us[0]) + round(1e6 / clip.fps) + PAUSE_US
