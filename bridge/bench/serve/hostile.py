"""Clients that behave badly: ``python -m bridge.bench.serve.hostile NAME JSON``. Each ends by itself in time.

It says `READY`, waits for a line, then does its worst for ``seconds``, and says what it did as one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.bench.serve.frames import FrameMessages
from bridge.bench.serve.job import READY, ClientJob, config_request
from bridge.bench.serve.schedule import Metronome, plan_load
from bridge.skeleton import get_layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2

_AVATARS = 8
_ATTEMPTS_PER_S = 1000
_STORM_SLOT_S = 0.01
_STORM_HELD_S = 0.1
_LORIS_CONNECTIONS = 100
_LORIS_BYTE_EVERY_S = 0.2
_LORIS_WORDS = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"z" * 4096
_HTTP2_WORDS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(4096)


@dataclass(frozen=True, slots=True)
class Orders:
    """Where the server is (addresses by transport, "ops" among them), how a frame looks, for how long."""

    addresses: dict[str, str]
    transport: str
    layout_id: str
    hz: float
    seconds: float


def stalled_reader(orders: Orders) -> dict[str, Any]:
    """Open a session with some avatars, send their frames, never read."""
    plan = plan_load(avatars=_AVATARS, sessions=1, hz=orders.hz, seconds=orders.seconds, prefix="stalled")
    job = ClientJob(orders.transport, orders.addresses[orders.transport], plan, orders.layout_id, False, 0.0, "")
    return _stalled_zmq(job) if orders.transport == "zmq" else asyncio.run(_stalled_grpc(job))


def _stalled_zmq(job: ClientJob) -> dict[str, Any]:
    import zmq

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.RCVHWM, 1)
    dealer.connect(job.address)
    dealer.send(envelope_pb2.ClientEnvelope(stream=config_request(job, 0)).SerializeToString())
    messages = FrameMessages(job.plan, get_layout(job.layout_id), enveloped=True)
    metronome = Metronome(job.plan, time.monotonic_ns())
    sent = 0
    while (due := metronome.next_due()) is not None:
        time.sleep(max(0.0, (due.due_ns - time.monotonic_ns()) / 1e9))
        for ready in metronome.take(time.monotonic_ns()):
            for message in messages.of(ready.session, ready.tick)[1]:
                with contextlib.suppress(zmq.Again):
                    dealer.send(message, zmq.NOBLOCK)
                    sent += 1
    context.destroy(linger=0)
    return {"frames_sent": sent}


async def _stalled_grpc(job: ClientJob) -> dict[str, Any]:
    import grpc.aio

    from bridge.bench.serve.client_grpc import METHOD

    sent = 0
    async with grpc.aio.insecure_channel(job.address, options=(("grpc.http2.bdp_probe", 0),)) as channel:
        call: Any = channel.stream_stream(METHOD)()
        await call.write(config_request(job, 0).SerializeToString())
        messages = FrameMessages(job.plan, get_layout(job.layout_id), enveloped=False)
        start_ns = time.monotonic_ns()
        end_ns = start_ns + round(1e9 * job.plan.seconds)
        # Writing stalls too once the server reads no more: the clock decides when it is over.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout((end_ns - time.monotonic_ns()) / 1e9):
                for tick in range(job.plan.ticks):
                    await asyncio.sleep((start_ns + job.plan.due_ns(0, tick) - time.monotonic_ns()) / 1e9)
                    for message in messages.of(0, tick)[1]:
                        await call.write(message)
                        sent += 1
        call.cancel()
    return {"frames_sent": sent}


def slow_loris(orders: Orders) -> dict[str, Any]:
    """Hold many connections to the ops and the gRPC port with requests that come one byte at a time."""
    ports = {"ops": _LORIS_WORDS, "grpc": _HTTP2_WORDS}
    held: list[tuple[socket.socket, bytes]] = []
    refused = 0
    for name, words in ports.items():
        for _ in range(_LORIS_CONNECTIONS):
            try:
                held.append((socket.create_connection(host_and_port(orders.addresses[name]), timeout=1.0), words))
            except OSError:
                refused += 1
    end_s = time.monotonic() + orders.seconds
    bytes_sent = closed = place = 0
    while held and time.monotonic() < end_s:
        for connection, words in list(held):
            try:
                connection.send(words[place : place + 1])
                bytes_sent += 1
            except OSError:
                held.remove((connection, words))
                connection.close()
                closed += 1
        place += 1
        time.sleep(_LORIS_BYTE_EVERY_S)
    for connection, _ in held:
        connection.close()
    return {"connections": 2 * _LORIS_CONNECTIONS, "refused": refused, "closed_by_server": closed, "bytes": bytes_sent}


def connection_storm(orders: Orders) -> dict[str, Any]:
    """Try to connect to every port a thousand times a second, say nothing, hang up soon after."""
    ports = [host_and_port(address) for address in orders.addresses.values() if address]
    per_slot = round(_ATTEMPTS_PER_S * _STORM_SLOT_S)
    held: deque[tuple[float, socket.socket]] = deque()
    attempts = failed = 0
    begin_s = time.monotonic()
    slot = 0
    while (now_s := time.monotonic()) < begin_s + orders.seconds:
        while held and held[0][0] < now_s - _STORM_HELD_S:
            held.popleft()[1].close()
        for port in ports:
            for _ in range(per_slot):
                attempts += 1
                try:
                    attempt = socket.socket()
                    attempt.setblocking(False)
                    attempt.connect_ex(port)
                    held.append((now_s, attempt))
                except OSError:
                    failed += 1
        slot += 1
        time.sleep(max(0.0, begin_s + slot * _STORM_SLOT_S - time.monotonic()))
    took_s = time.monotonic() - begin_s
    for _, attempt in held:
        attempt.close()
    return {
        "attempts": attempts,
        "failed": failed,
        "ports": len(ports),
        "attempts_per_s_and_port": attempts / took_s / len(ports),
    }


def ops_peer(orders: Orders) -> dict[str, Any]:
    """Ask for the metrics again and again, with one answer always half read: made to be killed in the middle."""
    end_s = time.monotonic() + orders.seconds
    asked = 0
    while time.monotonic() < end_s:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(host_and_port(orders.addresses["ops"]), timeout=1.0) as peer,
        ):
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            peer.recv(16)
            asked += 1
            time.sleep(0.02)
    return {"asked": asked}


def host_and_port(address: str) -> tuple[str, int]:
    """Return what `socket` takes of HOST:PORT or tcp://HOST:PORT."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), int(port)


MISCHIEF: dict[str, Callable[[Orders], dict[str, Any]]] = {
    "stalled-reader": stalled_reader,
    "slow-loris": slow_loris,
    "connection-storm": connection_storm,
    "kill-ops-peer": ops_peer,
}


def main(arguments: list[str]) -> None:
    """Do one kind of mischief."""
    name, orders = arguments[0], Orders(**json.loads(arguments[1]))
    print(READY, flush=True)
    if sys.stdin.readline().strip():
        print(json.dumps(MISCHIEF[name](orders)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
