"""Binding a ZeroMQ socket, with the reason when it does not work."""

from __future__ import annotations

import socket
from pathlib import Path

import zmq

from bridge.errors import InvalidInput, Unavailable


def bind(endpoint: zmq.Socket[bytes], address: str, *, field: str) -> str:
    """Bind and return the address that is bound, with the real port; ``field`` is the setting the address comes from.

    Raises:
        InvalidInput: if the address does not read.
        Unavailable: if it cannot be bound; says why.
    """
    try:
        endpoint.bind(address)
    except zmq.ZMQError as error:
        if error.errno in (zmq.EINVAL, zmq.EPROTONOSUPPORT):
            raise _not_an_address(address, field) from None
        raise _unavailable(address, field, error.strerror or str(error)) from None
    return endpoint.getsockopt_string(zmq.LAST_ENDPOINT)


def require_free(address: str, *, field: str) -> None:
    """Check that nobody listens on an ipc path: libzmq would take the path away from them without a word.

    Raises:
        InvalidInput: if the address does not read.
        Unavailable: if somebody does.
    """
    scheme, _, path = address.partition("://")
    if scheme not in ("tcp", "ipc") or not path:
        raise _not_an_address(address, field)
    if scheme != "ipc" or not Path(path).exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return  # a leftover of a server that is gone
    raise _unavailable(address, field, "Address already in use")


def _not_an_address(address: str, field: str) -> InvalidInput:
    expected = "tcp://HOST:PORT or ipc://PATH, for example tcp://127.0.0.1:50552"
    return InvalidInput(f"{address!r} is not an address", field=field, expected=expected)


def _unavailable(address: str, field: str, reason: str) -> Unavailable:
    return Unavailable(
        f"cannot listen on {address}: {reason}", field=field, expected="a free address, or port 0 for any"
    )
