"""The server: one engine, one session registry, two fronts; started, drained and stopped in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from bridge.config import Settings, default_threads
from bridge.engine import Batcher, Dispatcher, Engine
from bridge.engine.local import LocalEngine
from bridge.service.grpc_front import GrpcFront
from bridge.service.zmq_front import ZmqFront
from bridge.session import SessionRegistry

_log = structlog.get_logger(__name__)

_CLOSING_GRACE_S = 0.2


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses that are listened on, with the real ports; empty where a front is off."""

    grpc: str = ""
    zmq: str = ""


class Server:
    """Serves forecasts as ``settings`` say; with ``engine``, from that instead of the weights they name.

    `start` and `stop` belong to one event loop. A server runs once. ``registry`` holds its sessions; None before
    `start`.
    """

    def __init__(self, settings: Settings, *, engine: Engine | None = None) -> None:
        self._settings = settings
        self._engine = engine
        self._dispatcher: Dispatcher | None = None
        self.registry: SessionRegistry | None = None
        self._grpc: GrpcFront | None = None
        self._zmq: ZmqFront | None = None

    async def start(self) -> Endpoints:
        """Load the weights, listen, and return where.

        Raises:
            CheckpointError: if the weights cannot be used.
            Unavailable: if an address cannot be bound.
            InvalidInput: if an address or the device does not read.
        """
        settings = self._settings
        threads = settings.threads or default_threads()
        engine = self._engine or LocalEngine.load(settings.weights, device=settings.device, threads=threads)
        self._dispatcher = Dispatcher(engine, Batcher(max_batch_windows=settings.max_batch_windows))
        self.registry = SessionRegistry(self._dispatcher, max_sessions=settings.max_sessions)
        self._dispatcher.start()
        try:
            endpoints = await self._listen(self.registry)
        except BaseException:
            await self._close()
            raise
        info = engine.info
        _log.info(
            "serving",
            **asdict(endpoints),
            layout=info.layout.id,
            device=info.device,
            refinement=info.refinement,
            weights=info.weights_id[:12],
            pid=os.getpid(),
        )
        return endpoints

    async def stop(self, grace_ms: int | None = None) -> None:
        """Tell every client, answer what came in before, then close; takes little more than ``grace_ms`` at most.

        ``grace_ms`` defaults to the settings'.
        """
        grace_ms = self._settings.grace_ms if grace_ms is None else grace_ms
        if self.registry is not None:
            _log.info("draining", sessions=len(self.registry), grace_ms=grace_ms)
            if self._grpc is not None:
                await self._grpc.announce_stop()
            self.registry.drain(grace_ms)
            loop = asyncio.get_running_loop()
            deadline_s = loop.time() + grace_ms / 1000
            while len(self.registry) > 0 and loop.time() < deadline_s:
                await asyncio.sleep(0.01)
            cut_off = len(self.registry)
            await self._close()
            _log.info("stopped", sessions_cut_off=cut_off)

    async def run(self, ready_file: Path | None = None) -> None:
        """Serve until SIGTERM or SIGINT, then drain; a second signal skips what is left of the grace.

        ``ready_file`` is written when the server listens: ``{"grpc": "HOST:PORT", "zmq": "tcp://HOST:PORT"}``.

        Raises:
            BridgeError: as `start`.
            OSError: if ``ready_file`` cannot be written.
        """
        asked = asyncio.Event()
        insisted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: insisted.set() if asked.is_set() else asked.set())
        endpoints = await self.start()
        try:
            if ready_file is not None:
                _write_whole(ready_file, json.dumps(asdict(endpoints)))
            await asked.wait()
        finally:
            stopping = asyncio.create_task(self.stop())
            impatience = asyncio.create_task(insisted.wait())
            await asyncio.wait({stopping, impatience}, return_when=asyncio.FIRST_COMPLETED)
            impatience.cancel()
            if stopping.done():
                stopping.result()
            else:
                stopping.cancel()
                await self._close()

    async def _listen(self, registry: SessionRegistry) -> Endpoints:
        settings = self._settings
        grpc_address = zmq_address = ""
        if settings.grpc:
            self._grpc = GrpcFront(registry)
            grpc_address = await self._grpc.start(settings.grpc)
        if settings.zmq:
            self._zmq = ZmqFront(registry, idle_timeout_s=settings.session_idle_timeout_s)
            zmq_address = self._zmq.start(settings.zmq)
        return Endpoints(grpc=grpc_address, zmq=zmq_address)

    async def _close(self) -> None:
        if self._grpc is not None:
            await self._grpc.stop(_CLOSING_GRACE_S)
        if self._zmq is not None:
            await asyncio.to_thread(self._zmq.stop)
        if self._dispatcher is not None:
            await asyncio.to_thread(self._dispatcher.stop)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
