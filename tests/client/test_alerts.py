"""The client's side of alerts, over both transports, against a real server with a real log."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.client import AlertsClient, connect
from bridge.client.incoming import Incoming
from bridge.config import Settings
from bridge.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from bridge.service.tokens import Scope, append_token
from bridge.wire.alerts import Alert, AlertState, NoVerdict, Verdict
from bridge.wire.values import SessionConfig
from tests.engine.doubles import HoldingEngine
from tests.service.alert_desk import HandDesk, alert
from tests.service_fixtures import PATIENCE_S, RunningServer, wait_until
from tests.support import TINY_LAYOUT, free_port

SETTINGS = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", zmq_watch="tcp://127.0.0.1:0")


class Scene:
    def __init__(self, folder: Path, settings: Settings = SETTINGS) -> None:
        self.desk = HandDesk.open(folder)
        self.server = RunningServer(settings, engine=HoldingEngine(), desk=self.desk)
        self._readers: list[AlertsClient] = []

    def reader(self, transport: str, **options: str) -> AlertsClient:
        ends = self.server.endpoints
        made = (
            AlertsClient(ends.grpc, **options)  # type: ignore[arg-type]
            if transport == "grpc"
            else AlertsClient(ends.zmq, publisher=ends.zmq_watch, **options)  # type: ignore[arg-type]
        )
        self._readers.append(made)
        return made

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self.server.stop(grace_ms=0)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


def watched(reader: AlertsClient, after: int | None = None, **names: str) -> queue.Queue[Alert]:
    found: queue.Queue[Alert] = queue.Queue()

    def follow() -> None:
        for each in reader.watch(after, **names):
            found.put(each)

    threading.Thread(target=follow, daemon=True).start()
    return found


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_alerts_are_looked_up_and_acknowledged(scene: Scene, transport: str) -> None:
    reader = scene.reader(transport)
    for number in range(3):
        scene.desk.raise_alert(number, avatar_id=f"p{number}")
    page = reader.newest(limit=2)
    assert [a.id for a in page.alerts] == [alert(2).id, alert(1).id]
    assert page.last_cursor == 3
    assert [a.cursor for a in reader.changes_after(1).alerts] == [2, 3]
    assert [a.avatar_id for a in reader.newest(avatar_id="p1").alerts] == ["p1"]
    seen = reader.acknowledge(alert(1).id, "Ada", "seen")
    assert (seen.state, seen.acknowledged_by, seen.note) == (AlertState.ACKNOWLEDGED, "Ada", "seen")
    again, snapshot = reader.snapshot(alert(1).id)
    assert again == seen
    assert snapshot is not None
    with pytest.raises(NotFound):
        reader.acknowledge("nothing", "Ada")
    with pytest.raises(InvalidInput, match="acknowledged_by"):
        reader.acknowledge(alert(1).id, "")


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_a_watch_tells_every_change_once_from_where_it_is_asked_to(scene: Scene, transport: str) -> None:
    first = scene.desk.raise_alert(1)
    found = watched(scene.reader(transport), 0)
    assert found.get(timeout=PATIENCE_S).id == first.id
    second = scene.desk.raise_alert(2)
    scene.desk.clear(first)
    changes = [found.get(timeout=PATIENCE_S) for _ in range(2)]
    assert [(c.id, c.state) for c in changes] == [(second.id, AlertState.RAISED), (first.id, AlertState.CLEARED)]
    assert [c.cursor for c in changes] == [2, 3]
    assert found.empty()


def test_a_watch_of_one_avatar_hears_of_no_other(scene: Scene) -> None:
    found = watched(scene.reader("grpc"), 0, client_name="game", avatar_id="p2")
    scene.desk.raise_alert(1, avatar_id="p1")
    scene.desk.raise_alert(2, avatar_id="p2")
    assert found.get(timeout=PATIENCE_S).id == alert(2).id


def test_a_watch_from_now_on_leaves_out_what_was(scene: Scene) -> None:
    scene.desk.raise_alert(1)
    reader = scene.reader("grpc")
    found = watched(reader)
    number = 2

    def heard() -> bool:
        nonlocal number
        scene.desk.raise_alert(number)
        number += 1
        return not found.empty()

    wait_until(heard)
    assert found.get_nowait().id != alert(1).id


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_a_restart_of_the_server_costs_a_watcher_nothing(tmp_path: Path, transport: str) -> None:
    ports = [free_port() for _ in range(3)]
    settings = Settings(
        ops="",
        grpc=f"127.0.0.1:{ports[0]}",
        zmq=f"tcp://127.0.0.1:{ports[1]}",
        zmq_watch=f"tcp://127.0.0.1:{ports[2]}",
    )
    scene = Scene(tmp_path, settings)
    reader = scene.reader(transport)
    found = watched(reader, 0)
    scene.desk.raise_alert(1)
    assert found.get(timeout=PATIENCE_S).cursor == 1
    scene.server.stop(grace_ms=0)
    again = Scene(tmp_path, settings)
    again.desk.raise_alert(2)
    again.desk.raise_alert(3)
    assert [found.get(timeout=PATIENCE_S).cursor for _ in range(2)] == [2, 3]
    reader.close()
    again.close()


def test_verdicts_are_told_as_they_come(scene: Scene) -> None:
    reader = scene.reader("grpc")
    found: queue.Queue[tuple[str, str, Verdict]] = queue.Queue()

    def follow() -> None:
        for told in reader.verdicts(rate_hz=60.0):
            found.put(told)

    threading.Thread(target=follow, daemon=True).start()
    wait_until(lambda: scene.desk.hand.watched)
    scene.desk.hand.tell("game", "p1", Verdict(7, 70, 0.25, None, 0.5, ""))
    client, avatar, verdict = found.get(timeout=PATIENCE_S)
    assert (client, avatar, verdict.sequence, verdict.p_value) == ("game", "p1", 7, 0.25)
    scene.desk.hand.tell("game", "p2", Verdict(8, 80, None, NoVerdict.TOO_SHORT))
    assert found.get(timeout=PATIENCE_S)[2].no_verdict is NoVerdict.TOO_SHORT


def test_what_a_transport_cannot_do_is_said(scene: Scene) -> None:
    plain = AlertsClient(scene.server.endpoints.zmq)
    with pytest.raises(InvalidInput, match="publisher"):
        next(plain.watch(0))
    with pytest.raises(InvalidInput, match="gRPC"):
        next(plain.verdicts())


def test_a_server_without_alerts_says_so(tmp_path: Path) -> None:
    server = RunningServer(Settings(ops="", grpc="127.0.0.1:0", zmq="", anomaly=False), engine=HoldingEngine())
    try:
        with pytest.raises(FailedPrecondition, match="off"):
            AlertsClient(server.endpoints.grpc).newest()
    finally:
        server.stop(grace_ms=0)


def test_looking_takes_one_scope_and_acknowledging_another(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    watch, _ = append_token(tokens, "watcher", [Scope.WATCH])
    admin, _ = append_token(tokens, "admin", [Scope.WATCH, Scope.ADMIN])
    scene = Scene(tmp_path, Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", tokens=tokens))
    try:
        scene.desk.raise_alert(1)
        with pytest.raises(Unauthenticated):
            scene.reader("grpc").newest()
        assert len(scene.reader("grpc", token=watch).newest().alerts) == 1
        with pytest.raises(PermissionDenied):
            scene.reader("grpc", token=watch).acknowledge(alert(1).id, "Ada")
        assert scene.reader("grpc", token=admin).acknowledge(alert(1).id, "Ada").acknowledged_by == "Ada"
    finally:
        scene.close()


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_a_session_hears_of_its_own_alerts_and_of_no_others(scene: Scene, transport: str) -> None:
    config = SessionConfig(client_name="game", layout_id=TINY_LAYOUT.id)
    ends = scene.server.endpoints
    with connect(ends.grpc if transport == "grpc" else ends.zmq, config=config) as client:
        accepted = client.wait_connected()
        (session,) = scene.server.sessions
        session.notify_alert(alert(1, session_id=accepted.session_id))
        session.notify_alert(alert(1, session_id=accepted.session_id))
        session.notify_alert(alert(2, session_id=accepted.session_id))
        found: list[Alert] = []

        def both() -> bool:
            found.extend(client.alerts())
            return len(found) >= 2

        wait_until(both)
        assert [a.id for a in found] == [alert(1).id, alert(2).id]
        assert client.alerts() == ()


def test_old_alerts_give_way_when_nobody_reads_them() -> None:
    incoming = Incoming()
    for number in range(1500):
        incoming.add_alert(alert(number))
    kept = incoming.take_alerts()
    assert len(kept) == 1024
    assert kept[-1].id == alert(1499).id
