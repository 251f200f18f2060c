"""The one thread that runs the engine, beside the transports and not in their way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from bridge.engine.batcher import Batch, Batcher
from bridge.engine.protocol import (
    Completed,
    Dropped,
    DropReason,
    Engine,
    EngineInfo,
    EngineRequest,
    Failed,
    Outcome,
)
from bridge.errors import BridgeError, InternalError, ResourceExhausted

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Feeds an engine with batches on a worker thread and hands every request exactly one outcome.

    All methods may be called from any thread. ``clock_s`` must be monotonic.
    """

    def __init__(
        self, engine: Engine, batcher: Batcher | None = None, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._batcher = batcher if batcher is not None else Batcher()
        self._clock_s = clock_s
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> EngineInfo:
        """What the engine serves."""
        return self._engine.info

    def now_s(self) -> float:
        """Seconds on the clock that deadlines are measured with."""
        return self._clock_s()

    def start(self) -> None:
        """Start the worker thread."""
        self._thread = threading.Thread(target=self._work, name="posebridge-engine", daemon=True)
        self._thread.start()

    def submit(self, requests: Sequence[EngineRequest]) -> None:
        """Queue requests; those given together are considered together, so they land in one batch if they fit.

        A request for which the queue has no room fails with `ResourceExhausted`; after `stop` every request is dropped.
        """
        outcomes: list[tuple[EngineRequest, Outcome]] = []
        with self._changed:
            now_s = self._clock_s()
            for request in requests:
                if self._stopping:
                    outcomes.append((request, Dropped(DropReason.STOPPED)))
                    continue
                try:
                    older = self._batcher.offer(request, now_s)
                except ResourceExhausted as error:
                    outcomes.append((request, Failed(error)))
                    continue
                if older is not None:
                    outcomes.append((older, Dropped(DropReason.SUPERSEDED)))
            self._changed.notify()
        for request, outcome in outcomes:
            _finish(request, outcome)

    def discard(self, session_id: str) -> None:
        """Cancel what a session has waiting; what is running already still completes."""
        with self._changed:
            gone = self._batcher.discard(session_id)
        _drop(gone, DropReason.CANCELLED)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let the running batch finish, drop the rest, end the thread; False if it did not end in time."""
        with self._changed:
            self._stopping = True
            gone = self._batcher.clear()
            self._changed.notify()
        _drop(gone, DropReason.STOPPED)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("engine_thread_did_not_stop", timeout_s=timeout_s)
            return False
        return True

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            _drop(batch.expired, DropReason.EXPIRED)
            if batch.run:
                self._run(batch.run)

    def _next_batch(self) -> Batch | None:
        with self._changed:
            while not self._stopping:
                wait_s = self._batcher.wait_s(self._clock_s())
                if wait_s == 0.0:
                    return self._batcher.take(self._clock_s())
                self._changed.wait(wait_s)
        return None

    def _run(self, requests: list[EngineRequest]) -> None:
        started_s = self._clock_s()
        try:
            results = self._engine.infer(requests)
        except Exception as error:
            if len(requests) == 1:
                _fail(requests[0], error)
                return
            _log.warning("batch_failed_retrying_singly", windows=len(requests), error=str(error))
            for request in requests:
                self._run([request])
            return
        compute_s = self._clock_s() - started_s
        for request, result in zip(requests, results, strict=True):
            _finish(request, Completed(result, started_s, compute_s, batch_size=len(requests)))


def _fail(request: EngineRequest, error: Exception) -> None:
    if isinstance(error, BridgeError):
        _finish(request, Failed(error))
        return
    _log.error("forecast_failed", session=request.key.session_id, avatar=request.key.avatar_id, exc_info=error)
    _finish(
        request, Failed(InternalError(f"the forecast failed ({type(error).__name__}); the server's log has details"))
    )


def _drop(requests: Iterable[EngineRequest], reason: DropReason) -> None:
    for request in requests:
        _finish(request, Dropped(reason))


def _finish(request: EngineRequest, outcome: Outcome) -> None:
    try:
        request.done(request, outcome)
    except Exception as error:  # a receiver's fault must not take the worker and everyone else's forecasts with it
        _log.error("outcome_not_taken", session=request.key.session_id, avatar=request.key.avatar_id, exc_info=error)
