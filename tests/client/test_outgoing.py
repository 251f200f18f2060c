from __future__ import annotations

from bridge import limits
from bridge.client.outgoing import MAX_KEPT_FRAMES, RESEND_S, Outgoing
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2


def message(sequence: int, avatar_id: str = "a", *, numbers: int = 4) -> pose_pb2.PoseFrame:
    return pose_pb2.PoseFrame(
        avatar_id=avatar_id, sequence=sequence, timestamp_us=sequence + 1, landmarks=[0.5] * numbers
    )


def sequences(requests: list[forecast_pb2.StreamForecastsRequest], avatar_id: str = "a") -> list[int]:
    frames = [frame for request in requests for frame in (*request.frames.frames, request.frame)]
    return [frame.sequence for frame in frames if frame.avatar_id == avatar_id]


def test_every_frame_goes_out_once_and_in_order() -> None:
    outgoing = Outgoing()
    for sequence in range(3):
        outgoing.add(message(sequence), 0.0)
    assert sequences(outgoing.take()) == [0, 1, 2]
    outgoing.add(message(3), 0.1)
    assert sequences(outgoing.take()) == [3]
    assert not outgoing.waiting
    assert outgoing.take() == []
    assert (outgoing.sent, outgoing.resent, outgoing.dropped) == (4, 0, 0)


def test_a_new_session_gets_the_recent_window_again_and_only_that() -> None:
    outgoing = Outgoing()
    for sequence in range(60):
        outgoing.add(message(sequence), sequence / 30)
        outgoing.take()
    outgoing.rewind(59 / 30)
    resent = sequences(outgoing.take())
    assert resent == list(range(60 - round(RESEND_S * 30) - 1, 60))
    assert (outgoing.sent, outgoing.resent, outgoing.dropped) == (60, len(resent), 0)


def test_with_no_connection_newer_frames_replace_older_ones() -> None:
    outgoing = Outgoing()
    for sequence in range(300):
        outgoing.add(message(sequence), sequence / 30)
    outgoing.rewind(299 / 30)
    waiting = sequences(outgoing.take())
    assert waiting[-1] == 299
    assert outgoing.dropped == 300 - len(waiting) > 200


def test_frames_that_come_too_fast_are_bounded_too() -> None:
    outgoing = Outgoing()
    for sequence in range(MAX_KEPT_FRAMES + 100):
        outgoing.add(message(sequence), 0.0)
    waiting = sequences(outgoing.take())
    assert len(waiting) == MAX_KEPT_FRAMES
    assert waiting[-1] == MAX_KEPT_FRAMES + 99


def test_an_avatar_that_left_is_not_resent() -> None:
    outgoing = Outgoing()
    outgoing.add(message(0, "left"), 0.0)
    outgoing.add(message(0, "here"), 5.0)
    outgoing.take()
    outgoing.rewind(5.1)
    requests = outgoing.take()
    assert sequences(requests, "left") == []
    assert sequences(requests, "here") == [0]


def test_the_avatar_that_was_silent_longest_gives_way_beyond_the_limit() -> None:
    outgoing = Outgoing()
    for number in range(limits.MAX_AVATARS_PER_SESSION):
        outgoing.add(message(0, f"a{number}"), 0.0)
    outgoing.add(message(1, "a0"), 0.1)
    outgoing.add(message(0, "new"), 0.2)
    requests = outgoing.take()
    assert sequences(requests, "a1") == []
    assert sequences(requests, "a0") == [0, 1]
    assert sequences(requests, "new") == [0]


def test_messages_stay_within_the_limits() -> None:
    outgoing = Outgoing()
    for number in range(1024):
        for sequence in range(3):
            outgoing.add(message(sequence, f"a{number}", numbers=2400), 0.0)
    requests = outgoing.take()
    assert len(requests) > 3
    for request in requests:
        assert request.ByteSize() <= limits.MAX_MESSAGE_BYTES
        assert len(request.frames.frames) <= limits.MAX_FRAMES_PER_MESSAGE
    assert outgoing.sent == 3 * 1024


def test_hand_over_time_of_a_frame_is_known_while_it_is_kept() -> None:
    outgoing = Outgoing()
    outgoing.add(message(7), 1.0)
    outgoing.add(message(8), 1.5)
    assert outgoing.given_s("a", 7, 8) == 1.0
    assert outgoing.given_s("a", 7, 9) is None
    assert outgoing.given_s("b", 7, 8) is None
    assert outgoing.newest_timestamp_us("a") == 9


def test_settings_of_an_avatar_go_before_frames_once_a_session_and_are_bounded() -> None:
    outgoing = Outgoing()
    outgoing.configure(forecast_pb2.AvatarConfig(avatar_id="a", samples=8))
    outgoing.configure(forecast_pb2.AvatarConfig(avatar_id="a", samples=16))
    assert outgoing.waiting
    assert [request.avatar_config.samples for request in outgoing.take()] == [16]
    assert not outgoing.waiting and outgoing.take() == []
    outgoing.rewind(0.0)
    assert [request.avatar_config.samples for request in outgoing.take()] == [16]
    for index in range(limits.MAX_AVATARS_PER_SESSION):
        outgoing.configure(forecast_pb2.AvatarConfig(avatar_id=f"b{index}"))
    outgoing.rewind(0.0)
    names = [request.avatar_config.avatar_id for request in outgoing.take()]
    assert len(names) == limits.MAX_AVATARS_PER_SESSION and "a" not in names
