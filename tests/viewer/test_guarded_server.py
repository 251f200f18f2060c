"""The page is for its own browser window: other pages, and names that lead here from elsewhere, are refused."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest
import viser
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from bridge.errors import FailedPrecondition
from bridge.viewer import Page, Playback, Readouts, guarded_server
from bridge.viewer.guarded_server import GuardedServer, refusal
from tests.service_fixtures import wait_until
from tests.viewer.browser import open_tab
from tests.viewer.motion import LAYOUT, swaying_history

SPOKEN = Subprotocol(f"viser-v{viser.__version__}")
TRY_TO_CONNECT = """new Promise(done => {{ const socket = new WebSocket('ws://{address}', ['{spoken}']);
    socket.onmessage = () => done('data'); socket.onclose = () => done('closed');
    setTimeout(() => done('nothing'), 8000); }})"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page(LAYOUT, swaying_history(), Playback(live=False), Readouts()) as shown:
        yield shown


def status_of_handshake(page: Page, origin: str | None, host: str | None = None) -> int:
    """What a WebSocket handshake is answered with; 101 if it is let in and told something."""
    headers = None if host is None else {"Host": host}
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(
                connect(
                    f"ws://127.0.0.1:{page.port}",
                    origin=None if origin is None else Origin(origin),
                    subprotocols=[SPOKEN],
                    additional_headers=headers,
                    max_size=None,
                    proxy=None,
                )
            )
        except InvalidStatus as refused:
            return refused.response.status_code
        assert connection.recv(timeout=10)
        return 101


@pytest.mark.parametrize(
    ("asked", "origin", "host", "let_in"),
    [
        ("127.0.0.1:50554", "http://127.0.0.1:50554", "127.0.0.1", True),
        ("localhost:9000", "http://localhost:9000", "127.0.0.1", True),  # through a tunnel of ssh
        ("LOCALHOST:50554", "http://localhost:50554", "127.0.0.1", True),
        ("[::1]:50554", "http://[::1]:50554", "::1", True),
        ("127.0.0.1:50554", "http://localhost:50554", "127.0.0.1", False),
        ("127.0.0.1:50554", "http://127.0.0.1:3000", "127.0.0.1", False),  # another page of this machine
        ("127.0.0.1:50554", "http://stranger.example", "127.0.0.1", False),
        ("127.0.0.1:50554", "null", "127.0.0.1", False),  # a file, a sandboxed frame
        ("127.0.0.1:50554", "ftp://127.0.0.1:50554", "127.0.0.1", False),
        ("127.0.0.1:50554", None, "127.0.0.1", False),
        ("stranger.example:50554", "http://stranger.example:50554", "127.0.0.1", False),  # a name led to the loopback
        ("studio.example:50554", "http://studio.example:50554", "studio.example", True),
        ("192.0.2.7:50554", "http://192.0.2.7:50554", "0.0.0.0", True),
    ],
)
def test_a_websocket_is_for_the_page_it_was_served_with(
    asked: str, origin: str | None, host: str, let_in: bool
) -> None:
    headers = Headers({"Host": asked, "Upgrade": "websocket"})
    if origin is not None:
        headers["Origin"] = origin
    assert (refusal(headers, host) is None) is let_in


def test_this_machines_own_name_leads_to_a_page_that_others_may_see_and_not_to_a_private_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Render7")
    for asked in ("render7:50554", "render7.local:50554"):
        assert refusal(Headers({"Host": asked}), "0.0.0.0") is None
        assert refusal(Headers({"Host": asked}), "127.0.0.1") is not None


def test_headers_that_come_twice_or_not_at_all_are_refused() -> None:
    assert refusal(Headers(), "127.0.0.1") is not None
    for name, value in (("Host", "127.0.0.1:1"), ("Origin", "http://127.0.0.1:1")):
        twice = Headers({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"})
        assert refusal(twice, "127.0.0.1") is None
        twice[name] = value
        assert refusal(twice, "127.0.0.1") is not None


def test_the_running_page_lets_in_its_own_and_nobody_elses(page: Page) -> None:
    assert status_of_handshake(page, page.url) == 101
    assert status_of_handshake(page, "http://stranger.example") == 403
    assert status_of_handshake(page, None) == 403
    answer = httpx.get(page.url, headers={"Host": f"stranger.example:{page.port}"}, trust_env=False)
    assert answer.status_code == 403 and "use its address or localhost" in answer.text
    assert httpx.get(page.url, trust_env=False).status_code == 200


def test_a_page_of_a_stranger_in_the_same_browser_gets_nothing(page: Page, tmp_path: Path) -> None:
    with strangers_page() as url, open_tab(tmp_path) as tab:
        tab.open(url)
        tab.wait_for("document.title === 'stranger'")
        for address in (f"127.0.0.1:{page.port}", f"localhost:{page.port}"):
            assert tab.value_of(TRY_TO_CONNECT.format(address=address, spoken=SPOKEN)) == "closed"
        # The same words from the page's own origin are answered, so it is the origin that was refused.
        tab.open(page.url)
        tab.wait_for("!!document.querySelector('canvas')")
        address = f"127.0.0.1:{page.port}"
        assert tab.value_of(TRY_TO_CONNECT.format(address=address, spoken=SPOKEN)) == "data"
        tab.open(f"http://localhost:{page.port}")
        tab.wait_for("document.body?.innerText.includes('Read-outs')")


def test_nobody_can_have_the_page_published(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    tunnels: list[object] = []
    monkeypatch.setattr("viser._viser.ViserTunnel", lambda *where: tunnels.append(where))
    asked = threading.Event()
    real = GuardedServer.request_share_url

    def noted(self: GuardedServer, verbose: bool = True) -> str | None:
        try:
            return real(self, verbose)
        finally:
            asked.set()

    monkeypatch.setattr(GuardedServer, "request_share_url", noted)
    with connect(
        f"ws://127.0.0.1:{page.port}",
        origin=Origin(page.url),
        subprotocols=[SPOKEN],
        max_size=None,
        proxy=None,
    ) as connection:
        connection.send(msgspec.msgpack.encode({"type": "ShareUrlRequest"}))
        assert asked.wait(10)
    assert tunnels == []


def test_a_viser_that_cannot_be_guarded_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    monkeypatch.setattr(guarded_server, "_asked_first", lambda refuse: contextlib.nullcontext())
    with pytest.raises(FailedPrecondition, match="would let any page in the browser use this one"):
        Page(LAYOUT, swaying_history(), Playback(live=False), Readouts())
    wait_until(lambda: not [thread for thread in set(threading.enumerate()) - before if not thread.daemon])


@contextlib.contextmanager
def strangers_page() -> Iterator[str]:
    """A page of another origin on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>stranger</title>")

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
