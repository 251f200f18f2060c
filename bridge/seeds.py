"""The seed of a forecast: the same for the same session seed, avatar and frame, live and from a file."""

from __future__ import annotations

import hashlib


def forecast_seed(session_seed: int, avatar_id: str, timestamp_us: int) -> int:
    """Return a number below 2^63 that depends on what a config promises: the seed and the frames."""
    text = f"{session_seed}/{avatar_id}/{timestamp_us}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
