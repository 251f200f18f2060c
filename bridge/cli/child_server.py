"""A server in a process of its own, for as long as a command needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.config import ENV_PREFIX
from bridge.errors import DeadlineExceeded, Unavailable

_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 5.0
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class ChildServer:
    """Where the server listens, and its process."""

    grpc: str
    zmq: str
    process: subprocess.Popen[bytes]


@contextmanager
def child_server(
    *,
    grpc: str = "127.0.0.1:0",
    zmq: str = "tcp://127.0.0.1:0",
    weights: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    with_environment: bool = True,
) -> Iterator[ChildServer]:
    """Start ``pose-bridge serve`` (by default on free ports), wait until it listens, stop it at the end.

    Without ``with_environment`` the settings in the environment (``POSE_BRIDGE_...``) do not reach it, so that it runs
    with nothing but what is given here.

    Raises:
        Unavailable: if it ends instead of listening; carries the last line that it said.
        DeadlineExceeded: if it does neither in time.
    """
    with tempfile.TemporaryDirectory(prefix="pose-bridge-") as folder:
        ready_file = Path(folder) / "ready.json"
        log_file = Path(folder) / "server.log"
        command = [sys.executable, "-m", "bridge.cli", "serve", "--grpc", grpc, "--zmq", zmq]
        command += ["--ops", "", "--ready-file", str(ready_file), "--log-level", "warning"]
        command += ["--alert-log", str(Path(folder) / "alerts.sqlite3")]
        command += ["--weights", str(weights.resolve())] if weights else []
        command += ["--device", device] if device else []
        command += ["--threads", str(threads)] if threads else []
        inherited = {k: v for k, v in os.environ.items() if with_environment or not k.upper().startswith(ENV_PREFIX)}
        # The child runs this very package, wherever it was started from.
        search_path = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**inherited, "PYTHONPATH": search_path},
            )
        try:
            _wait_until_ready(process, ready_file, log_file)
            where = json.loads(ready_file.read_text(encoding="utf-8"))
            yield ChildServer(where["grpc"], where["zmq"], process)
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path, log_file: Path) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while not ready_file.exists():
        if process.poll() is not None:
            said = [
                line for line in log_file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
            ]
            reason = said[-1].removeprefix("pose-bridge: error: ") if said else f"exit code {process.returncode}"
            raise Unavailable(f"the server did not start: {reason}")
        if time.monotonic() > deadline_s:
            raise DeadlineExceeded(f"the server was not ready within {_START_TIMEOUT_S:g} s")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
