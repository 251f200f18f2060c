"""Tokens, TLS and CURVE, both ends real: who belongs gets in by every way, and nobody else does by any."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from bridge.client import Client, CurveKeys, TlsFiles, connect, connect_async
from bridge.config import Settings
from bridge.curve_keys import KeyPair, write_key_pair
from bridge.errors import (
    BridgeError,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from bridge.service.tokens import Scope, TokenLimits, append_token
from tests.client.helpers import CONFIG, frame, frames, wait_until
from tests.engine.doubles import HoldingEngine
from tests.service_fixtures import TRANSPORTS, RunningServer

SHORT_S = 2.0
"""For what must not come to be: longer than an attempt takes."""


@dataclass(frozen=True)
class House:
    """A server that asks for everything, and the files and tokens that it was given."""

    server: RunningServer
    folder: Path
    tokens: dict[str, str]

    def address(self, transport: str) -> str:
        address: str = getattr(self.server.endpoints, transport)
        return address.replace("127.0.0.1", "localhost") if transport == "grpc" else address

    def right(self, transport: str, token: str = "game") -> dict[str, Any]:
        """What a client needs that belongs."""
        if transport == "grpc":
            files = TlsFiles(*(self.folder / f"{name}.pem" for name in ("ca", "client_cert", "client_key")))
            return {"token": self.tokens[token], "tls": files}
        keys = CurveKeys(self.folder / "server.key", self.folder / "client.key_secret")
        return {"token": self.tokens[token], "curve": keys}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    ca, other_ca = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    other_ca.cert_pem.write_to_path(folder / "other_ca.pem")
    issued = {"server": ca.issue_cert("localhost"), "client": ca.issue_cert("game@example.org")}
    issued["stranger"] = other_ca.issue_cert("game@example.org")
    for name, certificate in issued.items():
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}_cert.pem")
        certificate.private_key_pem.write_to_path(folder / f"{name}_key.pem")
    for name, public_folder in (("server", folder), ("client", folder / "allowed"), ("stranger", folder)):
        write_key_pair(KeyPair.new(), public_folder / f"{name}.key", folder / f"{name}.key_secret")
    tokens = {}
    for name, scopes, limits in (
        ("game", [Scope.STREAM], None),
        ("watcher", [Scope.WATCH], None),
        ("small", [Scope.STREAM], TokenLimits(sessions=1, avatars=2, message_bytes=40_000)),
        ("slow", [Scope.STREAM], TokenLimits(frames_per_second=20)),
    ):
        tokens[name] = append_token(folder / "tokens.toml", name, scopes, limits)[0]
    settings = Settings(
        ops="",
        grpc="127.0.0.1:0",
        zmq="tcp://127.0.0.1:0",
        tokens=folder / "tokens.toml",
        tls_cert=folder / "server_cert.pem",
        tls_key=folder / "server_key.pem",
        tls_client_ca=folder / "ca.pem",
        curve_secret_key=folder / "server.key_secret",
        curve_allow=folder / "allowed",
    )
    running = RunningServer(settings, engine=HoldingEngine())
    yield House(running, folder, tokens)
    running.stop(grace_ms=0)


def stream(client: Client, *avatar_ids: str) -> None:
    """Send frames of some avatars until the first two of them have a forecast."""
    index = iter(range(10_000))

    def are_served() -> bool:
        number = next(index)
        for avatar_id in avatar_ids:
            client.send(frame(number, avatar_id))
        return None not in map(client.latest, avatar_ids[:2])

    wait_until(are_served, "forecasts")


def refused(house: House, transport: str, **given: Any) -> BridgeError:
    with pytest.raises(BridgeError) as caught:
        connect(house.address(transport), config=CONFIG, timeout_s=SHORT_S, **given).close()
    return caught.value


def test_who_belongs_streams_and_calls(house: House, transport: str) -> None:
    with connect(house.address(transport), config=CONFIG, **house.right(transport)) as client:
        stream(client, "a")
        assert client.forecast(frames(range(9))).based_on_sequence == 8
        assert client.model_info().layout_id == CONFIG.layout_id


async def test_who_belongs_streams_from_asyncio(house: House, transport: str) -> None:
    client = await connect_async(house.address(transport), config=CONFIG, **house.right(transport))
    for sent in frames(range(60)):
        client.send(sent)
        await asyncio.sleep(0.01)
    async for forecast in client.forecasts(20.0):
        assert forecast.avatar_id == "a"
        break
    await client.close()


@pytest.mark.parametrize("token", [None, "x" * 43])
def test_wrong_token_is_refused_for_good_and_shown_nowhere(
    house: House, transport: str, token: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(house, transport, **house.right(transport) | {"token": token})
    assert isinstance(error, Unauthenticated)
    assert error.field == "token"
    client = Client(house.address(transport), CONFIG, **house.right(transport) | {"token": token})
    for call in (lambda: client.forecast(frames(range(9))), client.model_info):
        with pytest.raises(Unauthenticated):
            call()
    wait_until(lambda: client.stats().state == "refused", "the final refusal")
    client.close()
    for shown in (str(error), repr(vars(client._link)), *capsys.readouterr()):
        assert not token or token not in shown


def test_token_without_the_scope_is_refused_for_good(house: House, transport: str) -> None:
    error = refused(house, transport, **house.right(transport, "watcher"))
    assert isinstance(error, PermissionDenied)
    assert "stream" in error.expected
    client = Client(house.address(transport), CONFIG, **house.right(transport, "watcher"))
    with pytest.raises(PermissionDenied):
        client.forecast(frames(range(9)))
    client.model_info()
    client.close()


def test_sessions_of_a_token_are_limited_and_a_place_that_is_free_again_is_taken(house: House, transport: str) -> None:
    given = house.right(transport, "small")
    with connect(house.address(transport), config=CONFIG, **given):
        late = Client(house.address(transport), CONFIG, **given)
        wait_until(lambda: late.stats().last_error is not None, "a refusal")
        error = late.stats().last_error
        assert isinstance(error, ResourceExhausted)
        assert error.retry_after_ms > 0
        assert late.stats().state == "connecting"
    late.wait_connected()
    late.close()


def test_avatars_of_a_token_are_limited(house: House, transport: str) -> None:
    house.server.wait_for_sessions(0)
    with connect(house.address(transport), config=CONFIG, **house.right(transport, "small")) as client:
        stream(client, "a", "b", "c")
        faults = [fault for fault in client.frame_faults() if not fault.frame_kept]
        assert {fault.avatar_id for fault in faults} == {"c"}
        assert all(isinstance(fault.error, ResourceExhausted) for fault in faults)


def test_message_too_long_for_the_token_is_refused_and_the_session_goes_on(house: House, transport: str) -> None:
    house.server.wait_for_sessions(0)
    with connect(house.address(transport), config=CONFIG, **house.right(transport, "small")) as client:
        with pytest.raises(ResourceExhausted, match="bytes"):
            client.forecast(frames(range(1000)))
        client.send(frame(0))
        client.forecast(frames(range(9)))
    house.server.wait_for_sessions(0)


def test_frames_beyond_the_tokens_rate_cost_those_frames(house: House, transport: str) -> None:
    house.server.wait_for_sessions(0)
    with connect(house.address(transport), config=CONFIG, **house.right(transport, "slow")) as client:
        for sent in frames(range(100)):
            client.send(sent)
        wait_until(lambda: client.stats().frame_faults > 0, "a refused frame")
        fault = client.frame_faults()[0]
        assert isinstance(fault.error, ResourceExhausted)
        assert fault.error.retry_after_ms > 0
        assert not fault.frame_kept
        assert client.stats().state == "connected"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tls": None}, id="no TLS"),
        pytest.param({"ca": "other_ca.pem"}, id="another authority"),
        pytest.param({"cert": None, "key": None}, id="no certificate"),
        pytest.param({"cert": "stranger_cert.pem", "key": "stranger_key.pem"}, id="a stranger's certificate"),
    ],
)
def test_certificate_that_is_wrong_gets_nowhere(house: House, change: dict[str, str | None]) -> None:
    given = house.right("grpc")
    if "tls" in change:
        given["tls"] = None
    else:
        given["tls"] = dataclasses.replace(
            given["tls"], **{name: file and house.folder / file for name, file in change.items()}
        )
    assert isinstance(refused(house, "grpc", **given), Unavailable)
    client = Client(house.address("grpc"), CONFIG, **given)
    with pytest.raises((Unavailable, DeadlineExceeded)):
        client.forecast(frames(range(9)), timeout_s=SHORT_S)
    client.close()
    assert house.server.sessions == []


def test_name_that_the_certificate_is_not_for_gets_nowhere(house: House) -> None:
    with pytest.raises(Unavailable):
        connect(house.server.endpoints.grpc, config=CONFIG, timeout_s=SHORT_S, **house.right("grpc"))


def test_key_that_is_not_on_the_list_is_refused_for_good(house: House) -> None:
    stranger = CurveKeys(house.folder / "server.key", house.folder / "stranger.key_secret")
    error = refused(house, "zmq", **house.right("zmq") | {"curve": stranger})
    assert isinstance(error, Unauthenticated)
    assert error.field == "curve"
    client = Client(house.address("zmq"), CONFIG, token=house.tokens["game"], curve=stranger)
    with pytest.raises(Unauthenticated):
        client.forecast(frames(range(9)), timeout_s=SHORT_S)
    client.close()


@pytest.mark.parametrize("server_key", [None, "stranger.key"])
def test_wrong_servers_key_or_none_gets_nowhere(house: House, server_key: str | None) -> None:
    keys = None if server_key is None else CurveKeys(house.folder / server_key, house.folder / "client.key_secret")
    error = refused(house, "zmq", **house.right("zmq") | {"curve": keys})
    assert isinstance(error, Unavailable)
    assert house.server.sessions == []


def test_servers_key_may_be_given_as_text(house: House) -> None:
    public = house.right("zmq")["curve"].server_public.read_text().split('"')[1]
    keys = CurveKeys(public, house.folder / "client.key_secret")
    connect(house.address("zmq"), config=CONFIG, token=house.tokens["game"], curve=keys).close()


@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
def test_server_that_asks_for_nothing_takes_clients_that_bring_a_token(address: str) -> None:
    connect(address, config=CONFIG, token="whatever").close()


def test_curve_client_without_keys_of_its_own_enters_a_server_without_a_list(tmp_path: Path) -> None:
    write_key_pair(KeyPair.new(), tmp_path / "server.key", tmp_path / "server.key_secret")
    settings = Settings(ops="", grpc="", zmq="tcp://127.0.0.1:0", curve_secret_key=tmp_path / "server.key_secret")
    running = RunningServer(settings, engine=HoldingEngine())
    connect(running.endpoints.zmq, config=CONFIG, curve=CurveKeys(tmp_path / "server.key")).close()
    running.stop(grace_ms=0)


@pytest.mark.parametrize(
    ("address", "given", "kind", "field"),
    [
        ("127.0.0.1:1", {"token": "white space"}, InvalidInput, "token"),
        ("127.0.0.1:1", {"token": "new\nline"}, InvalidInput, "token"),
        ("127.0.0.1:1", {"token": ""}, InvalidInput, "token"),
        ("127.0.0.1:1", {"curve": CurveKeys("nowhere")}, InvalidInput, "curve"),
        ("tcp://127.0.0.1:1", {"tls": TlsFiles()}, InvalidInput, "tls"),
        ("127.0.0.1:1", {"tls": TlsFiles(ca="nowhere.pem")}, NotFound, "tls.ca"),
        ("127.0.0.1:1", {"tls": TlsFiles(cert="nowhere.pem")}, InvalidInput, "tls"),
        ("tcp://127.0.0.1:1", {"curve": CurveKeys("nowhere.key")}, NotFound, "curve.server_public"),
        ("tcp://127.0.0.1:1", {"curve": CurveKeys("0" * 40, "nowhere")}, NotFound, "curve.client_secret_file"),
    ],
)
def test_credentials_that_cannot_work_are_refused_at_once(
    address: str, given: dict[str, Any], kind: type[BridgeError], field: str
) -> None:
    with pytest.raises(kind) as caught:
        Client(address, CONFIG, **given)
    assert caught.value.field == field
    assert "white space" not in caught.value.problem
