from bridge.wire.generated.posebridge.v1 import anomaly_pb2 as _anomaly_pb2
from bridge.wire.generated.posebridge.v1 import pose_pb2 as _pose_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CODE_UNSPECIFIED: _ClassVar[ErrorCode]
    ERROR_CODE_INVALID_ARGUMENT: _ClassVar[ErrorCode]
    ERROR_CODE_FAILED_PRECONDITION: _ClassVar[ErrorCode]
    ERROR_CODE_NOT_FOUND: _ClassVar[ErrorCode]
    ERROR_CODE_VERSION_MISMATCH: _ClassVar[ErrorCode]
    ERROR_CODE_RESOURCE_EXHAUSTED: _ClassVar[ErrorCode]
    ERROR_CODE_UNAVAILABLE: _ClassVar[ErrorCode]
    ERROR_CODE_MALFORMED: _ClassVar[ErrorCode]
    ERROR_CODE_INTERNAL: _ClassVar[ErrorCode]
    ERROR_CODE_DEADLINE_EXCEEDED: _ClassVar[ErrorCode]
    ERROR_CODE_UNAUTHENTICATED: _ClassVar[ErrorCode]
    ERROR_CODE_PERMISSION_DENIED: _ClassVar[ErrorCode]
ERROR_CODE_UNSPECIFIED: ErrorCode
ERROR_CODE_INVALID_ARGUMENT: ErrorCode
ERROR_CODE_FAILED_PRECONDITION: ErrorCode
ERROR_CODE_NOT_FOUND: ErrorCode
ERROR_CODE_VERSION_MISMATCH: ErrorCode
ERROR_CODE_RESOURCE_EXHAUSTED: ErrorCode
ERROR_CODE_UNAVAILABLE: ErrorCode
ERROR_CODE_MALFORMED: ErrorCode
ERROR_CODE_INTERNAL: ErrorCode
ERROR_CODE_DEADLINE_EXCEEDED: ErrorCode
ERROR_CODE_UNAUTHENTICATED: ErrorCode
ERROR_CODE_PERMISSION_DENIED: ErrorCode

class SessionConfig(_message.Message):
    __slots__ = ("protocol_version", "client_name", "layout_id", "forecast_rate_hz", "horizon_ms", "samples", "futures", "encoding", "deadline_ms", "seed", "visibility_threshold", "frame_saving", "anomaly")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    FORECAST_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    HORIZON_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    FUTURES_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FRAME_SAVING_FIELD_NUMBER: _ClassVar[int]
    ANOMALY_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    client_name: str
    layout_id: str
    forecast_rate_hz: float
    horizon_ms: int
    samples: int
    futures: int
    encoding: _pose_pb2.DataType
    deadline_ms: int
    seed: int
    visibility_threshold: float
    frame_saving: FrameSaving
    anomaly: AnomalyConfig
    def __init__(self, protocol_version: _Optional[int] = ..., client_name: _Optional[str] = ..., layout_id: _Optional[str] = ..., forecast_rate_hz: _Optional[float] = ..., horizon_ms: _Optional[int] = ..., samples: _Optional[int] = ..., futures: _Optional[int] = ..., encoding: _Optional[_Union[_pose_pb2.DataType, str]] = ..., deadline_ms: _Optional[int] = ..., seed: _Optional[int] = ..., visibility_threshold: _Optional[float] = ..., frame_saving: _Optional[_Union[FrameSaving, _Mapping]] = ..., anomaly: _Optional[_Union[AnomalyConfig, _Mapping]] = ...) -> None: ...

class AnomalyConfig(_message.Message):
    __slots__ = ("enabled", "false_alarms_per_hour")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARMS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    false_alarms_per_hour: float
    def __init__(self, enabled: _Optional[bool] = ..., false_alarms_per_hour: _Optional[float] = ...) -> None: ...

class FrameSaving(_message.Message):
    __slots__ = ("max_silence_ms",)
    MAX_SILENCE_MS_FIELD_NUMBER: _ClassVar[int]
    max_silence_ms: int
    def __init__(self, max_silence_ms: _Optional[int] = ...) -> None: ...

class AvatarConfig(_message.Message):
    __slots__ = ("avatar_id", "forecast_rate_hz", "horizon_ms", "samples", "futures", "encoding", "deadline_ms", "false_alarms_per_hour")
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    FORECAST_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    HORIZON_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    FUTURES_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARMS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    forecast_rate_hz: float
    horizon_ms: int
    samples: int
    futures: int
    encoding: _pose_pb2.DataType
    deadline_ms: int
    false_alarms_per_hour: float
    def __init__(self, avatar_id: _Optional[str] = ..., forecast_rate_hz: _Optional[float] = ..., horizon_ms: _Optional[int] = ..., samples: _Optional[int] = ..., futures: _Optional[int] = ..., encoding: _Optional[_Union[_pose_pb2.DataType, str]] = ..., deadline_ms: _Optional[int] = ..., false_alarms_per_hour: _Optional[float] = ...) -> None: ...

