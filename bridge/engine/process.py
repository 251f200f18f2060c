"""The engine in a process of its own: its Python cannot hold up ours, and it may die without us."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from bridge.engine.child import ChildLost, EngineChild
from bridge.engine.exchange import EngineOptions
from bridge.engine.local import layout_problem
from bridge.engine.protocol import EngineInfo, EngineRequest
from bridge.errors import BridgeError, CheckpointError, Unavailable
from bridge.forecaster.results import ForecastResult
from bridge.telemetry import Telemetry

_log = structlog.get_logger(__name__)

_HUNG_AFTER_S = 30.0
_END_TIMEOUT_S = 1.0
_RETRY_AFTER_MS = 1000
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class ProcessEngine:
    """A `LocalEngine` in a child process that is started again, with growing pauses, whenever it ends or hangs.

    Args:
        weights, device, threads: as in `LocalEngine.load`.
        kind: "null" for a `NullEngine` in the child: what the way there and back costs.
        telemetry: counts restarts.
        hung_after_s: a child that has not answered a batch by then is given up.

    Raises:
        FailedPrecondition: where there can be no such process (not POSIX).
        CheckpointError: if the weights cannot be used.
        InvalidInput: if there is no such device.
        Unavailable: if the process does not get ready.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        kind: str = "local",
        telemetry: Telemetry | None = None,
        hung_after_s: float = _HUNG_AFTER_S,
    ) -> None:
        self._options = EngineOptions(kind, weights, device, threads)
        self._telemetry = telemetry
        self._hung_after_s = hung_after_s
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._exchange = threading.Lock()  # what is open towards a child is not closed while it is asked
        self._failures = 0
        child = EngineChild(self._options)
        self._info = child.info
        self.gpus = child.gpus
        """CUDA devices that the child sees."""
        self._child: EngineChild | None = child
        self._keeper = threading.Thread(target=self._keep, args=(child,), name="posebridge-engine-keeper", daemon=True)
        self._keeper.start()

    @property
    def info(self) -> EngineInfo:
        """What the child's engine serves."""
        return self._info

    @property
    def ready(self) -> bool:
        """Whether a child is there to answer."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """Of the child; None while there is none."""
        child = self._child
        return None if child is None else child.pid

    def memory_bytes(self) -> int | None:
        """Memory of its GPU that the child held after its last batch; None without a GPU."""
        child = self._child
        return None if child is None else child.memory_bytes

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        """Have the child compute the batch; waits until ``deadline_s`` for a child that is being started again.

        Raises:
            Unavailable: if there is no child by then, or if it ends or hangs over this batch.
            BridgeError: what went wrong in the child.
        """
        problems = [layout_problem(request.snapshot, self._info.layout) for request in batch]
        fitting = [request for request, problem in zip(batch, problems, strict=True) if problem is None]
        made = iter(self._infer(fitting, deadline_s) if fitting else [])
        return [next(made) if problem is None else problem for problem in problems]

    def close(self) -> None:
        """End the child and release everything; a batch that it works on fails. May be called again."""
        self._closing.set()
        with self._changed:
            child = self._child
            self._changed.notify_all()
        if child is not None:
            child.end()
            self._keeper.join(_END_TIMEOUT_S)
            if self._keeper.is_alive():
                child.kill()
        self._keeper.join()

    def _infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        child = self._wait_for_child(deadline_s)
        try:
            with self._exchange:
                results = child.infer(batch, self._hung_after_s)
        except ChildLost as lost:
            with self._changed:
                if self._child is child:
                    self._child = None
            child.kill()
            if not self._closing.is_set():
                _log.error("engine_process_lost", pid=child.pid, reason=str(lost), windows=len(batch))
            raise self._unavailable() from lost
        self._failures = 0
        return results

    def _wait_for_child(self, deadline_s: float) -> EngineChild:
        patience_s = max(0.0, min(self._hung_after_s, deadline_s - time.monotonic()))
        with self._changed:
            self._changed.wait_for(lambda: self._child is not None or self._closing.is_set(), patience_s)
            if self._child is None or self._closing.is_set():
                raise self._unavailable()
            return self._child

    def _unavailable(self) -> Unavailable:
        if self._closing.is_set():
            return Unavailable("the engine is closed")
        return Unavailable("the engine's process was lost and is being started again", retry_after_ms=_RETRY_AFTER_MS)

    def _keep(self, child: EngineChild | None) -> None:
        """Replace a child that ended, until the engine is closed."""
        while child is not None:
            status = child.wait()
            with self._changed:
                self._child = None
            with self._exchange:
                child.release()
            if self._closing.is_set():
                return
            self._failures += 1
            _log.error("engine_process_ended", pid=child.pid, status=status)
            child = self._start_again()
            with self._changed:
                self._child = child
                self._changed.notify_all()
            if child is not None and self._closing.is_set():
                child.end()

    def _start_again(self) -> EngineChild | None:
        """A new child, sooner or later; None when the engine is closed meanwhile."""
        while not self._closing.wait(pause_s(self._failures)):
            if self._telemetry is not None:
                self._telemetry.engine_restarts += 1
            try:
                child = self._start_alike()
            except BridgeError as error:
                if not self._closing.is_set():
                    self._failures += 1
                    _log.error("engine_process_did_not_start", error=str(error))
            else:
                _log.info("engine_process_started_again", pid=child.pid)
                return child
        return None

    def _start_alike(self) -> EngineChild:
        child = EngineChild(self._options, self._closing)
        if child.info.weights_id != self._info.weights_id:
            child.kill()
            child.wait()
            child.release()
            raise CheckpointError("the file is not the one that the server started with", field="weights")
        return child


def pause_s(failures: int) -> float:
    """Seconds before a child is started after so many failures in a row: none after the first, then twice as many."""
    return 0.0 if failures < 2 else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (failures - 2))
