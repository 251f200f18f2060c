"""A running server, clients that know only the proto files, and bodies that move: for the tests of rows 3 to 5."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import numpy as np
import zmq
from google.protobuf.message import Message

from bridge.anomaly.desk import AnomalyDesk
from bridge.config import Settings
from bridge.engine import Engine
from bridge.service import Endpoints, Server
from bridge.session import Session
from bridge.skeleton import Layout
from bridge.wire.generated.posebridge.v1 import envelope_pb2, forecast_pb2, pose_pb2
from tests.support import REPOSITORY

PATIENCE_S = 20.0
"""How long a test waits for what must come; never reached when all is well."""
T = TypeVar("T")
M = TypeVar("M", bound=Message)
Metadata = tuple[tuple[str, str], ...]
TRANSPORTS = ("grpc", "zmq")
SERVICE = "/posebridge.v1.ForecastService"


def wait_until(holds: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds; fail if it does not for long."""
    deadline_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)


# -- bodies that move


def body_landmarks(layout: Layout, phase: float) -> np.ndarray:
    """A plausible body (J, 4) that sways and waves."""
    rng = np.random.default_rng(7)
    pose = rng.normal(scale=0.25, size=(layout.joints, 3))
    pose[layout.hips, :] = [(0.1, 0.0, 0.0), (-0.1, 0.0, 0.0)]
    pose[layout.shoulders, :] = [(0.15, -0.5, 0.0), (-0.15, -0.5, 0.02)]
    pose += 0.05 * np.sin(phase + np.arange(layout.joints))[:, None]
    return np.concatenate([pose, np.ones((layout.joints, 1))], axis=1).astype(np.float32)


def frame_message(layout: Layout, avatar_id: str, index: int, *, fps: float = 30.0) -> pose_pb2.PoseFrame:
    """Frame number ``index`` of an avatar."""
    return pose_pb2.PoseFrame(
        avatar_id=avatar_id,
        sequence=index,
        timestamp_us=1_000_000 + round(index * 1e6 / fps),
        landmarks=body_landmarks(layout, index / 10).ravel().tolist(),
    )


def stream_frame(frame: pose_pb2.PoseFrame) -> forecast_pb2.StreamForecastsRequest:
    return forecast_pb2.StreamForecastsRequest(frame=frame)


def config_message(layout: Layout, **changed: object) -> forecast_pb2.SessionConfig:
    """A small, valid config with some fields changed."""
    config = forecast_pb2.SessionConfig(
        protocol_version=1, client_name="test", layout_id=layout.id, horizon_ms=200, samples=4, futures=2
    )
    for name, value in changed.items():
        setattr(config, name, value)
    return config


# -- a server in this process