class ClockPing(_message.Message):
    __slots__ = ("client_time_us",)
    CLIENT_TIME_US_FIELD_NUMBER: _ClassVar[int]
    client_time_us: int
    def __init__(self, client_time_us: _Optional[int] = ...) -> None: ...

class ClockPong(_message.Message):
    __slots__ = ("client_time_us", "server_received_us", "server_sent_us", "capture_offset_us", "capture_drift_ppm")
    CLIENT_TIME_US_FIELD_NUMBER: _ClassVar[int]
    SERVER_RECEIVED_US_FIELD_NUMBER: _ClassVar[int]
    SERVER_SENT_US_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_OFFSET_US_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_DRIFT_PPM_FIELD_NUMBER: _ClassVar[int]
    client_time_us: int
    server_received_us: int
    server_sent_us: int
    capture_offset_us: int
    capture_drift_ppm: float
    def __init__(self, client_time_us: _Optional[int] = ..., server_received_us: _Optional[int] = ..., server_sent_us: _Optional[int] = ..., capture_offset_us: _Optional[int] = ..., capture_drift_ppm: _Optional[float] = ...) -> None: ...

class ForecastRequest(_message.Message):
    __slots__ = ("config", "frames")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    config: SessionConfig
    frames: _containers.RepeatedCompositeFieldContainer[_pose_pb2.PoseFrame]
    def __init__(self, config: _Optional[_Union[SessionConfig, _Mapping]] = ..., frames: _Optional[_Iterable[_Union[_pose_pb2.PoseFrame, _Mapping]]] = ...) -> None: ...

class ForecastResponse(_message.Message):
    __slots__ = ("forecast",)
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    forecast: PoseForecast
    def __init__(self, forecast: _Optional[_Union[PoseForecast, _Mapping]] = ...) -> None: ...

