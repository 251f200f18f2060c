"""The alert log's file: where it is, whose it is, and what happens when it is damaged."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bridge.anomaly.file_lock import FileLock
from bridge.anomaly.schema import migrate
from bridge.errors import Unavailable

_log = structlog.get_logger(__name__)

_DEFAULT_NAMES = 64
BUSY_TIMEOUT_S = 2.0
_DAMAGED = ("malformed", "not a database", "corrupt", "disk image")


def default_path() -> Path:
    """Where the log is unless a path is given: the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "pose-bridge" / "alerts.sqlite3"


def open_whole(path: Path) -> sqlite3.Connection:
    """Open a file, made if need be, with the newest tables; what has been committed to it is on the disk.

    Raises:
        sqlite3.Error: if it is damaged, locked, or cannot be opened.
        FailedPrecondition: if newer software wrote it.
    """
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(f"malformed: {found}")
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def move_aside(path: Path, problem: str) -> Path:
    """Rename a damaged file and what belongs to it, so that it can be looked at later; return its new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    _log.warning(
        "alert_log_damaged", path=str(path), moved_to=str(aside), problem=problem, consequence="a new log is begun"
    )
    return aside


def take(path: Path | None) -> tuple[Path, FileLock]:
    """Return the file to use, and the right to it.

    Raises:
        Unavailable: if another server has it, or its folder cannot be written.
    """
    if path is not None:
        lock = FileLock.take(path)
        if lock is None:
            raise Unavailable(f"another server has {path}", field="alert_log", expected="a file of its own")
        return path, lock
    first = default_path()
    for number in range(1, _DEFAULT_NAMES + 1):
        candidate = first if number == 1 else first.with_name(f"{first.stem}-{number}{first.suffix}")
        lock = FileLock.take(candidate)
        if lock is not None:
            return candidate, lock
    raise Unavailable(f"other servers have {first} and {_DEFAULT_NAMES - 1} more", field="alert_log", expected="a path")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file itself is no good."""
    return any(word in str(error) for word in _DAMAGED)


def unavailable(path: Path, error: Exception) -> Unavailable:
    """What SQLite or the system says of a file, as our error."""
    text = str(error)
    expected = "room on the disk" if "full" in text else "a file that can be written and is not locked"
    return Unavailable(f"{path}: {text}", field="alert_log", expected=expected, retry_after_ms=1000)
