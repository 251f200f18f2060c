"""Clients that come, go, stall, crash and come again, as fast as they are served: what a server meets in an hour."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from bridge.service import Endpoints
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.service_fixtures import (
    PATIENCE_S,
    CallFailed,
    GrpcClient,
    StreamEnded,
    ZmqClient,
    config_message,
    frame_message,
)

AVATARS = 16
"""Of each client; their frames travel together."""
ENDS = ("goodbye", "crash", "stall and read on", "stall and crash", "silence")
_UNDER_WAY = 3
"""Messages that are sent before a client waits for what became of them."""
_STALLED_MESSAGES = 40


class Visitor(threading.Thread):
    """One client after another over one transport, until so many frames are sent, and all kinds of ends have been.

    Attributes:
        frames: sent so far.
        ends: how its sessions ended, counted.
        forecasts: that came.
        failure: what should not have happened, if it did.
    """

    def __init__(self, transport: str, endpoints: Endpoints, layout: Layout, frames: int, seed: int) -> None:
        super().__init__(name=f"visitor-{transport}-{seed}", daemon=True)
        self._transport = transport
        self._endpoints = endpoints
        self._layout = layout
        self._wanted = frames
        self._random = random.Random(seed)
        self._seed = seed
        self.frames = 0
        self.forecasts = 0
        self.ends: Counter[str] = Counter()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while self.frames < self._wanted or self.ends.total() < len(ENDS):
                # Each in turn, so that even a short visit sees all of them.
                end = ENDS[(self._seed + self.ends.total()) % len(ENDS)]
                self._live(end, messages=self._random.randint(20, 120))
                self.ends[end] += 1
        except Exception as error:
            self.failure = error

    def _live(self, end: str, messages: int) -> None:
        client = GrpcClient(self._endpoints) if self._transport == "grpc" else ZmqClient(self._endpoints)
        try:
            _Visit(self, client, messages).end(end)
        finally:
            client.vanish()

    @property
    def layout(self) -> Layout:
        """Of the landmarks."""
        return self._layout

    @property
    def name_of_client(self) -> str:
        """Different for every session, as its avatars' names are."""
        return f"visitor-{self._seed}-{self.ends.total()}"


class _Visit:
    """One session."""

    def __init__(self, visitor: Visitor, client: GrpcClient | ZmqClient, messages: int) -> None:
        self._visitor = visitor
        self._client = client
        self._pings = 0
        self._sent = 0
        name = visitor.name_of_client
        self._frames = [frame_message(visitor.layout, f"{name}-{number}", 0) for number in range(AVATARS)]
        self._open(name)
        for number in range(messages):
            self._send()
            if number % _UNDER_WAY == 0:
                self._catch_up()
        self._catch_up()

    def end(self, how: str) -> None:
        """Go, in one way or another."""
        if how == "goodbye":
            self._client.finish_sending()
            if isinstance(self._client, GrpcClient):
                self._read_to_the_end(lambda error: isinstance(error, StreamEnded))
        elif how.startswith("stall"):
            if isinstance(self._client, GrpcClient):
                self._client.pause_reading()
            for _ in range(_STALLED_MESSAGES):
                self._send()
            if how == "stall and read on":
                if isinstance(self._client, GrpcClient):
                    self._client.resume_reading()
                self._catch_up()
        elif how == "silence":
            self._read_to_the_end(lambda error: isinstance(error, CallFailed) and error.detail.field == "session")

    def _open(self, name: str) -> None:
        config = config_message(self._visitor.layout, client_name=name, horizon_ms=100, samples=2, futures=1)
        self._client.send(forecast_pb2.StreamForecastsRequest(config=config))
        assert self._client.receive().HasField("accepted")

    def _send(self) -> None:
        for frame in self._frames:
            frame.sequence = self._sent
            frame.timestamp_us = 1_000_000 + self._sent * 33_333
        self._client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=self._frames)))
        self._sent += 1
        self._visitor.frames += AVATARS

    def _catch_up(self) -> None:
        """Wait until all that was sent is looked at, and read what came of it."""
        self._pings += 1
        ping = forecast_pb2.ClockPing(client_time_us=self._pings)
        self._client.send(forecast_pb2.StreamForecastsRequest(clock_ping=ping))
        while True:
            response = self._client.receive()
            if response.HasField("clock_pong") and response.clock_pong.client_time_us == self._pings:
                return
            self._visitor.forecasts += response.HasField("forecast")

    def _read_to_the_end(self, is_right: Callable[[Exception], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                self._client.receive()
            except queue.Empty:
                break
            except (CallFailed, StreamEnded) as error:
                assert is_right(error), repr(error)
                return
        raise AssertionError("the session did not end")
