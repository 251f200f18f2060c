from __future__ import annotations

import pytest

from bridge.client import TransportKind, parse_address
from bridge.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("127.0.0.1:50551", TransportKind.GRPC, "127.0.0.1:50551"),
        ("grpc://game-server:50551", TransportKind.GRPC, "game-server:50551"),
        ("[::1]:50551", TransportKind.GRPC, "[::1]:50551"),
        ("tcp://127.0.0.1:50552", TransportKind.ZMQ, "tcp://127.0.0.1:50552"),
        ("ipc:///tmp/posebridge", TransportKind.ZMQ, "ipc:///tmp/posebridge"),
    ],
)
def test_scheme_chooses_the_transport(text: str, kind: TransportKind, target: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.target) == (kind, target)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "localhost", "localhost:", "localhost:0", "localhost:65536", "http://a:1", "tcp://", "ipc://", "a b:1"]
)
def test_what_is_no_address_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT") as refused:
        parse_address(text)
    assert refused.value.field == "address"
