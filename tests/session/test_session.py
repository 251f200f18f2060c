"""A session without a transport: what comes in, what goes out, how it ends. The bad input is in tests/service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from bridge import limits
from bridge.engine import Allowance, Batcher, Completed, Dispatcher, EngineRequest, LoadController
from bridge.errors import FailedPrecondition, ResourceExhausted, Unavailable
from bridge.session import Session, SessionRegistry
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from tests.engine.doubles import Gate, HoldingEngine
from tests.service_fixtures import PATIENCE_S, config_message, frame_message, stream_frame, wait_until
from tests.support import TINY_LAYOUT


class Bell:
    """Stands in for a transport's wake-up."""

    def __init__(self) -> None:
        self._rings = threading.Semaphore(0)

    def ring(self) -> None:
        self._rings.release()

    def wait(self) -> None:
        assert self._rings.acquire(timeout=PATIENCE_S), "nobody rang"


def open_session(dispatcher: Dispatcher, bell: Bell | None = None, **changed: object) -> Session:
    registry = SessionRegistry(dispatcher, max_sessions=4)
    first = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT, **changed))
    session = registry.open(first, (bell or Bell()).ring)
    accepted = session.next_item()
    assert isinstance(accepted, forecast_pb2.StreamForecastsResponse)
    assert accepted.WhichOneof("payload") == "accepted"
    return session


def send(session: Session, first: int, count: int, *, fps: float = 30.0, avatar_id: str = "a") -> None:
    for index in range(first, first + count):
        session.handle(stream_frame(frame_message(TINY_LAYOUT, avatar_id, index, fps=fps)))


def receive(session: Session, bell: Bell) -> forecast_pb2.StreamForecastsResponse:
    """Return the next message as a transport gets it: look, and wait for the bell only if there is nothing."""
    while (item := session.next_item()) is None:
        bell.wait()
    return session.encode(item)


def completed(request: EngineRequest) -> Completed:
    """What an engine makes of a request."""
    (result,) = HoldingEngine().infer([request], request.deadline_s)
    assert not isinstance(result, Exception)
    return Completed(result, started_s=request.arrived_s, compute_s=0.0, batch_size=1)


def test_forecasts_begin_when_the_window_is_full(dispatcher: Dispatcher) -> None:
    bell = Bell()
    session = open_session(dispatcher, bell)
    context = dispatcher.info.context_frames
    send(session, 0, context - 1)
    session.finish()
    assert session.finished  # nothing is under way
    session = open_session(dispatcher, bell)
    send(session, 0, context)
    assert receive(session, bell).forecast.based_on_sequence == context - 1


def test_forecast_rate_is_kept_on_the_senders_clock(dispatcher: Dispatcher) -> None:
    # Ten forecasts a second from 30 frames a second, however fast the frames arrive here.
    session = open_session(dispatcher, forecast_rate_hz=10.0)
    sequences = [forecast.based_on_sequence for forecast in forecasts_of(session, 30)]
    # The pacer's bucket is full at first: the second one comes early.
    assert len(sequences) == 11
    assert set(np.diff(sequences[2:])) == {3}


def test_late_and_doubled_frames_cause_no_forecast_of_their_own(dispatcher: Dispatcher) -> None:
    bell = Bell()
    session = open_session(dispatcher, bell)
    context = dispatcher.info.context_frames
    for index in [*range(context - 3), context - 2, context - 1]:
        send(session, index, 1)
    assert receive(session, bell).forecast.based_on_sequence == context - 1
    send(session, context - 3, 1)  # late
    send(session, context - 1, 1)  # doubled
    session.finish()
    assert session.finished
    assert session.next_item() is None  # neither a forecast nor an error


