"""One process with an engine in it, seen from its parent: started, asked, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from bridge.engine.exchange import EngineOptions, Failure, Order, Ready, Reply, read_results, write_batch
from bridge.engine.protocol import EngineInfo, EngineRequest
from bridge.engine.shared_memory import SharedMemory
from bridge.errors import BridgeError, CheckpointError, FailedPrecondition, ResourceExhausted, Unavailable
from bridge.forecaster.results import ForecastResult
from bridge.skeleton import get_layout, layout_ids, register_layout

_log = structlog.get_logger(__name__)

_START_TIMEOUT_S = 120.0
_GLANCE_S = 0.1
_ONE_THREAD_FOR_NUMPY = {"OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
"""Its products here are small: more threads than one spin longer than they compute, on cores that others need."""
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class ChildLost(Exception):
    """The process ended, or does not answer."""


class EngineChild:
    """A living process. `infer` and `release` belong to one thread at a time, the rest to any.

    ``info`` is what its engine serves, ``gpus`` how many CUDA devices it sees, ``memory_bytes``
    what it held of its GPU after the last batch.

    Args:
        options: of the engine.
        abandoned: set by whoever does not want the child any more while it still loads.

    Raises:
        FailedPrecondition: where a process cannot be given open files (not POSIX).
        CheckpointError: if the weights cannot be used.
        InvalidInput: if there is no such device.
        Unavailable: if the process does not get ready.
    """

    def __init__(self, options: EngineOptions, abandoned: threading.Event | None = None) -> None:
        if os.name != "posix":
            raise FailedPrecondition(
                "an engine in a process of its own needs POSIX", field="engine_placement", expected="thread"
            )
        ours, theirs = socket.socketpair()
        self._control: Connection[Any, Any] = Connection(ours.detach())
        self._memory = SharedMemory.create()
        try:
            with theirs:
                self._process = _start(theirs.fileno(), self._memory.fd)
        except OSError as error:
            self._control.close()
            self._memory.close()
            raise Unavailable(f"the engine's process cannot be started: {error.strerror}") from error
        try:
            ready = self._load(options, abandoned or threading.Event())
            _make_layout_known(ready.info)
        except BaseException:
            self.kill()
            self.wait()
            self.release()
            raise
        self.info = ready.info
        self.gpus = ready.gpus
        self.memory_bytes: int | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def infer(self, batch: Sequence[EngineRequest], timeout_s: float) -> list[ForecastResult | BridgeError]:
        """Have a batch computed; everyone's requests fit the engine's layout.

        Raises:
            ChildLost: if there is no answer; the process is of no use any more.
            ResourceExhausted: if memory for the batch is not to be had.
            BridgeError: what went wrong with the batch.
        """
        if self._control.closed:
            raise ChildLost("it ended")
        try:
            places = write_batch(self._memory, batch, self.info.layout.joints)
        except OSError as error:
            raise ResourceExhausted(
                f"no memory for a batch of {len(batch)} windows: {error.strerror}", expected="smaller batches"
            ) from error
        reply = self._ask(Order(len(batch), self._memory.size), timeout_s)
        if isinstance(reply, Failure):
            if reply.details:
                _log.error("engine_failed", windows=len(batch), details=reply.details)
            raise reply.error
        self.memory_bytes = reply.memory_bytes
        return read_results(self._memory, places, reply)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Return the exit status when the process has ended; None if it has not by then."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Tell the process to end, whatever it is doing; `wait` says when it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """End the process without asking it."""
        self._process.kill()

    def release(self) -> None:
        """Close what was open towards a process that has ended. May be called again."""
        self.end()
        self._control.close()
        self._memory.close()

    def _ask(self, order: Order, timeout_s: float) -> Reply | Failure:
        try:
            self._control.send(order)
            if not self._control.poll(timeout_s):
                raise ChildLost(f"no answer within {timeout_s:g} s")
            reply: Reply | Failure = self._control.recv()
        except (EOFError, OSError) as error:
            raise ChildLost("it ended") from error
        return reply

    def _load(self, options: EngineOptions, abandoned: threading.Event) -> Ready:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        try:
            self._control.send(options)
            while not self._control.poll(_GLANCE_S):
                if abandoned.is_set() or time.monotonic() > deadline_s:
                    raise Unavailable("the engine's process did not get ready")
            answer: Ready | Failure = self._control.recv()
        except (EOFError, OSError) as error:
            raise Unavailable(
                "the engine's process ended before it was ready; what it said on stderr may tell why"
            ) from error
        if isinstance(answer, Failure):
            if answer.details:
                _log.error("engine_did_not_load", details=answer.details)
            raise answer.error
        return answer


def _start(control_fd: int, memory_fd: int) -> subprocess.Popen[bytes]:
    # The child runs this very package, wherever it was started from, and nothing that lies in the working folder.
    search_path = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "bridge.engine.worker", str(control_fd), str(memory_fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=(control_fd, memory_fd),
        env={**_ONE_THREAD_FOR_NUMPY, **os.environ, "PYTHONPATH": search_path},
        start_new_session=True,
    )


def _make_layout_known(info: EngineInfo) -> None:
    """Register the layout that the child's weights bring along, so that it can be served by its id."""
    layout = info.layout
    if layout.id not in layout_ids():
        register_layout(layout)
    elif get_layout(layout.id).names != layout.names:
        raise CheckpointError(
            f"the weights' layout {layout.id!r} has other landmarks than the one known here", field="weights"
        )
