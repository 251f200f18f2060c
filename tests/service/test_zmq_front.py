"""What is particular to ZeroMQ: tokens in envelopes, routing ids, and watchers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bridge import limits
from bridge.config import Settings
from bridge.curve_keys import KeyPair, write_key_pair
from bridge.errors import InvalidInput
from bridge.service.tokens import Scope, append_token
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2
from tests.engine.doubles import HoldingEngine
from tests.service.test_watch import Watcher
from tests.service_fixtures import (
    CallFailed,
    Connections,
    GrpcClient,
    Player,
    RunningServer,
    ServeCommand,
    ZmqClient,
    config_message,
    frame_message,
    wait_until,
)
from tests.support import TINY_LAYOUT


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access") / "tokens.toml"


@pytest.fixture(scope="module")
def token(token_file: Path) -> str:
    return append_token(token_file, "game", [Scope.STREAM])[0]


@pytest.fixture(scope="module")
def guarded(token_file: Path, token: str) -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="", zmq="tcp://127.0.0.1:0", tokens=token_file)
    running = RunningServer(settings, engine=HoldingEngine())
    yield running
    running.stop(grace_ms=0)


@pytest.fixture
def client(guarded: RunningServer, connect: Connections) -> ZmqClient:
    return connect.zmq(guarded.endpoints)


def opening(token: str = "") -> envelope_pb2.ClientEnvelope:
    request = forecast_pb2.StreamForecastsRequest(config=config_message(TINY_LAYOUT))
    return envelope_pb2.ClientEnvelope(stream=request, token=token)


def test_first_message_needs_the_token_and_the_others_do_not(client: ZmqClient, token: str) -> None:
    client.send_envelope(opening(token))
    assert client.receive().accepted.session_id
    client.send(forecast_pb2.StreamForecastsRequest(clock_ping=forecast_pb2.ClockPing(client_time_us=7)))
    assert client.receive().clock_pong.client_time_us == 7


@pytest.mark.parametrize("wrong", ["", "x" * 43, "nul\0", "new\nline", "x" * 1_000_000])
def test_every_call_needs_a_token_and_a_wrong_one_is_not_repeated(client: ZmqClient, wrong: str) -> None:
    single = forecast_pb2.ForecastRequest(config=config_message(TINY_LAYOUT))
    for envelope in (
        opening(wrong),
        envelope_pb2.ClientEnvelope(request_id=5, forecast=single, token=wrong),
        envelope_pb2.ClientEnvelope(request_id=6, get_model_info=forecast_pb2.GetModelInfoRequest(), token=wrong),
    ):
        client.send_envelope(envelope)
        with pytest.raises(CallFailed) as caught:
            client.receive_envelope()
        assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAUTHENTICATED
        assert caught.value.session_ended == envelope.HasField("stream")
        assert not wrong or wrong not in str(caught.value.detail)


def test_heartbeat_and_goodbye_need_no_token_and_open_nothing(guarded: RunningServer, client: ZmqClient) -> None:
    client.send_envelope(envelope_pb2.ClientEnvelope(request_id=3, heartbeat=envelope_pb2.Heartbeat()))
    assert client.receive_envelope().request_id == 3
    client.send_envelope(envelope_pb2.ClientEnvelope(goodbye=envelope_pb2.Goodbye()))
    client.send(forecast_pb2.StreamForecastsRequest(frame=frame_message(TINY_LAYOUT, "a", 0)))
    with pytest.raises(CallFailed) as caught:
        client.receive_envelope()
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_UNAUTHENTICATED
    assert guarded.sessions == []


def test_session_cannot_be_taken_over_by_its_routing_id(guarded: RunningServer, token: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.ROUTING_ID, b"player1")
    dealer.connect(guarded.endpoints.zmq)
    dealer.send(opening(token).SerializeToString())
    answer = envelope_pb2.ServerEnvelope.FromString(dealer.recv())
    assert answer.error.error.field == "routing_id"
    assert answer.error.session_ended
    assert guarded.sessions == []
    context.destroy(linger=0)


def test_fault_of_ours_in_one_session_costs_that_session_only(
    connect: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(ops="", grpc="", zmq="tcp://127.0.0.1:0")
    running = RunningServer(settings, engine=HoldingEngine())
    bystander = Player(connect.zmq(running.endpoints), TINY_LAYOUT)
    client = connect.zmq(running.endpoints)
    player = Player(client, TINY_LAYOUT)
    (broken,) = [session for session in running.sessions if session.id == player.accepted.session_id]
    monkeypatch.setattr(broken, "encode", lambda item: 1 / 0)
    player.send_frames(["a"], player.accepted.context_frames)
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_INTERNAL
    assert caught.value.session_ended
    running.wait_for_sessions(1)
    bystander.fill_windows("a")
    running.stop(grace_ms=0)


# -- watchers


@pytest.fixture
def watched() -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", zmq_watch="tcp://127.0.0.1:0")
    running = RunningServer(settings, engine=HoldingEngine())
    yield running
    running.stop(grace_ms=0)


def test_forecasts_of_both_transports_are_watched(watched: RunningServer, transport: str, connect: Connections) -> None:
    watcher = Watcher(watched.endpoints.zmq_watch, "forecast/game/")
    publisher = watched._server._watch
    assert publisher is not None
    wait_until(lambda: publisher.wants("game", "a"))
    client: GrpcClient | ZmqClient = connect.over(transport, watched.endpoints)
    player = Player(client, TINY_LAYOUT, client_name="game")
    Player(connect.over(transport, watched.endpoints), TINY_LAYOUT, client_name="other").fill_windows("a")
    player.fill_windows("a")
    sent = player.expect_forecast("a")
    seen = watcher.receive()
    while seen[1].based_on_sequence < sent.based_on_sequence:
        seen = watcher.receive()
    assert seen == ("forecast/game/a", sent)
    watcher.close()


def test_nothing_is_encoded_twice_while_nobody_watches(
    watched: RunningServer, transport: str, connect: Connections
) -> None:
    Player(connect.over(transport, watched.endpoints), TINY_LAYOUT, client_name="game").fill_windows("a")
    assert watched._server._watch is not None
    assert watched._server._watch.published == 0


def test_watching_with_tokens_needs_listed_keys(token_file: Path, tmp_path: Path, token: str) -> None:
    write_key_pair(KeyPair.new(), tmp_path / "server.key", tmp_path / "server.key_secret")
    write_key_pair(KeyPair.new(), tmp_path / "allowed" / "a.key", tmp_path / "a.key_secret")
    addresses = {"ops": "", "grpc": "", "zmq": "tcp://127.0.0.1:0", "zmq_watch": "tcp://127.0.0.1:0"}
    with pytest.raises(InvalidInput) as caught:
        RunningServer(Settings(**addresses, tokens=token_file), engine=HoldingEngine())  # type: ignore[arg-type]
    assert caught.value.field == "zmq_watch"
    keys = {"curve_secret_key": tmp_path / "server.key_secret", "curve_allow": tmp_path / "allowed"}
    settings = Settings(**addresses, **keys, tokens=token_file)  # type: ignore[arg-type]
    RunningServer(settings, engine=HoldingEngine()).stop(grace_ms=0)


def test_client_that_floods_is_told_and_keeps_nobody_waiting(tmp_path: Path, connect: Connections) -> None:
    layout = MEDIAPIPE_POSE_33
    command = ServeCommand(tmp_path, "--engine", "null", "--grpc", "")
    enough = threading.Event()
    try:
        command.wait_until_ready()
        game = Player(connect.zmq(command.endpoints), layout, client_name="game")
        game.fill_windows("a")
        flood = connect.zmq(command.endpoints)
        Player(flood, layout, client_name="flood")
        frames = [frame_message(layout, f"avatar-{number}", 0) for number in range(limits.MAX_AVATARS_PER_SESSION)]
        batch = forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames))
        data = envelope_pb2.ClientEnvelope(stream=batch).SerializeToString()
        flood.socket.setsockopt(zmq.SNDTIMEO, 100)

        def send_without_end() -> None:
            while not enough.is_set():
                with contextlib.suppress(zmq.Again):
                    flood.send_bytes(data)

        flooding = threading.Thread(target=send_without_end)
        flooding.start()
        for _ in range(10):
            game.expect_forecast("a")
        # More messages than the server would get to in this test's patience if each waited for one of the flood.
        game.send_frames(["a"], 1500)
        game.forecast_after("a", game.accepted.context_frames + 10 + 1500)
        enough.set()
        flooding.join()
        while (error := flood.receive().frame_error).error.code != forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED:
            pass
        assert error.error.retry_after_ms > 0
    finally:
        enough.set()
        command.kill()
