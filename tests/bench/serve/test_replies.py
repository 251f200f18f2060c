from __future__ import annotations

from bridge.bench.serve.journal import NEVER, Event, Journal
from bridge.bench.serve.replies import EchoReplies, ForecastReplies
from bridge.bench.serve.schedule import plan_load
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2


def journal() -> Journal:
    return Journal(plan_load(avatars=4, sessions=2, hz=30, seconds=1.0))


def forecast(avatar_id: str, sequence: int) -> forecast_pb2.StreamForecastsResponse:
    timing = forecast_pb2.Timing(age_us=700, compute_us=300, batch_size=3)
    made = forecast_pb2.PoseForecast(
        avatar_id=avatar_id, based_on_sequence=sequence, samples=16, degraded=True, timing=timing
    )
    return forecast_pb2.StreamForecastsResponse(forecast=made)


def test_a_forecast_is_noted_where_its_frame_is() -> None:
    made = journal()
    replies = ForecastReplies(made, enveloped=False)
    replies.take(1, forecast("avatar3", 5).SerializeToString(), 1234)
    row = made.row(1, 1)
    assert made.answered_ns[row, 5] == 1234 and (made.answered_ns != NEVER).sum() == 1
    assert (made.age_us[row, 5], made.compute_us[row, 5], made.batch_size[row, 5]) == (700, 300, 3)
    assert made.samples[row, 5] == 16 and made.degraded[row, 5]


def test_an_envelope_is_opened() -> None:
    made = journal()
    replies = ForecastReplies(made, enveloped=True)
    replies.take(0, envelope_pb2.ServerEnvelope(stream=forecast("avatar0", 2)).SerializeToString(), 99)
    replies.take(0, envelope_pb2.ServerEnvelope(heartbeat=envelope_pb2.Heartbeat()).SerializeToString(), 99)
    assert made.answered_ns[0, 2] == 99 and made.events == []


def test_a_session_is_open_when_it_is_accepted() -> None:
    replies = ForecastReplies(journal(), enveloped=False)
    accepted = forecast_pb2.StreamForecastsResponse(accepted=forecast_pb2.SessionAccepted())
    replies.take(1, accepted.SerializeToString(), 0)
    assert (replies.accepted(0), replies.accepted(1)) == (False, True)


def test_a_refusal_is_noted_with_its_waiting_time() -> None:
    made = journal()
    detail = forecast_pb2.ErrorDetail(code="ERROR_CODE_RESOURCE_EXHAUSTED", problem="too much", retry_after_ms=500)
    fault = forecast_pb2.FrameError(avatar_id="avatar2", sequence=8, error=detail, frame_kept=True)
    replies = ForecastReplies(made, enveloped=False)
    replies.take(0, forecast_pb2.StreamForecastsResponse(frame_error=fault).SerializeToString(), 77)
    (noted,) = made.faults
    assert (noted.row, noted.tick, noted.at_ns, noted.retry_after_ms, noted.frame_kept) == (1, 8, 77, 500, True)


def test_a_session_that_drains_wants_no_more_frames() -> None:
    made = journal()
    replies = ForecastReplies(made, enveloped=False)
    draining = forecast_pb2.StreamForecastsResponse(draining=forecast_pb2.Draining(grace_ms=100))
    replies.take(0, draining.SerializeToString(), 10)
    replies.over(0, 20, "ended")
    replies.over(0, 30, "broke", "said twice")
    assert made.events == [Event("bench-0", 10, "draining"), Event("bench-0", 20, "ended")]
    assert not replies.wants_frames(0) and replies.wants_frames(1)


def test_a_session_that_the_server_ends_is_noted_with_the_reason() -> None:
    made = journal()
    error = envelope_pb2.CallError(error=forecast_pb2.ErrorDetail(problem="silent"), session_ended=True)
    ForecastReplies(made, enveloped=True).take(0, envelope_pb2.ServerEnvelope(error=error).SerializeToString(), 5)
    assert made.events == [Event("bench-0", 5, "broke", "silent")]


def test_echoes_answer_frames_in_their_order_after_the_first_that_answers_the_config() -> None:
    made = journal()
    replies = EchoReplies(made)
    assert not replies.accepted(0)
    replies.take(0, b"blob", 1)
    assert replies.accepted(0)
    replies.sent(0, [0, 1], 4)
    replies.take(0, b"blob", 11)
    replies.take(0, b"blob", 12)
    replies.take(0, b"one too many", 13)
    assert (made.answered_ns[0, 4], made.answered_ns[1, 4]) == (11, 12)
    assert (made.answered_ns != NEVER).sum() == 2
