"""What travels over the wire, as typed values: no protobuf here, arrays are float32 numpy."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from bridge import limits
from bridge.brief import brief_repr, futures_table
from bridge.errors import BridgeError, InvalidInput, NotFound, VersionMismatch
from bridge.interpolation import along
from bridge.skeleton import MEDIAPIPE_POSE_33, get_layout
from bridge.wire.alerts import Verdict


class Encoding(StrEnum):
    """How the numbers of futures and spread are stored in a message."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The little-endian numpy dtype."""
        return np.dtype("<f2" if self is Encoding.FLOAT16 else "<f4")


@dataclass(frozen=True, slots=True)
class FrameSaving:
    """The client leaves out frames that the forecast tells anyway; the service fills in what lies between sent ones.

    ``max_silence_ms`` is the longest time between two sent frames that is filled in: 34 to 1000, at most the horizon.
    """

    max_silence_ms: int = 500


@dataclass(frozen=True, slots=True)
class AnomalyConfig:
    """Whether a session's motion is watched, and how strictly: see ``AnomalyConfig`` in ``forecast.proto``.

    ``false_alarms_per_hour`` is that of each avatar; None takes the server's.
    """

    enabled: bool = True
    false_alarms_per_hour: float | None = None


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
    frame_saving: FrameSaving | None = None
    anomaly: AnomalyConfig = AnomalyConfig()

    def validated(self, *, called: str = "config") -> SessionConfig:
        """Return the same settings with every field checked and in its plain type.

        Raises:
            VersionMismatch: if ``protocol_version`` is not ours; names both versions.
            NotFound: if no layout has this id.
            InvalidInput: if another field is out of its range; ``field`` says which, as ``<called>.<name>``.
        """
        require_protocol_version(self.protocol_version, speaker="client")
        checked = replace(
            self,
            client_name=checked_name(self.client_name, field=f"{called}.client_name"),
            forecast_rate_hz=_number(
                self.forecast_rate_hz, f"{called}.forecast_rate_hz", 0.0, limits.MAX_FORECAST_RATE_HZ, above_low=True
            ),
            horizon_ms=_whole(self.horizon_ms, f"{called}.horizon_ms", 1, limits.MAX_HORIZON_MS),
            samples=_whole(self.samples, f"{called}.samples", limits.MIN_SAMPLES, limits.MAX_SAMPLES),
            futures=_whole(self.futures, f"{called}.futures", 1, limits.MAX_FUTURES),
            encoding=_encoding(self.encoding, f"{called}.encoding"),
            deadline_ms=_whole(self.deadline_ms, f"{called}.deadline_ms", 1, limits.MAX_DEADLINE_MS),
            seed=_whole(self.seed, f"{called}.seed", 0, limits.MAX_SEED),
            visibility_threshold=_number(self.visibility_threshold, f"{called}.visibility_threshold", 0.0, 1.0),
        )
        if checked.futures > checked.samples:
            raise InvalidInput(
                f"{checked.futures} futures from {checked.samples} samples",
                field=f"{called}.futures",
                expected="at most as many futures (K) as samples (S)",
            )
        if checked.frame_saving is not None:
            checked = replace(checked, frame_saving=_frame_saving(checked.frame_saving, checked.horizon_ms, called))
        if checked.anomaly.false_alarms_per_hour is not None:
            rate = _false_alarms(checked.anomaly.false_alarms_per_hour, f"{called}.anomaly.false_alarms_per_hour")
            checked = replace(checked, anomaly=replace(checked.anomaly, false_alarms_per_hour=rate))
        try:
            get_layout(self.layout_id)
        except NotFound as error:
            raise NotFound(error.problem, field=f"{called}.layout_id", expected=error.expected) from None
        return checked

    def horizon_steps(self, rate_hz: float) -> int:
        """Return H, the steps at ``rate_hz`` that cover the horizon: whole steps, rounded up."""
        return max(1, math.ceil(self.horizon_ms * rate_hz / 1000.0 - 1e-6))

    def require_reply_fits(self, *, joints: int, rate_hz: float, called: str = "config") -> None:
        """Check that a forecast of ``joints`` landmarks at ``rate_hz`` stays within the limits of a message.

        Raises:
            InvalidInput: if it needs more steps or more bytes than a message may have.
        """
        steps = self.horizon_steps(rate_hz)
        if steps > limits.MAX_HORIZON_STEPS:
            raise InvalidInput(
                f"{self.horizon_ms} ms are {steps} steps at {rate_hz:g} Hz",
                field=f"{called}.horizon_ms",
                expected=f"at most {limits.MAX_HORIZON_STEPS} steps",
            )
        numbers = self.futures * steps * joints * 3 + steps * joints
        room = limits.MAX_MESSAGE_BYTES - limits.MESSAGE_OVERHEAD_BYTES
        if numbers * self.encoding.dtype.itemsize > room:
            raise InvalidInput(
                f"{self.futures} futures of {steps} steps and {joints} landmarks need "
                f"{numbers * self.encoding.dtype.itemsize} bytes as {self.encoding.value}",
                field=f"{called}.futures",
                expected=f"a forecast of at most {room} bytes: fewer futures, a nearer horizon or float16",
            )