class RunningServer:
    """A real server on free ports, its event loop on a thread of its own."""

    def __init__(self, settings: Settings, *, engine: Engine | None = None, desk: AnomalyDesk | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        # A test that fails before it stops its server must not keep the whole run from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-server", daemon=True)
        self._thread.start()
        self._server = Server(settings, engine=engine, desk=desk)
        self._stopped = False
        try:
            self.endpoints: Endpoints = self._call(self._server.start())
        except BaseException:
            self._end_loop()
            raise

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are open now."""
        registry = self._server.registry
        return [] if registry is None else registry.sessions()

    def wait_for_sessions(self, count: int) -> None:
        wait_until(lambda: len(self.sessions) == count)

    def stop(self, grace_ms: int | None = None) -> None:
        if not self._stopped:
            self._stopped = True
            self._call(self._server.stop(grace_ms))
            self._end_loop()

    def stop_in_background(self, grace_ms: int) -> threading.Thread:
        thread = threading.Thread(target=self.stop, args=(grace_ms,))
        thread.start()
        return thread

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


# -- clients that know only the proto files


class CallFailed(Exception):
    """The server answered with an error instead of a message."""

    def __init__(self, detail: forecast_pb2.ErrorDetail, *, session_ended: bool, status: str = "") -> None:
        super().__init__(f"{detail.field}: {detail.problem}; expected {detail.expected}")
        self.detail = detail
        self.session_ended = session_ended
        self.status = status


class StreamEnded(Exception):
    """The server ended the stream in good order."""


class RawClient(Protocol):
    """One connection with one session, whatever the transport."""

    def send_bytes(self, data: bytes) -> None: ...
    def send(self, request: forecast_pb2.StreamForecastsRequest) -> None: ...
    def receive(self, timeout_s: float = PATIENCE_S) -> forecast_pb2.StreamForecastsResponse: ...
    def forecast(self, request: forecast_pb2.ForecastRequest) -> forecast_pb2.ForecastResponse: ...
    def model_info(self) -> forecast_pb2.GetModelInfoResponse: ...
    def close(self) -> None: ...


class GrpcClient:
    """Raw gRPC stubs; takes messages off the wire only when asked to."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._channel = grpc.insecure_channel(endpoints.grpc, options=[("grpc.max_send_message_length", -1)])
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[forecast_pb2.StreamForecastsResponse | Exception] = queue.SimpleQueue()
        self._call: grpc.Call | None = None
        self._reader: threading.Thread | None = None
        self._reading = threading.Event()
        self._reading.set()

    def send_bytes(self, data: bytes) -> None:
        self._outgoing.put(data)
        if self._call is None:
            method = self._channel.stream_stream(
                f"{SERVICE}/StreamForecasts", response_deserializer=forecast_pb2.StreamForecastsResponse.FromString
            )
            self._call = method(iter(self._outgoing.get, None))

    def send(self, request: forecast_pb2.StreamForecastsRequest) -> None:
        self.send_bytes(request.SerializeToString())

    def receive(self, timeout_s: float = PATIENCE_S) -> forecast_pb2.StreamForecastsResponse:
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        answer = self._incoming.get(timeout=timeout_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forecast(self, request: forecast_pb2.ForecastRequest) -> forecast_pb2.ForecastResponse:
        return self._unary("Forecast", request, forecast_pb2.ForecastResponse)

    def model_info(self) -> forecast_pb2.GetModelInfoResponse:
        return self._unary("GetModelInfo", forecast_pb2.GetModelInfoRequest(), forecast_pb2.GetModelInfoResponse)

    def pause_reading(self) -> None:
        """Take nothing more off the wire (but for one message) until `resume_reading`."""
        self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()

    def finish_sending(self) -> None:
        self._outgoing.put(None)

    def vanish(self) -> None:
        self.close()

    def close(self) -> None:
        self._outgoing.put(None)
        if self._call is not None:
            self._call.cancel()
        self._reading.set()
        self._channel.close()
        if self._reader is not None:
            self._reader.join()

    def _unary(self, name: str, request: Message, answer_type: type[M]) -> M:
        method = self._channel.unary_unary(
            f"{SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        try:
            answer: M = method(request, timeout=PATIENCE_S)
            return answer
        except grpc.RpcError as error:
            raise call_failure(error) from None

    def _read(self) -> None:
        assert self._call is not None
        try:
            for message in self._call:
                self._incoming.put(message)
                self._reading.wait()
        except grpc.RpcError as error:
            self._incoming.put(call_failure(error))
            return
        self._incoming.put(StreamEnded())


def call_failure(error: grpc.RpcError) -> CallFailed:
    """A call's end as the clients here raise it."""
    details = [value for key, value in error.trailing_metadata() or () if key == "posebridge-error-bin"]
    detail = forecast_pb2.ErrorDetail.FromString(details[0]) if details else forecast_pb2.ErrorDetail()
    if not details:
        detail.problem = error.details() or ""
    return CallFailed(detail, session_ended=True, status=error.code().name)


class ZmqClient:
    """A raw DEALER socket."""

    def __init__(self, endpoints: Endpoints, *, receive_queue: int = 1000) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, receive_queue)
        self.socket.connect(endpoints.zmq)

    def send_bytes(self, data: bytes) -> None:
        self.socket.send(data)

    def send(self, request: forecast_pb2.StreamForecastsRequest) -> None:
        self.send_envelope(envelope_pb2.ClientEnvelope(stream=request))

    def send_envelope(self, envelope: envelope_pb2.ClientEnvelope) -> None:
        self.send_bytes(envelope.SerializeToString())

    def receive(self, timeout_s: float = PATIENCE_S) -> forecast_pb2.StreamForecastsResponse:
        while (envelope := self.receive_envelope(timeout_s)).WhichOneof("payload") == "heartbeat":
            pass  # the server makes sure that somebody is there
        assert envelope.WhichOneof("payload") == "stream", envelope
        return envelope.stream

    def receive_envelope(self, timeout_s: float = PATIENCE_S) -> envelope_pb2.ServerEnvelope:
        if not self.socket.poll(round(timeout_s * 1000)):
            raise queue.Empty
        envelope = envelope_pb2.ServerEnvelope.FromString(self.socket.recv())
        if envelope.WhichOneof("payload") == "error":
            raise CallFailed(envelope.error.error, session_ended=envelope.error.session_ended)
        return envelope

    def forecast(self, request: forecast_pb2.ForecastRequest) -> forecast_pb2.ForecastResponse:
        self.send_envelope(envelope_pb2.ClientEnvelope(request_id=41, forecast=request))
        answer = self.receive_envelope()
        assert answer.request_id == 41
        return answer.forecast

    def model_info(self) -> forecast_pb2.GetModelInfoResponse:
        request = forecast_pb2.GetModelInfoRequest()
        self.send_envelope(envelope_pb2.ClientEnvelope(request_id=42, get_model_info=request))
        answer = self.receive_envelope()
        assert answer.request_id == 42
        return answer.get_model_info

    def finish_sending(self) -> None:
        goodbye = envelope_pb2.ClientEnvelope(goodbye=envelope_pb2.Goodbye())
        with contextlib.suppress(zmq.Again):  # the other side may be gone
            self.socket.send(goodbye.SerializeToString(), zmq.NOBLOCK)

    def vanish(self) -> None:
        self._context.destroy(linger=0)

    def close(self) -> None:
        if not self.socket.closed:
            self.finish_sending()
            self._context.destroy(linger=1000)


class Connections:
    """Opens raw clients and closes them all in the end, whatever became of the test."""

    def __init__(self) -> None:
        self._open: list[GrpcClient | ZmqClient] = []

    def grpc(self, endpoints: Endpoints) -> GrpcClient:
        client = GrpcClient(endpoints)
        self._open.append(client)
        return client

    def zmq(self, endpoints: Endpoints, *, receive_queue: int = 1000) -> ZmqClient:
        client = ZmqClient(endpoints, receive_queue=receive_queue)
        self._open.append(client)
        return client

    def over(self, transport: str, endpoints: Endpoints) -> GrpcClient | ZmqClient:
        return self.grpc(endpoints) if transport == "grpc" else self.zmq(endpoints)

    def close(self) -> None:
        for client in self._open:
            client.close()


# -- a client that plays by the rules


class Player:
    """A session whose avatars move: sends frames in order and waits for what comes back."""

    def __init__(self, client: GrpcClient | ZmqClient, layout: Layout, **config: object) -> None:
        self.client = client
        self.layout = layout
        self._next: dict[str, int] = {}
        client.send(forecast_pb2.StreamForecastsRequest(config=config_message(layout, **config)))
        self.accepted = client.receive().accepted
        assert self.accepted.session_id
        self.newest: dict[str, forecast_pb2.PoseForecast] = {}
        self.frame_errors: list[forecast_pb2.FrameError] = []

    def frame(self, avatar_id: str) -> pose_pb2.PoseFrame:
        """The avatar's next frame, not yet sent."""
        index = self._next.get(avatar_id, 0)
        self._next[avatar_id] = index + 1
        return frame_message(self.layout, avatar_id, index)

    def send_frames(self, avatar_ids: Sequence[str], count: int = 1) -> None:
        """Send the next frames of some avatars, those of one instant in one message."""
        for _ in range(count):
            batch = forecast_pb2.FrameBatch(frames=[self.frame(avatar_id) for avatar_id in avatar_ids])
            self.client.send(forecast_pb2.StreamForecastsRequest(frames=batch))

    def fill_windows(self, *avatar_ids: str) -> None:
        """Send frames until every avatar's window is full, and wait for a forecast of each from its last frame."""
        self.send_frames(avatar_ids, self.accepted.context_frames + 1)
        for avatar_id in avatar_ids:
            self.forecast_after(avatar_id, self._next[avatar_id] - 1)

    def expect_forecast(self, avatar_id: str) -> forecast_pb2.PoseForecast:
        """Send one more frame and return the forecast that is based on it."""
        self.send_frames([avatar_id])
        return self.forecast_after(avatar_id, self._next[avatar_id] - 1)

    def forecast_after(self, avatar_id: str, sequence: int) -> forecast_pb2.PoseForecast:
        """Wait for a forecast of an avatar that is based on this frame or a later one; frame errors are noted."""
        for _ in self._receive_until_given_up():
            forecast = self.newest.get(avatar_id)
            if forecast is not None and forecast.based_on_sequence >= sequence:
                return forecast
        raise AssertionError(f"no forecast of {avatar_id} from frame {sequence}; errors: {self.frame_errors}")

    def expect_frame_error(self) -> forecast_pb2.FrameError:
        """Wait for a frame error and return it."""
        for _ in self._receive_until_given_up():
            if self.frame_errors:
                return self.frame_errors.pop(0)
        raise AssertionError("no frame error came")

    def _receive_until_given_up(self) -> Iterator[None]:
        """Look at what is there, then receive message after message; ends when none comes for long."""
        yield
        deadline_s = time.monotonic() + PATIENCE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                response = self.client.receive(left_s)
            except queue.Empty:
                return
            if response.WhichOneof("payload") == "forecast":
                self.newest[response.forecast.avatar_id] = response.forecast
            elif response.WhichOneof("payload") == "frame_error":
                self.frame_errors.append(response.frame_error)
            yield


# -- a server in a process of its own


def command_environment() -> dict[str, str]:
    """The environment for our commands: this checkout first, and no settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSE_BRIDGE_")}
    return kept | {"PYTHONPATH": str(REPOSITORY)}


class ServeCommand:
    """``pose-bridge serve`` on free ports in a child process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._ready_file = folder / "ready.json"
        addresses = [
            "--grpc",
            "127.0.0.1:0",
            "--zmq",
            "tcp://127.0.0.1:0",
            "--ops",
            "127.0.0.1:0",
            "--ready-file",
            str(self._ready_file),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "serve", *addresses, *options],
            cwd=REPOSITORY,
            env=command_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.endpoints = Endpoints()

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            return self._ready_file.exists()

        wait_until(is_ready, patience_s=60.0)
        self.endpoints = Endpoints(**json.loads(self._ready_file.read_text(encoding="utf-8")))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
