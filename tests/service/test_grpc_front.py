"""What is particular to gRPC: metadata, standard error details, health, and streams that nobody uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from bridge.config import Settings
from bridge.service import grpc_front, server
from bridge.service.grpc_front import GrpcFront
from bridge.service.tokens import Scope, append_token
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.engine.doubles import HoldingEngine
from tests.service.test_hard_clients import LARGE, _until_nothing_leaves
from tests.service_fixtures import (
    PATIENCE_S,
    SERVICE,
    CallFailed,
    Connections,
    Player,
    RunningServer,
    StreamEnded,
    config_message,
    frame_message,
    wait_until,
)
from tests.support import TINY_LAYOUT

Metadata = tuple[tuple[str, str], ...]


def started(**settings: object) -> RunningServer:
    return RunningServer(
        Settings(ops="", grpc="127.0.0.1:0", zmq="", **settings),  # type: ignore[arg-type]
        engine=HoldingEngine(),
    )


@pytest.fixture
def quick() -> Iterator[RunningServer]:
    running = started(max_sessions=1)
    yield running
    running.stop(grace_ms=0)


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access") / "tokens.toml"


@pytest.fixture(scope="module")
def token(token_file: Path) -> str:
    return append_token(token_file, "game", [Scope.STREAM])[0]


@pytest.fixture(scope="module")
def guarded(token_file: Path, token: str) -> Iterator[RunningServer]:
    running = started(tokens=token_file)
    yield running
    running.stop(grace_ms=0)


def model_info(running: RunningServer, metadata: Metadata = ()) -> forecast_pb2.GetModelInfoResponse:
    with grpc.insecure_channel(running.endpoints.grpc) as channel:
        call = channel.unary_unary(
            f"{SERVICE}/GetModelInfo",
            request_serializer=forecast_pb2.GetModelInfoRequest.SerializeToString,
            response_deserializer=forecast_pb2.GetModelInfoResponse.FromString,
        )
        answer: forecast_pb2.GetModelInfoResponse = call(
            forecast_pb2.GetModelInfoRequest(), metadata=metadata, timeout=PATIENCE_S
        )
        return answer


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_of_the_token_is_read_as_http_reads_it(guarded: RunningServer, token: str, scheme: str) -> None:
    assert model_info(guarded, (("authorization", f"{scheme} {token}"),)).device


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer "),),
        (("authorization", "Basic {token}"),),
        (("authorization", "{token}"),),
        (("authorization", "Bearer {token}x"),),
        (("authorization", "Bearer {token}"), ("authorization", "Bearer {token}")),
        (("x-authorization", "Bearer {token}"),),
    ],
)
def test_anything_else_than_one_bearer_token_is_refused_and_not_repeated(
    guarded: RunningServer, token: str, metadata: Metadata
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        model_info(guarded, tuple((key, value.replace("{token}", token)) for key, value in metadata))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert token not in str(caught.value)


def test_health_and_reflection_ask_for_no_token(guarded: RunningServer) -> None:
    with grpc.insecure_channel(guarded.endpoints.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "posebridge.v1.ForecastService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def details_of(call: grpc.Call) -> dict[str, Message]:
    """The standard details of a call that failed, read by the library that others use."""
    status = rpc_status.from_call(call)
    found = {}
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])
        found[kind.DESCRIPTOR.name] = kind.FromString(packed.value)
    return found


def test_standard_error_details_say_the_field_at_fault(quick: RunningServer) -> None:
    request = forecast_pb2.ForecastRequest(config=config_message(TINY_LAYOUT, samples=1))
    with grpc.insecure_channel(quick.endpoints.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}/Forecast")(request.SerializeToString(), timeout=PATIENCE_S)
    details = details_of(caught.value)
    assert details["ErrorInfo"] == error_details_pb2.ErrorInfo(reason="INVALID_ARGUMENT", domain="posebridge")
    (violation,) = details["BadRequest"].field_violations  # type: ignore[attr-defined]
    assert violation.field == "config.samples"
    assert "2 to 256" in violation.description
    assert "RetryInfo" not in details


def test_stream_for_which_there_is_no_place_is_refused_before_it_says_anything(
    quick: RunningServer, connect: Connections
) -> None:
    Player(connect.grpc(quick.endpoints), TINY_LAYOUT)
    with grpc.insecure_channel(quick.endpoints.grpc) as channel:
        silence = threading.Event()
        call = channel.stream_stream(f"{SERVICE}/StreamForecasts")(iter(lambda: silence.wait(PATIENCE_S), None))
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        silence.set()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details_of(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0  # type: ignore[attr-defined]


def test_stream_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GrpcFront", partial(GrpcFront, config_timeout_s=0.2))
    running = started()
    with grpc.insecure_channel(running.endpoints.grpc) as channel:
        silence = threading.Event()
        call = channel.stream_stream(f"{SERVICE}/StreamForecasts")(iter(lambda: silence.wait(PATIENCE_S), None))
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        silence.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "config" in caught.value.details()
    running.stop(grace_ms=0)


def test_streams_that_say_nothing_are_bounded_and_leave_room_when_they_go(
    quick: RunningServer, connect: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_front, "_MAX_UNOPENED", 2)
    with grpc.insecure_channel(quick.endpoints.grpc) as channel:
        silence = threading.Event()
        calls = [
            channel.stream_stream(f"{SERVICE}/StreamForecasts")(iter(lambda: silence.wait(PATIENCE_S), None))
            for _ in range(3)
        ]
        wait_until(lambda: not all(call.is_active() for call in calls))
        (ended,) = [call for call in calls if not call.is_active()]
        assert ended.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in calls:
            call.cancel()
        silence.set()

    def is_served() -> bool:
        try:
            Player(connect.grpc(quick.endpoints), TINY_LAYOUT)
        except CallFailed:
            return False
        return True

    wait_until(is_served)


def test_silent_session_is_ended_with_the_reason(connect: Connections) -> None:
    running = started(session_idle_timeout_s=0.3)
    client = connect.grpc(running.endpoints)
    Player(client, TINY_LAYOUT)
    with pytest.raises(CallFailed) as caught:
        client.receive()
    assert caught.value.status == "UNAVAILABLE"
    assert caught.value.detail.field == "session"
    running.wait_for_sessions(0)
    running.stop(grace_ms=0)


@pytest.mark.parametrize("sign", ["clock_ping", "avatar_config", "frame"])
def test_session_that_gives_signs_of_life_goes_on(connect: Connections, sign: str) -> None:
    running = started(session_idle_timeout_s=0.5)
    client = connect.grpc(running.endpoints)
    player = Player(client, TINY_LAYOUT)
    message = {
        "clock_ping": forecast_pb2.StreamForecastsRequest(clock_ping=forecast_pb2.ClockPing(client_time_us=1)),
        "avatar_config": forecast_pb2.StreamForecastsRequest(avatar_config=forecast_pb2.AvatarConfig(avatar_id="a")),
        "frame": forecast_pb2.StreamForecastsRequest(frame=frame_message(TINY_LAYOUT, "a", 0)),
    }[sign]
    done = threading.Event()
    for _ in range(10):
        client.send(message)
        done.wait(0.1)
    player.fill_windows("b")
    running.stop(grace_ms=0)


def test_silent_client_that_does_not_read_either_is_forgotten(connect: Connections) -> None:
    running = started(session_idle_timeout_s=1.0)
    client = connect.grpc(running.endpoints)
    Player(client, TINY_LAYOUT, **LARGE)
    client.pause_reading()
    (session,) = running.sessions
    for index in _until_nothing_leaves(session):
        client.send(forecast_pb2.StreamForecastsRequest(frame=frame_message(TINY_LAYOUT, "a", index, fps=240.0)))
    running.wait_for_sessions(0)
    Player(connect.grpc(running.endpoints), TINY_LAYOUT).fill_windows("a")
    client.vanish()
    running.stop(grace_ms=0)


def test_client_that_says_it_is_done_gets_its_last_forecasts_and_a_good_end(
    quick: RunningServer, connect: Connections
) -> None:
    client = connect.grpc(quick.endpoints)
    player = Player(client, TINY_LAYOUT)
    player.send_frames(["a"], player.accepted.context_frames)
    client.finish_sending()
    seen = []
    with pytest.raises(StreamEnded):
        while True:
            seen.append(client.receive().WhichOneof("payload"))
    assert "forecast" in seen
