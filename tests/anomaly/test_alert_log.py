"""A real SQLite file: what is stored stays, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.log_file import default_path
from bridge.anomaly.schema import MIGRATIONS, VERSION
from bridge.errors import FailedPrecondition, InvalidInput, NotFound, Unavailable
from bridge.wire.alerts import AlertState
from tests.anomaly.alerts import RAISED, cleared, raised, snapshot
from tests.support import REPOSITORY


@pytest.fixture
def log(tmp_path: Path) -> AlertLog:
    return AlertLog.open(tmp_path / "alerts.sqlite3")


def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite3"
    log = AlertLog.open(path)
    stored = log.record(RAISED, snapshot())
    log.close()
    again = AlertLog.open(path)
    assert stored.cursor == 1
    assert stored.recorded_unix_us > 0
    assert again.active() == [stored]
    alert, seen = again.snapshot(RAISED.id)
    assert alert == stored
    assert seen is not None
    np.testing.assert_array_equal(seen.observed_m, snapshot().observed_m)
    np.testing.assert_array_equal(seen.samples_m, snapshot().samples_m)
    assert seen.score_names == ("a", "b")
    again.close()


def test_the_same_change_twice_is_one_change(log: AlertLog) -> None:
    first = log.record(RAISED)
    assert log.record(RAISED) == first
    assert log.last_cursor() == 1


def test_an_alert_goes_through_its_states(log: AlertLog) -> None:
    log.record(RAISED)
    log.record(replace(RAISED, revision=2, state=AlertState.UPDATED, score=90.0))
    acknowledged = log.acknowledge(RAISED.id, "Ada", "on my way")
    assert (acknowledged.revision, acknowledged.state, acknowledged.active) == (3, AlertState.ACKNOWLEDGED, True)
    # Whoever raised it does not know of the acknowledgement.
    over = log.record(cleared(RAISED, revision=3))
    assert (over.revision, over.acknowledged_by, over.note, over.active) == (4, "Ada", "on my way", False)
    assert [alert.state.value for alert in log.changes_after(0).alerts] == [
        "raised",
        "updated",
        "acknowledged",
        "cleared",
    ]
    assert log.newest().alerts == (over,)
    assert log.active() == []


def test_the_first_acknowledgement_counts(log: AlertLog) -> None:
    log.record(RAISED)
    first = log.acknowledge(RAISED.id, "Ada")
    assert log.acknowledge(RAISED.id, "Bob") == first
    with pytest.raises(NotFound):
        log.acknowledge("nothing", "Ada")
    with pytest.raises(InvalidInput, match="acknowledged_by"):
        log.acknowledge(RAISED.id, " ")
    with pytest.raises(InvalidInput, match="note"):
        log.acknowledge(RAISED.id, "Ada", "x" * 1001)


def test_changes_and_alerts_are_listed_by_cursor_and_name(log: AlertLog) -> None:
    for number in range(10):
        log.record(raised(number, avatar_id=f"p{number % 2}"))
    log.record(cleared(raised(3, avatar_id="p1")))
    page = log.changes_after(4, limit=3)
    assert [alert.cursor for alert in page.alerts] == [5, 6, 7]
    assert page.last_cursor == 11
    assert {alert.avatar_id for alert in log.changes_after(0, avatar_id="p1").alerts} == {"p1"}
    assert log.changes_after(0, client_name="other").alerts == ()
    newest = log.newest(limit=4).alerts
    assert [alert.id for alert in newest] == [raised(n).id for n in (9, 8, 7, 6)]
    older = log.newest(limit=4, before_cursor=7).alerts
    assert [alert.id for alert in older] == [raised(n).id for n in (5, 4, 3, 2)]
    assert len(log.newest(active_only=True).alerts) == 9


def test_old_alerts_are_forgotten_but_not_those_that_are_on(tmp_path: Path) -> None:
    now = [1_000_000.0]
    log = AlertLog.open(tmp_path / "a.sqlite3", days=1.0, unix_s=lambda: now[0], receivers=["hook"])
    for number in range(3):
        log.record(raised(number))
    log.record(cleared(raised(0)))
    log.record(cleared(raised(1)))
    now[0] += 2 * 86_400
    assert log.prune() == 2
    assert [alert.id for alert in log.newest().alerts] == [raised(2).id]
    assert log.changes_after(0).forgotten_cursor == 5
    assert [d.alert.id for d in log.due("hook")] == [raised(2).id]


def test_the_file_stays_within_its_size_and_the_newest_alerts_stay(tmp_path: Path) -> None:
    log = AlertLog.open(tmp_path / "a.sqlite3", megabytes=0.2)
    seen = snapshot()
    for number in range(150):
        log.record(raised(number), seen)
        log.record(cleared(raised(number)))
    log.prune()
    assert sum(path.stat().st_size for path in tmp_path.glob("a.sqlite3")) < 800_000
    kept = log.newest(limit=1000).alerts
    assert kept[0].id == raised(149).id
    assert len(kept) < 150


def store_from_four_threads(folder: Path, each: int) -> None:
    log = AlertLog.open(folder / "a.sqlite3")
    threads = [
        threading.Thread(target=lambda part=part: [log.record(raised(part * 10_000 + n)) for n in range(each)])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.last_cursor() == 4 * each
    assert len(log.changes_after(0, limit=20_000).alerts) == 4 * each


def test_alerts_of_many_threads_at_once_are_all_kept(tmp_path: Path) -> None:
    store_from_four_threads(tmp_path, 400)


@pytest.mark.soak
def test_ten_thousand_alerts_at_once_are_all_kept(tmp_path: Path) -> None:
    store_from_four_threads(tmp_path, 2500)


def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "alerts.sqlite3"
    path.write_bytes(b"this is no database at all" * 100)
    log = AlertLog.open(path)
    assert log.record(RAISED).cursor == 1
    (aside,) = tmp_path.glob("alerts.sqlite3.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert "alert_log_damaged" in capsys.readouterr().out


def test_damage_that_shows_only_later_costs_one_refusal(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite3"
    log = AlertLog.open(path)
    for number in range(50):
        log.record(raised(number), snapshot())
    log._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    log._database.close()
    log._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with pytest.raises(Unavailable):
        log.changes_after(0)
    assert log.record(RAISED).cursor == 1
    assert len(list(tmp_path.glob("alerts.sqlite3.corrupt-*"))) >= 1


def test_a_file_of_newer_software_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite3"
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.commit()
    database.close()
    with pytest.raises(FailedPrecondition, match="newer software"):
        AlertLog.open(path)
    assert list(tmp_path.glob("*.corrupt*")) == []


def test_a_file_of_older_software_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite3"
    database = sqlite3.connect(path)
    database.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
    database.close()
    log = AlertLog.open(path, receivers=["hook"])
    log.record(RAISED)
    assert len(log.due("hook")) == 1


def test_a_locked_file_is_unavailable_and_usable_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.anomaly.log_file.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "alerts.sqlite3"
    log = AlertLog.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="locked"):
        log.record(RAISED)
    other.execute("ROLLBACK")
    assert log.record(RAISED).cursor == 1


def test_a_full_disk_is_unavailable_and_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    log = AlertLog.open(tmp_path / "alerts.sqlite3")
    log.record(RAISED)
    pages = log._database.execute("PRAGMA page_count").fetchone()[0]
    log._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="full"):
        for number in range(100):
            log.record(raised(number), snapshot())
    log._database.execute("PRAGMA max_page_count = 1000000")
    assert log.record(raised(500)).cursor > 0
    assert log.newest(limit=1000).alerts[-1].id == RAISED.id


def test_one_file_belongs_to_one_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alerts.sqlite3"
    log = AlertLog.open(path)
    with pytest.raises(Unavailable, match="another server"):
        AlertLog.open(path)
    log.close()
    AlertLog.open(path).close()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    first, second = AlertLog.open(), AlertLog.open()
    assert first.path == default_path()
    assert second.path.name == "alerts-2.sqlite3"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="alert_log"):
        AlertLog.open(tmp_path / "file" / "alerts.sqlite3")


# -- kill -9

_WRITER = """
import sys, itertools
from pathlib import Path
from bridge.anomaly.alert_log import AlertLog
from tests.anomaly.alerts import raised, cleared
log = AlertLog.open(Path(sys.argv[1]), receivers=["hook"])
start = int(sys.argv[2])
for number in itertools.count(start):
    log.record(raised(number))
    print(f"raised {number}", flush=True)
    log.acknowledge(raised(number).id, "Ada")
    print(f"acknowledged {number}", flush=True)
    log.record(cleared(raised(number)))
    print(f"cleared {number}", flush=True)
