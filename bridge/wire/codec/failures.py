"""Errors as messages, and bytes as messages."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from bridge import limits
from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    FailedPrecondition,
    InternalError,
    InvalidInput,
    MalformedMessage,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import FrameFault

_M = TypeVar("_M", bound=Message)

_ERROR_OF_CODE: dict[int, type[BridgeError]] = {
    error.kind.wire_code: error
    for error in (
        InvalidInput,
        FailedPrecondition,
        NotFound,
        VersionMismatch,
        ResourceExhausted,
        Unavailable,
        MalformedMessage,
        InternalError,
        DeadlineExceeded,
        Unauthenticated,
        PermissionDenied,
    )
}


def error_to_detail(error: BridgeError) -> forecast_pb2.ErrorDetail:
    """Return an error as it travels."""
    return forecast_pb2.ErrorDetail(
        code=forecast_pb2.ErrorCode.Name(error.kind.wire_code),
        field=error.field,
        problem=error.problem,
        expected=error.expected,
        retry_after_ms=error.retry_after_ms,
    )


def error_from_detail(detail: forecast_pb2.ErrorDetail) -> BridgeError:
    """Return the error of the class that the code stands for; `InternalError` for a code we do not know."""
    error_class = _ERROR_OF_CODE.get(detail.code, InternalError)
    return error_class(
        detail.problem, field=detail.field, expected=detail.expected, retry_after_ms=detail.retry_after_ms
    )


def frame_fault_to_message(fault: FrameFault) -> forecast_pb2.FrameError:
    """Return the message that says why a frame, or its forecast, was refused."""
    return forecast_pb2.FrameError(
        avatar_id=fault.avatar_id,
        sequence=fault.sequence,
        error=error_to_detail(fault.error),
        frame_kept=fault.frame_kept,
    )


def frame_fault_from_message(message: forecast_pb2.FrameError) -> FrameFault:
    """Read why a frame was not used."""
    return FrameFault(message.avatar_id, message.sequence, error_from_detail(message.error), message.frame_kept)


def parse_message(message_type: type[_M], data: bytes) -> _M:
    """Decode one message.

    Raises:
        ResourceExhausted: if it is longer than a message may be.
        MalformedMessage: if the bytes are not such a message.
    """
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise ResourceExhausted(
            f"the message has {len(data)} bytes", expected=f"at most {limits.MAX_MESSAGE_BYTES} bytes a message"
        )
    name = message_type.DESCRIPTOR.full_name
    try:
        return message_type.FromString(data)
    except DecodeError:
        raise MalformedMessage(f"{len(data)} bytes do not decode", expected=f"a serialized {name}") from None
