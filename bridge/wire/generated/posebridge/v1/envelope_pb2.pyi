from bridge.wire.generated.posebridge.v1 import anomaly_pb2 as _anomaly_pb2
from bridge.wire.generated.posebridge.v1 import forecast_pb2 as _forecast_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientEnvelope(_message.Message):
    __slots__ = ("request_id", "stream", "forecast", "get_model_info", "goodbye", "heartbeat", "list_alerts", "acknowledge_alert", "get_alert_snapshot", "token")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    GET_MODEL_INFO_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    LIST_ALERTS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_ALERT_FIELD_NUMBER: _ClassVar[int]
    GET_ALERT_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    stream: _forecast_pb2.StreamForecastsRequest
    forecast: _forecast_pb2.ForecastRequest
    get_model_info: _forecast_pb2.GetModelInfoRequest
    goodbye: Goodbye
    heartbeat: Heartbeat
    list_alerts: _anomaly_pb2.ListAlertsRequest
    acknowledge_alert: _anomaly_pb2.AcknowledgeAlertRequest
    get_alert_snapshot: _anomaly_pb2.GetAlertSnapshotRequest
    token: str
    def __init__(self, request_id: _Optional[int] = ..., stream: _Optional[_Union[_forecast_pb2.StreamForecastsRequest, _Mapping]] = ..., forecast: _Optional[_Union[_forecast_pb2.ForecastRequest, _Mapping]] = ..., get_model_info: _Optional[_Union[_forecast_pb2.GetModelInfoRequest, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., list_alerts: _Optional[_Union[_anomaly_pb2.ListAlertsRequest, _Mapping]] = ..., acknowledge_alert: _Optional[_Union[_anomaly_pb2.AcknowledgeAlertRequest, _Mapping]] = ..., get_alert_snapshot: _Optional[_Union[_anomaly_pb2.GetAlertSnapshotRequest, _Mapping]] = ..., token: _Optional[str] = ...) -> None: ...

class ServerEnvelope(_message.Message):
    __slots__ = ("request_id", "stream", "forecast", "get_model_info", "error", "heartbeat", "list_alerts", "acknowledge_alert", "get_alert_snapshot")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FORECAST_FIELD_NUMBER: _ClassVar[int]
    GET_MODEL_INFO_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    LIST_ALERTS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_ALERT_FIELD_NUMBER: _ClassVar[int]
    GET_ALERT_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    stream: _forecast_pb2.StreamForecastsResponse
    forecast: _forecast_pb2.ForecastResponse
    get_model_info: _forecast_pb2.GetModelInfoResponse
    error: CallError
    heartbeat: Heartbeat
    list_alerts: _anomaly_pb2.ListAlertsResponse
    acknowledge_alert: _anomaly_pb2.AcknowledgeAlertResponse
    get_alert_snapshot: _anomaly_pb2.GetAlertSnapshotResponse
    def __init__(self, request_id: _Optional[int] = ..., stream: _Optional[_Union[_forecast_pb2.StreamForecastsResponse, _Mapping]] = ..., forecast: _Optional[_Union[_forecast_pb2.ForecastResponse, _Mapping]] = ..., get_model_info: _Optional[_Union[_forecast_pb2.GetModelInfoResponse, _Mapping]] = ..., error: _Optional[_Union[CallError, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., list_alerts: _Optional[_Union[_anomaly_pb2.ListAlertsResponse, _Mapping]] = ..., acknowledge_alert: _Optional[_Union[_anomaly_pb2.AcknowledgeAlertResponse, _Mapping]] = ..., get_alert_snapshot: _Optional[_Union[_anomaly_pb2.GetAlertSnapshotResponse, _Mapping]] = ...) -> None: ...

class CallError(_message.Message):
    __slots__ = ("error", "session_ended")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SESSION_ENDED_FIELD_NUMBER: _ClassVar[int]
    error: _forecast_pb2.ErrorDetail
    session_ended: bool
    def __init__(self, error: _Optional[_Union[_forecast_pb2.ErrorDetail, _Mapping]] = ..., session_ended: _Optional[bool] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