class FrameBatch(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[_pose_pb2.PoseFrame]
    def __init__(self, frames: _Optional[_Iterable[_Union[_pose_pb2.PoseFrame, _Mapping]]] = ...) -> None: ...

class StreamForecastsRequest(_message.Message):
    __slots__ = ("config", "frame", "frames", "avatar_config", "clock_ping")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    AVATAR_CONFIG_FIELD_NUMBER: _ClassVar[int]
    CLOCK_PING_FIELD_NUMBER: _ClassVar[int]
    config: SessionConfig
    frame: _pose_pb2.PoseFrame
    frames: FrameBatch
    avatar_config: AvatarConfig
    clock_ping: ClockPing
    def __init__(self, config: _Optional[_Union[SessionConfig, _Mapping]] = ..., frame: _Optional[_Union[_pose_pb2.PoseFrame, _Mapping]] = ..., frames: _Optional[_Union[FrameBatch, _Mapping]] = ..., avatar_config: _Optional[_Union[AvatarConfig, _Mapping]] = ..., clock_ping: _Optional[_Union[ClockPing, _Mapping]] = ...) -> None: ...

class StreamForecastsResponse(_message.Message):
    __slots__ = ("accepted", "forecast", "frame_error", "draining", "avatar_accepted", "clock_pong", "alert")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    FRAME_ERROR_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    CLOCK_PONG_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    accepted: SessionAccepted
    forecast: PoseForecast
    frame_error: FrameError
    draining: Draining
    avatar_accepted: AvatarConfig
    clock_pong: ClockPong
    alert: _anomaly_pb2.Alert
    def __init__(self, accepted: _Optional[_Union[SessionAccepted, _Mapping]] = ..., forecast: _Optional[_Union[PoseForecast, _Mapping]] = ..., frame_error: _Optional[_Union[FrameError, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., avatar_accepted: _Optional[_Union[AvatarConfig, _Mapping]] = ..., clock_pong: _Optional[_Union[ClockPong, _Mapping]] = ..., alert: _Optional[_Union[_anomaly_pb2.Alert, _Mapping]] = ...) -> None: ...

class SessionAccepted(_message.Message):
    __slots__ = ("config", "protocol_version", "server_version", "session_id", "context_frames", "rate_hz")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FRAMES_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    config: SessionConfig
    protocol_version: int
    server_version: str
    session_id: str
    context_frames: int
    rate_hz: float
    def __init__(self, config: _Optional[_Union[SessionConfig, _Mapping]] = ..., protocol_version: _Optional[int] = ..., server_version: _Optional[str] = ..., session_id: _Optional[str] = ..., context_frames: _Optional[int] = ..., rate_hz: _Optional[float] = ...) -> None: ...

class PoseForecast(_message.Message):
    __slots__ = ("avatar_id", "based_on_sequence", "based_on_timestamp_us", "step_us", "futures", "roots", "probabilities", "spread", "mode_ids", "unobserved_landmarks", "bridged_share", "samples", "acceptance_rate", "timing", "degraded", "forecast_rate_hz", "filled_share", "anomaly")
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    BASED_ON_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BASED_ON_TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    STEP_US_FIELD_NUMBER: _ClassVar[int]
    FUTURES_FIELD_NUMBER: _ClassVar[int]
    ROOTS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    MODE_IDS_FIELD_NUMBER: _ClassVar[int]
    UNOBSERVED_LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    BRIDGED_SHARE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCE_RATE_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    FORECAST_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FILLED_SHARE_FIELD_NUMBER: _ClassVar[int]
    ANOMALY_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    based_on_sequence: int
    based_on_timestamp_us: int
    step_us: int
    futures: _pose_pb2.Tensor
    roots: _pose_pb2.Tensor
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    spread: _pose_pb2.Tensor
    mode_ids: _containers.RepeatedScalarFieldContainer[int]
    unobserved_landmarks: _containers.RepeatedScalarFieldContainer[int]
    bridged_share: float
    samples: int
    acceptance_rate: float
    timing: Timing
    degraded: bool
    forecast_rate_hz: float
    filled_share: float
    anomaly: _anomaly_pb2.Verdict
    def __init__(self, avatar_id: _Optional[str] = ..., based_on_sequence: _Optional[int] = ..., based_on_timestamp_us: _Optional[int] = ..., step_us: _Optional[int] = ..., futures: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., roots: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., probabilities: _Optional[_Iterable[float]] = ..., spread: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., mode_ids: _Optional[_Iterable[int]] = ..., unobserved_landmarks: _Optional[_Iterable[int]] = ..., bridged_share: _Optional[float] = ..., samples: _Optional[int] = ..., acceptance_rate: _Optional[float] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., degraded: _Optional[bool] = ..., forecast_rate_hz: _Optional[float] = ..., filled_share: _Optional[float] = ..., anomaly: _Optional[_Union[_anomaly_pb2.Verdict, _Mapping]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("queue_us", "compute_us", "age_us", "batch_size")
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_US_FIELD_NUMBER: _ClassVar[int]
    AGE_US_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    queue_us: int
    compute_us: int
    age_us: int
    batch_size: int
    def __init__(self, queue_us: _Optional[int] = ..., compute_us: _Optional[int] = ..., age_us: _Optional[int] = ..., batch_size: _Optional[int] = ...) -> None: ...

class ErrorDetail(_message.Message):
    __slots__ = ("code", "field", "problem", "expected", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    field: str
    problem: str
    expected: str
    retry_after_ms: int
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., field: _Optional[str] = ..., problem: _Optional[str] = ..., expected: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class FrameError(_message.Message):
    __slots__ = ("avatar_id", "sequence", "error", "frame_kept")
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FRAME_KEPT_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    sequence: int
    error: ErrorDetail
    frame_kept: bool
    def __init__(self, avatar_id: _Optional[str] = ..., sequence: _Optional[int] = ..., error: _Optional[_Union[ErrorDetail, _Mapping]] = ..., frame_kept: _Optional[bool] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("grace_ms",)
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    grace_ms: int
    def __init__(self, grace_ms: _Optional[int] = ...) -> None: ...

class GetModelInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelInfoResponse(_message.Message):
    __slots__ = ("protocol_version", "server_version", "layout_id", "landmark_names", "bones", "context_frames", "rate_hz", "max_horizon_ms", "max_samples", "max_futures", "refinement", "weights_id", "device")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    LANDMARK_NAMES_FIELD_NUMBER: _ClassVar[int]
    BONES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FRAMES_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    MAX_HORIZON_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    MAX_FUTURES_FIELD_NUMBER: _ClassVar[int]
    REFINEMENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    server_version: str
    layout_id: str
    landmark_names: _containers.RepeatedScalarFieldContainer[str]
    bones: _containers.RepeatedScalarFieldContainer[int]
    context_frames: int
    rate_hz: float
    max_horizon_ms: int
    max_samples: int
    max_futures: int
    refinement: str
    weights_id: str
    device: str
    def __init__(self, protocol_version: _Optional[int] = ..., server_version: _Optional[str] = ..., layout_id: _Optional[str] = ..., landmark_names: _Optional[_Iterable[str]] = ..., bones: _Optional[_Iterable[int]] = ..., context_frames: _Optional[int] = ..., rate_hz: _Optional[float] = ..., max_horizon_ms: _Optional[int] = ..., max_samples: _Optional[int] = ..., max_futures: _Optional[int] = ..., refinement: _Optional[str] = ..., weights_id: _Optional[str] = ..., device: _Optional[str] = ...) -> None: ...
