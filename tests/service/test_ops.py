"""The ops page over real sockets, with peers that behave and peers that do not."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.errors import InvalidInput, Unavailable
from bridge.service.metrics import metrics_registry
from bridge.service.ops import MAX_CONNECTIONS, OpsServer
from bridge.telemetry import Telemetry
from tests.service.status_double import FakeStatus
from tests.service_fixtures import wait_until


@pytest.fixture
def status() -> FakeStatus:
    return FakeStatus()


@contextlib.contextmanager
def running(status: FakeStatus, *, request_timeout_s: float = 60.0) -> Iterator[str]:
    """An ops page on a free port; its address."""
    server = OpsServer(status, metrics_registry(Telemetry(), status), request_timeout_s=request_timeout_s)
    try:
        yield server.start("127.0.0.1:0")
    finally:
        server.stop()


@pytest.fixture
def page(status: FakeStatus) -> Iterator[str]:
    with running(status) as address:
        yield address


@pytest.fixture
def impatient_page(status: FakeStatus) -> Iterator[str]:
    """One that waits but a moment for what peers have to say."""
    with running(status, request_timeout_s=0.2) as address:
        yield address


def get(address: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of an answer."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def get_json(address: str, path: str) -> tuple[int, Any]:
    code, body, _ = get(address, path)
    return code, json.loads(body)


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def read_to_end(peer: socket.socket) -> bytes:
    """What comes until the other side closes, however it does."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := peer.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_living_process_is_healthy_whatever_its_state(page: str, status: FakeStatus) -> None:
    status.is_ready, status.is_draining = False, True
    assert get_json(page, "/healthz") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("ready", "draining", "reasons"),
    [
        (True, False, None),
        (False, False, ["not ready"]),
        (True, True, ["draining"]),
        (False, True, ["draining", "not ready"]),
    ],
)
def test_readiness_says_what_is_missing(
    page: str, status: FakeStatus, ready: bool, draining: bool, reasons: list[str] | None
) -> None:
    status.is_ready, status.is_draining = ready, draining
    if reasons is None:
        assert get_json(page, "/readyz") == (200, {"status": "ready"})
    else:
        assert get_json(page, "/readyz") == (503, {"status": "unavailable", "reasons": reasons})


def test_metrics_come_in_the_format_that_is_asked_for(page: str, status: FakeStatus) -> None:
    status.avatar_count = 17
    code, body, headers = get(page, "/metrics")
    assert code == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert "\nposebridge_avatars 17.0\n" in body
    _, body, headers = get(page, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_answers_do_not_say_what_serves_them(page: str) -> None:
    for path in ("/healthz", "/nowhere"):
        assert "server" not in {name.lower() for name in get(page, path)[2]}


def test_what_is_not_there_is_not_found(page: str) -> None:
    assert get(page, "/nowhere")[0] == 404
    assert get(page, "/healthz/../../etc/passwd")[0] == 404


def test_only_reading_is_allowed(page: str) -> None:
    with connect(page) as peer:
        peer.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        assert read_to_end(peer).startswith(b"HTTP/1.1 405 ")


def test_an_error_of_the_server_is_an_error_of_one_answer(page: str, status: FakeStatus) -> None:
    def broken() -> int:
        raise RuntimeError("no number today")

    status.avatars = broken  # type: ignore[method-assign]
    assert get(page, "/metrics")[0] == 500
    assert get(page, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",  # answered once, then nothing more
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxx",
    ],
    ids=["silent", "half a header", "idle after an answer", "half a second request", "half a body"],
)
def test_a_peer_that_does_not_go_on_is_cut_off(impatient_page: str, said: bytes) -> None:
    with connect(impatient_page) as peer:
        peer.sendall(said)
        heard = read_to_end(peer)
    assert heard.count(b"HTTP/1.1 200 OK") == said.count(b"\r\n\r\n")