def test_several_frames_of_an_avatar_in_one_message_ask_for_its_newest_only() -> None:
    gate, bell = Gate(), Bell()
    engine = HoldingEngine(before=gate)
    dispatcher = Dispatcher([engine])
    dispatcher.start()
    session = open_session(dispatcher, bell)
    frames = [frame_message(TINY_LAYOUT, "a", index) for index in range(20)]
    session.handle(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
    gate.open()
    forecast = receive(session, bell).forecast
    assert forecast.based_on_sequence == 19
    assert not forecast.degraded  # nothing was left out: the client sent them together
    assert [len(batch) for batch in engine.batches] == [1]
    assert dispatcher.stop()


def test_avatar_that_was_silent_for_long_gives_its_place_to_a_new_one() -> None:
    now_s = [1000.0]
    dispatcher = Dispatcher([HoldingEngine()], clock_s=lambda: now_s[0])
    bell = Bell()
    session = open_session(dispatcher, bell)

    def empty_frame(avatar_id: str) -> forecast_pb2.StreamForecastsRequest:
        return stream_frame(pose_pb2.PoseFrame(avatar_id=avatar_id, timestamp_us=1))

    for index in range(limits.MAX_AVATARS_PER_SESSION):
        session.handle(empty_frame(f"a{index}"))
    session.handle(empty_frame("one too many"))
    session.handle(empty_frame("one-too-many"))
    codes = [session.encode(item).frame_error.error.code for item in (session.next_item(), session.next_item()) if item]
    assert codes == [forecast_pb2.ERROR_CODE_INVALID_ARGUMENT, forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED]
    now_s[0] += 61.0
    session.handle(empty_frame("one-too-many"))
    assert session.next_item() is None
    assert session.avatars == 1


def test_forecast_older_than_its_deadline_is_not_sent() -> None:
    now_s = [1000.0]
    dispatcher = Dispatcher([HoldingEngine()], Batcher(max_wait_ms=0.0), clock_s=lambda: now_s[0])
    dispatcher.start()
    bell = Bell()
    session = open_session(dispatcher, bell, deadline_ms=500)
    send(session, 0, dispatcher.info.context_frames)
    wait_until(lambda: session.waiting == 1)
    now_s[0] += 0.6
    assert session.next_item() is None
    assert dispatcher.stop()


def test_fault_of_ours_costs_one_frame(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell()
    session = open_session(dispatcher, bell)
    with monkeypatch.context() as patched:
        patched.setattr("bridge.session.session.frame_from_message", lambda message, layout: 1 / 0)
        send(session, 0, 1)
    error = receive(session, bell).frame_error
    assert error.error.code == forecast_pb2.ERROR_CODE_INTERNAL
    assert error.avatar_id == "a"
    send(session, 0, dispatcher.info.context_frames)
    assert receive(session, bell).WhichOneof("payload") == "forecast"


def test_closing_a_session_cancels_what_it_has_waiting() -> None:
    gate = Gate()
    engine = HoldingEngine(before=gate)
    dispatcher = Dispatcher([engine])
    dispatcher.start()
    registry = SessionRegistry(dispatcher, max_sessions=4)
    first = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT))
    running, waiting = registry.open(first, lambda: None), registry.open(first, lambda: None)
    send(running, 0, 8)
    gate.wait_until_reached()
    send(waiting, 0, 8)
    registry.close(waiting)
    gate.open()
    assert dispatcher.stop()
    assert [len(batch) for batch in engine.batches] == [1]
    assert len(registry) == 1


# -- settings of an avatar, clocks


def test_avatars_own_settings_are_confirmed_and_hold_for_it_alone(dispatcher: Dispatcher) -> None:
    bell = Bell()
    session = open_session(dispatcher, bell)
    own = forecast_pb2.AvatarConfig(avatar_id="a", samples=6, futures=3, encoding=pose_pb2.DATA_TYPE_FLOAT32)
    session.handle(forecast_pb2.StreamForecastsRequest(avatar_config=own))
    accepted = receive(session, bell).avatar_accepted
    assert (accepted.samples, accepted.futures, accepted.horizon_ms, accepted.deadline_ms) == (6, 3, 200, 1000)
    for name, samples, futures, dtype in (("a", 6, 3, "FLOAT32"), ("b", 4, 2, "FLOAT16")):
        send(session, 0, dispatcher.info.context_frames, avatar_id=name)
        forecast = receive(session, bell).forecast
        assert (forecast.avatar_id, forecast.samples, len(forecast.probabilities)) == (name, samples, futures)
        assert forecast.futures.dtype == pose_pb2.DataType.Value(f"DATA_TYPE_{dtype}")


def test_wrong_settings_of_an_avatar_are_an_error_of_that_avatar(dispatcher: Dispatcher) -> None:
    bell = Bell()
    session = open_session(dispatcher, bell)
    wrong = forecast_pb2.AvatarConfig(avatar_id="a", samples=0)
    session.handle(forecast_pb2.StreamForecastsRequest(avatar_config=wrong))
    error = receive(session, bell).frame_error
    assert (error.avatar_id, error.error.field) == ("a", "avatar_config.samples")
    send(session, 0, dispatcher.info.context_frames)
    assert receive(session, bell).forecast.samples == 4


def test_ping_is_answered_with_the_servers_time_and_what_it_makes_of_the_senders_clock() -> None:
    now_s = [5000.0]
    dispatcher = Dispatcher([HoldingEngine()], clock_s=lambda: now_s[0])
    bell = Bell()
    session = open_session(dispatcher, bell)
    for index in range(60):
        now_s[0] = 5000.0 + index / 30 + (index * 7 % 5) * 0.004  # delays of 0 to 16 ms
        session.handle(stream_frame(frame_message(TINY_LAYOUT, "a", index)))
    session.handle(forecast_pb2.StreamForecastsRequest(clock_ping=forecast_pb2.ClockPing(client_time_us=77)))
    received_s = now_s[0]
    now_s[0] += 0.25
    while (pong := receive(session, bell)).WhichOneof("payload") != "clock_pong":
        pass
    assert pong.clock_pong.client_time_us == 77
    assert pong.clock_pong.server_received_us == round(received_s * 1e6)
    assert pong.clock_pong.server_sent_us == round(now_s[0] * 1e6)
    # the first frame was captured at 1 s of the sender's clock
    assert pong.clock_pong.capture_offset_us == pytest.approx(4_999_000_000, abs=2_000)


