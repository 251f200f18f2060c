from __future__ import annotations

import pytest

from bridge.bench.serve.frames import FIRST_TIMESTAMP_US, FrameMessages
from bridge.bench.serve.schedule import Surge, plan_load
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from bridge.wire.codec import frame_from_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from tests.support import TINY_LAYOUT


def frames_of(message: bytes, *, enveloped: bool) -> list[pose_pb2.PoseFrame]:
    if enveloped:
        request = envelope_pb2.ClientEnvelope.FromString(message).stream
    else:
        request = forecast_pb2.StreamForecastsRequest.FromString(message)
    return list(request.frames.frames) if request.HasField("frames") else [request.frame]


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=["33", "7"])
@pytest.mark.parametrize("enveloped", [False, True], ids=["grpc", "zmq"])
@pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
def test_messages_are_what_the_service_reads(layout: Layout, enveloped: bool, batched: bool) -> None:
    plan = plan_load(avatars=5, sessions=2, hz=30, seconds=1.0, batched=batched)
    messages = FrameMessages(plan, layout, enveloped=enveloped)
    present, made = messages.of(1, 7)
    assert present == [0, 1] and len(made) == (1 if batched else 2)
    frames = [frame for message in made for frame in frames_of(message, enveloped=enveloped)]
    assert [frame.avatar_id for frame in frames] == ["avatar1", "avatar3"]
    for frame in frames:
        read = frame_from_message(frame, layout)
        assert read.sequence == 7
        assert read.timestamp_us == FIRST_TIMESTAMP_US + 250_000  # 7 of 30 periods and half a one
        assert read.landmarks is not None and read.landmarks.shape == (layout.joints, 4)


def test_bodies_move() -> None:
    plan = plan_load(avatars=1, sessions=1, hz=30, seconds=1.0)
    messages = FrameMessages(plan, TINY_LAYOUT, enveloped=False)
    poses = {tuple(frames_of(messages.of(0, tick)[1][0], enveloped=False)[0].landmarks) for tick in range(10)}
    assert len(poses) == 10


def test_an_avatar_that_is_not_there_has_no_frame() -> None:
    plan = plan_load(avatars=1, sessions=1, hz=30, seconds=1.0, surges=[Surge(1, 0.5, 1.0)], batched=True)
    messages = FrameMessages(plan, TINY_LAYOUT, enveloped=False)
    assert messages.of(0, 14)[0] == [0]
    assert messages.of(0, 15)[0] == [0, 1]
