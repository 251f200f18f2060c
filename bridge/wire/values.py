"""What travels over the wire, as typed values: no protobuf here, arrays are float32 numpy."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from bridge import limits
from bridge.errors import BridgeError, InvalidInput, NotFound, VersionMismatch
from bridge.skeleton import MEDIAPIPE_POSE_33, get_layout


class Encoding(StrEnum):
    """How the numbers of futures and spread are stored in a message."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The little-endian numpy dtype."""
        return np.dtype("<f2" if self is Encoding.FLOAT16 else "<f4")


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What a client wants from a session; the defaults are those of ``SessionConfig`` in ``forecast.proto``.

    ``samples`` is S, ``futures`` is K. ``deadline_ms`` counts from a frame's arrival at the server.
    """

    client_name: str = "client"
    layout_id: str = MEDIAPIPE_POSE_33.id
    forecast_rate_hz: float = 30.0
    horizon_ms: int = 1000
    samples: int = 32
    futures: int = 5
    encoding: Encoding = Encoding.FLOAT16
    deadline_ms: int = 1000
    seed: int = 0
    visibility_threshold: float = 0.1
    protocol_version: int = limits.PROTOCOL_VERSION

    def validated(self) -> SessionConfig:
        """Return the same settings with every field checked and in its plain type.

        Raises:
            VersionMismatch: if ``protocol_version`` is not ours; names both versions.
            NotFound: if no layout has this id.
            InvalidInput: if another field is out of its range; ``field`` says which, as ``config.<name>``.
        """
        require_protocol_version(self.protocol_version, speaker="client")
        checked = replace(
            self,
            client_name=checked_name(self.client_name, field="config.client_name"),
            forecast_rate_hz=_number(
                self.forecast_rate_hz, "config.forecast_rate_hz", 0.0, limits.MAX_FORECAST_RATE_HZ, above_low=True
            ),
            horizon_ms=_whole(self.horizon_ms, "config.horizon_ms", 1, limits.MAX_HORIZON_MS),
            samples=_whole(self.samples, "config.samples", limits.MIN_SAMPLES, limits.MAX_SAMPLES),
            futures=_whole(self.futures, "config.futures", 1, limits.MAX_FUTURES),
            encoding=_encoding(self.encoding),
            deadline_ms=_whole(self.deadline_ms, "config.deadline_ms", 1, limits.MAX_DEADLINE_MS),
            seed=_whole(self.seed, "config.seed", 0, limits.MAX_SEED),
            visibility_threshold=_number(self.visibility_threshold, "config.visibility_threshold", 0.0, 1.0),
        )
        if checked.futures > checked.samples:
            raise InvalidInput(
                f"{checked.futures} futures from {checked.samples} samples",
                field="config.futures",
                expected="at most as many futures (K) as samples (S)",
            )
        try:
            get_layout(self.layout_id)
        except NotFound as error:
            raise NotFound(error.problem, field="config.layout_id", expected=error.expected) from None
        return checked

    def horizon_steps(self, rate_hz: float) -> int:
        """Return H, the steps at ``rate_hz`` that cover the horizon: whole steps, rounded up."""
        return max(1, math.ceil(self.horizon_ms * rate_hz / 1000.0 - 1e-6))

    def require_reply_fits(self, *, joints: int, rate_hz: float) -> None:
        """Check that a forecast of ``joints`` landmarks at ``rate_hz`` stays within the limits of a message.

        Raises:
            InvalidInput: if it needs more steps or more bytes than a message may have.
        """
        steps = self.horizon_steps(rate_hz)
        if steps > limits.MAX_HORIZON_STEPS:
            raise InvalidInput(
                f"{self.horizon_ms} ms are {steps} steps at {rate_hz:g} Hz",
                field="config.horizon_ms",
                expected=f"at most {limits.MAX_HORIZON_STEPS} steps",
            )
        numbers = self.futures * steps * joints * 3 + steps * joints
        room = limits.MAX_MESSAGE_BYTES - limits.MESSAGE_OVERHEAD_BYTES
        if numbers * self.encoding.dtype.itemsize > room:
            raise InvalidInput(
                f"{self.futures} futures of {steps} steps and {joints} landmarks need "
                f"{numbers * self.encoding.dtype.itemsize} bytes as {self.encoding.value}",
                field="config.futures",
                expected=f"a forecast of at most {room} bytes: fewer futures, a nearer horizon or float16",
            )


@dataclass(frozen=True, slots=True)
class SessionAccepted:
    """A server's answer to a config: the settings in force and what forecasts will look like.

    Forecasts of an avatar begin when ``context_frames`` at ``rate_hz`` are there.
    """

    config: SessionConfig
    server_version: str
    session_id: str
    context_frames: int
    rate_hz: float
    protocol_version: int = limits.PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class Timing:
    """Where a forecast's time went, microseconds on the server's clock; ``batch_size`` in windows."""

    queue_us: int = 0
    compute_us: int = 0
    age_us: int = 0
    batch_size: int = 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """K futures of one avatar, H steps ahead, J landmarks; most probable first.

    Metres and MediaPipe's axes (x image right, y down, z away); step h (from 0) is at `step_timestamps_us` [h].

    Attributes:
        futures_m: (K, H, J, 3), origin at the middle of the hips.
        roots_m: (K, H, 3), the middle of the hips in the sender's world; None if the frames carried no root.
        probabilities: (K,), above 0, falling, adding up to 1.
        spread_m: (H, J), root mean square distance of the drawn trajectories from their mean.
        mode_ids: K numbers; a future that continues one of the previous forecast keeps its id.
        unobserved_landmarks: indices never seen in the window.
        bridged_share: part of the window that lies in a bridged gap, 0 to 1.
        samples: number of trajectories drawn.
        acceptance_rate: share of refinement proposals accepted; None without refinement.
        degraded: the server gave less than the config asked for.
    """

    avatar_id: str
    based_on_sequence: int
    based_on_timestamp_us: int
    step_us: int
    futures_m: NDArray[np.float32]
    roots_m: NDArray[np.float32] | None
    probabilities: NDArray[np.float32]
    spread_m: NDArray[np.float32]
    mode_ids: tuple[int, ...]
    unobserved_landmarks: tuple[int, ...]
    bridged_share: float
    samples: int
    acceptance_rate: float | None
    timing: Timing
    degraded: bool = False

    @property
    def step_timestamps_us(self) -> NDArray[np.int64]:
        """Capture-clock time of every step, (H,)."""
        steps = np.arange(1, self.futures_m.shape[1] + 1, dtype=np.int64)
        return self.based_on_timestamp_us + steps * self.step_us


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a server runs; ``bones`` are pairs of landmark indices, ``weights_id`` the SHA-256 of the weights file."""

    server_version: str
    layout_id: str
    landmark_names: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    context_frames: int
    rate_hz: float
    max_horizon_ms: int
    max_samples: int
    max_futures: int
    refinement: str
    weights_id: str
    device: str
    protocol_version: int = limits.PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class FrameFault:
    """One frame that was not used, and why; ``avatar_id`` and ``sequence`` as far as the frame told."""

    avatar_id: str
    sequence: int
    error: BridgeError


