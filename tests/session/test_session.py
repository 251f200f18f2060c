"""A session without a transport: what comes in, what goes out, how it ends. The bad input is in tests/service."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bridge import limits
from bridge.engine import Batcher, Dispatcher
from bridge.errors import FailedPrecondition, ResourceExhausted, Unavailable
from bridge.session import Session, SessionRegistry
from bridge.session.session import AVATAR_IDLE_S
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
    bell = Bell()
    session = open_session(dispatcher, bell, forecast_rate_hz=10.0)
    context = dispatcher.info.context_frames
    send(session, 0, context + 3)
    sequences = [receive(session, bell).forecast.based_on_sequence]
    for index in range(context + 3, context + 30, 3):
        send(session, index, 3)
        sequences.append(receive(session, bell).forecast.based_on_sequence)
    assert np.diff(sequences[1:]).tolist() == [3] * 8


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
    dispatcher = Dispatcher(engine)
    dispatcher.start()
    session = open_session(dispatcher, bell)
    frames = [frame_message(TINY_LAYOUT, "a", index) for index in range(20)]
    session.handle(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
    gate.open()
    assert receive(session, bell).forecast.based_on_sequence == 19
    assert [len(batch) for batch in engine.batches] == [1]
    assert dispatcher.stop()


def test_avatar_that_was_silent_for_long_gives_its_place_to_a_new_one() -> None:
    now_s = [1000.0]
    dispatcher = Dispatcher(HoldingEngine(), clock_s=lambda: now_s[0])
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
    now_s[0] += AVATAR_IDLE_S + 1
    session.handle(empty_frame("one-too-many"))
    assert session.next_item() is None


def test_forecast_older_than_its_deadline_is_not_sent() -> None:
    now_s = [1000.0]
    dispatcher = Dispatcher(HoldingEngine(), Batcher(max_wait_ms=0.0), clock_s=lambda: now_s[0])
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
    dispatcher = Dispatcher(engine)
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
