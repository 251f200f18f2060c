"""From settings to engines: which kind, where they run, and how many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from bridge.engine.local import LocalEngine
from bridge.engine.null import NullEngine
from bridge.engine.process import ProcessEngine
from bridge.engine.protocol import Engine
from bridge.errors import FailedPrecondition
from bridge.telemetry import Telemetry

_log = structlog.get_logger(__name__)

DEFAULT_PLACEMENT = "process"
"""What "auto" stands for where it is possible."""


def open_engines(
    *,
    weights: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    engine: str = "local",
    placement: str = "auto",
    telemetry: Telemetry | None = None,
) -> list[Engine]:
    """Open what computes forecasts: one engine, or one for each GPU where there are several and ``device`` is auto.

    Args:
        weights, device, threads: as in `LocalEngine.load`.
        engine: "local", or "null" for canned answers (always in this process).
        placement: "process" for processes of their own, "thread" for an engine in this one (one GPU at most), "auto"
            for what is better here.
        telemetry: counts restarts of processes.

    Raises:
        CheckpointError: if the weights cannot be used.
        InvalidInput: if there is no such device.
        FailedPrecondition: if ``placement`` is "process" where that is not possible.
        Unavailable: if a process does not get ready.
    """
    if engine == "null":
        return [NullEngine()]
    chosen = DEFAULT_PLACEMENT if placement == "auto" else placement
    if chosen == "process":
        try:
            return _open_processes(weights, device, threads, telemetry)
        except FailedPrecondition as error:
            if placement != "auto":
                raise
            _log.warning("engine_runs_in_a_thread", reason=str(error))
    return [LocalEngine.load(weights, device=device, threads=threads)]


def _open_processes(
    weights: Path | None, device: str, threads: int | None, telemetry: Telemetry | None
) -> list[Engine]:
    start = partial(ProcessEngine, weights, threads=threads, telemetry=telemetry)
    first = start(device=device)
    others = [f"cuda:{i}" for i in range(1, first.gpus)] if device == "auto" else []
    if not others:
        return [first]
    with ThreadPoolExecutor(len(others)) as pool:
        starts = [pool.submit(start, device=other) for other in others]
    # All have started or failed by now.
    engines: list[Engine] = [first, *(one.result() for one in starts if one.exception() is None)]
    for error in filter(None, (one.exception() for one in starts)):
        for engine in engines:
            engine.close()
        raise error
    return engines
