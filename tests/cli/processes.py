"""Commands as processes that are interrupted: in a group of their own, as a terminal starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.helpers import environment

_PATIENCE_S = 60.0
_MARK = "POSE_BRIDGE_TEST_MARK"


class Command:
    """A running command; everything it starts carries its mark in the environment."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._mark = uuid.uuid4().hex
        self.said = folder / "stderr.txt"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._shared_before = _shared_memory()
        more = {_MARK.removeprefix("POSE_BRIDGE_"): self._mark, "TMPDIR": str(self.temporary), "HOME": str(folder)}
        with self.said.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge.cli", *map(str, arguments)],
                cwd=folder,
                env=environment(**more),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )

    def stderr(self) -> str:
        """What it has said so far."""
        return self.said.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, there: Callable[[], bool]) -> None:
        """Wait until something is so while it runs."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not there():
            assert self.process.poll() is None, self.stderr()
            assert time.monotonic() < deadline_s, self.stderr()
            time.sleep(0.02)

    def ctrl_c(self) -> None:
        """As a terminal does: to everything in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(30)

    def family(self) -> list[int]:
        """Numbers of the living processes that it and those that it started are."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._is_mine(entry)]

    def left_in_shared_memory(self) -> set[str]:
        """What is there of ours now and was not before."""
        return _shared_memory() - self._shared_before

    def _is_mine(self, entry: Path) -> bool:
        try:
            alive = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            return alive and self._mark.encode() in (entry / "environ").read_bytes()
        except OSError:
            return False


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[Command]:
    """Start a command; whatever becomes of the test, nothing of it goes on."""
    command = Command(folder, *arguments)
    try:
        yield command
    finally:
        for number in command.family():
            os.kill(number, signal.SIGKILL)
        command.process.wait(30)


def _shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {entry.name for entry in folder.iterdir() if "pose" in entry.name} if folder.is_dir() else set()
