"""An address that others reach is encrypted, or somebody asked for it to be open."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bridge.errors import InvalidInput
from bridge.service.exposure import is_loopback, require_protected, warn_if_anyone_may_connect

LOOPBACK = [
    "127.0.0.1:1",
    "127.8.9.10:50551",
    "localhost:50551",
    "LOCALHOST:1",
    "[::1]:50551",
    "[::ffff:127.0.0.1]:1",
    "tcp://127.0.0.1:*",
    "tcp://[::1]:50552",
    "tcp://localhost:0",
    "ipc:///run/posebridge",
]
REACHABLE = [
    "0.0.0.0:50551",
    "[::]:50551",
    "192.168.1.4:1",
    "tcp://*:50552",
    "tcp://10.0.0.1:1",
    "localhost.example.org:1",
    "127.0.0.1.example.org:1",
    "gpu-server:50551",
    "2130706433:1",
    "[::ffff:10.0.0.1]:1",
]


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_needs_nothing_and_warns_of_nothing(address: str) -> None:
    assert is_loopback(address)
    with capture_logs() as logs:
        require_protected(address, field="grpc", protected=False, protection="tls_cert", insecure=False)
        warn_if_anyone_may_connect(address, field="grpc", authenticated=False)
    assert logs == []


@pytest.mark.parametrize("address", REACHABLE)
def test_address_that_others_reach_is_refused_unless_encrypted(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(InvalidInput, match="insecure") as caught:
        require_protected(address, field="grpc", protected=False, protection="tls_cert", insecure=False)
    assert address in caught.value.problem
    assert caught.value.field == "grpc"
    assert "tls_cert" in caught.value.expected
    with capture_logs() as logs:
        require_protected(address, field="grpc", protected=True, protection="tls_cert", insecure=False)
    assert logs == []


def test_openness_that_was_asked_for_is_logged_at_every_start() -> None:
    for _ in range(2):
        with capture_logs() as logs:
            require_protected("0.0.0.0:1", field="zmq", protected=False, protection="curve", insecure=True)
        assert [(line["event"], line["log_level"]) for line in logs] == [("listening_without_encryption", "warning")]


@pytest.mark.parametrize("authenticated", [True, False])
def test_reachable_server_that_asks_nobody_who_they_are_says_so(authenticated: bool) -> None:
    with capture_logs() as logs:
        warn_if_anyone_may_connect("0.0.0.0:1", field="grpc", authenticated=authenticated)
    assert [line["event"] for line in logs] == ([] if authenticated else ["anyone_may_connect"])
