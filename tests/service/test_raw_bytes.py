"""Bytes on the TCP ports that are neither HTTP/2 nor ZMTP."""

from __future__ import annotations

import random
import socket

import pytest

from tests.service_fixtures import Player, RunningServer


@pytest.mark.parametrize("seed", range(5))
def test_garbage_on_the_socket_disturbs_nobody(
    server: RunningServer, transport: str, player: Player, seed: int
) -> None:
    address = server.endpoints.grpc if transport == "grpc" else server.endpoints.zmq.removeprefix("tcp://")
    host, _, port = address.rpartition(":")
    garbage = random.Random(seed).randbytes(20_000)
    with socket.create_connection((host, int(port))) as stranger:
        try:
            stranger.sendall(garbage)
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(4096):
                pass
        except OSError:
            pass  # the server has hung up, as it should
    player.expect_forecast("bystander")
