"""What is asked about alerts, over both transports: a real server, log and hub."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from bridge import limits
from bridge.config import Settings
from bridge.errors import Unavailable
from bridge.service import alert_calls
from bridge.service.tokens import Scope, append_token
from bridge.wire.alerts import Alert, AlertState
from bridge.wire.codec import alert_from_message, alert_snapshot_from_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, envelope_pb2
from tests.engine.doubles import HoldingEngine
from tests.service.alert_desk import AlertStub, HandDesk, alert, cleared, snapshot
from tests.service_fixtures import CallFailed, Connections, Player, RunningServer, ZmqClient
from tests.support import TINY_LAYOUT


class AlertsOver(Protocol):
    """The calls, whatever the transport."""

    def list(self, **request: Any) -> anomaly_pb2.ListAlertsResponse: ...
    def acknowledge(self, **request: str) -> anomaly_pb2.AcknowledgeAlertResponse: ...
    def snapshot(self, alert_id: str) -> anomaly_pb2.GetAlertSnapshotResponse: ...


class ZmqAlerts:
    """The calls in envelopes."""

    def __init__(self, client: ZmqClient, token: str = "") -> None:
        self._client = client
        self._token = token
        self._number = 100

    def list(self, **request: Any) -> anomaly_pb2.ListAlertsResponse:
        return self._ask(list_alerts=anomaly_pb2.ListAlertsRequest(**request)).list_alerts

    def acknowledge(self, **request: str) -> anomaly_pb2.AcknowledgeAlertResponse:
        return self._ask(acknowledge_alert=anomaly_pb2.AcknowledgeAlertRequest(**request)).acknowledge_alert

    def snapshot(self, alert_id: str) -> anomaly_pb2.GetAlertSnapshotResponse:
        request = anomaly_pb2.GetAlertSnapshotRequest(alert_id=alert_id)
        return self._ask(get_alert_snapshot=request).get_alert_snapshot

    def _ask(self, **payload: Any) -> envelope_pb2.ServerEnvelope:
        self._number += 1
        self._client.send_envelope(envelope_pb2.ClientEnvelope(request_id=self._number, token=self._token, **payload))
        envelope = self._client.receive_envelope()
        assert envelope.request_id == self._number
        assert envelope.WhichOneof("payload") in payload
        return envelope


Opener = Callable[..., AlertsOver]


@pytest.fixture
def desk(tmp_path: Path) -> HandDesk:
    return HandDesk.open(tmp_path)


@pytest.fixture
def running(desk: HandDesk) -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0")
    running = RunningServer(settings, engine=HoldingEngine(), desk=desk)
    yield running
    running.stop(grace_ms=0)


@pytest.fixture
def open_calls(transport: str, connect: Connections) -> Iterator[Opener]:
    with contextlib.ExitStack() as stack:

        def opened(running: RunningServer, token: str = "") -> AlertsOver:
            if transport == "zmq":
                return ZmqAlerts(connect.zmq(running.endpoints), token)
            metadata = (("authorization", f"Bearer {token}"),) if token else ()
            return stack.enter_context(contextlib.closing(AlertStub(running.endpoints, metadata=metadata)))

        yield opened


@pytest.fixture
def calls(running: RunningServer, open_calls: Opener) -> AlertsOver:
    return open_calls(running)


def ids(response: anomaly_pb2.ListAlertsResponse) -> list[str]:
    return [each.id for each in response.alerts]


def refused(call: Callable[[], object]) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        call()
    assert caught.value.detail.problem
    return caught.value


# -- listing


def test_alerts_are_listed_as_they_stand_newest_first(desk: HandDesk, calls: AlertsOver) -> None:
    assert calls.list() == anomaly_pb2.ListAlertsResponse()
    first, second = desk.raise_alert(1), desk.raise_alert(2, avatar_id="player2")
    desk.clear(first)
    answer = calls.list()
    assert ids(answer) == [second.id, first.id]
    assert [each.state for each in answer.alerts] == [anomaly_pb2.ALERT_STATE_RAISED, anomaly_pb2.ALERT_STATE_CLEARED]
    assert answer.last_cursor == 3
    assert alert_from_message(answer.alerts[1]).joints == first.joints


def test_a_gap_is_filled_with_every_change_after_a_cursor(desk: HandDesk, calls: AlertsOver) -> None:
    for number in range(1, 6):
        desk.clear(desk.raise_alert(number))
    seen = []
    cursor = 3
    while (page := calls.list(after_cursor=cursor, limit=3)).alerts:
        seen += [each.cursor for each in page.alerts]
        cursor = page.alerts[-1].cursor
    assert seen == [4, 5, 6, 7, 8, 9, 10]
    assert cursor == page.last_cursor


def test_a_list_can_be_of_one_client_or_avatar_or_of_what_is_on(desk: HandDesk, calls: AlertsOver) -> None:
    one = desk.raise_alert(1, client_name="game", avatar_id="a")
    other = desk.raise_alert(2, client_name="other", avatar_id="a")
    third = desk.raise_alert(3, client_name="game", avatar_id="b")
    desk.clear(one)
    assert ids(calls.list(client_name="game")) == [third.id, one.id]
    assert ids(calls.list(avatar_id="a")) == [other.id, one.id]
    assert ids(calls.list(active_only=True)) == [third.id, other.id]
    assert ids(calls.list(client_name="game", avatar_id="a", after_cursor=0)) == [one.id, one.id]
    assert ids(calls.list(client_name="nobody")) == []


def test_older_alerts_come_page_by_page(desk: HandDesk, calls: AlertsOver) -> None:
    raised = [desk.raise_alert(number).id for number in range(1, 6)]
    first = calls.list(limit=2)
    rest = calls.list(limit=10, before_cursor=first.alerts[-1].cursor)
    assert ids(first) + ids(rest) == raised[::-1]


def test_a_cursor_of_another_log_begins_this_one_from_the_start(desk: HandDesk, calls: AlertsOver) -> None:
    desk.raise_alert(1)
    answer = calls.list(after_cursor=5_000)
    assert ids(answer) == ["alert-000001"]
    assert answer.last_cursor == 1


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("limit", {"limit": 0}),
        ("limit", {"limit": 1001}),
        ("after_cursor", {"after_cursor": 2**64 - 1}),
        ("before_cursor", {"after_cursor": 1, "before_cursor": 1}),
        ("client_name", {"client_name": "a/b"}),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_field(
    calls: AlertsOver, field: str, request_: dict[str, Any]
) -> None:
    failure = refused(lambda: calls.list(**request_))
    assert failure.detail.field == field
    assert failure.detail.code == 1
    assert not failure.session_ended or failure.status == "INVALID_ARGUMENT"


def test_an_answer_too_long_for_a_message_says_to_ask_for_less(
    desk: HandDesk, calls: AlertsOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 20):
        desk.raise_alert(number)
    monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", limits.MESSAGE_OVERHEAD_BYTES + 1000)
    assert refused(lambda: calls.list()).detail.field == "limit"
    assert len(calls.list(limit=3).alerts) == 3


# -- acknowledging


def test_an_acknowledgement_is_stored_and_told_and_counts_once(desk: HandDesk, calls: AlertsOver) -> None:
    told: list[Alert] = []
    desk.hub.listen(told.append)
    desk.raise_alert(1)
    first = calls.acknowledge(alert_id="alert-000001", acknowledged_by="ann", note="seen\nit").alert
    again = calls.acknowledge(alert_id="alert-000001", acknowledged_by="bob").alert
    assert first == again
    assert (first.acknowledged_by, first.note, first.revision) == ("ann", "seen\nit", 2)
    assert first.state == anomaly_pb2.ALERT_STATE_ACKNOWLEDGED
    assert not first.HasField("ended_us")
    assert [change.revision for change in told] == [1, 2]
    assert calls.list().alerts[0] == first


@pytest.mark.parametrize(
    ("field", "code", "request_"),
    [
        ("alert_id", 1, {"acknowledged_by": "ann"}),
        ("alert_id", 1, {"alert_id": "x" * 1000, "acknowledged_by": "ann"}),
        ("alert_id", 3, {"alert_id": "alert-000009", "acknowledged_by": "ann"}),
        ("acknowledged_by", 1, {"alert_id": "alert-000001"}),
        ("acknowledged_by", 1, {"alert_id": "alert-000001", "acknowledged_by": "x" * 65}),
        ("note", 1, {"alert_id": "alert-000001", "acknowledged_by": "ann", "note": "x" * 1001}),
    ],
)
def test_an_acknowledgement_that_makes_no_sense_is_refused_by_field(
    desk: HandDesk, calls: AlertsOver, field: str, code: int, request_: dict[str, str]
) -> None:
    desk.raise_alert(1)
    failure = refused(lambda: calls.acknowledge(**request_))
    assert (failure.detail.field, failure.detail.code) == (field, code)
    assert calls.list().last_cursor == 1


# -- snapshots


def test_what_was_seen_comes_back_with_the_alert(desk: HandDesk, calls: AlertsOver) -> None:
    desk.raise_alert(1)
    back, seen = alert_snapshot_from_message(calls.snapshot("alert-000001"))
    assert back.id == "alert-000001"
    assert seen is not None
    assert seen.score_names == snapshot().score_names
    assert seen.observed_m.shape == (3, TINY_LAYOUT.joints, 4)
    assert seen.samples_m.shape == (2, 4, TINY_LAYOUT.joints, 3)


def test_an_alert_without_a_snapshot_comes_alone_and_an_unknown_one_not(desk: HandDesk, calls: AlertsOver) -> None:
    desk.hub.publish(alert(1))
    assert alert_snapshot_from_message(calls.snapshot("alert-000001"))[1] is None
    assert refused(lambda: calls.snapshot("alert-000002")).detail.code == 3


# -- on the session's own stream


def test_a_session_is_told_of_its_own_alerts_and_of_no_others(
    desk: HandDesk, running: RunningServer, transport: str, connect: Connections, open_calls: Opener
) -> None:
    player = Player(connect.over(transport, running.endpoints), TINY_LAYOUT)
    desk.raise_alert(1)
    raised = desk.raise_alert(2, session_id=player.accepted.session_id)
    desk.raise_alert(3)
    open_calls(running).acknowledge(alert_id=raised.id, acknowledged_by="ann")
    desk.clear(raised)
    changes: list[tuple[str, AlertState]] = []
    while len(changes) < 3:
        response = player.client.receive()
        if response.HasField("alert"):
            change = alert_from_message(response.alert)
            changes.append((change.id, change.state))
    states = (AlertState.RAISED, AlertState.ACKNOWLEDGED, AlertState.CLEARED)
    assert changes == [(raised.id, state) for state in states]


# -- when it cannot be answered


@pytest.fixture
def unwatched() -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", anomaly=False)
    running = RunningServer(settings, engine=HoldingEngine())
    yield running
    running.stop(grace_ms=0)


def test_where_alerts_are_off_every_call_says_so(unwatched: RunningServer, open_calls: Opener) -> None:
    calls = open_calls(unwatched)
    for call in (
        calls.list,
        lambda: calls.acknowledge(alert_id="x", acknowledged_by="ann"),
        lambda: calls.snapshot("x"),
    ):
        failure = refused(call)
        assert (failure.detail.code, failure.detail.field) == (2, "anomaly")
        assert "calibration" in failure.detail.expected


def test_a_locked_log_is_told_and_the_next_call_is_answered(desk: HandDesk, calls: AlertsOver) -> None:
    desk.raise_alert(1)
    desk.hub.log._database.execute("PRAGMA busy_timeout = 20")
    with contextlib.closing(sqlite3.connect(desk.hub.log.path)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        failure = refused(lambda: calls.acknowledge(alert_id="alert-000001", acknowledged_by="ann"))
        assert failure.detail.code == 6
        stranger.rollback()
    assert calls.acknowledge(alert_id="alert-000001", acknowledged_by="ann").alert.revision == 2


def test_a_fault_of_ours_costs_one_call(desk: HandDesk, calls: AlertsOver, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(desk.hub.log.__class__, "newest", lambda *_, **__: 1 / 0)
        assert refused(calls.list).detail.code == 8
    assert ids(calls.list()) == []


def test_more_calls_than_can_wait_are_refused_and_all_others_answered(
    desk: HandDesk, running: RunningServer, connect: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_calls, "MAX_WAITING_CALLS", 8)
    client = connect.zmq(running.endpoints)
    with desk.hub.log._lock:  # the log is busy
        for number in range(20):
            client.send_envelope(
                envelope_pb2.ClientEnvelope(request_id=number, list_alerts=anomaly_pb2.ListAlertsRequest())
            )
        for _ in range(12):
            assert refused(client.receive_envelope).detail.code == 5
    assert sorted(client.receive_envelope().request_id for _ in range(8)) == list(range(8))


def test_other_calls_do_not_wait_for_a_log_that_is_busy(
    desk: HandDesk, running: RunningServer, transport: str, connect: Connections, open_calls: Opener
) -> None:
    player = Player(connect.over(transport, running.endpoints), TINY_LAYOUT)
    calls = open_calls(running)
    listed: list[anomaly_pb2.ListAlertsResponse] = []
    with desk.hub.log._lock:
        waiting = threading.Thread(target=lambda: listed.append(calls.list()))
        waiting.start()
        assert player.client.model_info().layout_id == TINY_LAYOUT.id
        assert not listed
    waiting.join()
    assert len(listed) == 1


def test_a_server_that_cannot_listen_lets_go_of_the_log(
    running: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    taken = Settings(ops="", grpc=running.endpoints.grpc, zmq="")
    with pytest.raises(Unavailable):
        RunningServer(taken, engine=HoldingEngine(), desk=HandDesk.open(folder))
    again = HandDesk.open(folder)
    again.stop()
    again.stop()


# -- who may


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "tokens.toml"
    return {scope.value: append_token(path, scope.value, [scope])[0] for scope in Scope}


@pytest.fixture
def guarded(desk: HandDesk, tokens: dict[str, str], tmp_path: Path) -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", tokens=tmp_path / "tokens.toml")
    running = RunningServer(settings, engine=HoldingEngine(), desk=desk)
    yield running
    running.stop(grace_ms=0)


def test_looking_takes_the_scope_watch_and_acknowledging_admin(
    desk: HandDesk, guarded: RunningServer, tokens: dict[str, str], open_calls: Opener
) -> None:
    desk.raise_alert(1)
    acknowledgement = {"alert_id": "alert-000001", "acknowledged_by": "ann"}
    for scope, may_look, may_acknowledge in (("stream", False, False), ("watch", True, False), ("admin", False, True)):
        calls = open_calls(guarded, tokens[scope])
        looks: tuple[Callable[[], object], ...] = (calls.list, lambda calls=calls: calls.snapshot("alert-000001"))  # type: ignore[misc]
        for look in looks:
            if may_look:
                look()
            else:
                failure = refused(look)
                assert failure.detail.code == 11
                assert "watch" in failure.detail.expected
        if may_acknowledge:
            calls.acknowledge(**acknowledgement)
        else:
            assert "admin" in refused(lambda calls=calls: calls.acknowledge(**acknowledgement)).detail.expected  # type: ignore[misc]
    for nobody in ("", "wrong"):
        assert refused(open_calls(guarded, nobody).list).detail.code == 10


def test_a_cleared_alert_can_still_be_acknowledged(desk: HandDesk, calls: AlertsOver) -> None:
    raised = desk.raise_alert(1)
    calls.acknowledge(alert_id=raised.id, acknowledged_by="ann")
    desk.hub.publish(cleared(raised))
    last = calls.list().alerts[0]
    assert (last.state, last.acknowledged_by, last.revision) == (anomaly_pb2.ALERT_STATE_CLEARED, "ann", 3)
