"""The alert log's tables, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3

from bridge.errors import FailedPrecondition

# What leads from each version to the next; a file says which one it is in `PRAGMA user_version`. Never edit a step that
# was released: add one.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE changes (
        cursor INTEGER PRIMARY KEY AUTOINCREMENT,
        alert_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state TEXT NOT NULL,
        client_name TEXT NOT NULL,
        avatar_id TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (alert_id, revision)
    );
    CREATE TABLE alerts (
        alert_id TEXT PRIMARY KEY,
        raised_cursor INTEGER NOT NULL,
        newest_cursor INTEGER NOT NULL,
        active INTEGER NOT NULL,
        recorded_unix_us INTEGER NOT NULL
    );
    CREATE INDEX alerts_by_raise ON alerts (raised_cursor);
    CREATE TABLE snapshots (alert_id TEXT PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE forgotten (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cursor INTEGER NOT NULL);
    INSERT INTO forgotten VALUES (1, 0);
    """,
    """
    CREATE TABLE deliveries (
        receiver TEXT NOT NULL,
        cursor INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_unix_s REAL NOT NULL DEFAULT 0,
        dead INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (receiver, cursor)
    ) WITHOUT ROWID;
    """,
)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a file to the newest version, each step whole or not at all; return the version that it had.

    Raises:
        FailedPrecondition: if it was written by a newer version of this software.
        sqlite3.Error: if a step fails; what went before it stays.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise FailedPrecondition(
            f"the file has version {found} of the tables",
            field="alert_log",
            expected=f"at most version {VERSION}: newer software wrote it, give another path",
        )
    for version in range(found, VERSION):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA user_version = {version + 1}; COMMIT;")
    return found
