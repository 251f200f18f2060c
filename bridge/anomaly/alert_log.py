"""The alert log: a SQLite file that every change of every alert is written to before anyone is told.

A change that `AlertLog.record` has returned from is on the disk (write-ahead log, synced at every commit): it outlives
the process however that ends. In the same transaction go the deliveries that are owed for it (`AlertLog.due`), so that
none is forgotten. Changes are numbered by a cursor that only rises.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from bridge import limits
from bridge.anomaly.file_lock import FileLock
from bridge.anomaly.log_file import is_damage, move_aside, open_whole, take, unavailable
from bridge.anomaly.snapshots import snapshot_from_bytes, snapshot_to_bytes
from bridge.errors import BridgeError, InvalidInput, NotFound
from bridge.wire.alerts import Alert, AlertPage, AlertSnapshot, AlertState, alert_from_json, alert_to_json

_log = structlog.get_logger(__name__)

_PRUNE_EVERY = 64
_DAY_US = 86_400_000_000
_MEGABYTE = 1_000_000
_FORGET_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Delivery:
    """A change that a receiver is owed; ``attempts`` were made."""

    receiver: str
    alert: Alert
    attempts: int


class AlertLog:
    """All alerts of one server; any thread may use it. Make one with `open`."""

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        *,
        days: float,
        megabytes: float,
        receivers: Sequence[str],
        unix_s: Callable[[], float],
    ) -> None:
        self.path = path
        self._file_lock = lock
        self._keep_us = days * _DAY_US
        self._keep_bytes = megabytes * _MEGABYTE
        self._receivers = tuple(receivers)
        self._unix_s = unix_s
        self._lock = threading.RLock()
        self._recorded = 0
        self._database = self._connect()

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        days: float = 30.0,
        megabytes: float = 256.0,
        receivers: Sequence[str] = (),
        unix_s: Callable[[], float] = time.time,
    ) -> AlertLog:
        """Open a log, made if need be; None takes `default_path`, or the next free name beside it.

        A file that is damaged is moved aside, with a warning that names both, and a new one begun.

        Args:
            path: of the SQLite file; one server at a time may have it.
            days: alerts that are over are forgotten after so many days.
            megabytes: that the file may take; the oldest alerts that are over go first.
            receivers: names of those to whom every change is owed.
            unix_s: seconds since 1970.

        Raises:
            Unavailable: if another server has the file, or it cannot be opened or written.
            FailedPrecondition: if newer software wrote it.
        """
        chosen, lock = take(path)
        try:
            return cls(chosen, lock, days=days, megabytes=megabytes, receivers=receivers, unix_s=unix_s)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Close the file; others may have it then."""
        with self._lock:
            self._database.close()
            self._file_lock.release()

    # -- writing

    def record(self, alert: Alert, snapshot: AlertSnapshot | None = None) -> Alert:
        """Store a change; when this returns it is on the disk. Returns the alert as stored, with cursor and time.

        The same change again changes nothing. If another change has taken the revision (someone acknowledged the alert
        in the meantime), this one gets the next, and keeps what is known of the acknowledgement.

        Raises:
            Unavailable: if it cannot be stored: the disk is full, the file is locked or was taken away.
        """
        with self._transaction() as database:
            newest = _newest(database, alert.id)
            if newest is not None:
                row = database.execute(
                    "SELECT body, cursor FROM changes WHERE alert_id = ? AND revision = ? AND state = ?",
                    (alert.id, alert.revision, alert.state.value),
                ).fetchone()
                if row is not None:
                    return _alert(row)
                alert = replace(alert, revision=max(alert.revision, newest.revision + 1))
                if newest.acknowledged_by:
                    alert = replace(
                        alert,
                        acknowledged_by=newest.acknowledged_by,
                        acknowledged_unix_us=newest.acknowledged_unix_us,
                        note=newest.note,
                    )
            stored = self._insert(database, alert)
            if snapshot is not None:
                data = snapshot_to_bytes(snapshot)
                database.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (alert.id, data))
        self._prune_now_and_then()
        return stored

    def acknowledge(self, alert_id: str, by: str, note: str = "") -> Alert:
        """Note that someone saw an alert; the first one counts, a second call changes nothing.

        Raises:
            InvalidInput: if ``by`` is empty, or a text is too long.
            NotFound: if there is no such alert.
            Unavailable: as `record`.
        """
        if not by.strip() or len(by) > 64:
            raise InvalidInput(f"{by[:80]!r}", field="acknowledged_by", expected="1 to 64 characters")
        if len(note) > limits.MAX_NOTE_CHARACTERS:
            expected = f"at most {limits.MAX_NOTE_CHARACTERS} characters"
            raise InvalidInput(f"has {len(note)} characters", field="note", expected=expected)
        with self._transaction() as database:
            newest = _newest(database, alert_id)
            if newest is None:
                raise _no_such_alert(alert_id)
            if newest.acknowledged_by:
                return newest
            return self._insert(
                database,
                replace(
                    newest,
                    revision=newest.revision + 1,
                    state=AlertState.ACKNOWLEDGED,
                    acknowledged_by=by,
                    acknowledged_unix_us=round(self._unix_s() * 1e6),
                    note=note,
                ),
            )

    def _insert(self, database: sqlite3.Connection, alert: Alert) -> Alert:
        now_us = round(self._unix_s() * 1e6)
        alert = replace(alert, recorded_unix_us=now_us)
        cursor = database.execute(
            "INSERT INTO changes (alert_id, revision, state, client_name, avatar_id, body) VALUES (?, ?, ?, ?, ?, ?)",
            (
                alert.id,
                alert.revision,
                alert.state.value,
                alert.client_name,
                alert.avatar_id,
                json.dumps(alert_to_json(alert), separators=(",", ":")),
            ),
        ).lastrowid
        assert cursor is not None
        database.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?) ON CONFLICT (alert_id) DO UPDATE SET"
            " newest_cursor = excluded.newest_cursor, active = excluded.active,"
            " recorded_unix_us = excluded.recorded_unix_us",
            (alert.id, cursor, cursor, alert.active, now_us),
        )
        database.executemany(
            "INSERT INTO deliveries (receiver, cursor) VALUES (?, ?)", [(name, cursor) for name in self._receivers]
        )
        return replace(alert, cursor=cursor)

    # -- reading

    def changes_after(
        self,
        cursor: int,
        *,
        limit: int = limits.DEFAULT_ALERTS_PER_ANSWER,
        client_name: str = "",
        avatar_id: str = "",
        active_only: bool = False,
    ) -> AlertPage:
        """Return changes after a cursor, oldest first; empty names stand for everyone.

        Raises:
            Unavailable: if the file cannot be read.
        """
        sql = (
            "SELECT changes.body, changes.cursor FROM changes JOIN alerts USING (alert_id) WHERE changes.cursor > ?"
            " AND (? = '' OR client_name = ?) AND (? = '' OR avatar_id = ?) AND (active OR NOT ?)"
            " ORDER BY changes.cursor LIMIT ?"
        )
        return self._page(sql, (cursor, client_name, client_name, avatar_id, avatar_id, active_only, limit))

    def newest(
        self,
        *,
        limit: int = limits.DEFAULT_ALERTS_PER_ANSWER,
        before_cursor: int = 0,
        client_name: str = "",
        avatar_id: str = "",
        active_only: bool = False,
    ) -> AlertPage:
        """Return each alert as it stands, last raised first; with ``before_cursor``, only those raised before it.

        Raises:
            Unavailable: if the file cannot be read.
        """
        sql = (
            "SELECT body, cursor FROM alerts JOIN changes ON cursor = newest_cursor WHERE (? = 0 OR raised_cursor < ?)"
            " AND (? = '' OR client_name = ?) AND (? = '' OR avatar_id = ?) AND (active OR NOT ?)"
            " ORDER BY raised_cursor DESC LIMIT ?"
        )
        names = (client_name, client_name, avatar_id, avatar_id)
        return self._page(sql, (before_cursor, before_cursor, *names, active_only, limit))

    def active(self) -> list[Alert]:
        """Return the alerts that are on, last raised first."""
        return list(self.newest(limit=-1, active_only=True).alerts)

    def snapshot(self, alert_id: str) -> tuple[Alert, AlertSnapshot | None]:
        """Return an alert as it stands and what was seen when it was raised, if that was stored.

        Raises:
            NotFound: if there is no such alert.
            Unavailable: if the file cannot be read.
        """
        with self._reading() as database:
            alert = _newest(database, alert_id)
            if alert is None:
                raise _no_such_alert(alert_id)
            row = database.execute("SELECT data FROM snapshots WHERE alert_id = ?", (alert_id,)).fetchone()
        return alert, None if row is None else snapshot_from_bytes(row[0])

    def last_cursor(self) -> int:
        """Return the cursor of the newest change, 0 if there never was one."""
        with self._reading() as database:
            return _last_cursor(database)

    def _page(self, sql: str, values: tuple[object, ...]) -> AlertPage:
        with self._reading() as database:
            rows = database.execute(sql, values).fetchall()
            forgotten: int = database.execute("SELECT cursor FROM forgotten").fetchone()[0]
            return AlertPage(tuple(_alert(row) for row in rows), _last_cursor(database), forgotten)

    # -- what is owed to receivers

    def due(self, receiver: str, limit: int = 16) -> list[Delivery]:
        """Return what a receiver is owed and may be tried now, oldest first.

        Raises:
            Unavailable: if the file cannot be read.
        """
        sql = (
            "SELECT body, changes.cursor, attempts FROM deliveries JOIN changes USING (cursor)"
            " WHERE receiver = ? AND NOT dead AND next_unix_s <= ? ORDER BY cursor LIMIT ?"
        )
        with self._reading() as database:
            rows = database.execute(sql, (receiver, self._unix_s(), limit)).fetchall()
        return [Delivery(receiver, _alert(row), row[2]) for row in rows]

    def next_due_s(self, receiver: str) -> float | None:
        """Return the seconds until a receiver may be tried again, None if it is owed nothing."""
        sql = "SELECT min(next_unix_s) FROM deliveries WHERE receiver = ? AND NOT dead"
        with self._reading() as database:
            first = database.execute(sql, (receiver,)).fetchone()[0]
        return None if first is None else max(0.0, first - self._unix_s())

    def delivered(self, delivery: Delivery) -> None:
        """Note that a receiver has it."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM deliveries WHERE receiver = ? AND cursor = ?", (delivery.receiver, delivery.alert.cursor)
            )

    def failed(self, delivery: Delivery, problem: str, *, again_in_s: float | None) -> None:
        """Note that it could not be delivered: try again later, or with None never (a dead letter)."""
        with self._transaction() as database:
            database.execute(
                "UPDATE deliveries SET attempts = attempts + 1, next_unix_s = ?, dead = ?, problem = ?"
                " WHERE receiver = ? AND cursor = ?",
                (
                    self._unix_s() + (again_in_s or 0.0),
                    again_in_s is None,
                    problem[:500],
                    delivery.receiver,
                    delivery.alert.cursor,
                ),
            )

    def dead_letters(self) -> list[tuple[str, Alert, str]]:
        """Return what was given up: receiver, alert and the last problem, oldest first."""
        sql = (
            "SELECT body, changes.cursor, receiver, problem FROM deliveries JOIN changes USING (cursor)"
            " WHERE dead ORDER BY cursor"
        )
        with self._reading() as database:
            return [(row[2], _alert(row), row[3]) for row in database.execute(sql).fetchall()]

    # -- what is forgotten

    def _prune_now_and_then(self) -> None:
        self._recorded += 1
        if self._recorded % _PRUNE_EVERY == 1:
            try:
                self.prune()
            except BridgeError as error:
                _log.warning("alert_log_not_pruned", path=str(self.path), error=str(error))

    def prune(self) -> int:
        """Forget alerts that are over and too old, or too many for the size; return how many.

        Raises:
            Unavailable: as `record`.
        """
        oldest_us = round(self._unix_s() * 1e6 - self._keep_us)
        gone = 0
        with self._transaction() as database:
            sql = "SELECT alert_id FROM alerts WHERE NOT active AND recorded_unix_us < ?"
            gone += self._forget(database, [row[0] for row in database.execute(sql, (oldest_us,))])
        while self._bytes_used() > self._keep_bytes:
            with self._transaction() as database:
                sql = "SELECT alert_id FROM alerts WHERE NOT active ORDER BY raised_cursor LIMIT ?"
                some = [row[0] for row in database.execute(sql, (_FORGET_AT_ONCE,))]
                gone += self._forget(database, some[: max(1, len(some) // 2)])
            if not some:
                break
        if gone:
            with self._lock:
                self._database.execute("PRAGMA incremental_vacuum")
            _log.info("alerts_forgotten", alerts=gone, path=str(self.path))
        return gone

    def _forget(self, database: sqlite3.Connection, alert_ids: Sequence[str]) -> int:
        for alert_id in alert_ids:
            last = database.execute("SELECT max(cursor) FROM changes WHERE alert_id = ?", (alert_id,)).fetchone()[0]
            database.execute("UPDATE forgotten SET cursor = max(cursor, ?)", (last,))
            owed = "DELETE FROM deliveries WHERE cursor IN (SELECT cursor FROM changes WHERE alert_id = ?)"
            for sql in (owed, *(f"DELETE FROM {table} WHERE alert_id = ?" for table in _TABLES_OF_AN_ALERT)):
                database.execute(sql, (alert_id,))
        return len(alert_ids)

    def _bytes_used(self) -> int:
        with self._reading() as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    # -- the file

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            yield self._database

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as ours; a file found damaged is replaced, so that the next try finds a whole one."""
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error):
                self._database.close()
                move_aside(self.path, str(error))
                self._database = self._connect()
            raise unavailable(self.path, error) from None

    def _connect(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return open_whole(self.path)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                move_aside(self.path, str(error))
                return open_whole(self.path)
        except (OSError, sqlite3.Error) as error:
            raise unavailable(self.path, error) from None


_TABLES_OF_AN_ALERT = ("changes", "alerts", "snapshots")


def _no_such_alert(alert_id: str) -> NotFound:
    return NotFound(f"no alert {alert_id[:80]!r}", field="alert_id", expected="the id of an alert in the log")


def _newest(database: sqlite3.Connection, alert_id: str) -> Alert | None:
    row = database.execute(
        "SELECT body, cursor FROM alerts JOIN changes ON cursor = newest_cursor WHERE alerts.alert_id = ?", (alert_id,)
    ).fetchone()
    return None if row is None else _alert(row)


def _last_cursor(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
    return 0 if row is None else int(row[0])


def _alert(row: tuple[Any, ...]) -> Alert:
    return replace(alert_from_json(json.loads(row[0])), cursor=row[1])