def test_a_peer_that_sends_a_byte_now_and_then_is_cut_off(impatient_page: str) -> None:
    with connect(impatient_page) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        ended = threading.Event()

        def dribble() -> None:
            with contextlib.suppress(OSError):
                while not ended.wait(0.02):
                    peer.sendall(b"x")

        slow = threading.Thread(target=dribble)
        slow.start()
        try:
            assert read_to_end(peer) == b""
        finally:
            ended.set()
            slow.join()


def test_a_peer_that_asks_on_and_on_but_does_not_read_is_cut_off(impatient_page: str) -> None:
    with socket.socket() as peer:
        peer.settimeout(60)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = impatient_page.rpartition(":")
        peer.connect((host, int(port)))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    assert get(impatient_page, "/healthz")[0] == 200


def test_a_peer_that_is_killed_amid_an_answer_harms_nobody(page: str) -> None:
    for _ in range(20):
        peer = connect(page)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # as a crash: reset
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        peer.close()
    assert get(page, "/metrics")[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET\r\n\r\n",
        b"GET /healthz HTTX/1.1\r\n\r\n",
        b"GET /%ff%00%1b HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
    ],
    ids=["zeros", "tls", "no target", "version", "bytes in the path", "length", "long header", "long chunk"],
)
def test_garbage_ends_its_own_connection_only(page: str, garbage: bytes) -> None:
    with connect(page) as peer:
        with contextlib.suppress(OSError):  # cut off before all was said
            peer.sendall(garbage)
            peer.shutdown(socket.SHUT_WR)
        heard = read_to_end(peer)
        assert heard == b"" or heard.startswith(b"HTTP/1.1 4")
    assert get(page, "/healthz")[0] == 200


def test_200_idle_connections_leave_room_for_a_probe_and_are_not_all_kept(page: str) -> None:
    before = open_descriptors()
    peers = [connect(page) for _ in range(200)]
    try:
        assert get(page, "/readyz")[0] == 200
        assert open_descriptors() - before <= 200 + MAX_CONNECTIONS + 2
        peers[0].settimeout(20)
        assert read_to_end(peers[0]) == b""  # the oldest had to go
    finally:
        for peer in peers:
            peer.close()
    wait_until(lambda: open_descriptors() <= before)


def test_an_address_in_use_is_named(page: str, status: FakeStatus) -> None:
    with pytest.raises(Unavailable, match="in use") as caught:
        OpsServer(status, metrics_registry(Telemetry(), status)).start(page)
    assert caught.value.field == "ops"
    assert page in caught.value.problem


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "no such host:1"])
def test_what_is_no_address_is_refused(address: str, status: FakeStatus) -> None:
    with pytest.raises((InvalidInput, Unavailable)) as caught:
        OpsServer(status, metrics_registry(Telemetry(), status)).start(address, insecure=True)
    assert caught.value.field == "ops"


def test_other_machines_are_let_in_only_when_that_is_asked_for(status: FakeStatus) -> None:
    server = OpsServer(status, metrics_registry(Telemetry(), status))
    with pytest.raises(InvalidInput, match="other machines") as caught:
        server.start("0.0.0.0:0")
    assert caught.value.field == "ops"
    address = server.start("0.0.0.0:0", insecure=True)
    assert get(address.replace("0.0.0.0", "127.0.0.1"), "/healthz")[0] == 200
    server.stop()


def test_stopping_frees_the_port_and_cuts_off_who_is_connected(status: FakeStatus) -> None:
    before = open_descriptors()
    server = OpsServer(status, metrics_registry(Telemetry(), status))
    address = server.start("127.0.0.1:0")
    with connect(address) as silent, connect(address) as asking:
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        server.stop()
        read_to_end(silent)
        read_to_end(asking)
    assert "posebridge-ops" not in [thread.name for thread in threading.enumerate()]
    assert open_descriptors() <= before
    again = OpsServer(status, metrics_registry(Telemetry(), status))
    assert again.start(address) == address
    again.stop()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
