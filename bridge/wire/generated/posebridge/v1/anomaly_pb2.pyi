from bridge.wire.generated.posebridge.v1 import pose_pb2 as _pose_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_STATE_UNSPECIFIED: _ClassVar[AlertState]
    ALERT_STATE_RAISED: _ClassVar[AlertState]
    ALERT_STATE_UPDATED: _ClassVar[AlertState]
    ALERT_STATE_CLEARED: _ClassVar[AlertState]
    ALERT_STATE_ACKNOWLEDGED: _ClassVar[AlertState]

class AlertSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_SEVERITY_UNSPECIFIED: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_LOW: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_MEDIUM: _ClassVar[AlertSeverity]
    ALERT_SEVERITY_HIGH: _ClassVar[AlertSeverity]

class ClearReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLEAR_REASON_UNSPECIFIED: _ClassVar[ClearReason]
    CLEAR_REASON_NORMAL: _ClassVar[ClearReason]
    CLEAR_REASON_STREAM_ENDED: _ClassVar[ClearReason]

class NoVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NO_VERDICT_UNSPECIFIED: _ClassVar[NoVerdict]
    NO_VERDICT_TOO_SHORT: _ClassVar[NoVerdict]
    NO_VERDICT_TOO_FEW_LANDMARKS: _ClassVar[NoVerdict]
    NO_VERDICT_NO_FORECAST: _ClassVar[NoVerdict]
    NO_VERDICT_OFF: _ClassVar[NoVerdict]
ALERT_STATE_UNSPECIFIED: AlertState
ALERT_STATE_RAISED: AlertState
ALERT_STATE_UPDATED: AlertState
ALERT_STATE_CLEARED: AlertState
ALERT_STATE_ACKNOWLEDGED: AlertState
ALERT_SEVERITY_UNSPECIFIED: AlertSeverity
ALERT_SEVERITY_LOW: AlertSeverity
ALERT_SEVERITY_MEDIUM: AlertSeverity
ALERT_SEVERITY_HIGH: AlertSeverity
CLEAR_REASON_UNSPECIFIED: ClearReason
CLEAR_REASON_NORMAL: ClearReason
CLEAR_REASON_STREAM_ENDED: ClearReason
NO_VERDICT_UNSPECIFIED: NoVerdict
NO_VERDICT_TOO_SHORT: NoVerdict
NO_VERDICT_TOO_FEW_LANDMARKS: NoVerdict
NO_VERDICT_NO_FORECAST: NoVerdict
NO_VERDICT_OFF: NoVerdict

