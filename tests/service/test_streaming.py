"""The main job over both transports: frames in, forecasts out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from bridge import __version__, limits
from bridge.config import Settings
from bridge.skeleton import Layout
from bridge.wire.codec import forecast_from_message
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from tests.engine.doubles import Gate, HoldingEngine
from tests.service_fixtures import (
    PATIENCE_S,
    SERVICE,
    CallFailed,
    Connections,
    GrpcClient,
    Player,
    RunningServer,
    StreamEnded,
    ZmqClient,
    config_message,
    frame_message,
)
from tests.support import TINY_LAYOUT

Client = GrpcClient | ZmqClient


def test_session_is_accepted_with_the_settings_in_force(client: Client, layout: Layout) -> None:
    accepted = Player(client, layout, horizon_ms=500).accepted
    assert accepted.protocol_version == limits.PROTOCOL_VERSION
    assert accepted.server_version == __version__
    assert accepted.config.layout_id == layout.id
    assert accepted.config.horizon_ms == 500
    # not asked for: the defaults of the contract
    assert accepted.config.forecast_rate_hz == 30
    assert accepted.config.deadline_ms == 1000
    assert accepted.config.encoding == pose_pb2.DATA_TYPE_FLOAT16
    assert accepted.context_frames > 0
    assert accepted.rate_hz == 30


def test_forecast_has_the_shapes_and_the_frame_it_was_asked_for(client: Client, layout: Layout) -> None:
    player = Player(client, layout, samples=6, futures=3, horizon_ms=330, encoding=pose_pb2.DATA_TYPE_FLOAT32)
    player.fill_windows("a")
    message = player.expect_forecast("a")
    forecast = forecast_from_message(message)
    assert forecast.futures_m.shape == (3, 10, layout.joints, 3)
    assert forecast.spread_m.shape == (10, layout.joints)
    assert forecast.roots_m is None
    assert forecast.samples == 6
    assert forecast.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(forecast.probabilities) <= 0).all()
    sent = frame_message(layout, "a", message.based_on_sequence)
    assert forecast.based_on_timestamp_us == sent.timestamp_us
    assert forecast.step_us == 33_333
    assert forecast.timing.batch_size == 1
    assert forecast.timing.age_us >= forecast.timing.queue_us + forecast.timing.compute_us
    assert not forecast.degraded


def test_windows_of_all_avatars_of_one_instant_are_one_batch(player: Player) -> None:
    names = [f"avatar-{index}" for index in range(20)]
    player.fill_windows(*names)
    player.send_frames(names)
    forecasts = [player.forecast_after(name, 0) for name in names]
    assert {forecast.timing.batch_size for forecast in forecasts} == {20}


def test_root_in_frames_brings_roots_in_forecasts(player: Player, layout: Layout) -> None:
    for index in range(player.accepted.context_frames + 1):
        frame = frame_message(layout, "walker", index)
        frame.root.x, frame.root.y, frame.root.z = 0.02 * index, 0.0, 5.0
        player.client.send(forecast_pb2.StreamForecastsRequest(frame=frame))
    forecast = forecast_from_message(player.forecast_after("walker", index))
    assert forecast.roots_m is not None
    assert forecast.roots_m.shape == (*forecast.futures_m.shape[:2], 3)
    assert np.isfinite(forecast.roots_m).all()


def test_frames_without_a_detection_are_taken(player: Player) -> None:
    frame = player.frame("bystander")
    frame.ClearField("landmarks")
    player.client.send(forecast_pb2.StreamForecastsRequest(frame=frame))
    assert player.expect_forecast("bystander").based_on_sequence == frame.sequence + 1
    assert player.frame_errors == []


def test_same_seed_and_frames_give_the_same_forecast_on_another_session(
    server: RunningServer, layout: Layout, connect: Connections
) -> None:
    forecasts = []
    for transport, seed in (("grpc", 5), ("zmq", 5), ("zmq", 6)):
        client = connect.over(transport, server.endpoints)
        player = Player(client, layout, seed=seed)
        player.fill_windows("a")
        forecasts.append(player.expect_forecast("a").futures.data)
        client.close()
    assert forecasts[0] == forecasts[1]
    assert forecasts[0] != forecasts[2]


def test_single_forecast_equals_the_one_of_a_session(player: Player, client: Client, layout: Layout) -> None:
    count = player.accepted.context_frames
    frames = [frame_message(layout, "bystander", index) for index in range(count + 2)]
    single = client.forecast(forecast_pb2.ForecastRequest(config=config_message(layout), frames=frames)).forecast
    streamed = player.expect_forecast("bystander")
    assert streamed.based_on_sequence == single.based_on_sequence == count + 1
    assert streamed.futures == single.futures
    assert list(streamed.probabilities) == list(single.probabilities)


def test_model_info_says_what_is_served(client: Client, layout: Layout) -> None:
    info = client.model_info()
    assert info.protocol_version == limits.PROTOCOL_VERSION
    assert info.layout_id == layout.id
    assert tuple(info.landmark_names) == layout.names
    assert list(zip(info.bones[::2], info.bones[1::2], strict=True)) == list(layout.bones)
    assert info.max_horizon_ms == 3000
    assert (info.max_samples, info.max_futures) == (limits.MAX_SAMPLES, limits.MAX_FUTURES)
    assert len(info.weights_id) == 64


def test_two_clients_may_both_have_a_player1(player: Player, other_player: Player) -> None:
    player.fill_windows("player1")
    other_player.fill_windows("player1")
    assert player.expect_forecast("player1").avatar_id == "player1"
    assert other_player.expect_forecast("player1").avatar_id == "player1"


def test_grpc_client_that_stops_sending_gets_the_rest_and_an_orderly_end(
    server: RunningServer, layout: Layout, connect: Connections
) -> None:
    client = connect.grpc(server.endpoints)
    player = Player(client, layout)
    player.send_frames(["a"], player.accepted.context_frames)
    client.finish_sending()
    assert player.forecast_after("a", 0).based_on_sequence == player.accepted.context_frames - 1
    with pytest.raises(StreamEnded):
        client.receive()


def test_zmq_goodbye_ends_the_session_at_once(server: RunningServer, layout: Layout, connect: Connections) -> None:
    client = connect.zmq(server.endpoints)
    Player(client, layout)
    client.finish_sending()
    client.send(forecast_pb2.StreamForecastsRequest(frame=frame_message(layout, "a", 0)))
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert caught.value.session_ended
    assert Player(client, layout).accepted.session_id  # a new config opens another


def test_zmq_heartbeat_is_answered_with_or_without_a_session(server: RunningServer, connect: Connections) -> None:
    client = connect.zmq(server.endpoints)
    client.send_envelope(envelope_pb2.ClientEnvelope(request_id=9, heartbeat=envelope_pb2.Heartbeat()))
    answer = client.receive_envelope()
    assert answer.WhichOneof("payload") == "heartbeat"
    assert answer.request_id == 9


# -- what an engine that is held up shows


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def engine(gate: Gate) -> HoldingEngine:
    return HoldingEngine(before=gate)


@pytest.fixture
def held_up(gate: Gate, engine: HoldingEngine) -> Iterator[RunningServer]:
    settings = Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0", max_sessions=2)
    running = RunningServer(settings, engine=engine)
    yield running
    gate.open()
    running.stop()


def test_newest_frame_of_an_avatar_wins(
    held_up: RunningServer, gate: Gate, engine: HoldingEngine, transport: str, connect: Connections
) -> None:
    client = connect.over(transport, held_up.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    player.send_frames(["a"], 10)
    client.send(forecast_pb2.StreamForecastsRequest())
    player.expect_frame_error()  # answers come in order: the ten frames have arrived
    gate.open()
    newest = player.accepted.context_frames + 9
    player.forecast_after("a", newest)
    computed = [request.snapshot.sequence for batch in engine.batches for request in batch]
    assert computed == [player.accepted.context_frames - 1, newest]


def test_single_forecast_that_is_not_started_in_time_says_so(
    held_up: RunningServer, gate: Gate, transport: str, connect: Connections
) -> None:
    blocker = connect.over(transport, held_up.endpoints)
    player = Player(blocker, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    client = connect.over(transport, held_up.endpoints)
    frames = [frame_message(TINY_LAYOUT, "a", index) for index in range(20)]
    request = forecast_pb2.ForecastRequest(config=config_message(TINY_LAYOUT, deadline_ms=50), frames=frames)
    threading.Timer(0.5, gate.open).start()
    with pytest.raises(CallFailed) as caught:
        client.forecast(request)
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_DEADLINE_EXCEEDED
    assert caught.value.detail.field == "config.deadline_ms"


def test_single_forecast_whose_caller_gave_up_is_never_computed(
    held_up: RunningServer, gate: Gate, engine: HoldingEngine, connect: Connections
) -> None:
    player = Player(connect.grpc(held_up.endpoints), TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    gate.wait_until_reached()
    frames = [frame_message(TINY_LAYOUT, "a", index) for index in range(20)]
    request = forecast_pb2.ForecastRequest(config=config_message(TINY_LAYOUT, deadline_ms=60_000), frames=frames)
    with grpc.insecure_channel(held_up.endpoints.grpc) as channel:
        method = channel.unary_unary(
            f"{SERVICE}/Forecast", request_serializer=forecast_pb2.ForecastRequest.SerializeToString
        )
        with pytest.raises(grpc.RpcError) as caught:
            method(request, timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    gate.open()
    player.expect_forecast("a")
    assert [[one.key.session_id[:2] for one in batch] for batch in engine.batches] == [["s-"], ["s-"]]


def test_one_session_too_many_is_refused_until_another_ends(
    held_up: RunningServer, transport: str, connect: Connections
) -> None:
    first, second, third = (connect.over(transport, held_up.endpoints) for _ in range(3))
    Player(first, TINY_LAYOUT)
    Player(second, TINY_LAYOUT)
    with pytest.raises(CallFailed) as caught:
        Player(third, TINY_LAYOUT)
    assert caught.value.detail.code == forecast_pb2.ERROR_CODE_RESOURCE_EXHAUSTED
    assert caught.value.detail.field == "session"
    first.close()
    third.close()
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        fourth = connect.over(transport, held_up.endpoints)
        try:
            Player(fourth, TINY_LAYOUT)
            break
        except CallFailed:
            assert time.monotonic() < deadline_s
        finally:
            fourth.close()
    second.close()
