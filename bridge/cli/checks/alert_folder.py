"""The folder of the alert log: writable, with room, and on a disk that SQLite's write-ahead log works on."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from bridge.anomaly.log_file import default_path, open_whole
from bridge.cli.checks.finding import Finding, hint, ok, problem

_LEAST_BYTES = 16 * 1024 * 1024
_ELSEWHERE = "put it elsewhere with --alert-log FILE"


def check_alert_folder(path: Path | None, *, megabytes: float = 256.0) -> Finding:
    """Whether alerts could be stored in a file; None stands for the default one. Leaves nothing behind.

    ``megabytes`` is what the log may grow to.
    """
    name = "alert_log"
    file = path or default_path()
    if file.is_dir():
        return problem(name, f"{file} is a folder", "name a file with --alert-log FILE")
    folder = file.parent
    existing = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    if not existing.is_dir():
        return problem(name, f"{existing} is a file, not a folder", _ELSEWHERE)
    try:
        with tempfile.TemporaryDirectory(prefix=".pose-bridge-doctor-", dir=existing) as scratch:
            journal = _try_log(Path(scratch) / "alerts.sqlite3")
            free_bytes = shutil.disk_usage(scratch).free
    except OSError as error:
        return problem(name, f"{existing}: {error.strerror or error}", f"make it writable, or {_ELSEWHERE}")
    except sqlite3.Error as error:
        return problem(name, f"SQLite does not work in {existing}: {error}", _ELSEWHERE)
    detail = f"{file}: writable, {free_bytes / 1e9:.1f} GB free, journal {journal}"
    if journal != "wal":
        return problem(name, detail, f"a write-ahead log needs a local disk: {_ELSEWHERE}")
    return judge_room(detail, free_bytes, megabytes)


def judge_room(detail: str, free_bytes: int, megabytes: float) -> Finding:
    """What so much free space means for a log that may grow to so many megabytes."""
    if free_bytes < _LEAST_BYTES:
        return problem("alert_log", detail, f"make room, or {_ELSEWHERE}")
    if free_bytes < megabytes * 1e6:
        return hint("alert_log", detail, f"the log may take {megabytes:g} MB: make room, or set alert_log_mb lower")
    return ok("alert_log", detail)


def _try_log(file: Path) -> str:
    """Make a log as the server does, write, and read it over a second connection; returns the journal's kind."""
    writer = open_whole(file)
    try:
        writer.execute("CREATE TABLE doctor (value INTEGER)")
        writer.execute("INSERT INTO doctor VALUES (1)")
        reader = sqlite3.connect(file)
        try:
            if reader.execute("SELECT value FROM doctor").fetchone() != (1,):
                raise sqlite3.DatabaseError("what was written is not read back")
        finally:
            reader.close()
        return str(writer.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        writer.close()