def require_protocol_version(version: int, *, speaker: str) -> None:
    """Check the version that the other side (``speaker``: "client" or "server") named.

    Raises:
        VersionMismatch: if it is not ours; names both versions.
    """
    if version != limits.PROTOCOL_VERSION:
        other = "server" if speaker == "client" else "client"
        raise VersionMismatch(
            f"the {speaker} speaks protocol version {version or 'none'}, this {other} speaks {limits.PROTOCOL_VERSION}",
            field="config.protocol_version" if speaker == "client" else "accepted.protocol_version",
            expected=f"{limits.PROTOCOL_VERSION}",
        )


def checked_name(name: str, *, field: str) -> str:
    """Return an avatar id or client name that obeys `bridge.limits.NAME_PATTERN`.

    Raises:
        InvalidInput: if it does not.
    """
    if not isinstance(name, str) or limits.NAME_PATTERN.fullmatch(name) is None:
        shown = repr(name) if len(repr(name)) <= 80 else f"{repr(name)[:80]}... ({len(name)} characters)"
        raise InvalidInput(f"{shown} is not a name", field=field, expected=limits.NAME_RULE)
    return name


def _whole(value: SupportsIndex, field: str, low: int, high: int) -> int:
    expected = f"a whole number, {low} to {high}"
    if isinstance(value, bool):
        raise InvalidInput(f"is {value!r}", field=field, expected=expected)
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInput(f"is {value!r}", field=field, expected=expected) from None
    if not low <= number <= high:
        raise InvalidInput(f"is {number}", field=field, expected=expected)
    return number


def _number(value: float, field: str, low: float, high: float, *, above_low: bool = False) -> float:
    expected = f"a number {'above' if above_low else 'from'} {low:g} and at most {high:g}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"is {value!r}", field=field, expected=expected) from None
    if not (low < number or (number == low and not above_low)) or not number <= high:
        raise InvalidInput(f"is {number:g}", field=field, expected=expected)
    return number


def _encoding(value: str) -> Encoding:
    try:
        return Encoding(value)
    except ValueError:
        known = " or ".join(encoding.value for encoding in Encoding)
        raise InvalidInput(f"is {value!r}", field="config.encoding", expected=known) from None