"""


def kill_again_and_again(folder: Path, kills: int, seed: int) -> None:
    """Kill a process that writes, at random moments; what it said that it had stored must be there, once."""
    rng = np.random.default_rng(seed)
    path, said, start = folder / "alerts.sqlite3", set[tuple[str, int]](), 0
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(start)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert writer.stdout is not None
        lines = int(rng.integers(1, 12))
        for _ in range(lines):
            word, number = writer.stdout.readline().split()
            said.add((word, int(number)))
        os.kill(writer.pid, signal.SIGKILL)
        # What it still said before it died was stored as well.
        for line in writer.stdout.read().split("\n"):
            if line.count(" ") == 1 and line.split()[1].isdigit():
                said.add((line.split()[0], int(line.split()[1])))
        writer.wait()
        start = max(number for _, number in said) + 2
    log = AlertLog.open(path, receivers=["hook"])
    stored = [(alert.state.value, int(alert.id[:12], 16)) for alert in log.changes_after(0, limit=10**6).alerts]
    assert len(stored) == len(set(stored))
    # A partly read last line may cut a number short; every number that was said whole is stored.
    assert said <= set(stored)
    owed = {delivery.alert.cursor for delivery in log.due("hook", limit=10**6)}
    assert owed == {alert.cursor for alert in log.changes_after(0, limit=10**6).alerts}
    log.close()
    assert list(folder.glob("*.corrupt*")) == []


def test_a_killed_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, kills=6, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_hundreds_of_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, kills=300, seed=2)


def test_what_json_says_of_an_alert_can_be_read_back() -> None:
    from bridge.wire.alerts import alert_from_json, alert_to_json

    alert = replace(cleared(RAISED), acknowledged_by="Ada", acknowledged_unix_us=5, note="ok", cursor=9)
    assert alert_from_json(json.loads(json.dumps(alert_to_json(alert)))) == alert
