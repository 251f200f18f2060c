"""CURVE: the right key gets in, no other does, and nobody does while the doorman sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
import zmq.utils.z85
from structlog.testing import capture_logs

from bridge.curve_keys import KeyPair, write_key_pair
from bridge.errors import InvalidInput, NotFound
from bridge.service.curve import CurveServer, ZapHandler, read_allowed

PATIENCE_MS = 10_000
SHORT_MS = 300


def raw(public: str) -> bytes:
    return bytes(zmq.utils.z85.decode(public))


class Ends:
    """A CURVE server's PULL socket, its doorman, and clients, all on one thread."""

    def __init__(self, allowed: frozenset[bytes] | None) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.keys = KeyPair.new()
        self.pull = self.context.socket(zmq.PULL)
        self.zap: ZapHandler | None = CurveServer(self.keys, allowed).protect(self.context, self.pull)
        self.pull.bind("tcp://127.0.0.1:0")
        self._clients: list[zmq.Socket[bytes]] = []

    def push(self, own: KeyPair | None, server_public: str | None = None) -> None:
        client = self.context.socket(zmq.PUSH)
        self._clients.append(client)
        if own is not None:
            client.curve_publickey, client.curve_secretkey = own.public.encode(), own.secret.encode()
            client.curve_serverkey = (server_public or self.keys.public).encode()
        client.connect(self.pull.getsockopt_string(zmq.LAST_ENDPOINT))
        client.send(b"hello", zmq.NOBLOCK)

    def arrives(self, *, answering: bool = True) -> bool:
        """Whether the message comes; the doorman is asked at most once."""
        poller = zmq.Poller()
        poller.register(self.pull, zmq.POLLIN)
        if self.zap is not None and answering:
            poller.register(self.zap.socket, zmq.POLLIN)
            assert dict(poller.poll(PATIENCE_MS)) == {self.zap.socket: zmq.POLLIN}
            self.zap.answer()
            poller.unregister(self.zap.socket)
            listed = self.zap._refused == 0 and self.zap._logged_s is None
            return bool(poller.poll(PATIENCE_MS if listed else SHORT_MS))
        return bool(poller.poll(PATIENCE_MS if self.zap is None else SHORT_MS))


@pytest.fixture
def client() -> KeyPair:
    return KeyPair.new()


@pytest.fixture
def ends(client: KeyPair) -> Iterator[Ends]:
    made = Ends(frozenset({raw(client.public)}))
    yield made
    made.context.destroy(linger=0)


def test_listed_client_gets_in(ends: Ends, client: KeyPair) -> None:
    ends.push(client)
    assert ends.arrives()


def test_unlisted_client_is_refused_and_logged_without_details(ends: Ends) -> None:
    stranger = KeyPair.new()
    with capture_logs() as logs:
        ends.push(stranger)
        assert not ends.arrives()
    assert logs == [{"event": "curve_client_refused", "refused": 1, "log_level": "warning"}]


def test_client_is_not_let_in_while_the_doorman_does_not_answer(ends: Ends, client: KeyPair) -> None:
    ends.push(client)
    assert not ends.arrives(answering=False)


def test_client_without_keys_or_with_the_wrong_servers_key_gets_nowhere(ends: Ends, client: KeyPair) -> None:
    ends.push(None)
    ends.push(client, KeyPair.new().public)
    assert not ends.arrives(answering=False)


def test_without_a_list_every_key_gets_in() -> None:
    ends = Ends(None)
    ends.push(KeyPair.new())
    assert ends.arrives()
    ends.context.destroy(linger=0)


def test_many_refusals_are_one_line_in_ten_seconds() -> None:
    now_s = 0.0
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    handler = ZapHandler(context, frozenset(), clock=lambda: now_s)
    asking = context.socket(zmq.REQ)
    asking.connect("inproc://zeromq.zap.01")
    with capture_logs() as logs:
        for now_s in (0.0, 1.0, 9.0, 11.0):  # noqa: B007
            asking.send_multipart((b"1.0", b"1", b"posebridge", b"127.0.0.1", b"", b"CURVE", b"k" * 32))
            handler.answer()
            assert asking.recv_multipart()[2] == b"400"
    assert [line["refused"] for line in logs] == [1, 3]
    context.destroy(linger=0)


@pytest.mark.parametrize(
    ("domain", "mechanism", "credentials"),
    [(b"other", b"CURVE", (b"k" * 32,)), (b"posebridge", b"PLAIN", (b"u", b"p")), (b"posebridge", b"NULL", ())],
)
def test_questions_about_anything_else_are_answered_with_no(
    domain: bytes, mechanism: bytes, credentials: tuple[bytes, ...]
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    handler = ZapHandler(context, frozenset({b"k" * 32}))
    asking = context.socket(zmq.REQ)
    asking.connect("inproc://zeromq.zap.01")
    asking.send_multipart((b"1.0", b"7", domain, b"127.0.0.1", b"", mechanism, *credentials))
    handler.answer()
    assert asking.recv_multipart()[:3] == [b"1.0", b"7", b"400"]
    context.destroy(linger=0)


def test_list_is_read_from_a_file_with_names_and_remarks(tmp_path: Path) -> None:
    keys = [KeyPair.new().public for _ in range(3)]
    path = tmp_path / "allowed.txt"
    path.write_text(f"# our studios\n\n{keys[0]} # studio a\n  {keys[1]}  \n{keys[2]}\t#c\n", encoding="utf-8")
    assert read_allowed(path) == frozenset(map(raw, keys))


def test_key_with_a_hash_sign_in_it_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "allowed.txt"
    key = "0#" + KeyPair.new().public[2:]
    path.write_text(f"{key} # studio\n", encoding="utf-8")
    assert read_allowed(path) == {raw(key)}


def test_list_is_read_from_a_folder_of_key_files(tmp_path: Path) -> None:
    pairs = [KeyPair.new() for _ in range(2)]
    for index, pair in enumerate(pairs):
        write_key_pair(pair, tmp_path / f"{index}.key", tmp_path / "elsewhere" / f"{index}.key_secret")
    (tmp_path / "README").write_text("not a key")
    assert read_allowed(tmp_path) == {raw(pair.public) for pair in pairs}


@pytest.mark.parametrize("text", ["short\n", "x" * 41 + "\n", "", "# nobody\n", 'secret-key = "abc"\n'])
def test_list_without_keys_or_with_something_else_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "allowed.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        read_allowed(path)
    assert caught.value.field == "curve_allow"
    assert "allowed.txt" in caught.value.problem
    assert "abc" not in str(caught.value)


def test_missing_list_and_missing_key_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read_allowed(tmp_path / "nowhere")
    with pytest.raises(NotFound, match=r"server\.key_secret"):
        CurveServer.load(tmp_path / "server.key_secret", None)


def test_public_file_in_place_of_the_secret_one_is_refused(tmp_path: Path) -> None:
    pair = KeyPair.new()
    write_key_pair(pair, tmp_path / "server.key", tmp_path / "server.key_secret")
    with pytest.raises(InvalidInput, match="no secret key"):
        CurveServer.load(tmp_path / "server.key", None)
    loaded = CurveServer.load(tmp_path / "server.key_secret", None)
    assert loaded.keys == pair
    assert pair.secret not in repr(loaded)
