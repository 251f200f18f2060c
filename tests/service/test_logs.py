"""Logs: what is in them, and that nothing that happens to them happens to the service."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import pytest
import structlog

from bridge.errors import InvalidInput
from bridge.service import logs
from bridge.service.logs import configure_logging, flush_logs, lost_records
from tests.service_fixtures import command_environment, wait_until
from tests.support import REPOSITORY

EVIL = "player\x1b[31m\n2026-01-01 [error] forged \u202e\u2028\x9b"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers = []  # those of the test run must not be closed
    yield
    flush_logs()
    for handler in root.handlers:
        handler.close()
    root.handlers, logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


def lines_of(path: Path) -> list[str]:
    flush_logs()
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(path)]


def test_a_json_line_has_the_event_and_the_ids_that_are_bound(path: Path) -> None:
    configure_logging("info", "json", path)
    log = structlog.get_logger("bridge.session").bind(session="s-1")
    log.info("refused", avatar="player1", frames=3)
    (event,) = events_of(path)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "refused",
        "level": "info",
        "logger": "bridge.session",
        "session": "s-1",
        "avatar": "player1",
        "frames": 3,
    }


def test_ids_bound_to_the_context_reach_the_lines_of_libraries_too(path: Path) -> None:
    configure_logging("info", "json", path)
    with structlog.contextvars.bound_contextvars(session="s-2", avatar="player2"):
        structlog.get_logger("ours").info("one")
        logging.getLogger("theirs").warning("two %d", 2)
    logging.getLogger("theirs").warning("three")
    one, two, three = events_of(path)
    assert {name: one[name] for name in ("event", "session", "avatar")} == {
        "event": "one",
        "session": "s-2",
        "avatar": "player2",
    }
    assert (two["event"], two["session"], two["logger"]) == ("two 2", "s-2", "theirs")
    assert "session" not in three


def test_less_severe_events_are_left_out(path: Path) -> None:
    configure_logging("warning", "json", path)
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        log.info("no")
        log.warning("yes")
    assert [event["event"] for event in events_of(path)] == ["yes", "yes"]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_what_clients_sent_cannot_forge_lines_or_colours(path: Path, log_format: Literal["console", "json"]) -> None:
    configure_logging("info", log_format, path)
    structlog.get_logger("ours").info(EVIL, avatar=EVIL, names=[EVIL], nested={"name": EVIL})
    logging.getLogger("theirs").warning("peer said %s", EVIL)
    lines = lines_of(path)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "forged" in lines[0]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_exception_is_logged_with_its_traceback_and_cannot_forge_lines(
    path: Path, log_format: Literal["console", "json"]
) -> None:
    configure_logging("info", log_format, path)
    try:
        raise ValueError(EVIL)
    except ValueError:
        structlog.get_logger("ours").exception("went_wrong", session="s-1")
    lines = lines_of(path)
    assert all(line.isprintable() for line in lines)
    assert "ValueError: player" in "\n".join(lines)
    assert [line for line in lines if not line.startswith("  ")] == lines[:1]


def test_a_lone_surrogate_is_no_reason_to_lose_a_line(path: Path) -> None:
    configure_logging("info", "console", path)
    structlog.get_logger("ours").info("odd", name="\udc80")
    assert "\\udc80" in lines_of(path)[0]


def test_what_cannot_be_formatted_is_counted_and_raises_nothing(path: Path) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    configure_logging("info", "json", path)
    before = lost_records()
    logging.getLogger("theirs").warning("%d", "not a number")
    structlog.get_logger("ours").info("broken", value=Broken())
    structlog.get_logger("ours").info("whole")
    assert [event["event"] for event in events_of(path)] == ["whole"]
    assert lost_records() - before == 2


def test_a_full_disk_is_counted_and_raises_nothing() -> None:
    configure_logging("info", "json", Path("/dev/full"))
    before = lost_records()
    for number in range(1000):
        structlog.get_logger("ours").info("event", number=number)
    flush_logs()
    assert lost_records() - before == 1000


def test_logging_goes_on_when_the_disk_has_room_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("info", "json", path)
    write = logs._Unbuffered.write

    def no_room(self: logs._Unbuffered, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs._Unbuffered, "write", no_room)
    before = lost_records()
    structlog.get_logger("ours").info("lost")
    flush_logs()
    monkeypatch.setattr(logs._Unbuffered, "write", write)
    structlog.get_logger("ours").info("kept")
    assert [event["event"] for event in events_of(path)] == ["kept"]
    assert lost_records() - before == 1


def open_pipe() -> tuple[int, IO[str]]:
    """The reading end and the writing end of a pipe."""
    reading, writing = os.pipe()
    return reading, os.fdopen(writing, "w")


def test_a_closed_pipe_is_counted_and_raises_nothing() -> None:
    reading, stream = open_pipe()
    with stream:
        configure_logging("info", "console", stream=stream)
        structlog.get_logger("ours").info("before")
        flush_logs()
        assert b"before" in os.read(reading, 65536)
        os.close(reading)
        before = lost_records()
        structlog.get_logger("ours").info("after")
        flush_logs()
        assert lost_records() - before == 1


def test_a_pipe_that_nobody_reads_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_WAITING_LINES", 100)
    monkeypatch.setattr(logs, "_FLUSH_S", 0.01)
    reading, stream = open_pipe()
    with stream, os.fdopen(reading, "rb") as reader:
        configure_logging("info", "json", stream=stream)
        before = lost_records()
        for _ in range(1000):
            structlog.get_logger("ours").info("x" * 1000)
        flush_logs()
        lost = lost_records() - before
        # The pipe and the queue hold some, the rest is gone.
        assert 700 < lost < 900
        kept = 1000 - lost
        for _ in range(kept):
            assert b"xxx" in reader.readline()
        wait_until(lambda: not waiting_lines())
        structlog.get_logger("ours").info("and on it goes")
        assert b"and on it goes" in reader.readline()


def waiting_lines() -> int:
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logs._Handler)
    return handler.queue.unfinished_tasks  # type: ignore[attr-defined]


def test_a_stream_without_a_descriptor_will_do() -> None:
    stream = io.StringIO()
    configure_logging("info", "console", stream=stream)
    structlog.get_logger("ours").info("heard")
    flush_logs()
    assert "heard" in stream.getvalue()


def test_a_log_file_is_rotated_by_size_and_few_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_FILE_BYTES", 10_000)
    monkeypatch.setattr(logs, "LOG_FILES_KEPT", 2)
    configure_logging("info", "json", path)
    before = lost_records()
    for number in range(1000):
        structlog.get_logger("ours").info("event", number=number)
    newest = events_of(path)[-1]
    assert newest["number"] == 999
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.1", f"{path.name}.2"]
    assert all(file.stat().st_size <= 10_000 for file in path.parent.iterdir())
    assert lost_records() == before


def test_a_log_file_is_continued_not_begun_anew(path: Path) -> None:
    for event in ("first", "second"):
        configure_logging("info", "json", path)
        structlog.get_logger("ours").info(event)
    assert [event["event"] for event in events_of(path)] == ["first", "second"]


@pytest.mark.parametrize("name", ["nowhere/service.log", ""])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        configure_logging("info", "json", tmp_path / name)
    assert caught.value.field == "settings.log_file"
    assert str(tmp_path / name) in str(caught.value)


def test_lines_of_many_threads_stay_whole(path: Path) -> None:
    configure_logging("info", "json", path)

    def work(name: str) -> None:
        for number in range(100):
            structlog.get_logger("ours").info("event", thread=name, number=number, filling="x" * 500)

    threads = [threading.Thread(target=work, args=(f"t{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = events_of(path)
    for name in ("t0", "t7"):
        assert [event["number"] for event in events if event["thread"] == name] == list(range(100))


END_WITH_LOGS = """
import structlog
from bridge.service.logs import configure_logging
configure_logging("info", "json")
for number in range(3000):
    structlog.get_logger("ours").info("event", number=number, filling="x" * 100)
"""


def end_with_logs(stderr: int | IO[str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", END_WITH_LOGS]
    return subprocess.run(command, cwd=REPOSITORY, env=command_environment(), stderr=stderr, timeout=60, check=False)


def test_a_process_ends_well_although_the_disk_is_full() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert end_with_logs(full).returncode == 0


def test_a_process_ends_well_although_nobody_reads_its_log() -> None:
    reading, stream = open_pipe()
    with stream:
        assert end_with_logs(stream).returncode == 0
    os.close(reading)


def test_a_process_ends_with_all_its_lines_written() -> None:
    done = end_with_logs(subprocess.PIPE)
    assert done.returncode == 0
    assert [json.loads(line)["number"] for line in done.stderr.splitlines()] == list(range(3000))
