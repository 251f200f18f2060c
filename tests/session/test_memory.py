"""What an avatar, a session and a reader that never reads cost at most, in bytes. The numbers are those of the docs.

They are for 33 landmarks; memory grows in proportion to them.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from bridge import limits
from bridge.engine import Batcher, Dispatcher, EngineRequest, LoadController
from bridge.engine.null import NullEngine
from bridge.errors import BridgeError
from bridge.forecaster.results import ForecastResult
from bridge.session import Session, SessionRegistry
from bridge.session.outbox import MAX_WAITING_ERRORS, MAX_WAITING_NOTICES, ReadyForecast
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.generated.posebridge.v1 import forecast_pb2, pose_pb2
from tests.service_fixtures import config_message, frame_message, wait_until

LAYOUT = MEDIAPIPE_POSE_33
AVATAR_BYTES = 64_000
"""Frames and futures of one avatar: 30 frames a second, default settings."""
LARGEST_AVATAR_BYTES = 512_000
"""The same at 240 frames a second, with the largest settings."""
READY_BYTES = 96_000
"""One forecast that waits for its reader, and the frames it is based on: 30 frames a second, default settings."""
LARGEST_READY_BYTES = 896_000
"""The same at 240 frames a second, with the largest settings."""
OVERHEAD_BYTES = 8_000
"""Everything about an avatar that is not counted in `Session.nbytes`."""
ERROR_BYTES = 2_500
"""One frame error that waits for its reader."""
DEFAULT = {"horizon_ms": 1000, "samples": 32, "futures": 5}
LARGEST = {"horizon_ms": 3000, "samples": 256, "futures": 16, "forecast_rate_hz": 240.0}


class FreshEngine(NullEngine):
    """Gives every request arrays of its own, as a real one does, cut out of those of the whole batch."""

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        return [
            replace(each, futures_m=each.futures_m.copy(), samples_m=each.samples_m.copy())
            for each in super().infer(batch, deadline_s)
            if isinstance(each, ForecastResult)
        ]


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    load = LoadController(lambda samples, horizon_frames: 0.0)  # which therefore never sheds anything
    dispatcher = Dispatcher([FreshEngine(LAYOUT)], Batcher(max_wait_ms=0.0), load)
    dispatcher.start()
    yield dispatcher
    assert dispatcher.stop()


def open_session(dispatcher: Dispatcher, **changed: object) -> Session:
    first = forecast_pb2.StreamForecastsRequest(config=config_message(LAYOUT, **changed))
    return SessionRegistry(dispatcher, max_sessions=1).open(first, lambda: None)


class Crowd:
    """Avatars that are all in the same pose, so that making their frames costs little."""

    def __init__(self, session: Session, count: int, *, fps: float) -> None:
        self._session = session
        self._frames = [frame_message(LAYOUT, f"avatar-{number}", 0) for number in range(count)]
        for frame in self._frames:
            frame.root.y = 1.0
        self._fps = fps
        self._sent = 0

    def send(self, count: int) -> None:
        """Send the next frames of all."""
        for _ in range(count):
            for frame in self._frames:
                frame.sequence = self._sent
                frame.timestamp_us = 1_000_000 + round(self._sent * 1e6 / self._fps)
            batch = forecast_pb2.FrameBatch(frames=self._frames)
            self._session.handle(forecast_pb2.StreamForecastsRequest(frames=batch))
            self._sent += 1


def read_all(session: Session) -> None:
    while (item := session.next_item()) is not None:
        session.encode(item)
        session.note_sent(item)


def test_an_avatar_fed_for_a_minute(dispatcher: Dispatcher) -> None:
    session = open_session(dispatcher, **DEFAULT)
    crowd = Crowd(session, 1, fps=30.0)
    for _ in range(60):
        crowd.send(30)
        read_all(session)
        assert session.nbytes <= AVATAR_BYTES + READY_BYTES


def test_an_avatar_fed_for_a_minute_as_fast_as_is_taken_in(dispatcher: Dispatcher) -> None:
    config = config_message(LAYOUT, **LARGEST)
    config.frame_saving.max_silence_ms = 1000
    session = SessionRegistry(dispatcher, max_sessions=1).open(
        forecast_pb2.StreamForecastsRequest(config=config), lambda: None
    )
    crowd = Crowd(session, 1, fps=limits.MAX_FRAME_RATE_HZ)
    most = 0
    for _ in range(60):
        crowd.send(240)
        read_all(session)
        most = max(most, session.nbytes)
    assert most <= LARGEST_AVATAR_BYTES + LARGEST_READY_BYTES
    assert most >= LARGEST_AVATAR_BYTES / 2  # what is stated is what there is


def test_an_avatar_whose_frames_come_faster_than_that_costs_no_more(dispatcher: Dispatcher) -> None:
    session = open_session(dispatcher, **DEFAULT)
    crowd = Crowd(session, 1, fps=8 * limits.MAX_FRAME_RATE_HZ)
    crowd.send(8 * 480)
    read_all(session)
    assert session.nbytes <= LARGEST_AVATAR_BYTES + LARGEST_READY_BYTES


def test_a_session_with_as_many_avatars_as_may_be_whose_reader_never_reads(dispatcher: Dispatcher) -> None:
    session = open_session(dispatcher, deadline_ms=60_000, **DEFAULT)
    count = limits.MAX_AVATARS_PER_SESSION
    crowd = Crowd(session, count, fps=30.0)
    for _ in range(dispatcher.info.context_frames + 3):
        crowd.send(1)
        assert session.nbytes <= count * (AVATAR_BYTES + READY_BYTES)
        assert session.waiting <= count + MAX_WAITING_ERRORS + 1
    wait_until(lambda: session.waiting > count // 2)
    assert session.nbytes <= count * (AVATAR_BYTES + READY_BYTES)


def test_what_is_counted_is_what_is_held(dispatcher: Dispatcher) -> None:
    count = 64
    other = open_session(dispatcher, **DEFAULT)
    only_one = Crowd(other, 1, fps=30.0)
    only_one.send(60)  # what is made once does not count
    wait_until(lambda: isinstance(other.next_item(), ReadyForecast))
    session = open_session(dispatcher, deadline_ms=60_000, **DEFAULT)
    crowd = Crowd(session, count, fps=30.0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        crowd.send(60)
        wait_until(lambda: session.waiting >= count)
        only_one.send(1)  # an engine's thread remembers its last batch
        wait_until(lambda: isinstance(other.next_item(), ReadyForecast))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held <= session.nbytes + count * OVERHEAD_BYTES
    assert session.nbytes <= count * (AVATAR_BYTES + READY_BYTES)


def test_errors_for_a_reader_that_never_reads(dispatcher: Dispatcher) -> None:
    session = open_session(dispatcher)
    for number in range(4 * MAX_WAITING_ERRORS):
        frame = pose_pb2.PoseFrame(avatar_id="\n" * 100_000, sequence=number, timestamp_us=1)
        session.handle(forecast_pb2.StreamForecastsRequest(frame=frame))
        config = forecast_pb2.AvatarConfig(avatar_id=f"\x00{number}" * 10_000)
        session.handle(forecast_pb2.StreamForecastsRequest(avatar_config=config))
    assert session.waiting <= MAX_WAITING_ERRORS + 1
    while (item := session.next_item()) is not None:
        assert isinstance(item, forecast_pb2.StreamForecastsResponse)
        assert item.ByteSize() <= ERROR_BYTES


def test_notices_for_a_reader_that_never_reads(dispatcher: Dispatcher) -> None:
    session = open_session(dispatcher)
    for number in range(3 * limits.MAX_AVATARS_PER_SESSION):
        config = forecast_pb2.AvatarConfig(avatar_id=f"avatar-{number}", samples=8)
        session.handle(forecast_pb2.StreamForecastsRequest(avatar_config=config))
        ping = forecast_pb2.ClockPing(client_time_us=number)
        session.handle(forecast_pb2.StreamForecastsRequest(clock_ping=ping))
    assert session.waiting <= MAX_WAITING_NOTICES + MAX_WAITING_ERRORS


def test_nothing_is_left_of_a_session_that_is_closed(dispatcher: Dispatcher) -> None:
    registry = SessionRegistry(dispatcher, max_sessions=1)

    def live() -> None:
        first = forecast_pb2.StreamForecastsRequest(config=config_message(LAYOUT, **DEFAULT))
        session = registry.open(first, lambda: None)
        Crowd(session, 8, fps=30.0).send(40)
        wait_until(lambda: session.waiting >= 8)
        registry.close(session)

    live()
    gc.collect()
    tracemalloc.start()
    try:
        live()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            live()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert registry.avatars == 0
    assert grown < AVATAR_BYTES  # of 80 avatars less than one
