"""The process that an engine has to itself: ``python -m bridge.engine.worker CONTROL_FD MEMORY_FD``.

It lives as long as its standard input is open: that ends with its parent, however that ends. Signals that are meant for
the service (Ctrl-C in a terminal, a manager's SIGTERM for the whole group) are the parent's business, which drains
first.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection

from bridge.engine.exchange import EngineOptions, Failure, Order, Ready, Reply, read_batch, write_results
from bridge.engine.local import LocalEngine
from bridge.engine.protocol import Engine
from bridge.engine.shared_memory import SharedMemory
from bridge.errors import BridgeError, InternalError


def main(control_fd: int, memory_fd: int) -> None:
    """Load the engine that the parent names, then answer one order after the other until the parent is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="posebridge-parent", daemon=True).start()
    parent: Connection = Connection(control_fd)
    memory = SharedMemory(memory_fd)
    try:
        engine, gpus = _load(parent.recv())
        parent.send(Ready(engine.info, gpus))
        while True:
            order: Order = parent.recv()
            parent.send(_answer(engine, memory, order))
    except _LoadFailed as failed:
        parent.send(failed.failure)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass


class _LoadFailed(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure


def _load(options: EngineOptions) -> tuple[Engine, int]:
    """The engine, and how many CUDA devices there are."""
    try:
        if options.kind == "null":
            from bridge.engine.null import NullEngine

            return NullEngine(), 0
        import torch

        engine = LocalEngine.load(options.weights, device=options.device, threads=options.threads)
        return engine, torch.cuda.device_count()
    except Exception as error:
        raise _LoadFailed(failure_of(error)) from error


def _answer(engine: Engine, memory: SharedMemory, order: Order) -> Reply | Failure:
    try:
        memory.map(order.size)
        requests, places = read_batch(memory, order.count, engine.info.layout)
        results = engine.infer(requests, requests[0].deadline_s)
        reply = write_results(memory, places, results)
        return replace(reply, memory_bytes=engine.memory_bytes()) if isinstance(engine, LocalEngine) else reply
    except Exception as error:
        return failure_of(error)


def failure_of(error: Exception) -> Failure:
    """The error as the parent can read it without the libraries that raised it."""
    if isinstance(error, BridgeError):
        return Failure(error)
    problem = f"the engine failed ({type(error).__name__}); the server's log has details"
    return Failure(InternalError(problem), "".join(traceback.format_exception(error)))


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
