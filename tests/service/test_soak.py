"""An hour's worth of frames over real sockets, as fast as they are taken: nothing grows, nothing is left.

In the default suite some 20 seconds of it. The hour: ``pytest -m soak tests/service/test_soak.py``; it ends by itself.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from bridge.config import Settings
from bridge.service import Endpoints
from bridge.session import Session
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service.crowd import ENDS, Visitor
from tests.service.vitals import Vitals
from tests.service_fixtures import TRANSPORTS, RunningServer, ServeCommand, wait_until

LAYOUT = MEDIAPIPE_POSE_33
HOUR_FRAMES = 16 * 30 * 3600
"""Of 16 avatars at 30 Hz."""
IDLE_S = "1.5"
"""Silent sessions end within the test."""
VISITORS_EACH = 2
REMEMBERED = 3
"""Sessions that are over and still in memory: the last one that each of the server's threads has looked at."""


def visitors(endpoints: Endpoints, frames: int) -> list[Visitor]:
    """Start clients that send so many frames in all."""
    share = frames // (VISITORS_EACH * len(TRANSPORTS))
    started = [
        Visitor(transport, endpoints, LAYOUT, share, seed) for seed, transport in enumerate(TRANSPORTS * VISITORS_EACH)
    ]
    for visitor in started:
        visitor.start()
    return started


@pytest.fixture
def command(tmp_path: Path) -> Iterator[ServeCommand]:
    log = ("--log-file", str(tmp_path / "log"))
    command = ServeCommand(tmp_path, "--engine", "null", "--session-idle-timeout-s", IDLE_S, *log)
    command.wait_until_ready()
    yield command
    command.kill()


@pytest.mark.parametrize(
    ("frames", "growth"),
    [
        pytest.param(48_000, 0.15, id="a-while"),
        pytest.param(HOUR_FRAMES, 0.05, id="an-hour", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_memory_stays_and_nothing_is_left(command: ServeCommand, frames: int, growth: float) -> None:
    vitals = Vitals(command.process.pid, command.endpoints)
    for visitor in visitors(command.endpoints, 8_000):  # what is made once comes with the first
        visitor.join()
        assert visitor.failure is None, repr(visitor.failure)
    before = vitals.belongings_at_rest(0)
    crowd = visitors(command.endpoints, frames)
    resident: list[tuple[int, int]] = []
    while any(visitor.is_alive() for visitor in crowd):
        resident.append((sum(visitor.frames for visitor in crowd), vitals.rss_bytes()))
        for visitor in crowd:
            visitor.join(0.05)
    for visitor in crowd:
        assert visitor.failure is None, repr(visitor.failure)
        assert set(visitor.ends) == set(ENDS)
        assert visitor.forecasts > 0
    warm = median(rss for sent, rss in resident if 0.25 * frames <= sent < 0.5 * frames)
    last = median(rss for sent, rss in resident if sent >= 0.75 * frames)
    assert last <= (1 + growth) * warm, f"{warm / 1e6:.1f} MB became {last / 1e6:.1f} MB"
    vitals.expect_no_more_than(before)
    assert vitals.metrics()["posebridge_avatars"] == 0


def test_no_task_thread_file_or_session_is_left_in_the_process() -> None:
    settings = Settings(
        grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", ops="", engine="null", session_idle_timeout_s=float(IDLE_S)
    )
    others = len(sessions_in_memory())  # of tests before this one
    running = RunningServer(settings)

    def live_through() -> None:
        for visitor in visitors(running.endpoints, 4_000):
            visitor.join()
            assert visitor.failure is None, repr(visitor.failure)
            assert set(visitor.ends) == set(ENDS)
        running.wait_for_sessions(0)

    try:
        live_through()
        tasks, threads, files = task_count(running), threading.active_count(), len(os.listdir("/proc/self/fd"))
        live_through()
        wait_until(lambda: task_count(running) <= tasks)
        wait_until(lambda: threading.active_count() <= threads)
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= files)
        wait_until(lambda: len(sessions_in_memory()) <= others + REMEMBERED)
    finally:
        running.stop(grace_ms=0)


def task_count(running: RunningServer) -> int:
    """How many tasks the server's event loop has."""

    async def count() -> int:
        return len(asyncio.all_tasks())

    return running._call(count())


def sessions_in_memory() -> list[Session]:
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) is Session]