def test_many_pings_that_nobody_reads_the_answers_of_cost_one_place() -> None:
    session = open_session(Dispatcher([HoldingEngine()]))
    for index in range(1000):
        session.handle(forecast_pb2.StreamForecastsRequest(clock_ping=forecast_pb2.ClockPing(client_time_us=index)))
    assert session.waiting == 1
    assert session.encode(session.next_item()).clock_pong.client_time_us == 999  # type: ignore[arg-type]


# -- less than was asked for


class Fixed(LoadController):
    """Gives every session the same, whatever is asked."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(lambda samples, horizon_frames: 0.0)
        self.given = allowance
        self.demand = 0

    def note_demand(self, session_id: str, samples: int, horizon_frames: int, now_s: float) -> None:
        self.demand += 1

    def allowance(self, session_id: str, now_s: float) -> Allowance:
        return self.given


def limited(allowance: Allowance, clock_s: Callable[[], float] = time.monotonic) -> Dispatcher:
    dispatcher = Dispatcher([HoldingEngine()], Batcher(max_wait_ms=0.0), Fixed(allowance), clock_s=clock_s)
    dispatcher.start()
    return dispatcher


def forecasts_of(session: Session, frames: int) -> list[forecast_pb2.PoseForecast]:
    """Send frames one by one, wait for what each brings, return the forecasts."""
    context = session._dispatcher.info.context_frames
    send(session, 0, context - 1)
    forecasts = []
    for index in range(context - 1, context - 1 + frames):
        send(session, index, 1)
        wait_until(lambda: session._pending == 0)
        while (item := session.next_item()) is not None:
            forecasts.append(session.encode(item).forecast)
    return forecasts


def test_lowered_rate_gives_an_even_share_and_says_so() -> None:
    dispatcher, bell = limited(Allowance(rate_share=1 / 3)), Bell()
    session = open_session(dispatcher, bell)
    forecasts = forecasts_of(session, 60)
    assert len(forecasts) == 20
    assert set(np.diff([forecast.based_on_sequence for forecast in forecasts])) == {3}
    assert all(forecast.degraded for forecast in forecasts)
    assert forecasts[0].forecast_rate_hz == pytest.approx(10.0)
    assert isinstance(dispatcher.load, Fixed)
    assert dispatcher.load.demand == 60  # what is asked for is told in full
    assert dispatcher.telemetry.dropped["paced"] == 40
    assert dispatcher.stop()


def test_lowered_samples_say_so_and_never_fall_below_the_futures() -> None:
    dispatcher, bell = limited(Allowance(samples_share=0.25)), Bell()
    session = open_session(dispatcher, bell, samples=32, futures=10)
    (forecast,) = forecasts_of(session, 1)
    assert (forecast.samples, len(forecast.probabilities)) == (10, 10)
    assert forecast.degraded
    assert dispatcher.stop()


def test_avatars_that_find_no_place_are_refused_once_with_a_time_to_retry_and_their_frames_are_kept() -> None:
    now_s = [1000.0]
    allowance = Allowance(rate_share=1 / 3, samples_share=0.25, avatars_share=0.5, retry_after_ms=700)
    dispatcher, bell = limited(allowance, lambda: now_s[0]), Bell()
    session = open_session(dispatcher, bell)
    context = dispatcher.info.context_frames
    for index in range(context + 9):
        for name in "ab":
            send(session, index, 1, avatar_id=name)
    wait_until(lambda: session._pending == 0)
    errors: list[forecast_pb2.StreamForecastsResponse] = []
    forecasts: list[forecast_pb2.StreamForecastsResponse] = []
    while (item := session.next_item()) is not None:
        message = session.encode(item)
        (errors if message.HasField("frame_error") else forecasts).append(message)
    (refusal,) = [message.frame_error for message in errors]
    assert (refusal.avatar_id, refusal.sequence, refusal.frame_kept) == ("b", context - 1, True)
    assert refusal.error.code == forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED
    assert refusal.error.retry_after_ms == 700
    assert {message.forecast.avatar_id for message in forecasts} == {"a"}
    # The load is gone, the time to retry is over: the window is whole, the very next frame brings a forecast.
    assert isinstance(dispatcher.load, Fixed)
    dispatcher.load.given = Allowance()
    now_s[0] += 0.69
    send(session, context + 9, 1, avatar_id="b")
    assert session._pending == 0
    now_s[0] += 0.02
    send(session, context + 10, 1, avatar_id="b")
    answer = receive(session, bell).forecast
    assert (answer.avatar_id, answer.based_on_sequence, answer.degraded) == ("b", context + 10, True)
    send(session, context + 11, 1, avatar_id="b")
    assert not receive(session, bell).forecast.degraded
    assert dispatcher.stop()


def test_frame_left_out_while_an_earlier_one_is_computed_is_told_by_the_forecast_after_it() -> None:
    gate, bell, load = Gate(), Bell(), Fixed(Allowance())
    dispatcher = Dispatcher([HoldingEngine(before=gate)], Batcher(max_wait_ms=0.0), load)
    dispatcher.start()
    session = open_session(dispatcher, bell)
    context = dispatcher.info.context_frames
    send(session, 0, context)
    gate.wait_until_reached()
    load.given = Allowance(rate_share=0.01)
    send(session, context, 1)  # is left out
    load.given = Allowance()
    gate.open()
    first = receive(session, bell).forecast
    send(session, context + 1, 1)
    second = receive(session, bell).forecast
    send(session, context + 2, 1)
    third = receive(session, bell).forecast
    told = [(forecast.based_on_sequence - context, forecast.degraded) for forecast in (first, second, third)]
    assert told == [(-1, True), (1, True), (2, False)]  # the first says that the rate is low at present
    assert dispatcher.stop()


def test_window_that_waits_is_replaced_by_a_newer_frame_even_when_no_forecast_is_due() -> None:
    gate, bell = Gate(), Bell()
    engine = HoldingEngine(before=gate)
    dispatcher = Dispatcher([engine], Batcher(max_wait_ms=0.0))
    dispatcher.start()
    session = open_session(dispatcher, bell, forecast_rate_hz=5.0)
    context = dispatcher.info.context_frames
    send(session, 0, context, avatar_id="first")
    gate.wait_until_reached()
    send(session, 0, context + 4, avatar_id="second")  # due at first, not at the last three
    gate.open()
    newest: dict[str, int] = {}
    while len(newest) < 2:
        forecast = receive(session, bell).forecast
        newest[forecast.avatar_id] = forecast.based_on_sequence
    assert dispatcher.telemetry.dropped["superseded"] == 1  # the pacer's second; what was refreshed is no loss
    assert newest == {"first": context - 1, "second": context + 3}
    assert session._pending == 0
    assert dispatcher.stop()


def test_forecast_that_is_overtaken_by_a_newer_one_is_not_sent() -> None:
    # Two engines may finish two windows of one avatar in the wrong order.
    dispatcher = Dispatcher([HoldingEngine()])
    session = open_session(dispatcher)
    requests: list[EngineRequest] = []
    dispatcher.submit = requests.extend  # type: ignore[method-assign, assignment]
    context = dispatcher.info.context_frames
    send(session, 0, context + 1)
    older, newer = requests
    for request in (newer, older):
        request.done(request, completed(request))
    item = session.next_item()
    assert item is not None
    assert session.encode(item).forecast.based_on_sequence == context
    assert session.next_item() is None


# -- the registry


def test_registry_refuses_sessions_beyond_its_limit_until_one_is_closed(dispatcher: Dispatcher) -> None:
    registry = SessionRegistry(dispatcher, max_sessions=1)
    first = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT))
    session = registry.open(first, lambda: None)
    with pytest.raises(ResourceExhausted, match="1 sessions are open"):
        registry.open(first, lambda: None)
    registry.close(session)
    registry.close(session)  # a second time does no harm
    registry.open(first, lambda: None)


def test_registry_refuses_a_session_that_does_not_begin_with_a_config(dispatcher: Dispatcher) -> None:
    registry = SessionRegistry(dispatcher, max_sessions=1)
    with pytest.raises(FailedPrecondition, match="frame"):
        registry.open(stream_frame(frame_message(TINY_LAYOUT, "a", 0)), lambda: None)
    assert len(registry) == 0


def test_draining_refuses_what_is_new_and_ends_sessions_that_have_nothing_under_way(dispatcher: Dispatcher) -> None:
    registry = SessionRegistry(dispatcher, max_sessions=4)
    first = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT))
    session = registry.open(first, lambda: None)
    registry.drain(grace_ms=7)
    kinds = []
    while (item := session.next_item()) is not None:
        kinds.append(session.encode(item).WhichOneof("payload"))
    assert kinds == ["accepted", "draining"]
    assert session.finished
    send(session, 0, dispatcher.info.context_frames)  # no longer taken
    assert session.finished
    with pytest.raises(Unavailable):
        registry.open(first, lambda: None)
    with pytest.raises(Unavailable):
        registry.forecast(forecast_pb2.ForecastRequest(), lambda answer: None)
