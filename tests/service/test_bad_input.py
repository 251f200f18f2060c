"""Whatever a client sends is answered in the same words over both transports, and nobody else is disturbed."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from bridge import limits
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from tests.service_fixtures import (
    CallFailed,
    GrpcClient,
    Player,
    ZmqClient,
    config_message,
    frame_message,
    stream_frame,
)

HOUR_US = 3_600_000_000
YEAR_US = 365 * 24 * HOUR_US

Client = GrpcClient | ZmqClient
Spoil = Callable[[pose_pb2.PoseFrame], None]


def replace_number(index: int, value: float) -> Spoil:
    def spoil(frame: pose_pb2.PoseFrame) -> None:
        frame.landmarks[index] = value

    return spoil


def set_root(x: float) -> Spoil:
    def spoil(frame: pose_pb2.PoseFrame) -> None:
        frame.root.x = x

    return spoil


def set_field(**values: object) -> Spoil:
    def spoil(frame: pose_pb2.PoseFrame) -> None:
        for name, value in values.items():
            setattr(frame, name, value)

    return spoil


def shift_time(by_us: int) -> Spoil:
    def spoil(frame: pose_pb2.PoseFrame) -> None:
        frame.timestamp_us += by_us

    return spoil


SPOILED_FRAMES = {
    "one landmark too few": (lambda frame: frame.landmarks.__delitem__(slice(-4, None)), "frame.landmarks"),
    "one number too many": (lambda frame: frame.landmarks.append(0.0), "frame.landmarks"),
    "another layout's landmarks": (lambda frame: frame.landmarks.extend([0.0] * 100), "frame.landmarks"),
    "NaN": (replace_number(4, math.nan), "frame.landmarks[1]"),
    "infinity": (replace_number(5, math.inf), "frame.landmarks[1]"),
    "absurd magnitude": (replace_number(4, 1e6), "frame.landmarks[1]"),
    "largest float": (replace_number(4, 3e38), "frame.landmarks[1]"),
    "visibility above one": (replace_number(7, 1.5), "frame.landmarks[1]"),
    "NaN visibility": (replace_number(7, math.nan), "frame.landmarks[1]"),
    "NaN root": (set_root(math.nan), "frame.root"),
    "absurd root": (set_root(1e9), "frame.root"),
    "no time": (set_field(timestamp_us=0), "frame.timestamp_us"),
    "time beyond all reason": (set_field(timestamp_us=2**64 - 1), "frame.timestamp_us"),
    "time jumps a year ahead": (shift_time(YEAR_US), "frame.timestamp_us"),
    "no avatar": (set_field(avatar_id=""), "frame.avatar_id"),
    "avatar with a space": (set_field(avatar_id="player one"), "frame.avatar_id"),
    "avatar with a line break": (set_field(avatar_id="a\nb"), "frame.avatar_id"),
    "avatar too long": (set_field(avatar_id="x" * 65), "frame.avatar_id"),
    "avatar far too long": (set_field(avatar_id="x" * 100_000), "frame.avatar_id"),
}


@pytest.mark.parametrize("case", SPOILED_FRAMES)
def test_bad_frame_is_named_and_its_avatar_and_others_go_on(player: Player, case: str) -> None:
    spoil, field = SPOILED_FRAMES[case]
    player.fill_windows("clumsy")
    frame = player.frame("clumsy")
    spoil(frame)
    player.client.send(stream_frame(frame))
    fault = player.expect_frame_error()
    assert fault.error.field == field
    assert fault.error.code == forecast_pb2.ERROR_CODE_INVALID_ARGUMENT
    assert fault.error.problem and fault.error.expected
    assert fault.sequence == frame.sequence
    assert fault.avatar_id == frame.avatar_id[:64]
    player.expect_forecast("bystander")
    player.expect_forecast("clumsy")


def test_time_that_goes_backwards_is_named_and_others_go_on(player: Player) -> None:
    player.fill_windows("clumsy")
    frame = player.frame("clumsy")
    frame.timestamp_us = 1
    player.client.send(stream_frame(frame))
    assert player.expect_frame_error().error.field == "frame.timestamp_us"
    player.expect_forecast("bystander")
    player.expect_forecast("clumsy")


def test_bad_frame_in_a_batch_costs_only_itself(player: Player) -> None:
    bad, good = player.frame("clumsy"), player.frame("bystander")
    del bad.landmarks[:8]
    batch = forecast_pb2.FrameBatch(frames=[bad, good])
    player.client.send(forecast_pb2.StreamForecastsRequest(frames=batch))
    assert player.expect_frame_error().error.field == "frame.landmarks"
    player.forecast_after("bystander", good.sequence)


def test_batch_with_too_many_frames_is_refused_whole(player: Player) -> None:
    count = limits.MAX_FRAMES_PER_MESSAGE + 1
    frames = [pose_pb2.PoseFrame(avatar_id="x", timestamp_us=index + 1) for index in range(count)]
    batch = forecast_pb2.FrameBatch(frames=frames)
    player.client.send(forecast_pb2.StreamForecastsRequest(frames=batch))
    fault = player.expect_frame_error()
    assert fault.error.field == "frames"
    assert str(count) in fault.error.problem
    player.expect_forecast("bystander")


def test_one_avatar_too_many_is_refused_and_those_that_are_there_go_on(player: Player, layout: Layout) -> None:
    ids = [f"avatar-{index}" for index in range(limits.MAX_AVATARS_PER_SESSION)]  # one more than fits: the bystander
    for first in range(0, len(ids), 256):
        frames = [frame_message(layout, avatar_id, 0) for avatar_id in ids[first : first + 256]]
        player.client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
    fault = player.expect_frame_error()
    assert fault.error.code == forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED
    assert fault.error.field == "frame.avatar_id"
    assert fault.avatar_id == ids[-1]
    player.expect_forecast("bystander")


def test_second_config_is_refused_and_the_stream_goes_on(player: Player, layout: Layout) -> None:
    player.client.send(forecast_pb2.StreamForecastsRequest(config=config_message(layout)))
    fault = player.expect_frame_error()
    assert fault.error.code == forecast_pb2.ERROR_CODE_FAILED_PRECONDITION
    assert fault.error.field == "config"
    player.expect_forecast("bystander")


def test_empty_message_is_refused_and_the_stream_goes_on(player: Player) -> None:
    player.client.send(forecast_pb2.StreamForecastsRequest())
    assert player.expect_frame_error().error.field == "payload"
    player.expect_forecast("bystander")


def test_bytes_that_are_no_message_are_refused_and_the_stream_goes_on(player: Player) -> None:
    player.client.send_bytes(b"\xff\xfe" * 50)
    fault = player.expect_frame_error()
    assert fault.error.code == forecast_pb2.ERROR_CODE_MALFORMED
    assert "100 bytes" in fault.error.problem
    player.expect_forecast("bystander")


def test_oversized_message_is_refused_with_its_size_and_the_stream_goes_on(player: Player) -> None:
    size = limits.MAX_MESSAGE_BYTES + 1
    player.client.send_bytes(bytes(size))
    fault = player.expect_frame_error()
    assert fault.error.code == forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED
    assert str(size) in fault.error.problem
    assert str(limits.MAX_MESSAGE_BYTES) in fault.error.expected
    player.expect_forecast("bystander")


def test_message_beyond_what_the_transport_takes_costs_the_sender_its_connection_only(
    client: Client, other_player: Player, layout: Layout
) -> None:
    player = Player(client, layout)
    player.client.send_bytes(bytes(2 * limits.MAX_MESSAGE_BYTES + 1000))
    if isinstance(client, GrpcClient):
        with pytest.raises(CallFailed) as caught:
            client.receive()
        assert caught.value.status == "RESOURCE_EXHAUSTED"
    else:
        # libzmq connects again under another identity: the server knows no session there and says so.
        with pytest.raises(CallFailed) as caught:
            player.expect_forecast("late")
        assert caught.value.session_ended
        assert caught.value.detail.field == "config"
    other_player.expect_forecast("bystander")


# -- configs

BAD_CONFIGS: dict[str, tuple[dict[str, object], str, int]] = {
    "newer protocol": ({"protocol_version": 7}, "config.protocol_version", forecast_pb2.ERROR_CODE_VERSION_MISMATCH),
    "no protocol": ({"protocol_version": 0}, "config.protocol_version", forecast_pb2.ERROR_CODE_VERSION_MISMATCH),
    "unknown layout": ({"layout_id": "no.such.layout"}, "config.layout_id", forecast_pb2.ERROR_CODE_NOT_FOUND),
    "layout without weights": (
        {"layout_id": "mediapipe.pose.33"},
        "config.layout_id",
        forecast_pb2.ERROR_CODE_NOT_FOUND,
    ),
    "no name": ({"client_name": ""}, "config.client_name", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
    "more futures than samples": (
        {"samples": 4, "futures": 5},
        "config.futures",
        forecast_pb2.ERROR_CODE_INVALID_ARGUMENT,
    ),
    "no futures": ({"futures": 0}, "config.futures", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
    "too many samples": ({"samples": 257}, "config.samples", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
    "horizon 0": ({"horizon_ms": 0}, "config.horizon_ms", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
    "huge horizon": ({"horizon_ms": 2**32 - 1}, "config.horizon_ms", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
    "NaN rate": (
        {"forecast_rate_hz": math.nan},
        "config.forecast_rate_hz",
        forecast_pb2.ERROR_CODE_INVALID_ARGUMENT,
    ),
    "no time to answer": ({"deadline_ms": 0}, "config.deadline_ms", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT),
}


def refused(case: str, layout: Layout) -> tuple[forecast_pb2.SessionConfig, str, int]:
    changed, field, code = BAD_CONFIGS[case]
    return config_message(layout, **changed), field, code


def assert_says(error: CallFailed, field: str, code: int) -> None:
    assert error.detail.field == field
    assert error.detail.code == code
    assert error.detail.problem and error.detail.expected
    if code == forecast_pb2.ERROR_CODE_VERSION_MISMATCH:
        assert f"this server speaks {limits.PROTOCOL_VERSION}" in error.detail.problem
        assert "the client speaks protocol version" in error.detail.problem


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_config_ends_the_call_and_names_the_field(
    client: Client, other_player: Player, layout: Layout, case: str
) -> None:
    config, field, code = refused(case, layout)
    client.send(forecast_pb2.StreamForecastsRequest(config=config))
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert_says(caught.value, field, code)
    assert caught.value.session_ended
    other_player.expect_forecast("bystander")


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_config_of_a_single_forecast_names_the_field(client: Client, layout: Layout, case: str) -> None:
    config, field, code = refused(case, layout)
    with pytest.raises(CallFailed) as caught:
        client.forecast(forecast_pb2.ForecastRequest(config=config, frames=[frame_message(layout, "a", 0)]))
    assert_says(caught.value, field, code)


@pytest.mark.parametrize("first", ["frame", "frames", "empty"])
def test_first_message_that_is_no_config_ends_the_call(
    client: Client, other_player: Player, layout: Layout, first: str
) -> None:
    frame = frame_message(layout, "early", 0)
    client.send(
        {
            "frame": forecast_pb2.StreamForecastsRequest(frame=frame),
            "frames": forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=[frame])),
            "empty": forecast_pb2.StreamForecastsRequest(),
        }[first]
    )
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert_says(caught.value, "config", forecast_pb2.ERROR_CODE_FAILED_PRECONDITION)
    assert first in caught.value.detail.problem
    assert caught.value.session_ended
    other_player.expect_forecast("bystander")


def test_garbage_as_the_first_message_ends_the_call(client: Client, other_player: Player) -> None:
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_MALFORMED
    other_player.expect_forecast("bystander")


# -- single forecasts


def window_of(layout: Layout, count: int = 40) -> list[pose_pb2.PoseFrame]:
    return [frame_message(layout, "a", index) for index in range(count)]


def test_single_forecast_needs_a_full_window(client: Client, layout: Layout) -> None:
    with pytest.raises(CallFailed) as caught:
        client.forecast(forecast_pb2.ForecastRequest(config=config_message(layout), frames=window_of(layout, 3)))
    assert_says(caught.value, "frames", forecast_pb2.ERROR_CODE_FAILED_PRECONDITION)
    assert "3 frames" in caught.value.detail.problem


def test_single_forecast_without_frames_is_refused(client: Client, layout: Layout) -> None:
    with pytest.raises(CallFailed) as caught:
        client.forecast(forecast_pb2.ForecastRequest(config=config_message(layout)))
    assert_says(caught.value, "frames", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT)


@pytest.mark.parametrize("case", [case for case in SPOILED_FRAMES if not case.startswith("time jumps")])
def test_single_forecast_names_the_frame_that_is_wrong(client: Client, layout: Layout, case: str) -> None:
    spoil, field = SPOILED_FRAMES[case]
    frames = window_of(layout)
    spoil(frames[5])
    with pytest.raises(CallFailed) as caught:
        client.forecast(forecast_pb2.ForecastRequest(config=config_message(layout), frames=frames))
    assert_says(caught.value, field.replace("frame", "frames[5]", 1), forecast_pb2.ERROR_CODE_INVALID_ARGUMENT)


def test_single_forecast_of_two_avatars_is_refused(client: Client, layout: Layout) -> None:
    frames = window_of(layout)
    frames[8].avatar_id = "b"
    with pytest.raises(CallFailed) as caught:
        client.forecast(forecast_pb2.ForecastRequest(config=config_message(layout), frames=frames))
    assert_says(caught.value, "frames[8].avatar_id", forecast_pb2.ERROR_CODE_INVALID_ARGUMENT)


# -- what only ZeroMQ lets a client do


@pytest.mark.parametrize("transport", ["zmq"], indirect=True)
def test_message_of_several_parts_is_refused_and_the_session_goes_on(player: Player) -> None:
    assert isinstance(player.client, ZmqClient)
    player.client.socket.send_multipart([b"one", b"two"])
    fault = player.expect_frame_error()
    assert fault.error.code == forecast_pb2.ERROR_CODE_MALFORMED
    assert "2 parts" in fault.error.problem
    player.expect_forecast("bystander")


@pytest.mark.parametrize("transport", ["zmq"], indirect=True)
def test_empty_envelope_is_refused_and_the_session_goes_on(player: Player) -> None:
    assert isinstance(player.client, ZmqClient)
    player.client.send_envelope(envelope_pb2.ClientEnvelope(request_id=5))
    assert player.expect_frame_error().error.field == "payload"
    player.expect_forecast("bystander")
