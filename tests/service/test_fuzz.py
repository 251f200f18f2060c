"""Whatever is sent to a server, it answers in typed words, hangs nobody, and goes on serving the others.

In the default suite 2 000 messages. For 100 000: ``pytest -m soak tests/service/test_fuzz.py``; it ends by itself,
after some minutes. Both are the same messages in every run of a commit; one that fails is printed in hexadecimal.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service.fuzzing import (
    CALL_KINDS,
    ENVELOPE_KINDS,
    STREAM_KINDS,
    WAYS,
    Kitchen,
    Recipe,
    conversations,
)
from tests.service.interrogation import GrpcCalls, GrpcStream, ZmqTalk
from tests.service.speeches import speeches
from tests.service.vitals import Vitals
from tests.service_fixtures import PATIENCE_S, TRANSPORTS, Connections, Player, ServeCommand, wait_until

LAYOUT = MEDIAPIPE_POSE_33
IN_A_ROW = 20
"""Speeches between two looks at whether the others are served; of messages every kind comes once in every way."""
SOAK_S = 1800.0
"""Far more than it takes; a server that hangs is found much earlier."""
T = TypeVar("T")


def messages(of_all: int) -> pytest.MarkDecorator:
    """So many messages of the 2 000 in the default suite, and fifty times as many of the 100 000."""
    few, many = of_all, 50 * of_all
    soak = pytest.param(many, marks=[pytest.mark.soak, pytest.mark.timeout(SOAK_S)], id=f"{many}-messages")
    return pytest.mark.parametrize("count", [pytest.param(few, id=f"{few}-messages"), soak])


class Target:
    """A server in a process of its own, and clients who want to be left in peace."""

    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "log.jsonl"
        log = ("--log-format", "json", "--log-file", str(self.log_file))
        self.command = ServeCommand(folder, "--engine", "null", "--zmq-watch", "tcp://127.0.0.1:0", *log)
        self.command.wait_until_ready()
        self.endpoints = self.command.endpoints
        self.vitals = Vitals(self.command.process.pid, self.endpoints)
        self.connections = Connections()
        self._bystanders = [
            Player(self.connections.over(transport, self.endpoints), LAYOUT, client_name="bystander")
            for transport in TRANSPORTS
        ]
        for bystander in self._bystanders:
            bystander.fill_windows("bystander")
        self.kitchen = Kitchen(LAYOUT)

    def expect_others_served(self) -> None:
        """Fail unless the server lives and the bystanders get forecasts."""
        assert self.command.process.poll() is None
        for bystander in self._bystanders:
            bystander.expect_forecast("bystander")
            assert not bystander.frame_errors

    def expect_sessions(self, count: int) -> None:
        """Wait until so many sessions are open."""
        wait_until(lambda: self.vitals.belongings().sessions == count)

    def faults(self) -> list[dict[str, object]]:
        """What the server's log says of its own faults."""
        lines = [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["level"] not in ("debug", "info")]

    def stop(self) -> None:
        self.connections.close()
        self.command.kill()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    target = Target(tmp_path_factory.mktemp("fuzzed"))
    yield target
    target.stop()


@pytest.fixture(autouse=True)
def nothing_is_left(target: Target) -> Iterator[None]:
    yield
    target.expect_others_served()
    target.expect_sessions(len(TRANSPORTS))
    assert target.faults() == []


