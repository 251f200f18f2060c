"""What a failed gRPC call carries, as tools that know only Google's own details read it."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    InvalidInput,
    MalformedMessage,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    VersionMismatch,
)
from bridge.service.statuses import status_of
from bridge.wire.codec import error_from_detail
from bridge.wire.generated.posebridge.v1 import forecast_pb2


def details_of(error: BridgeError) -> tuple[status_pb2.Status, dict[str, object]]:
    code, message, metadata = status_of(error)
    status = status_pb2.Status.FromString(dict(metadata)["grpc-status-details-bin"])
    assert (status.code, status.message) == (code.value[0], message)
    found = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])
        found[kind.DESCRIPTOR.name] = kind.FromString(packed.value)
    return status, found


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (MalformedMessage, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED"),
        (VersionMismatch, grpc.StatusCode.FAILED_PRECONDITION, "VERSION_MISMATCH"),
        (ResourceExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"),
        (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
        (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (BridgeError, grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
def test_status_says_the_kind_and_the_reason(kind: type[BridgeError], code: grpc.StatusCode, reason: str) -> None:
    assert status_of(kind("x"))[0] is code
    _, details = details_of(kind("x"))
    assert details == {"ErrorInfo": error_details_pb2.ErrorInfo(reason=reason, domain="posebridge")}


def test_field_at_fault_and_the_time_to_wait_are_said() -> None:
    error = ResourceExhausted("too many", field="session", expected="fewer", retry_after_ms=1500)
    _, details = details_of(error)
    (violation,) = details["BadRequest"].field_violations  # type: ignore[attr-defined]
    assert (violation.field, violation.description) == ("session", "too many; expected fewer")
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 1500  # type: ignore[attr-defined]


def test_our_own_detail_is_there_too() -> None:
    error = ResourceExhausted("too many", field="session", expected="fewer", retry_after_ms=1500)
    ours = dict(status_of(error)[2])["posebridge-error-bin"]
    again = error_from_detail(forecast_pb2.ErrorDetail.FromString(ours))
    assert vars(again) == vars(error)


def test_long_text_is_cut_so_that_all_of_it_fits_the_metadata() -> None:
    error = InvalidInput("p" * 100_000, field="f" * 100_000, expected="e" * 100_000)
    _, message, metadata = status_of(error)
    assert len(message) + sum(len(value) for _, value in metadata) < 8_000
