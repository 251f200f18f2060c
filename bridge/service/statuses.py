"""A typed error as a gRPC status: with our own detail, and with Google's standard ones that other tools read."""

from __future__ import annotations

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from bridge.errors import BridgeError
from bridge.wire.codec import error_to_detail

ERROR_DETAIL_KEY = "posebridge-error-bin"
"""Trailing metadata of a call that failed: a serialized ``posebridge.v1.ErrorDetail``."""
STATUS_DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata of a call that failed: a serialized ``google.rpc.Status``; the key is gRPC's."""
DOMAIN = "posebridge"
_LONGEST_TEXT = 512
"""Characters of a problem; all trailing metadata together may have 8 KB."""


def status_of(error: BridgeError) -> tuple[StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Return a status: its code, its message, and the trailing metadata.

    The standard details are ``ErrorInfo`` (reason: the name of `bridge.errors.ErrorKind`), ``BadRequest`` where a field
    is at fault, and ``RetryInfo`` where waiting helps.
    """
    error = _shortened(error)
    code = StatusCode[error.kind.grpc_status]
    message = str(error)
    info = error_details_pb2.ErrorInfo(reason=error.kind.name, domain=DOMAIN)
    details: list[Message] = [info]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=_described(error), reason=error.kind.name
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after_ms:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error.retry_after_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=message, details=[_packed(detail) for detail in details])
    metadata = (
        (ERROR_DETAIL_KEY, error_to_detail(error).SerializeToString()),
        (STATUS_DETAILS_KEY, status.SerializeToString()),
    )
    return code, message, metadata


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _described(error: BridgeError) -> str:
    return f"{error.problem}; expected {error.expected}" if error.expected else error.problem


def _shortened(error: BridgeError) -> BridgeError:
    if len(error.problem) <= _LONGEST_TEXT and len(error.expected) <= _LONGEST_TEXT:
        return error
    return type(error)(
        error.problem[:_LONGEST_TEXT],
        field=error.field[:_LONGEST_TEXT],
        expected=error.expected[:_LONGEST_TEXT],
        retry_after_ms=error.retry_after_ms,
    )
