"""A client whose frames never cease, on a thread of its own: the one that must not notice what happens to others."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from functools import partial

from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from tests.service_fixtures import (
    GrpcClient,
    ZmqClient,
    config_message,
    frame_message,
    wait_until,
)

_PERIOD_S = 1 / 30


class SteadyClient:
    """Sends frames of a few avatars 30 times a second and reads what comes. Close it before its connection.

    Attributes:
        frames: messages sent.
        newest: by avatar, the frame that its newest forecast is based on.
        frame_errors: those that came.
        draining: the server's notice, when it has come.
        failure: what ended the session, if anything did.
    """

    def __init__(
        self, client: GrpcClient | ZmqClient, layout: Layout, name: str, avatar_ids: Sequence[str] = ("a", "b")
    ) -> None:
        self._client = client
        self._layout = layout
        self._avatar_ids = tuple(avatar_ids)
        self.frames = 0
        self.newest = dict.fromkeys(avatar_ids, -1)
        self.frame_errors: list[forecast_pb2.FrameError] = []
        self.draining: forecast_pb2.Draining | None = None
        self.failure: Exception | None = None
        self._closing = threading.Event()
        client.send(forecast_pb2.StreamForecastsRequest(config=config_message(layout, client_name=name)))
        self.accepted = client.receive().accepted
        self._thread = threading.Thread(target=self._work, name=f"steady-{name}", daemon=True)
        self._thread.start()

    def expect_forecasts(self, count: int = 10) -> None:
        """Wait until every avatar has had so many more forecasts, each of frames sent after the one before was seen."""
        for _ in range(count):
            wait_until(partial(self._has_heard_of, self.frames))
            assert self.failure is None, repr(self.failure)

    def _has_heard_of(self, frame: int) -> bool:
        return self.failure is not None or min(self.newest.values()) >= frame

    def expect_undisturbed(self) -> None:
        """Fail if anything but forecasts has come; wait for a few more of those."""
        self.expect_forecasts(3)
        assert self.frame_errors == []
        assert self.draining is None

    def close(self) -> None:
        """Send no more."""
        self._closing.set()
        self._thread.join()

    def _work(self) -> None:
        due_s = time.monotonic()
        try:
            while not self._closing.is_set():
                frames = [frame_message(self._layout, avatar_id, self.frames) for avatar_id in self._avatar_ids]
                self._client.send(forecast_pb2.StreamForecastsRequest(frames=forecast_pb2.FrameBatch(frames=frames)))
                self.frames += 1
                due_s = max(due_s + _PERIOD_S, time.monotonic() - 1.0)  # what a slow machine missed is soon made up for
                while (left_s := due_s - time.monotonic()) > 0:
                    with contextlib.suppress(queue.Empty):
                        self._take(self._client.receive(left_s))
        except Exception as error:
            self.failure = error

    def _take(self, response: forecast_pb2.StreamForecastsResponse) -> None:
        payload = response.WhichOneof("payload")
        if payload == "forecast":
            self.newest[response.forecast.avatar_id] = response.forecast.based_on_sequence
        elif payload == "frame_error":
            self.frame_errors.append(response.frame_error)
        elif payload == "draining":
            self.draining = response.draining
