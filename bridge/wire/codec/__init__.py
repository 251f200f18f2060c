"""Turns typed values into protobuf messages and back; every check of what comes in from outside is made here."""

from __future__ import annotations

from bridge.wire.codec.alerts import (
    AlertQuery,
    alert_from_message,
    alert_page_from_message,
    alert_page_to_message,
    alert_query_from_message,
    alert_query_to_message,
    alert_to_message,
    require_filter,
    verdict_from_message,
    verdict_to_message,
)
from bridge.wire.codec.failures import (
    error_from_detail,
    error_to_detail,
    frame_fault_from_message,
    frame_fault_to_message,
    parse_message,
)
from bridge.wire.codec.forecasts import forecast_from_message, forecast_to_message
from bridge.wire.codec.frames import checked_frame, frame_from_message, frame_to_message
from bridge.wire.codec.sessions import (
    accepted_from_message,
    accepted_to_message,
    avatar_accepted_to_message,
    avatar_config_from_message,
    avatar_config_to_message,
    config_from_message,
    config_to_message,
    model_info_from_message,
    model_info_to_message,
)
from bridge.wire.codec.snapshots import alert_snapshot_from_message, alert_snapshot_to_message
from bridge.wire.codec.tensors import tensor_from_message, tensor_to_message

__all__ = [
    "AlertQuery",
    "accepted_from_message",
    "accepted_to_message",
    "alert_from_message",
    "alert_page_from_message",
    "alert_page_to_message",
    "alert_query_from_message",
    "alert_query_to_message",
    "alert_snapshot_from_message",
    "alert_snapshot_to_message",
    "alert_to_message",
    "avatar_accepted_to_message",
    "avatar_config_from_message",
    "avatar_config_to_message",
    "checked_frame",
    "config_from_message",
    "config_to_message",
    "error_from_detail",
    "error_to_detail",
    "forecast_from_message",
    "forecast_to_message",
    "frame_fault_from_message",
    "frame_fault_to_message",
    "frame_from_message",
    "frame_to_message",
    "model_info_from_message",
    "model_info_to_message",
    "parse_message",
    "require_filter",
    "tensor_from_message",
    "tensor_to_message",
    "verdict_from_message",
    "verdict_to_message",
]
