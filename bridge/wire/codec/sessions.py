"""Session settings, their acceptance, and what a server says about its model."""

from __future__ import annotations

from bridge.errors import InvalidInput, MalformedMessage
from bridge.wire.codec.tensors import encoding_from_wire, encoding_to_wire
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from bridge.wire.values import (
    AnomalyConfig,
    AvatarConfig,
    Encoding,
    FrameSaving,
    ModelInfo,
    SessionAccepted,
    SessionConfig,
    require_protocol_version,
)

_AVATAR_NUMBERS = ("forecast_rate_hz", "horizon_ms", "samples", "futures", "deadline_ms")
_AVATAR_GIVEN = (*_AVATAR_NUMBERS, "false_alarms_per_hour")
_WITH_DEFAULT = ("forecast_rate_hz", "horizon_ms", "samples", "futures", "deadline_ms", "visibility_threshold")


def config_to_message(config: SessionConfig) -> forecast_pb2.SessionConfig:
    """Return the message of a config, every field explicit, unchecked: `SessionConfig.validated` checks."""
    saving = None
    if config.frame_saving is not None:
        saving = forecast_pb2.FrameSaving(max_silence_ms=config.frame_saving.max_silence_ms)
    return forecast_pb2.SessionConfig(
        protocol_version=config.protocol_version,
        client_name=config.client_name,
        layout_id=config.layout_id,
        forecast_rate_hz=config.forecast_rate_hz,
        horizon_ms=config.horizon_ms,
        samples=config.samples,
        futures=config.futures,
        encoding=encoding_to_wire(config.encoding),
        deadline_ms=config.deadline_ms,
        seed=config.seed,
        visibility_threshold=config.visibility_threshold,
        frame_saving=saving,
        anomaly=forecast_pb2.AnomalyConfig(
            enabled=config.anomaly.enabled, false_alarms_per_hour=config.anomaly.false_alarms_per_hour
        ),
    )


def config_from_message(message: forecast_pb2.SessionConfig) -> SessionConfig:
    """Read and check a config; absent fields take their defaults.

    Raises:
        VersionMismatch, NotFound, InvalidInput: as `SessionConfig.validated`.
    """
    require_protocol_version(message.protocol_version, speaker="client")
    given = {name: getattr(message, name) for name in _WITH_DEFAULT if message.HasField(name)}
    if (encoding := _encoding_from_message(message.encoding, "config.encoding")) is not None:
        given["encoding"] = encoding
    if message.HasField("frame_saving"):
        asked = message.frame_saving
        given["frame_saving"] = FrameSaving(asked.max_silence_ms) if asked.HasField("max_silence_ms") else FrameSaving()
    if message.HasField("anomaly"):
        watched = message.anomaly
        given["anomaly"] = AnomalyConfig(
            enabled=watched.enabled if watched.HasField("enabled") else True,
            false_alarms_per_hour=watched.false_alarms_per_hour if watched.HasField("false_alarms_per_hour") else None,
        )
    return SessionConfig(
        protocol_version=message.protocol_version,
        client_name=message.client_name,
        layout_id=message.layout_id,
        seed=message.seed,
        **given,
    ).validated()


def avatar_config_to_message(config: AvatarConfig) -> forecast_pb2.AvatarConfig:
    """Return the message of an avatar's settings, absent where they are the session's; unchecked."""
    return forecast_pb2.AvatarConfig(
        avatar_id=config.avatar_id,
        forecast_rate_hz=config.forecast_rate_hz,
        horizon_ms=config.horizon_ms,
        samples=config.samples,
        futures=config.futures,
        encoding=None if config.encoding is None else encoding_to_wire(config.encoding),
        deadline_ms=config.deadline_ms,
        false_alarms_per_hour=config.false_alarms_per_hour,
    )


