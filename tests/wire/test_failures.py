from __future__ import annotations

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from bridge import errors, limits
from bridge.wire.codec import (
    error_from_detail,
    error_to_detail,
    frame_fault_from_message,
    frame_fault_to_message,
    parse_message,
)
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from bridge.wire.values import FrameFault

TRAVELLING = [
    errors.InvalidInput,
    errors.MalformedMessage,
    errors.FailedPrecondition,
    errors.NotFound,
    errors.VersionMismatch,
    errors.ResourceExhausted,
    errors.Unavailable,
    errors.DeadlineExceeded,
    errors.InternalError,
]


@pytest.mark.parametrize("error_class", TRAVELLING)
def test_an_error_arrives_as_the_class_it_was_raised_as_in_all_its_words(
    error_class: type[errors.BridgeError],
) -> None:
    sent = error_class("is 7", field="config.samples", expected="2 to 5")
    detail = forecast_pb2.ErrorDetail.FromString(error_to_detail(sent).SerializeToString())
    back = error_from_detail(detail)
    assert type(back) is error_class
    assert str(back) == str(sent) == "config.samples: is 7; expected 2 to 5"


def test_every_kind_of_error_has_its_own_number_in_the_contract() -> None:
    numbers = {kind.name: kind.wire_code for kind in errors.ErrorKind}
    contract = {name.removeprefix("ERROR_CODE_"): number for name, number in forecast_pb2.ErrorCode.items()}
    assert numbers == {name: number for name, number in contract.items() if number != 0}


@pytest.mark.parametrize("code", [0, 99])
def test_a_code_from_another_version_is_an_error_all_the_same(code: int) -> None:
    detail = forecast_pb2.ErrorDetail(problem="new kind of trouble")
    detail.MergeFromString(bytes([0x08, code]))
    back = error_from_detail(detail)
    assert type(back) is errors.InternalError
    assert back.problem == "new kind of trouble"


def test_a_frame_fault_survives_the_wire() -> None:
    sent = FrameFault("player1", 2**64 - 1, errors.InvalidInput("is 0", field="frame.timestamp_us", expected="more"))
    back = frame_fault_from_message(frame_fault_to_message(sent))
    assert (back.avatar_id, back.sequence) == (sent.avatar_id, sent.sequence)
    assert type(back.error) is errors.InvalidInput
    assert str(back.error) == str(sent.error)


MESSAGES: list[type[Message]] = [
    envelope_pb2.ClientEnvelope,
    forecast_pb2.StreamForecastsRequest,
    forecast_pb2.PoseForecast,
    pose_pb2.PoseFrame,
]


@given(st.binary(max_size=200), st.sampled_from(MESSAGES))
def test_garbage_either_decodes_or_is_refused_as_malformed(data: bytes, message_type: type[Message]) -> None:
    try:
        message = parse_message(message_type, data)
    except errors.MalformedMessage as error:
        assert message_type.DESCRIPTOR.full_name in error.expected
    else:
        assert isinstance(message, message_type)


@pytest.mark.parametrize("data", [b"\xff" * 40, b"GET / HTTP/1.1\r\n\r\n", b"\x0a\x7fshort"])
def test_bytes_of_something_else_are_malformed(data: bytes) -> None:
    with pytest.raises(errors.MalformedMessage):
        parse_message(envelope_pb2.ClientEnvelope, data)


def test_a_name_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(errors.MalformedMessage):
        parse_message(pose_pb2.PoseFrame, b"\x0a\x02\xff\xfe")


def test_a_message_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(errors.ResourceExhausted, match=str(limits.MAX_MESSAGE_BYTES + 1)):
        parse_message(pose_pb2.PoseFrame, b"\xff" * (limits.MAX_MESSAGE_BYTES + 1))
