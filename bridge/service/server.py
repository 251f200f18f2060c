"""The server: engines, alerts, one session registry, two fronts, an ops page; started, drained and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from bridge.anomaly.desk import AnomalyDesk, open_desk
from bridge.config import Settings, default_threads
from bridge.engine import Batcher, CostModel, Dispatcher, Engine, EngineInfo
from bridge.engine.opening import open_engines
from bridge.engine.warmup import warm_up
from bridge.service.alert_calls import AlertCalls
from bridge.service.grpc_front import GrpcFront
from bridge.service.metrics import metrics_registry
from bridge.service.ops import OpsServer
from bridge.service.protection import Protection
from bridge.service.watch import WatchPublisher
from bridge.service.zmq_front import ZmqFront
from bridge.session import SessionRegistry
from bridge.telemetry import Telemetry

_log = structlog.get_logger(__name__)

_CLOSING_GRACE_S = 0.2
_HEALTH_CHECK_S = 0.25


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses that are listened on, with the real ports; empty where something is off."""

    grpc: str = ""
    zmq: str = ""
    zmq_watch: str = ""
    ops: str = ""


class Server:
    """Serves forecasts and alerts as ``settings`` say; with ``engine`` or ``desk``, from these instead of its own.

    `start` and `stop` belong to one event loop. A server runs once. ``registry`` holds its sessions; None before
    `start`. The methods that say how it stands may be called from any thread.
    """

    def __init__(self, settings: Settings, *, engine: Engine | None = None, desk: AnomalyDesk | None = None) -> None:
        self._settings = settings
        self._engine = engine
        self._desk = desk
        self._calls: AlertCalls | None = None
        self.telemetry = Telemetry()
        self._dispatcher: Dispatcher | None = None
        self.registry: SessionRegistry | None = None
        self._grpc: GrpcFront | None = None
        self._zmq: ZmqFront | None = None
        self._watch: WatchPublisher | None = None
        self._ops: OpsServer | None = None
        self._health: asyncio.Task[None] | None = None
        self._listening = False

    async def start(self) -> Endpoints:
        """Load the weights, listen, and return where.

        Raises:
            CheckpointError: if the weights cannot be used.
            Unavailable: if an address cannot be bound, an engine does not get ready, or the alert log cannot be opened.
            InvalidInput: if an address or the device does not read, a key, certificate, tokens or webhooks file is
                wrong, or an address that others can reach has no encryption.
            FailedPrecondition: if the calibration that the settings name belongs to other weights.
        """
        settings = self._settings
        protection = Protection.load(settings)
        engines = await asyncio.to_thread(self._open_engines)
        costs = CostModel(padded=engines[0].info.padded)
        batcher = Batcher(
            costs,
            max_batch_windows=settings.max_batch_windows,
            max_batch_ms=settings.max_batch_ms,
            max_wait_ms=settings.max_wait_ms,
            max_pending=settings.max_pending,
        )
        dispatcher = self._dispatcher = Dispatcher(engines, batcher, telemetry=self.telemetry)
        try:
            if self._engine is None:
                for engine in engines:
                    await asyncio.to_thread(warm_up, engine, costs)
            if self._desk is None:
                self._desk = await asyncio.to_thread(self._open_desk, dispatcher.info)
            self._calls = AlertCalls(self._desk)
            self.registry = SessionRegistry(
                dispatcher,
                max_sessions=settings.max_sessions,
                max_avatars=settings.max_avatars,
                avatar_idle_s=settings.avatar_idle_timeout_s,
                monitor=None if self._desk is None else self._desk.monitor,
            )
            dispatcher.start()
            if self._desk is not None:
                await asyncio.to_thread(self._desk.start)
            endpoints = await self._listen(self.registry, protection)
            if settings.ops:
                self._ops = OpsServer(self, metrics_registry(self.telemetry, self, engines))
                bound = await asyncio.to_thread(self._ops.start, settings.ops, insecure=settings.insecure)
                endpoints = Endpoints(endpoints.grpc, endpoints.zmq, endpoints.zmq_watch, bound)
        except BaseException:
            await self._close()
            raise
        self._listening = True
        info = dispatcher.info
        _log.info(
            "serving",
            **asdict(endpoints),
            layout=info.layout.id,
            device=info.device,
            engines=len(engines),
            refinement=info.refinement,
            weights=info.weights_id[:12],
            tokens=protection.access.required,
            alerts=self._desk is not None,
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

        ``ready_file`` is written when the server listens:
        ``{"grpc": "HOST:PORT", "zmq": "tcp://HOST:PORT", "zmq_watch": "", "ops": "HOST:PORT"}``.

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

    # -- how it stands, for the ops page

    def sessions_by_transport(self) -> dict[str, int]:
        """Open sessions, by name of the transport."""
        return {} if self.registry is None else self.registry.sessions_by_transport()

    def avatars(self) -> int:
        """Avatars of all open sessions."""
        return 0 if self.registry is None else self.registry.avatars

    def waiting(self) -> int:
        """Windows that wait for the engine."""
        return 0 if self._dispatcher is None else self._dispatcher.waiting

    def utilisation(self) -> float:
        """Demanded share of the engines' time; above 1 there is more to do than can be done."""
        if self._dispatcher is None:
            return 0.0
        self._dispatcher.load.update(self._dispatcher.now_s())
        return self._dispatcher.load.utilisation

    def ready(self) -> bool:
        """Whether the server listens and an engine answers."""
        return self._listening and self._dispatcher is not None and self._dispatcher.ready

    def draining(self) -> bool:
        """Whether the server is about to stop."""
        return self.registry is not None and self.registry.draining

    def alerts_on(self) -> bool:
        """Whether motion is watched: alerts are not switched off, and there is a calibration."""
        return self._desk is not None

    # -- parts

    def _open_engines(self) -> list[Engine]:
        if self._engine is not None:
            return [self._engine]
        settings = self._settings
        return open_engines(
            weights=settings.weights,
            device=settings.device,
            threads=settings.threads or default_threads(),
            engine=settings.engine,
            placement=settings.engine_placement,
            telemetry=self.telemetry,
        )

    def _open_desk(self, info: EngineInfo) -> AnomalyDesk | None:
        return open_desk(
            self._settings,
            layout=info.layout,
            rate_hz=info.rate_hz,
            weights_id=info.weights_id,
            refinement=info.refinement,
            telemetry=self.telemetry.anomaly,
        )

    async def _listen(self, registry: SessionRegistry, protection: Protection) -> Endpoints:
        settings = self._settings
        grpc_address = zmq_address = watch_address = ""
        if settings.zmq_watch:
            self._watch = WatchPublisher(curve=protection.curve)
            watch_address = self._watch.start(settings.zmq_watch)
            if self._desk is not None:
                self._desk.hub.listen(self._watch.note_alert)
        if settings.grpc:
            self._grpc = GrpcFront(
                registry,
                idle_timeout_s=settings.session_idle_timeout_s,
                access=protection.access,
                credentials=protection.credentials,
                watch=self._watch,
                calls=self._calls,
                telemetry=self.telemetry.transports["grpc"],
            )
            grpc_address = await self._grpc.start(settings.grpc)
            self._health = asyncio.create_task(self._say_whether_serving(self._grpc))
        if settings.zmq:
            self._zmq = ZmqFront(
                registry,
                idle_timeout_s=settings.session_idle_timeout_s,
                access=protection.access,
                curve=protection.curve,
                watch=self._watch,
                calls=self._calls,
                telemetry=self.telemetry.transports["zmq"],
            )
            zmq_address = self._zmq.start(settings.zmq)
        return Endpoints(grpc=grpc_address, zmq=zmq_address, zmq_watch=watch_address)

    async def _say_whether_serving(self, front: GrpcFront) -> None:
        """Let load balancers know when no engine answers, and when one does again."""
        said = True
        while True:
            await asyncio.sleep(_HEALTH_CHECK_S)
            ready = self._dispatcher is not None and self._dispatcher.ready
            if ready != said:
                said = ready
                await front.set_serving(ready)

    async def _close(self) -> None:
        self._listening = False
        if self._health is not None:
            self._health.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._health
        if self._grpc is not None:
            await self._grpc.stop(_CLOSING_GRACE_S)
        # The desk after whoever reads its log or gives it frames.
        for part in (self._zmq, self._calls, self._watch, self._ops, self._dispatcher, self._desk):
            if part is not None:
                await asyncio.to_thread(part.stop)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
