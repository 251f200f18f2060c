"""The connection breaks, or the server dies and another takes its place: the client finds its way back by itself."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from bridge.cli.child_server import child_server
from bridge.client import Client, ConnectionState, connect
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.values import SessionConfig
from tests.client.helpers import CONFIG, frame, frames, wait_until
from tests.client.proxy import CuttableProxy
from tests.support import free_port, tiny_weights

POSE_33 = SessionConfig(client_name="test", horizon_ms=100, samples=2, futures=1)


class Sender:
    """Sends frames of one avatar at 30 Hz and knows nothing of connections."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.next_index = 0

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(1 / 30):
            self._client.send(frame(self.next_index, layout=MEDIAPIPE_POSE_33))
            self.next_index += 1


def test_after_a_cut_the_resent_window_alone_brings_a_forecast(address: str, transport: str) -> None:
    with CuttableProxy(address.removeprefix("tcp://")) as proxy:
        through = f"tcp://{proxy.address}" if transport == "zmq" else proxy.address
        with connect(through, config=CONFIG) as client:
            for sent in frames(range(12)):
                client.send(sent)
            wait_until(lambda: (f := client.latest("a")) is not None and f.based_on_sequence == 11, "a forecast")
            received = client.stats().forecasts
            # From here on the caller does nothing at all.
            proxy.cut()
            wait_until(lambda: client.stats().sessions == 2, "a second session")
            wait_until(lambda: client.stats().forecasts > received, "a forecast from the resent window")
            stats = client.stats()
            assert (stats.frames_sent, stats.frames_resent, stats.frames_dropped) == (12, 12, 0)
            assert stats.state is ConnectionState.CONNECTED
            assert stats.last_error is not None
            latest = client.latest("a")
            assert latest is not None and latest.based_on_sequence == 11


def test_a_killed_server_comes_back_and_forecasts_go_on(transport: str, tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path)
    with child_server(weights=weights, threads=1) as first:
        address = first.grpc if transport == "grpc" else first.zmq
        with connect(address, config=POSE_33, timeout_s=30) as client, Sender(client) as sender:
            wait_until(lambda: client.latest("a") is not None, "a forecast from the first server")
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait()
            wait_until(lambda: client.stats().state is ConnectionState.CONNECTING, "the loss is noticed")
            lost_at = sender.next_index
            with child_server(grpc=first.grpc, zmq=first.zmq, weights=weights, threads=1) as second:
                assert second.process.pid != first.process.pid
                wait_until(
                    lambda: (f := client.latest("a")) is not None and f.based_on_sequence > lost_at,
                    "a forecast from the second server",
                )
                assert client.stats().sessions == 2


def test_a_server_that_is_not_there_yet_is_waited_for(transport: str, tmp_path: Path) -> None:
    where = {"grpc": f"127.0.0.1:{free_port()}", "zmq": f"tcp://127.0.0.1:{free_port()}"}
    with Client(where[transport], POSE_33) as client, Sender(client):
        wait_until(lambda: client.stats().last_error is not None, "a failed attempt")
        with child_server(grpc=where["grpc"], zmq=where["zmq"], weights=tiny_weights(tmp_path), threads=1):
            wait_until(lambda: client.latest("a") is not None, "a forecast")
