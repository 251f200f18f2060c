"""The ops page: is the server alive, is it ready, what does it count; over HTTP, for operators and their tools.

It has a thread and an event loop of its own, a fixed number of connections and a fixed rate of answers, so that whoever
connects here cannot get in the way of the sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import h11
import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.errors import InternalError, InvalidInput, Unavailable
from bridge.service.exposure import require_protected
from bridge.service.metrics import ServerStatus

_log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 64
"""When one more comes, the one that has gone without an answer for longest must go."""
REQUEST_TIMEOUT_S = 5.0
"""A connection that does not complete its next request within this is cut off."""
MAX_ANSWERS_PER_S = 100.0
"""What comes faster waits its turn: an answer to /metrics takes about a millisecond of the interpreter."""
_MAX_HEADER_BYTES = 16 * 1024
_SEND_BUFFER_BYTES = 64 * 1024
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0


class OpsServer:
    """Serves ``/healthz``, ``/readyz`` and ``/metrics`` on one address; each instance once.

    `start` and `stop` may be called from any one thread; they wait for the server's own.
    """

    def __init__(
        self, status: ServerStatus, registry: CollectorRegistry, *, request_timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        config = uvicorn.Config(
            ops_page(status, registry),
            http=_protocol(request_timeout_s),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="error",  # what peers do wrong is no news
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, round(request_timeout_s)),
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        )
        self._server = _Server(config)
        self._thread: threading.Thread | None = None

    def start(self, address: str, *, insecure: bool = False) -> str:
        """Listen on ``HOST:PORT`` (port 0: any free one) and return the address that is bound.

        Raises:
            InvalidInput: if the address does not read, or is not on the loopback and ``insecure`` does not allow that.
            Unavailable: if it cannot be bound; says why.
        """
        protection = "a loopback address behind a proxy with TLS"
        require_protected(address, field="ops", protected=False, protection=protection, insecure=insecure)
        listener = _listen(address)
        bound = f"{address.rpartition(':')[0]}:{listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="posebridge-ops", daemon=True)
        self._thread.start()
        self._server.begun.wait(_START_TIMEOUT_S)
        if not self._server.started:
            self.stop()
            raise InternalError("the ops page did not start", field="ops")
        return bound

    def stop(self) -> None:
        """Stop listening and cut off who is connected; returns within a few seconds, whatever they do."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def _serve(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except Exception:
            _log.exception("ops_page_failed")
        finally:
            listener.close()
            self._server.begun.set()


def ops_page(status: ServerStatus, registry: CollectorRegistry) -> Starlette:
    """Return the page as an ASGI application."""

    async def healthz(_: Request) -> Response:
        return _json(200, status="ok")

    async def readyz(_: Request) -> Response:
        reasons = ["draining"] if status.draining() else []
        reasons += [] if status.ready() else ["not ready"]
        return _json(503, status="unavailable", reasons=reasons) if reasons else _json(200, status="ready")

    async def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": media_type, "cache-control": "no-store"})

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)],
        middleware=[Middleware(_Paced)],
    )


def _json(status_code: int, **content: Any) -> Response:
    return JSONResponse(content, status_code, headers={"cache-control": "no-store"})


class _Paced:
    """Lets requests through one by one, evenly, at most `MAX_ANSWERS_PER_S`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._free_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now_s = asyncio.get_running_loop().time()
        mine_s = max(now_s, self._free_s)
        self._free_s = mine_s + 1 / MAX_ANSWERS_PER_S
        await asyncio.sleep(mine_s - now_s)
        with contextlib.suppress(h11.LocalProtocolError):  # the peer broke the protocol meanwhile and has its answer
            await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """Says when it has begun, and stops without waiting for peers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.begun.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and cut off who is connected."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # transports close in the loop's next round
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=_STOP_TIMEOUT_S / 2)


def _protocol(request_timeout_s: float) -> type[H11Protocol]:
    class Protocol(_BoundedProtocol):
        timeout_s = request_timeout_s

    return Protocol


class _BoundedProtocol(H11Protocol):
    """One connection: it has ``timeout_s`` from its beginning to its first answer, and from each answer to the next.

    That covers a peer that says nothing, one that says it slowly, and one that does not read.
    """

    timeout_s: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; if there are too many, the one without an answer for longest gives way."""
        if len(self.connections) >= MAX_CONNECTIONS:
            oldest = min(self.connections, key=lambda connection: connection.since_s)  # type: ignore[union-attr]
            oldest.transport.abort()
            self.connections.discard(oldest)  # it hears of it a moment later
        super().connection_made(transport)
        self._wait_for_answer()

    def on_response_complete(self) -> None:
        """Allow the same time again."""
        self._deadline.cancel()
        self._wait_for_answer()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP; what comes behind an answer gets none, but the end of the connection."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _wait_for_answer(self) -> None:
        self.since_s = self.loop.time()
        self._deadline = self.loop.call_later(self.timeout_s, self.transport.abort)


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidInput(f"{address!r} is not an address", field="ops", expected="HOST:PORT, for example 127.0.0.1:0")
    try:
        family, *_, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            listener.bind(where)
            listener.listen(MAX_CONNECTIONS)
            stack.pop_all()
            return listener
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {address}: {error.strerror}", field="ops", expected="a free address, or port 0 for any"
        ) from None
