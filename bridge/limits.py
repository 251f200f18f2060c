"""Every limit of the wire and the service, each once. The native client core sizes its buffers by the same numbers."""

from __future__ import annotations

import re
from typing import Final

PROTOCOL_VERSION: Final = 1
"""Version of ``proto/posebridge/v1`` that this software speaks."""

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What an avatar id and a client name look like; match with ``fullmatch``."""
NAME_RULE: Final = "1 to 64 characters of A-Z a-z 0-9 _ . : -"
"""`NAME_PATTERN` in words."""

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Longest serialized message in either direction."""
MESSAGE_OVERHEAD_BYTES: Final = 64 * 1024
"""Room kept in a message for everything that is not the futures of a forecast."""

MAX_AVATARS_PER_SESSION: Final = 1024
MAX_FRAMES_PER_MESSAGE: Final = 1024
MAX_LANDMARKS: Final = 600

MIN_SAMPLES: Final = 2
MAX_SAMPLES: Final = 256
MAX_FUTURES: Final = 16
MAX_HORIZON_STEPS: Final = 90
MAX_HORIZON_MS: Final = 3000
MAX_FORECAST_RATE_HZ: Final = 240.0
MAX_DEADLINE_MS: Final = 60_000
MIN_SILENCE_MS: Final = 34
"""Shortest silence that frame saving may allow: more than one period of 30 Hz."""
MAX_SILENCE_MS: Final = 1000
MAX_SEED: Final = 2**64 - 1

MIN_FRAME_RATE_HZ: Final = 10.0
"""Slowest stream of frames that still makes windows."""
MAX_FRAME_RATE_HZ: Final = 240.0
"""Frames of one avatar that come faster are thinned out to this rate."""

MAX_COORDINATE_M: Final = 100.0
"""Largest |x|, |y|, |z| of a landmark, metres."""
MAX_ROOT_M: Final = 100_000.0
"""Largest |x|, |y|, |z| of a root, metres."""
MAX_TIMESTAMP_US: Final = 2**62
"""Latest capture time, microseconds: sums and differences stay inside a signed 64-bit integer."""
MAX_SEQUENCE: Final = 2**64 - 1

MAX_TENSOR_AXES: Final = 8

MIN_FALSE_ALARMS_PER_HOUR: Final = 0.01
MAX_FALSE_ALARMS_PER_HOUR: Final = 1000.0
MAX_ALERTS_PER_ANSWER: Final = 1000
DEFAULT_ALERTS_PER_ANSWER: Final = 100
MAX_NOTE_CHARACTERS: Final = 1000
MAX_VERDICT_RATE_HZ: Final = 60.0
