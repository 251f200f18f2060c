"""Stored first, then told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.anomaly.alert_log import AlertLog
from bridge.anomaly.hub import AlertHub
from bridge.telemetry import AnomalyTelemetry
from bridge.wire.alerts import Alert, AlertState
from tests.anomaly.alerts import RAISED, cleared, raised, snapshot


@pytest.fixture
def log(tmp_path: Path) -> AlertLog:
    return AlertLog.open(tmp_path / "alerts.sqlite3")


def fill_the_disk(log: AlertLog) -> None:
    pages = log._database.execute("PRAGMA page_count").fetchone()[0]
    log._database.execute(f"PRAGMA max_page_count = {pages}")
    try:
        for number in range(1000, 2000):
            log.record(raised(number), snapshot())
    except Exception:
        return
    raise AssertionError("the disk never filled")


def make_room(log: AlertLog) -> None:
    log._database.execute("PRAGMA max_page_count = 1000000")


def test_a_change_is_in_the_log_when_listeners_hear_of_it(log: AlertLog) -> None:
    hub = AlertHub(log)
    found: list[tuple[int, int]] = []
    hub.listen(lambda alert: found.append((alert.cursor, log.last_cursor())))
    hub.publish(RAISED, snapshot())
    hub.publish(cleared(RAISED))
    assert found == [(1, 1), (2, 2)]


def test_a_listener_that_fails_costs_the_others_nothing(log: AlertLog) -> None:
    hub = AlertHub(log)
    heard: list[Alert] = []

    def broken(alert: Alert) -> None:
        raise RuntimeError("boom")

    hub.listen(broken)
    stop = hub.listen(heard.append)
    hub.publish(RAISED)
    assert [alert.id for alert in heard] == [RAISED.id]
    stop()
    hub.publish(cleared(RAISED))
    assert len(heard) == 1


def test_with_a_full_disk_nothing_is_told_and_nothing_is_lost(log: AlertLog) -> None:
    telemetry = AnomalyTelemetry()
    hub = AlertHub(log, telemetry)
    heard: list[Alert] = []
    hub.listen(heard.append)
    fill_the_disk(log)
    for number in range(5):
        hub.publish(raised(number), snapshot())
    assert heard == []
    assert telemetry.backlog == 5
    assert telemetry.store_failures >= 5
    assert not hub.retry()
    make_room(log)
    assert hub.retry()
    assert [alert.id for alert in heard] == [raised(number).id for number in range(5)]
    assert [alert.cursor for alert in heard] == sorted(alert.cursor for alert in heard)
    assert telemetry.backlog == 0


def test_an_acknowledgement_is_told_once(log: AlertLog) -> None:
    hub = AlertHub(log)
    heard: list[Alert] = []
    hub.publish(RAISED)
    hub.listen(heard.append)
    hub.acknowledge(RAISED.id, "Ada")
    hub.acknowledge(RAISED.id, "Bob")
    assert [(alert.state, alert.acknowledged_by) for alert in heard] == [(AlertState.ACKNOWLEDGED, "Ada")]


def test_alerts_are_counted(log: AlertLog) -> None:
    telemetry = AnomalyTelemetry()
    hub = AlertHub(log, telemetry)
    hub.publish(RAISED)
    assert telemetry.active == 1
    hub.publish(cleared(RAISED))
    assert (telemetry.active, telemetry.alerts["raised"], telemetry.alerts["cleared"]) == (0, 1, 1)
    hub.publish(raised(7))
    log.close()
    again = AlertLog.open(log.path)
    after = AnomalyTelemetry()
    AlertHub(again, after)
    assert after.active == 1
