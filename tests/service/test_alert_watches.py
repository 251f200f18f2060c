"""Watching alerts and verdicts over gRPC, and alerts on the watchers' socket: a real server, log and hub."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bridge.config import Settings
from bridge.service import anomaly_grpc, newest_verdicts
from bridge.service.newest_verdicts import NewestVerdicts
from bridge.service.tokens import Scope, append_token
from bridge.wire.alerts import AlertState, NoVerdict, Verdict
from bridge.wire.codec import alert_from_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2
from tests.engine.doubles import HoldingEngine
from tests.service.alert_desk import AlertStub, HandDesk, Watch
from tests.service_fixtures import PATIENCE_S, CallFailed, RunningServer, wait_until


@pytest.fixture
def desk(tmp_path: Path) -> HandDesk:
    return HandDesk.open(tmp_path)


@pytest.fixture
def running(desk: HandDesk) -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", zmq_watch="tcp://127.0.0.1:0")
    running = RunningServer(settings, engine=HoldingEngine(), desk=desk)
    yield running
    running.stop(grace_ms=0)


@pytest.fixture
def stub(running: RunningServer) -> Iterator[AlertStub]:
    with contextlib.closing(AlertStub(running.endpoints)) as stub:
        yield stub


def told(watch: Watch[anomaly_pb2.WatchAlertsResponse], count: int) -> list[tuple[str, int, int]]:
    """The next changes of alerts: id, revision and cursor; what only says that the line is alive is left out."""
    changes: list[tuple[str, int, int]] = []
    while len(changes) < count:
        message = watch.next()
        if message.HasField("alert"):
            assert message.cursor == message.alert.cursor
            changes.append((message.alert.id, message.alert.revision, message.cursor))
    return changes


# -- alerts


def test_a_watch_from_a_cursor_gets_what_was_and_then_what_comes(desk: HandDesk, stub: AlertStub) -> None:
    first = desk.raise_alert(1)
    desk.clear(first)
    watch = stub.watch(after_cursor=1)
    assert told(watch, 1) == [(first.id, 2, 2)]
    second = desk.raise_alert(2)
    stub.acknowledge(alert_id=second.id, acknowledged_by="ann")
    desk.clear(second)
    assert told(watch, 3) == [(second.id, 1, 3), (second.id, 2, 4), (second.id, 3, 5)]


def test_a_watch_without_a_cursor_begins_now_and_says_where(desk: HandDesk, stub: AlertStub) -> None:
    desk.raise_alert(1)
    watch = stub.watch()
    beginning = watch.next()
    assert not beginning.HasField("alert")
    assert beginning.cursor == 1
    desk.raise_alert(2)
    assert told(watch, 1) == [("alert-000002", 1, 2)]


def test_who_comes_back_with_the_last_cursor_misses_nothing_and_gets_nothing_twice(
    desk: HandDesk, stub: AlertStub
) -> None:
    cursor, seen = 0, []
    for round_ in range(5):
        watch = stub.watch(after_cursor=cursor)
        for number in range(4):
            desk.raise_alert(10 * round_ + number)
        seen += told(watch, 2 + round_ % 2)  # leaves with the rest on its way
        cursor = seen[-1][2]
        watch.cancel()
    rest = told(stub.watch(after_cursor=cursor), 20 - len(seen))
    assert [change[2] for change in seen + rest] == list(range(1, 21))


def test_a_watch_of_one_avatar_gets_nothing_of_others(desk: HandDesk, stub: AlertStub) -> None:
    watch = stub.watch(after_cursor=0, client_name="game", avatar_id="b")
    for number, (client, avatar) in enumerate([("game", "a"), ("other", "b"), ("game", "b")]):
        desk.raise_alert(number, client_name=client, avatar_id=avatar)
    assert told(watch, 1) == [("alert-000002", 1, 3)]


def test_a_silent_watch_says_that_it_is_alive_and_how_far_it_is(
    desk: HandDesk, stub: AlertStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly_grpc, "HEARTBEAT_S", 0.05)
    watch = stub.watch(avatar_id="nobody")
    assert watch.next() == anomaly_pb2.WatchAlertsResponse()
    desk.raise_alert(1)
    while (beat := watch.next()).cursor == 0:
        assert not beat.HasField("alert")
    assert beat == anomaly_pb2.WatchAlertsResponse(cursor=1)


def test_a_cursor_of_another_log_begins_this_one_from_the_start(desk: HandDesk, stub: AlertStub) -> None:
    desk.raise_alert(1)
    watch = stub.watch(after_cursor=7_000)
    assert told(watch, 1) == [("alert-000001", 1, 1)]
    desk.raise_alert(2)
    assert told(watch, 1) == [("alert-000002", 1, 2)]


def test_many_alerts_at_once_reach_every_watch_in_order(desk: HandDesk, stub: AlertStub) -> None:
    watches = [stub.watch(after_cursor=0) for _ in range(3)]
    watches[0].next()  # the others do not read yet

    def flood(first: int) -> None:
        for number in range(80):
            desk.raise_alert(first + number)

    threads = [threading.Thread(target=flood, args=(1000 * number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for watch in watches[1:]:
        assert [cursor for _, _, cursor in told(watch, 240)] == list(range(1, 241))


def test_a_change_that_cannot_be_stored_is_told_when_it_is(
    desk: HandDesk, stub: AlertStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = stub.watch()
    assert not watch.next().HasField("alert")
    desk.hub.log._database.execute("PRAGMA query_only = ON")
    desk.raise_alert(1)
    assert stub.list().last_cursor == 0
    desk.hub.log._database.execute("PRAGMA query_only = OFF")
    assert desk.hub.retry()
    assert told(watch, 1) == [("alert-000001", 1, 1)]


def test_watches_end_with_unavailable_when_the_server_stops_and_begin_again_elsewhere(
    desk: HandDesk, running: RunningServer, stub: AlertStub, tmp_path: Path
) -> None:
    alerts, verdicts = stub.watch(), stub.watch_verdicts()
    cursor = alerts.next().cursor
    verdicts.wait_until_on()
    desk.raise_alert(1)
    running.stop(grace_ms=0)
    with pytest.raises(CallFailed) as caught:
        while True:
            cursor = alerts.next().cursor
    assert caught.value.status == "UNAVAILABLE"
    assert cursor == 1
    with pytest.raises(CallFailed) as ended:
        verdicts.next()
    assert ended.value.status == "UNAVAILABLE"
    again = HandDesk.open(tmp_path)
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="")
    successor = RunningServer(settings, engine=HoldingEngine(), desk=again)
    try:
        with contextlib.closing(AlertStub(successor.endpoints)) as other:
            watch = other.watch(after_cursor=cursor)
            again.raise_alert(2)
            assert told(watch, 1) == [("alert-000002", 1, 2)]
    finally:
        successor.stop(grace_ms=0)


def test_more_watches_than_there_may_be_are_refused_until_one_is_gone(
    desk: HandDesk, stub: AlertStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly_grpc, "MAX_WATCHES", 2)
    first, second = stub.watch(), stub.watch_verdicts()
    first.next()
    second.wait_until_on()
    with pytest.raises(CallFailed) as caught:
        stub.watch().next()
    assert caught.value.status == "RESOURCE_EXHAUSTED"
    assert caught.value.detail.retry_after_ms > 0
    second.cancel()
    wait_until(lambda: not desk.hand.watched)
    assert not stub.watch().next().HasField("alert")


def test_who_leaves_is_told_nothing_more(desk: HandDesk, stub: AlertStub) -> None:
    before = len(desk.hub._listeners)
    watch = stub.watch()
    watch.next()
    assert len(desk.hub._listeners) == before + 1
    watch.cancel()
    wait_until(lambda: len(desk.hub._listeners) == before)


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("after_cursor", {"after_cursor": 2**63}),
        ("client_name", {"client_name": "/"}),
        ("avatar_id", {"avatar_id": "ü"}),
    ],
)
def test_a_watch_that_makes_no_sense_is_refused_by_field(
    stub: AlertStub, field: str, request_: dict[str, object]
) -> None:
    with pytest.raises(CallFailed) as caught:
        stub.watch(**request_).next()
    assert (caught.value.status, caught.value.detail.field) == ("INVALID_ARGUMENT", field)


def test_where_alerts_are_off_watches_say_so() -> None:
    running = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="", anomaly=False), engine=HoldingEngine())
    try:
        with contextlib.closing(AlertStub(running.endpoints)) as stub:
            for watch in (stub.watch(), stub.watch_verdicts()):
                with pytest.raises(CallFailed) as caught:
                    watch.next()
                assert (caught.value.status, caught.value.detail.field) == ("FAILED_PRECONDITION", "anomaly")
    finally:
        running.stop(grace_ms=0)


def test_watching_takes_the_scope_watch(desk: HandDesk, tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    tokens = {scope: append_token(path, scope.value, [scope])[0] for scope in Scope}
    running = RunningServer(
        Settings(ops="", grpc="127.0.0.1:0", zmq="", tokens=path), engine=HoldingEngine(), desk=desk
    )
    try:
        for scope, status in (
            (Scope.STREAM, "PERMISSION_DENIED"),
            (Scope.ADMIN, "PERMISSION_DENIED"),
            (None, "UNAUTHENTICATED"),
        ):
            metadata = (("authorization", f"Bearer {tokens[scope]}"),) if scope else ()
            with contextlib.closing(AlertStub(running.endpoints, metadata=metadata)) as stub:
                for watch in (stub.watch(), stub.watch_verdicts()):
                    with pytest.raises(CallFailed) as caught:
                        watch.next()
                    assert caught.value.status == status
        bearer = (("authorization", f"Bearer {tokens[Scope.WATCH]}"),)
        with contextlib.closing(AlertStub(running.endpoints, metadata=bearer)) as stub:
            assert not stub.watch().next().HasField("alert")
    finally:
        running.stop(grace_ms=0)


# -- verdicts


def test_verdicts_are_told_as_they_come_of_whom_was_asked_for(desk: HandDesk, stub: AlertStub) -> None:
    everyone, one = stub.watch_verdicts(rate_hz=60.0), stub.watch_verdicts(client_name="game", avatar_id="b")
    everyone.wait_until_on()
    one.wait_until_on()
    desk.hand.tell("game", "a", Verdict(1, 2, 0.25, evidence=0.5, alert_id="alert-1"))
    desk.hand.tell("game", "b", Verdict(3, 4, None, NoVerdict.TOO_SHORT))
    seen = {message.avatar_id: message for message in (everyone.next(), everyone.next())}
    assert seen["a"].verdict.p_value == 0.25
    assert seen["a"].verdict.alert_id == "alert-1"
    assert not seen["b"].verdict.HasField("p_value")
    assert seen["b"].verdict.no_verdict == anomaly_pb2.NO_VERDICT_TOO_SHORT
    only = one.next()
    assert (only.client_name, only.avatar_id, only.verdict.sequence) == ("game", "b", 3)


def test_a_reader_who_asks_for_few_verdicts_gets_the_newest(desk: HandDesk, stub: AlertStub) -> None:
    watch = stub.watch_verdicts(rate_hz=4.0)
    watch.wait_until_on()
    began_s = time.monotonic()
    for sequence in range(1, 101):
        desk.hand.tell("game", "a", Verdict(sequence, sequence, 0.5))
    seen = [watch.next().verdict.sequence]
    while seen[-1] < 100:
        seen.append(watch.next().verdict.sequence)
    assert len(seen) <= 2 + 4.0 * (time.monotonic() - began_s)
    assert seen == sorted(seen)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 60.5, float("nan"), float("inf")])
def test_a_rate_of_verdicts_that_cannot_be_is_refused(stub: AlertStub, rate_hz: float) -> None:
    with pytest.raises(CallFailed) as caught:
        stub.watch_verdicts(rate_hz=rate_hz).next()
    assert (caught.value.status, caught.value.detail.field) == ("INVALID_ARGUMENT", "rate_hz")


def test_verdicts_of_avatars_without_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest_verdicts, "MAX_WATCHED_AVATARS", 3)
    rung = []
    waiting = NewestVerdicts("", "", lambda: rung.append(True))
    for number in range(10):
        waiting.note("game", f"a{number}", Verdict(number, number, 0.5))
    assert [message.avatar_id for message in waiting.take()] == ["a7", "a8", "a9"]
    assert waiting.take() == []
    assert len(rung) == 1
    waiting.note("game", "a", Verdict(1, 1, 0.5))
    assert len(rung) == 2


# -- the watchers' socket


def test_subscribers_get_alerts_under_the_avatars_full_name_and_fill_gaps(
    desk: HandDesk, running: RunningServer, stub: AlertStub
) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.setsockopt_string(zmq.SUBSCRIBE, "alerts/game/")
        subscriber.connect(running.endpoints.zmq_watch)
        number = 1
        desk.raise_alert(number)
        while not subscriber.poll(20):  # a subscription takes a while; until then alerts go by
            number += 1
            desk.raise_alert(number)
        topic, data = subscriber.recv_multipart()
        assert topic == b"alerts/game/player1"
        first = anomaly_pb2.Alert.FromString(data)
        missed = stub.list(after_cursor=0).alerts[: first.cursor - 1]
        assert [each.cursor for each in missed] == list(range(1, first.cursor))
        desk.raise_alert(900, client_name="other")
        desk.raise_alert(901, avatar_id="player2")
        while topic != b"alerts/game/player2":
            assert subscriber.poll(round(PATIENCE_S * 1000))
            topic, data = subscriber.recv_multipart()
            assert topic.startswith(b"alerts/game/")
        change = alert_from_message(anomaly_pb2.Alert.FromString(data))
        assert (change.id, change.state) == ("alert-000901", AlertState.RAISED)
