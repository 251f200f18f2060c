"""Processes that the bench starts: modules of ours, spoken with over pipes, ended with the block they are in."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.bench.serve.cores import on_cores
from bridge.config import ENV_PREFIX
from bridge.errors import DeadlineExceeded, Unavailable

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_STOP_TIMEOUT_S = 5.0


class Child:
    """A running process; ``log`` holds what it said on stderr."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name = f"process {name}"
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def read_line(self, timeout_s: float) -> str:
        """Return the next line of its stdout.

        Raises:
            Unavailable: if it ended; carries the last line of its log.
            DeadlineExceeded: if it says nothing in time.
        """
        assert self.process.stdout is not None
        deadline_s = time.monotonic() + timeout_s
        line = b""
        while not line.endswith(b"\n"):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self.process.stdout], [], [], left_s)[0]:
                raise DeadlineExceeded(f"{self._name} said nothing for {timeout_s:g} s")
            piece = os.read(self.process.stdout.fileno(), 1)
            if not piece:
                raise Unavailable(f"{self._name} ended: {self.last_words()}")
            line += piece
        return line.decode().strip()

    def say(self, line: str) -> None:
        """Write a line to its stdin; one that is gone does not hear it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()

    def require_running(self) -> None:
        """Check that it is still there.

        Raises:
            Unavailable: if it ended; carries the last line of its log.
        """
        if self.process.poll() is not None:
            raise Unavailable(f"{self._name} ended: {self.last_words()}")

    def wait(self, timeout_s: float) -> None:
        """Wait for its end.

        Raises:
            Unavailable: if it failed; carries the last line of its log.
            DeadlineExceeded: if it does not end in time.
        """
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(f"{self._name} did not end within {timeout_s:g} s") from None
        if code != 0:
            raise Unavailable(f"{self._name} ended with code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that it wrote to stderr."""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        lines = [line for line in said if line.strip()]
        return lines[-1].removeprefix("pose-bridge: error: ") if lines else f"exit code {self.process.poll()}"


@contextlib.contextmanager
def child(
    module: str,
    arguments: Sequence[str],
    *,
    cores: tuple[int, ...] = (),
    leashed: bool = False,
) -> Iterator[Child]:
    """Start ``python -m module``, with our settings taken out of the environment; end it when the block is left.

    With ``leashed`` it also ends when this process does, however that happens: for modules that have no end.
    """
    leash = ("-m", "bridge.bench.serve.leash") if leashed else ("-m",)
    with tempfile.TemporaryDirectory(prefix="pose-bridge-bench-") as folder:
        log = Path(folder) / "stderr.log"
        with log.open("wb") as errors, on_cores(cores):
            process = subprocess.Popen(
                [sys.executable, "-P", *leash, module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_clean_environment(),
            )
        try:
            yield Child(module, process, log)
        finally:
            _end(process)


def _clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    # Children run this very package, wherever the command was started.
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    return kept


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