def avatar_config_from_message(message: forecast_pb2.AvatarConfig) -> AvatarConfig:
    """Read an avatar's settings; `AvatarConfig.within` checks them.

    Raises:
        InvalidInput: if the encoding is none we know.
    """
    given = {name: getattr(message, name) for name in _AVATAR_GIVEN if message.HasField(name)}
    encoding = _encoding_from_message(message.encoding, "avatar_config.encoding")
    return AvatarConfig(message.avatar_id, encoding=encoding, **given)


def avatar_accepted_to_message(avatar_id: str, config: SessionConfig) -> forecast_pb2.AvatarConfig:
    """Return what is in force for an avatar, every field filled in."""
    own = {name: getattr(config, name) for name in _AVATAR_NUMBERS}
    rate = config.anomaly.false_alarms_per_hour
    return avatar_config_to_message(
        AvatarConfig(avatar_id, encoding=config.encoding, false_alarms_per_hour=rate, **own)
    )


def accepted_to_message(accepted: SessionAccepted) -> forecast_pb2.SessionAccepted:
    """Return the answer to a config."""
    return forecast_pb2.SessionAccepted(
        config=config_to_message(accepted.config),
        protocol_version=accepted.protocol_version,
        server_version=accepted.server_version,
        session_id=accepted.session_id,
        context_frames=accepted.context_frames,
        rate_hz=accepted.rate_hz,
    )


def accepted_from_message(message: forecast_pb2.SessionAccepted) -> SessionAccepted:
    """Read the answer to a config.

    Raises:
        VersionMismatch: if the server speaks another version; names both.
        InvalidInput: if the settings in force make no sense.
    """
    require_protocol_version(message.protocol_version, speaker="server")
    return SessionAccepted(
        config=config_from_message(message.config),
        protocol_version=message.protocol_version,
        server_version=message.server_version,
        session_id=message.session_id,
        context_frames=message.context_frames,
        rate_hz=message.rate_hz,
    )


def model_info_to_message(info: ModelInfo) -> forecast_pb2.GetModelInfoResponse:
    """Return what a server runs."""
    return forecast_pb2.GetModelInfoResponse(
        protocol_version=info.protocol_version,
        server_version=info.server_version,
        layout_id=info.layout_id,
        landmark_names=info.landmark_names,
        bones=[index for bone in info.bones for index in bone],
        context_frames=info.context_frames,
        rate_hz=info.rate_hz,
        max_horizon_ms=info.max_horizon_ms,
        max_samples=info.max_samples,
        max_futures=info.max_futures,
        refinement=info.refinement,
        weights_id=info.weights_id,
        device=info.device,
    )


def model_info_from_message(message: forecast_pb2.GetModelInfoResponse) -> ModelInfo:
    """Read what a server runs.

    Raises:
        VersionMismatch: if the server speaks another version; names both.
        MalformedMessage: if the bones are no pairs of landmarks.
    """
    require_protocol_version(message.protocol_version, speaker="server")
    names = tuple(message.landmark_names)
    ends = tuple(message.bones)
    if len(ends) % 2 or any(index >= len(names) for index in ends):
        raise MalformedMessage("are no pairs of landmarks", field="model_info.bones", expected="two indices a bone")
    return ModelInfo(
        protocol_version=message.protocol_version,
        server_version=message.server_version,
        layout_id=message.layout_id,
        landmark_names=names,
        bones=tuple(zip(ends[::2], ends[1::2], strict=True)),
        context_frames=message.context_frames,
        rate_hz=message.rate_hz,
        max_horizon_ms=message.max_horizon_ms,
        max_samples=message.max_samples,
        max_futures=message.max_futures,
        refinement=message.refinement,
        weights_id=message.weights_id,
        device=message.device,
    )


def _encoding_from_message(value: int, field: str) -> Encoding | None:
    """Read an encoding, None for "not given"."""
    if value == pose_pb2.DATA_TYPE_UNSPECIFIED:
        return None
    encoding = encoding_from_wire(value)
    if encoding is None:
        raise InvalidInput(f"is {value}", field=field, expected="float16 (1) or float32 (2)")
    return encoding