def each_in_turn(
    conversation: st.SearchStrategy[list[T]], in_a_row: int, count: int, say_all: Callable[[list[T]], None]
) -> None:
    """Have at least ``count`` messages said, ``in_a_row`` at a time."""
    said = 0

    # A server that went wrong does not become right for a second try: what was sent is in the failure instead.
    @settings(max_examples=-(-count // in_a_row), phases=[Phase.generate], database=None)
    @given(conversation)
    def say(messages: list[T]) -> None:
        nonlocal said
        say_all(messages)
        said += len(messages)

    say()
    assert said >= count


def each_kind_in_turn(kinds: Sequence[str], count: int, say_all: Callable[[list[Recipe]], None]) -> None:
    """Have at least ``count`` messages said, as many of each kind."""
    each_in_turn(conversations(kinds), len(kinds) * len(WAYS), count, say_all)


def require_variety(heard: Counter[str], *kinds: str) -> None:
    """Fail if some kind of answer was never met: then hardly all code was reached."""
    assert not set(kinds) - set(heard), heard


@messages(600)
def test_messages_of_a_grpc_session(target: Target, count: int) -> None:
    heard: Counter[str] = Counter()

    def say_all(drawn: list[Recipe]) -> None:
        with closing(GrpcStream(target.endpoints, LAYOUT, target.kitchen)) as stream:
            for recipe in drawn:
                stream.say(target.kitchen.stream(recipe))
        heard.update(stream.heard)
        target.expect_others_served()

    each_kind_in_turn(STREAM_KINDS, count, say_all)
    require_variety(heard, "forecast", "frame_error", "avatar_accepted", "clock_pong", "nothing")


@messages(160)
def test_first_messages_of_grpc_streams(target: Target, count: int) -> None:
    calls = GrpcCalls(target.endpoints)

    def say_all(drawn: list[Recipe]) -> None:
        for recipe in drawn:
            calls.begin(target.kitchen.stream(recipe))
        target.expect_others_served()

    with closing(calls):
        each_kind_in_turn(("config", "config", "config", "frame", "empty"), count, say_all)
    refusals = ("MALFORMED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "VERSION_MISMATCH")
    require_variety(calls.heard, "answer", *(f"ERROR_CODE_{name}" for name in refusals))


@messages(240)
def test_grpc_calls(target: Target, count: int) -> None:
    calls = GrpcCalls(target.endpoints)

    def say_all(drawn: list[Recipe]) -> None:
        for recipe in drawn:
            method = "GetModelInfo" if recipe.kind == "get_model_info" else "Forecast"
            calls.ask(method, target.kitchen.call(recipe))
        target.expect_others_served()

    with closing(calls):
        each_kind_in_turn(("forecast", "forecast", *CALL_KINDS), count, say_all)
    refusals = ("MALFORMED", "INVALID_ARGUMENT", "VERSION_MISMATCH")
    require_variety(calls.heard, "answer", *(f"ERROR_CODE_{name}" for name in refusals))


PARTS: dict[str, Callable[[bytes], tuple[bytes, ...]]] = {
    "one": lambda data: (data,),
    "empty first": lambda data: (b"", data),  # as a REQ socket does
    "empty last": lambda data: (data, b""),
    "nothing": lambda data: (b"",),
    "halves": lambda data: (data[: len(data) // 2], data[len(data) // 2 :]),
    "many": lambda data: (data[:100],) * 300,
}
ENVELOPES_IN_A_ROW = len(ENVELOPE_KINDS) * len(WAYS)
ENVELOPES = st.builds(
    lambda drawn, parts: list(zip(drawn, parts, strict=True)),
    conversations(ENVELOPE_KINDS),
    st.tuples(*[st.sampled_from(("one",) * 10 + tuple(PARTS))] * ENVELOPES_IN_A_ROW),
)


@messages(600)
def test_messages_of_a_zmq_session(target: Target, count: int) -> None:
    heard: Counter[str] = Counter()

    def say_all(drawn: list[tuple[Recipe, str]]) -> None:
        with closing(ZmqTalk(target.endpoints, LAYOUT)) as talk:
            for recipe, parts in drawn:
                if not talk.has_session:  # a goodbye was among them
                    talk.open(target.kitchen)
                talk.say(*PARTS[parts](target.kitchen.envelope(recipe)))
            heard.update(talk.heard)
        target.expect_others_served()

    each_in_turn(ENVELOPES, ENVELOPES_IN_A_ROW, count, say_all)
    of_the_stream = ("forecast", "frame_error", "avatar_accepted", "clock_pong")
    require_variety(heard, *of_the_stream, "call answered", "get_model_info", "heartbeat", "error")


@messages(240)
def test_messages_of_a_zmq_connection_without_a_session(target: Target, count: int) -> None:
    heard: Counter[str] = Counter()

    def say_all(drawn: list[tuple[Recipe, str]]) -> None:
        with closing(ZmqTalk(target.endpoints, LAYOUT)) as talk:
            for recipe, parts in drawn:
                talk.say(*PARTS[parts](target.kitchen.envelope(recipe)))
            heard.update(talk.heard)
        target.expect_others_served()

    each_in_turn(ENVELOPES, ENVELOPES_IN_A_ROW, count, say_all)
    require_variety(heard, "accepted", "error", "call answered", "get_model_info", "heartbeat")


def say_on_the_bare_port(address: str, data: bytes) -> bytes:
    """Say something on a TCP connection of its own and hear what comes until the other side hangs up."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    heard = bytearray()
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as stranger:
        try:
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
            while received := stranger.recv(65_536):
                heard += received
        except TimeoutError:
            pytest.fail(f"neither answered nor hung up on: {data.hex()[:4000]}")
        except OSError:
            pass  # hung up, as is right
    return bytes(heard)


@messages(100)
def test_requests_to_the_ops_port(target: Target, count: int) -> None:
    def say_all(drawn: list[bytes]) -> None:
        for data in drawn:
            heard = say_on_the_bare_port(target.endpoints.ops, data)
            statuses = [part.split(b" ", 1)[0] for part in heard.split(b"HTTP/1.1 ")[1:]]
            assert not any(status.startswith(b"5") for status in statuses), data.hex()
        assert json.loads(target.vitals.get("/healthz")) == {"status": "ok"}
        target.expect_others_served()

    each_in_turn(st.lists(speeches("ops"), min_size=IN_A_ROW, max_size=IN_A_ROW), IN_A_ROW, count, say_all)


def test_garbage_behind_an_answer_of_the_ops_port_ends_the_connection(target: Target) -> None:
    host, _, port = target.endpoints.ops.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as stranger:
        stranger.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert stranger.recv(4096).startswith(b"HTTP/1.1 405 ")
        stranger.sendall(b"no length of a chunk\r\n")
        while stranger.recv(4096):
            pass


@messages(20)
@pytest.mark.parametrize("port", ("grpc", "zmq", "zmq_watch"))
def test_strangers_on_the_ports_of_the_fronts(target: Target, port: str, count: int) -> None:
    def say_all(drawn: list[bytes]) -> None:
        for data in drawn:
            say_on_the_bare_port(getattr(target.endpoints, port), data)
        target.expect_others_served()

    each_in_turn(st.lists(speeches(port), min_size=IN_A_ROW, max_size=IN_A_ROW), IN_A_ROW, count, say_all)