class JointContribution(_message.Message):
    __slots__ = ("landmark", "name", "share")
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    landmark: int
    name: str
    share: float
    def __init__(self, landmark: _Optional[int] = ..., name: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("id", "revision", "cursor", "state", "client_name", "avatar_id", "session_id", "started_us", "raised_us", "ended_us", "p_value", "score", "threshold", "false_alarms_per_hour", "severity", "joints", "cleared_because", "acknowledged_by", "acknowledged_unix_us", "note", "recorded_unix_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_US_FIELD_NUMBER: _ClassVar[int]
    RAISED_US_FIELD_NUMBER: _ClassVar[int]
    ENDED_US_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARMS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    CLEARED_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_UNIX_US_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_UNIX_US_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    cursor: int
    state: AlertState
    client_name: str
    avatar_id: str
    session_id: str
    started_us: int
    raised_us: int
    ended_us: int
    p_value: float
    score: float
    threshold: float
    false_alarms_per_hour: float
    severity: AlertSeverity
    joints: _containers.RepeatedCompositeFieldContainer[JointContribution]
    cleared_because: ClearReason
    acknowledged_by: str
    acknowledged_unix_us: int
    note: str
    recorded_unix_us: int
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., cursor: _Optional[int] = ..., state: _Optional[_Union[AlertState, str]] = ..., client_name: _Optional[str] = ..., avatar_id: _Optional[str] = ..., session_id: _Optional[str] = ..., started_us: _Optional[int] = ..., raised_us: _Optional[int] = ..., ended_us: _Optional[int] = ..., p_value: _Optional[float] = ..., score: _Optional[float] = ..., threshold: _Optional[float] = ..., false_alarms_per_hour: _Optional[float] = ..., severity: _Optional[_Union[AlertSeverity, str]] = ..., joints: _Optional[_Iterable[_Union[JointContribution, _Mapping]]] = ..., cleared_because: _Optional[_Union[ClearReason, str]] = ..., acknowledged_by: _Optional[str] = ..., acknowledged_unix_us: _Optional[int] = ..., note: _Optional[str] = ..., recorded_unix_us: _Optional[int] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("sequence", "timestamp_us", "p_value", "no_verdict", "evidence", "alert_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    NO_VERDICT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    timestamp_us: int
    p_value: float
    no_verdict: NoVerdict
    evidence: float
    alert_id: str
    def __init__(self, sequence: _Optional[int] = ..., timestamp_us: _Optional[int] = ..., p_value: _Optional[float] = ..., no_verdict: _Optional[_Union[NoVerdict, str]] = ..., evidence: _Optional[float] = ..., alert_id: _Optional[str] = ...) -> None: ...

class WatchAlertsRequest(_message.Message):
    __slots__ = ("after_cursor", "client_name", "avatar_id")
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    after_cursor: int
    client_name: str
    avatar_id: str
    def __init__(self, after_cursor: _Optional[int] = ..., client_name: _Optional[str] = ..., avatar_id: _Optional[str] = ...) -> None: ...

class WatchAlertsResponse(_message.Message):
    __slots__ = ("alert", "cursor")
    ALERT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    cursor: int
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ..., cursor: _Optional[int] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("after_cursor", "limit", "client_name", "avatar_id", "active_only", "before_cursor")
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    BEFORE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    after_cursor: int
    limit: int
    client_name: str
    avatar_id: str
    active_only: bool
    before_cursor: int
    def __init__(self, after_cursor: _Optional[int] = ..., limit: _Optional[int] = ..., client_name: _Optional[str] = ..., avatar_id: _Optional[str] = ..., active_only: _Optional[bool] = ..., before_cursor: _Optional[int] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ("alerts", "last_cursor", "forgotten_cursor")
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    LAST_CURSOR_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_CURSOR_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    last_cursor: int
    forgotten_cursor: int
    def __init__(self, alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., last_cursor: _Optional[int] = ..., forgotten_cursor: _Optional[int] = ...) -> None: ...

class AcknowledgeAlertRequest(_message.Message):
    __slots__ = ("alert_id", "acknowledged_by", "note")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    acknowledged_by: str
    note: str
    def __init__(self, alert_id: _Optional[str] = ..., acknowledged_by: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class AcknowledgeAlertResponse(_message.Message):
    __slots__ = ("alert",)
    ALERT_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ...) -> None: ...

class GetAlertSnapshotRequest(_message.Message):
    __slots__ = ("alert_id",)
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    def __init__(self, alert_id: _Optional[str] = ...) -> None: ...

class GetAlertSnapshotResponse(_message.Message):
    __slots__ = ("alert", "layout_id", "timestamps_us", "observed", "p_values", "scores", "score_names", "samples", "samples_from_us", "step_us")
    ALERT_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_US_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    P_VALUES_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SCORE_NAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FROM_US_FIELD_NUMBER: _ClassVar[int]
    STEP_US_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    layout_id: str
    timestamps_us: _containers.RepeatedScalarFieldContainer[int]
    observed: _pose_pb2.Tensor
    p_values: _pose_pb2.Tensor
    scores: _pose_pb2.Tensor
    score_names: _containers.RepeatedScalarFieldContainer[str]
    samples: _pose_pb2.Tensor
    samples_from_us: int
    step_us: int
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ..., layout_id: _Optional[str] = ..., timestamps_us: _Optional[_Iterable[int]] = ..., observed: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., p_values: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., scores: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., score_names: _Optional[_Iterable[str]] = ..., samples: _Optional[_Union[_pose_pb2.Tensor, _Mapping]] = ..., samples_from_us: _Optional[int] = ..., step_us: _Optional[int] = ...) -> None: ...

class WatchVerdictsRequest(_message.Message):
    __slots__ = ("client_name", "avatar_id", "rate_hz")
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    client_name: str
    avatar_id: str
    rate_hz: float
    def __init__(self, client_name: _Optional[str] = ..., avatar_id: _Optional[str] = ..., rate_hz: _Optional[float] = ...) -> None: ...

class WatchVerdictsResponse(_message.Message):
    __slots__ = ("client_name", "avatar_id", "verdict")
    CLIENT_NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    client_name: str
    avatar_id: str
    verdict: Verdict
    def __init__(self, client_name: _Optional[str] = ..., avatar_id: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ...) -> None: ...
