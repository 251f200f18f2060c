"""The threads that run the engines, beside the transports and not in their way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from bridge.engine.batcher import Batch, Batcher
from bridge.engine.costs import CostModel
from bridge.engine.load import LoadController
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
from bridge.errors import BridgeError, InternalError, ResourceExhausted, Unavailable
from bridge.forecaster.results import ForecastResult
from bridge.telemetry import Telemetry

_log = structlog.get_logger(__name__)

_PROBE_EVERY_S = 1.0
"""An engine that was not available is tried again so often, with a request whose answer nobody waits for."""


@dataclass(slots=True, eq=False)
class _Worker:
    """An engine, its thread, when it is expected to be free, and what to try it with while it is not available."""

    engine: Engine
    thread: threading.Thread | None = None
    busy_until_s: float = 0.0
    probe: EngineRequest | None = None
    probe_s: float = 0.0


class Dispatcher:
    """Feeds engines with batches, each on a thread of its own, and hands every request exactly one outcome.

    All methods may be called from any thread. ``clock_s`` must be monotonic.

    An engine that raises for a batch computes it one by one, so that a request at fault costs only itself. One that
    raises `Unavailable` has lost what it computes with: the whole batch fails with that error, other engines do its
    work, and it is tried again every second until it answers.

    Args:
        engines: of equal weights; each is called from one thread only.
        batcher: what decides on batches; a default one if None.
        load: what decides on how much each session may ask for; by the batcher's costs if None.
        telemetry: where events are counted.
        clock_s: seconds.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        batcher: Batcher | None = None,
        load: LoadController | None = None,
        telemetry: Telemetry | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batcher = batcher if batcher is not None else Batcher(CostModel(padded=engines[0].info.padded))
        self.load = load or LoadController(self._batcher.window_s)
        self.telemetry = telemetry or Telemetry()
        self._workers = [_Worker(engine) for engine in engines]
        self._info = engines[0].info
        self._clock_s = clock_s
        self._changed = threading.Condition()
        self._stopping = False
        self.load.engines = len(self._workers)

    @property
    def info(self) -> EngineInfo:
        """What the engines serve."""
        return self._info

    @property
    def ready(self) -> bool:
        """Whether some engine answers."""
        return any(worker.probe is None for worker in self._workers)

    @property
    def waiting(self) -> int:
        """Requests that wait for an engine."""
        return len(self._batcher)

    def now_s(self) -> float:
        """Seconds on the clock that deadlines are measured with."""
        return self._clock_s()

    def start(self) -> None:
        """Start the worker threads."""
        for number, worker in enumerate(self._workers):
            name = f"posebridge-engine-{number}"
            worker.thread = threading.Thread(target=self._work, args=(worker,), name=name, daemon=True)
            worker.thread.start()

    def submit(self, requests: Sequence[EngineRequest]) -> None:
        """Queue requests; those given together are considered together, so they land in one batch if they fit.

        A request for which there is no room or no time fails with `ResourceExhausted`; after `stop` every request is
        dropped.
        """
        outcomes: list[tuple[EngineRequest, Outcome]] = []
        with self._changed:
            now_s = self._clock_s()
            busy_until_s = self._busy_until_s()
            nothing_waited = len(self._batcher) == 0
            for request in requests:
                if self._stopping:
                    outcomes.append((request, Dropped(DropReason.STOPPED)))
                    continue
                try:
                    older = self._batcher.offer(request, now_s, busy_until_s)
                except ResourceExhausted as error:
                    outcomes.append((request, Failed(error)))
                    continue
                if older is not None:
                    outcomes.append((older, Dropped(DropReason.SUPERSEDED)))
            # A worker that sleeps knows when the batch closes; it is woken for the first request and for a full batch.
            if nothing_waited or self._batcher.wait_s(now_s) == 0.0:
                self._changed.notify_all()
        refused = 0
        for request, outcome in outcomes:
            refused += isinstance(outcome, Failed)
            self._finish(request, outcome)
        if refused:
            self.telemetry.drop("refused", refused)

    def refresh(self, requests: Sequence[EngineRequest]) -> None:
        """Put requests in the places of those of the same avatars that wait; where none waits, forget the newer one.

        A request that gives its place up is dropped as refreshed; one that is forgotten has no outcome.
        """
        with self._changed:
            older = [self._batcher.refresh(request) for request in requests]
        for request in older:
            if request is not None:
                self._finish(request, Dropped(DropReason.REFRESHED))

    def discard(self, session_id: str) -> None:
        """Cancel what a session has waiting; what is running already still completes."""
        with self._changed:
            gone = self._batcher.discard(session_id)
        self._drop(gone, DropReason.CANCELLED)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Let running batches finish, drop the rest, end the threads, close the engines; False if time runs out."""
        with self._changed:
            self._stopping = True
            gone = self._batcher.clear()
            self._changed.notify_all()
        self._drop(gone, DropReason.STOPPED)
        end_s = time.monotonic() + timeout_s
        ended = True
        for worker in self._workers:
            if worker.thread is not None:
                worker.thread.join(max(0.0, end_s - time.monotonic()))
                if worker.thread.is_alive():
                    _log.warning("engine_thread_did_not_stop", thread=worker.thread.name, timeout_s=timeout_s)
                    ended = False
            worker.engine.close()
        return ended

    # -- the workers' threads

    def _work(self, worker: _Worker) -> None:
        while (batch := self._next_batch(worker)) is not None:
            self._drop(batch.expired, DropReason.EXPIRED)
            if batch.run:
                self._run(worker, batch)
            elif worker.probe is not None and not batch.expired:
                self._try_again(worker, worker.probe)

    def _next_batch(self, worker: _Worker) -> Batch | None:
        """Wait for work; an empty batch says that it is time to try an engine again. None at the end."""
        with self._changed:
            worker.busy_until_s = 0.0
            while not self._stopping:
                now_s = self._clock_s()
                wait_s = None
                if worker.probe is None or not self.ready:
                    wait_s = self._batcher.wait_s(now_s)
                if wait_s == 0.0:
                    batch = self._batcher.take(now_s)
                    worker.busy_until_s = now_s + batch.predicted_s
                    self.load.note_backlog(self._batcher.backlog_s / len(self._workers), now_s)
                    if len(self._batcher):
                        self._changed.notify_all()
                    return batch
                if worker.probe is not None:
                    if worker.probe_s <= now_s:
                        return Batch([], [])
                    wait_s = min(worker.probe_s - now_s, wait_s if wait_s is not None else _PROBE_EVERY_S)
                self._changed.wait(wait_s)
        return None

    def _run(self, worker: _Worker, batch: Batch) -> None:
        requests = batch.run
        started_s = self._clock_s()
        try:
            results = _infer(worker.engine, requests)
        except Unavailable as error:
            self._lose(worker, requests, error)
            return
        except Exception as error:
            self._regain(worker)
            if len(requests) == 1:
                self._fail(requests[0], error)
                return
            _log.warning("batch_failed_retrying_singly", windows=len(requests), error=str(error))
            with self._changed:
                self.telemetry.batches_failed += 1
            self._run_singly(worker, requests)
            return
        compute_s = self._clock_s() - started_s
        self._regain(worker)
        self._count(requests, started_s, compute_s)
        for request, result in zip(requests, results, strict=True):
            self._finish(request, _outcome(result, started_s, compute_s, batch_size=len(requests)))
        # To hand the answers over is part of what a batch costs.
        seconds = self._clock_s() - started_s
        self._batcher.costs.observe(len(requests), requests[0].samples, requests[0].horizon_frames, seconds)

    def _run_singly(self, worker: _Worker, requests: Sequence[EngineRequest]) -> None:
        for index, request in enumerate(requests):
            started_s = self._clock_s()
            if request.deadline_s <= started_s:
                self._drop([request], DropReason.EXPIRED)
                continue
            try:
                (result,) = _infer(worker.engine, [request])
            except Unavailable as error:
                self._lose(worker, requests[index:], error)
                return
            except Exception as error:
                self._fail(request, error)
                continue
            compute_s = self._clock_s() - started_s
            self._count([request], started_s, compute_s)
            self._finish(request, _outcome(result, started_s, compute_s, batch_size=1))

    def _try_again(self, worker: _Worker, probe: EngineRequest) -> None:
        try:
            worker.engine.infer([probe], self._clock_s() + _PROBE_EVERY_S)
        except Unavailable:
            worker.probe_s = self._clock_s() + _PROBE_EVERY_S
        except Exception:  # it answers, if only to that request
            self._regain(worker)
        else:
            self._regain(worker)

    def _lose(self, worker: _Worker, requests: Sequence[EngineRequest], error: Unavailable) -> None:
        """Fail a batch with which an engine has gone, and keep one of its requests to try the engine with."""
        with self._changed:
            if worker.probe is None:
                _log.error("engine_unavailable", error=str(error))
            worker.probe, worker.probe_s = requests[0], self._clock_s() + _PROBE_EVERY_S
            self._engines_changed()
        for request in requests:
            self._finish(request, Failed(error))

    def _regain(self, worker: _Worker) -> None:
        if worker.probe is None:
            return
        _log.info("engine_available")
        with self._changed:
            worker.probe = None
            self._engines_changed()

    def _engines_changed(self) -> None:
        self.load.engines = sum(worker.probe is None for worker in self._workers) or 1
        self._changed.notify_all()

    def _busy_until_s(self) -> list[float]:
        answering = [worker.busy_until_s for worker in self._workers if worker.probe is None]
        return answering or [worker.busy_until_s for worker in self._workers]

    # -- outcomes

    def _count(self, requests: Sequence[EngineRequest], started_s: float, compute_s: float) -> None:
        with self._changed:
            self.telemetry.compute_s.observe(compute_s)
            self.telemetry.batch_windows.observe(len(requests))
            for request in requests:
                self.telemetry.queue_s.observe(started_s - request.arrived_s)

    def _fail(self, request: EngineRequest, error: Exception) -> None:
        if isinstance(error, BridgeError):
            self._finish(request, Failed(error))
            return
        _log.error("forecast_failed", session=request.key.session_id, avatar=request.key.avatar_id, exc_info=error)
        problem = f"the forecast failed ({type(error).__name__}); the server's log has details"
        self._finish(request, Failed(InternalError(problem)))

    def _drop(self, requests: Iterable[EngineRequest], reason: DropReason) -> None:
        for request in requests:
            self._finish(request, Dropped(reason))

    def _finish(self, request: EngineRequest, outcome: Outcome) -> None:
        if isinstance(outcome, Dropped) and outcome.reason is not DropReason.REFRESHED:
            self.telemetry.drop(outcome.reason.value)
        try:
            request.done(request, outcome)
        except Exception as error:  # a receiver's fault must not take the worker and everyone else's forecasts with it
            _log.error(
                "outcome_not_taken", session=request.key.session_id, avatar=request.key.avatar_id, exc_info=error
            )


def _infer(engine: Engine, requests: Sequence[EngineRequest]) -> list[ForecastResult | BridgeError]:
    """Return as many results as there are requests."""
    results = engine.infer(requests, max(request.deadline_s for request in requests))
    if len(results) != len(requests):
        raise InternalError(f"the engine gave {len(results)} results for {len(requests)} requests")
    return results


def _outcome(result: ForecastResult | BridgeError, started_s: float, compute_s: float, *, batch_size: int) -> Outcome:
    if isinstance(result, BridgeError):
        return Failed(result)
    return Completed(result, started_s, compute_s, batch_size)
