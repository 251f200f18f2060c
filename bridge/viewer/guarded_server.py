"""A viser server that only its own page may talk to.

A browser lets any page open a WebSocket to any address, this machine's loopback included, and viser asks nobody where
they come from: a page of a stranger that is open in another tab could see the bodies, press the controls, and have the
view published under a public address. Every handshake says in its Origin header which page it comes from, so this is
where it is stopped. Programs outside a browser can say what they like: whoever can reach the port can still look.
"""

from __future__ import annotations

import contextlib
import http.client
import inspect
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import viser
import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from bridge.errors import FailedPrecondition

_Answer = Response | None
_ProcessRequest = Callable[[ServerConnection, Request], _Answer | Awaitable[_Answer]]
_FORBIDDEN = 403
_PROBE_S = 10.0
_installing = threading.Lock()


class GuardedServer(viser.ViserServer):
    """A viser server that refuses requests of pages that are not its own, see `refusal`.

    Args:
        host: where to listen, an address of this machine.
        port: 0 for any free one.

    Raises:
        FailedPrecondition: if this viser cannot be guarded; nothing listens then.
    """

    def __init__(self, host: str, port: int) -> None:
        with _asked_first(lambda headers: refusal(headers, host)):
            super().__init__(host=host, port=port, verbose=False)
        if not _keeps_strangers_out(host, self.get_port()):
            self.stop()
            raise FailedPrecondition(
                f"viser {viser.__version__} would let any page in the browser use this one",
                field="view",
                expected="another version of viser: pip install 'viser==1.1.1'",
            )

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Return None: viser would publish the page on a server of its makers for any browser that asks."""
        return None


def refusal(headers: Headers, host: str) -> str | None:
    """Why a request is not one of the page's own; None if it is.

    The name that the browser asked for must be one that nobody can lead here from elsewhere (as with a name of theirs
    that resolves to the loopback): an IP address, ``localhost``, ``host``, or off the loopback this machine's own name.
    A WebSocket must come from a page under that very name and port.
    """
    asked = headers.get_all("Host")
    if len(asked) != 1:
        return "no name, or more than one, was asked for"
    authority = asked[0].lower()
    if not _is_own_name(_without_port(authority), host):
        return f"{authority!r} is no name of this page; use its address or localhost"
    origins = headers.get_all("Origin")
    if not origins and "Upgrade" not in headers:
        return None
    if len(origins) == 1 and origins[0].lower() in (f"http://{authority}", f"https://{authority}"):
        return None
    return "this connection is for the page's own use"


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _is_own_name(name: str, host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    own = {"localhost", host.lower()}
    if not _is_loopback(host):
        own |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
    return name in own


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


@contextmanager
def _asked_first(refuse: Callable[[Headers], str | None]) -> Iterator[None]:
    """Have the server that viser starts meanwhile ask ``refuse`` about every request before it looks at it.

    viser has no way to hand this to the library that serves its page, so it is put in between as viser calls it.
    """
    serve: Callable[..., Any] = websockets.asyncio.server.serve

    def guarded(handler: Any, *args: Any, process_request: _ProcessRequest | None = None, **options: Any) -> Any:
        if str(handler.__module__).partition(".")[0] == "viser":
            process_request = _asking(refuse, process_request)
        return serve(handler, *args, process_request=process_request, **options)

    with _installing:
        websockets.asyncio.server.serve = guarded  # type: ignore[assignment,misc]
        try:
            yield
        finally:
            websockets.asyncio.server.serve = serve  # type: ignore[assignment,misc]


def _asking(refuse: Callable[[Headers], str | None], then: _ProcessRequest | None) -> _ProcessRequest:
    async def process_request(connection: ServerConnection, request: Request) -> _Answer:
        reason = refuse(request.headers)
        if reason is not None:
            return connection.respond(_FORBIDDEN, f"Refused: {reason}.\n")
        answer = None if then is None else then(connection, request)
        return await answer if inspect.isawaitable(answer) else answer

    return process_request


def _keeps_strangers_out(host: str, port: int) -> bool:
    """Find out, as a page of a stranger would, whether the guard stands: that is not up to us alone."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    handshake = {
        "Host": f"localhost:{port}",
        "Origin": "http://stranger.invalid",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": f"viser-v{viser.__version__}",
    }
    connection = http.client.HTTPConnection(reached, port, timeout=_PROBE_S)
    try:
        connection.request("GET", "/", headers=handshake)
        return connection.getresponse().status == _FORBIDDEN
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
