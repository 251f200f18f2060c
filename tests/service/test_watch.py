"""The watchers' socket, without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bridge.curve_keys import KeyPair
from bridge.errors import InvalidInput, Unavailable
from bridge.service.curve import CurveServer
from bridge.service.watch import WatchPublisher, require_watchers_known, topic_of
from bridge.wire.codec import alert_from_message
from bridge.wire.generated.posebridge.v1 import anomaly_pb2, forecast_pb2
from tests.service.alert_desk import alert
from tests.service.test_curve import raw
from tests.service_fixtures import PATIENCE_S, wait_until


class Watcher:
    """A SUB socket."""

    def __init__(self, address: str, *topics: str, own: KeyPair | None = None, server_public: str = "") -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.SNDHWM, 0)  # subscriptions are messages too
        if own is not None:
            self.socket.curve_publickey, self.socket.curve_secretkey = own.public.encode(), own.secret.encode()
            self.socket.curve_serverkey = server_public.encode()
        for topic in topics:
            self.socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        self.socket.connect(address)

    def receive_bytes(self) -> tuple[str, bytes]:
        assert self.socket.poll(round(PATIENCE_S * 1000)), "nothing was published"
        topic, data = self.socket.recv_multipart()
        return topic.decode(), data

    def receive(self) -> tuple[str, forecast_pb2.PoseForecast]:
        topic, data = self.receive_bytes()
        return topic, forecast_pb2.PoseForecast.FromString(data)

    def close(self) -> None:
        self._context.destroy(linger=0)


def response(avatar_id: str, sequence: int = 0) -> forecast_pb2.StreamForecastsResponse:
    forecast = forecast_pb2.PoseForecast(avatar_id=avatar_id, based_on_sequence=sequence)
    return forecast_pb2.StreamForecastsResponse(forecast=forecast)


@pytest.fixture
def publisher() -> Iterator[WatchPublisher]:
    made = WatchPublisher()
    yield made
    assert made.stop()


@pytest.fixture
def address(publisher: WatchPublisher) -> str:
    return publisher.start("tcp://127.0.0.1:0")


@pytest.fixture
def watch(address: str) -> Iterator[list[Watcher]]:
    open_ones: list[Watcher] = []
    yield open_ones
    for watcher in open_ones:
        watcher.close()


def test_nothing_is_wanted_until_someone_subscribes_and_after_they_leave(
    publisher: WatchPublisher, address: str
) -> None:
    assert not publisher.wants("game", "a")
    watcher = Watcher(address, "forecast/")
    wait_until(lambda: publisher.wants("game", "a"))
    watcher.close()
    wait_until(lambda: not publisher.wants("game", "a"))
    publisher.note_sent("game", response("a"))
    assert publisher.published == 0


def test_watchers_get_what_they_asked_for(publisher: WatchPublisher, address: str, watch: list[Watcher]) -> None:
    watch += [Watcher(address, "forecast/game/"), Watcher(address, "forecast/other/b")]
    wait_until(lambda: publisher.wants("game", "a") and publisher.wants("other", "b"))
    assert not publisher.wants("other", "a")
    assert not publisher.wants("gam", "a")
    for client, avatar in (("other", "a"), ("game", "a"), ("other", "b"), ("game", "b")):
        publisher.note_sent(client, response(avatar, 7))
    game, other = watch
    assert [game.receive()[0] for _ in range(2)] == ["forecast/game/a", "forecast/game/b"]
    topic, forecast = other.receive()
    assert (topic, forecast.avatar_id, forecast.based_on_sequence) == ("forecast/other/b", "b", 7)
    assert publisher.published == 3


def test_only_forecasts_are_published(publisher: WatchPublisher, address: str, watch: list[Watcher]) -> None:
    watch.append(Watcher(address, ""))
    wait_until(lambda: publisher.wants("game", "a"))
    publisher.note_sent("game", forecast_pb2.StreamForecastsResponse(draining=forecast_pb2.Draining()))
    publisher.note_sent("game", response("a"))
    assert watch[0].receive()[0] == "forecast/game/a"


def test_alerts_have_a_topic_of_their_own(publisher: WatchPublisher, address: str, watch: list[Watcher]) -> None:
    publisher.note_alert(alert(1, client_name="game", avatar_id="a"))  # nobody watches
    watch += [Watcher(address, "alerts/game/a"), Watcher(address, "forecast/")]
    wait_until(lambda: publisher.wants("game", "a") and len(publisher._topics) == 2)
    publisher.note_alert(alert(2, client_name="other", avatar_id="a"))
    publisher.note_alert(alert(3, client_name="game", avatar_id="a"))
    publisher.note_sent("game", response("a"))
    topic, data = watch[0].receive_bytes()
    assert topic == "alerts/game/a"
    assert alert_from_message(anomaly_pb2.Alert.FromString(data)) == alert(3, client_name="game", avatar_id="a")
    assert watch[1].receive()[0] == "forecast/game/a"
    assert publisher.published == 2


def test_forecasts_that_wait_do_not_push_alerts_out(
    publisher: WatchPublisher, address: str, watch: list[Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.append(Watcher(address, "forecast/", "alerts/"))
    wait_until(lambda: len(publisher._topics) == 2)
    publisher._rung = True  # what is published waits until someone rings
    for sequence in range(2000):
        publisher.note_sent("game", response("a", sequence))
        if sequence == 0:
            publisher.note_alert(alert(1, client_name="game", avatar_id="a"))
    publisher._ring()
    assert watch[0].receive_bytes()[0] == "alerts/game/a"


def test_several_threads_may_publish(publisher: WatchPublisher, address: str, watch: list[Watcher]) -> None:
    watch.append(Watcher(address, "forecast/"))
    watch[0].socket.setsockopt(zmq.RCVHWM, 0)
    wait_until(lambda: publisher.wants("0", "a"))

    def send(name: str) -> None:
        for sequence in range(20):
            publisher.note_sent(name, response("a", sequence))

    threads = [threading.Thread(target=send, args=(str(number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    seen: dict[str, list[int]] = {}
    for _ in range(60):
        topic, forecast = watch[0].receive()
        seen.setdefault(topic, []).append(forecast.based_on_sequence)
    for thread in threads:
        thread.join()
    assert list(seen.values()) == [list(range(20))] * 3


def test_watcher_that_does_not_read_holds_nobody_up(
    publisher: WatchPublisher, address: str, watch: list[Watcher]
) -> None:
    lazy = Watcher(address, "forecast/")
    watch.append(lazy)
    wait_until(lambda: publisher.wants("game", "a"))
    large = response("a")
    large.forecast.futures.data = bytes(100_000)
    for _ in range(3000):
        publisher.note_sent("game", large)
    assert len(publisher._waiting) <= 1024
    wait_until(lambda: not publisher._waiting)


def test_more_topics_than_are_told_apart_mean_everything(
    publisher: WatchPublisher, address: str, watch: list[Watcher]
) -> None:
    watch.append(Watcher(address, *(f"t{number}" for number in range(4100))))
    wait_until(lambda: publisher.wants("game", "a"))
    assert publisher._topics == (b"",)


def test_listed_key_watches_and_others_do_not() -> None:
    listed, stranger, server = KeyPair.new(), KeyPair.new(), KeyPair.new()
    publisher = WatchPublisher(curve=CurveServer(server, frozenset({raw(listed.public)})))
    address = publisher.start("tcp://127.0.0.1:0")
    refused = Watcher(address, "forecast/stranger", own=stranger, server_public=server.public)
    plain = Watcher(address, "forecast/plain")
    watcher = Watcher(address, "forecast/game", own=listed, server_public=server.public)
    wait_until(lambda: publisher.wants("game", "a"))
    publisher.note_sent("game", response("a"))
    assert watcher.receive()[1].avatar_id == "a"
    assert not publisher.wants("stranger", "a") and not publisher.wants("plain", "a")
    for one in (refused, plain, watcher):
        one.close()
    assert publisher.stop()


def test_address_in_use_or_wrong_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="in use") as caught:
        WatchPublisher().start(address)
    assert caught.value.field == "zmq_watch"
    with pytest.raises(InvalidInput) as wrong:
        WatchPublisher().start("nonsense")
    assert wrong.value.field == "zmq_watch"


def test_with_tokens_only_listed_keys_may_watch() -> None:
    keys = KeyPair.new()
    for curve in (None, CurveServer(keys, None)):
        with pytest.raises(InvalidInput, match="subscription") as caught:
            require_watchers_known(tokens=True, curve=curve)
        assert caught.value.field == "zmq_watch"
        require_watchers_known(tokens=False, curve=curve)
    require_watchers_known(tokens=True, curve=CurveServer(keys, frozenset({b"k" * 32})))


def test_topic_is_the_avatars_full_name() -> None:
    assert topic_of("game", "player1") == b"forecast/game/player1"
    assert topic_of("game", "player1", kind="alerts") == b"alerts/game/player1"