@dataclass(frozen=True, slots=True)
class AvatarConfig:
    """Settings of one avatar that differ from its session's; None where they do not. See `SessionConfig`."""

    avatar_id: str
    forecast_rate_hz: float | None = None
    horizon_ms: int | None = None
    samples: int | None = None
    futures: int | None = None
    encoding: Encoding | None = None
    deadline_ms: int | None = None
    false_alarms_per_hour: float | None = None

    def within(self, session: SessionConfig) -> SessionConfig:
        """Return the avatar's settings in force: its own where given, else the session's.

        Raises:
            InvalidInput: if a field is out of its range; ``field`` says which, as ``avatar_config.<name>``.
        """
        checked_name(self.avatar_id, field="avatar_config.avatar_id")
        own: dict[str, Any] = {name: value for name in _AVATARS_OWN if (value := getattr(self, name)) is not None}
        if self.false_alarms_per_hour is not None:
            rate = _false_alarms(self.false_alarms_per_hour, "avatar_config.false_alarms_per_hour")
            own["anomaly"] = replace(session.anomaly, false_alarms_per_hour=rate)
        return replace(session, **own).validated(called="avatar_config")


_AVATARS_OWN = ("forecast_rate_hz", "horizon_ms", "samples", "futures", "encoding", "deadline_ms")


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
        forecast_rate_hz: most forecasts a second that the avatar gets at present; 0 if the server does not say.
        filled_share: part of the window that was filled in from an earlier forecast, 0 to 1.
        anomaly: the newest verdict on the avatar's motion as of when this was sent; None where nothing is scored.
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
    forecast_rate_hz: float = 0.0
    filled_share: float = 0.0
    anomaly: Verdict | None = None

    def __repr__(self) -> str:
        """What it is, in one line: its arrays would fill pages."""
        futures, steps, joints, _ = self.futures_m.shape
        shares = ", ".join(f"{share:.0%}" for share in self.probabilities)
        more = ("" if self.roots_m is None else ", with roots") + (", degraded" if self.degraded else "")
        return (
            f"Forecast({self.avatar_id!r} from frame {self.based_on_sequence}: {futures} future{'s' * (futures != 1)} "
            f"of {steps} steps, {joints} landmarks{more}: {shares})"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return futures_table(repr(self), self.mode_ids, self.probabilities, self.futures_m, self.roots_m)

    @property
    def step_timestamps_us(self) -> NDArray[np.int64]:
        """Capture-clock time of every step, (H,)."""
        steps = np.arange(1, self.futures_m.shape[1] + 1, dtype=np.int64)
        return self.based_on_timestamp_us + steps * self.step_us

    @property
    def expected_m(self) -> NDArray[np.float32]:
        """Mean of the futures (H, J, 3), weighted with their probabilities: of one guess, the closest on average."""
        expected: NDArray[np.float32] = np.tensordot(self.probabilities, self.futures_m, 1).astype(np.float32)
        return expected

    def pose_at(self, timestamp_us: int, *, future: int | None = None) -> NDArray[np.float32] | None:
        """Return the pose (J, 3) of a future at a time on the capture clock, by default that of `expected_m`.

        Between steps it moves linearly. None where the forecast does not reach: before the frame that it is based on,
        or after its last step.
        """
        first_us, steps = self.based_on_timestamp_us + self.step_us, self.futures_m.shape[1]
        # A step is told in whole microseconds: the last one is off by up to half of one for each.
        last_us = first_us + (steps - 1) * self.step_us + steps
        if not self.based_on_timestamp_us <= timestamp_us <= last_us:
            return None
        path_m = self.expected_m if future is None else self.futures_m[future]
        pose_m: NDArray[np.float64] = along(path_m, first_us, self.step_us, np.array([timestamp_us]))[0]
        return pose_m.astype(np.float32)


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

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class FrameFault:
    """One frame that was not used, and why; ``avatar_id`` and ``sequence`` as far as the frame told.

    With ``frame_kept`` the frame itself was taken in and only its forecast was refused, for a while, or failed.
    """

    avatar_id: str
    sequence: int
    error: BridgeError
    frame_kept: bool = False


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


def _frame_saving(saving: FrameSaving, horizon_ms: int, called: str) -> FrameSaving:
    field = f"{called}.frame_saving.max_silence_ms"
    silence_ms = _whole(saving.max_silence_ms, field, limits.MIN_SILENCE_MS, limits.MAX_SILENCE_MS)
    if silence_ms > horizon_ms:
        raise InvalidInput(
            f"{silence_ms} ms of silence cannot be filled from {horizon_ms} ms of forecast",
            # What an avatar asks for itself is the horizon.
            field=field if called == "config" else f"{called}.horizon_ms",
            expected="a silence that is at most as long as the horizon",
        )
    return FrameSaving(silence_ms)


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


def _false_alarms(value: float, field: str) -> float:
    return _number(value, field, limits.MIN_FALSE_ALARMS_PER_HOUR, limits.MAX_FALSE_ALARMS_PER_HOUR)


def _encoding(value: str, field: str) -> Encoding:
    try:
        return Encoding(value)
    except ValueError:
        known = " or ".join(encoding.value for encoding in Encoding)
        raise InvalidInput(f"is {value!r}", field=field, expected=known) from None
