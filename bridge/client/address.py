"""Where a server is, and which transport the address means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import InvalidInput

_EXPECTED = "HOST:PORT or grpc://HOST:PORT (gRPC), tcp://HOST:PORT or ipc://PATH (ZeroMQ)"
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


class TransportKind(StrEnum):
    """How messages travel."""

    GRPC = "grpc"
    ZMQ = "zmq"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address: ``target`` is what the transport's own library takes."""

    kind: TransportKind
    target: str

    def __str__(self) -> str:
        """The address as `parse_address` reads it."""
        return f"grpc://{self.target}" if self.kind is TransportKind.GRPC else self.target


def parse_address(text: str) -> Address:
    """Read an address; without a scheme it means gRPC.

    >>> parse_address("127.0.0.1:50551").kind.value, parse_address("tcp://127.0.0.1:50552").kind.value
    ('grpc', 'zmq')

    Raises:
        InvalidInput: if it is none.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme == "ipc" and rest:
        return Address(TransportKind.ZMQ, f"ipc://{rest}")
    match = _HOST_PORT.fullmatch(rest)
    if match is None or not 1 <= int(match["port"]) <= 65535 or scheme not in ("", "grpc", "tcp"):
        raise InvalidInput(f"{text!r} is no address", field="address", expected=_EXPECTED)
    return Address(TransportKind.ZMQ, f"tcp://{rest}") if scheme == "tcp" else Address(TransportKind.GRPC, rest)
