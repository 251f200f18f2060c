"""A person at a terminal who types what a document shows, one block after another."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.documents.fences import Fence
from tests.documents.stand_ins import lay_out
from tests.service_fixtures import command_environment, wait_until
from tests.support import REPOSITORY, free_port, shared_dir

SEARCH_PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""Where programs are looked for after the stand-ins: those of the environment first."""
PORTS = ("50551", "50552", "50553", "50554", "50555")
"""Ports that documents name; each becomes a free one."""
_PATIENCE_S = 100.0
_SERVE = "pose-bridge serve"
_STAND_INS = Path(__file__).parent


class Terminal:
    """A folder, an environment, and what was started in it and goes on; a context that ends all of it with Ctrl-C.

    ``pose-bridge``, ``python`` and ``pip`` are the checkout's: ``.venv`` is a folder of stand-ins for them.
    """

    def __init__(self, folder: Path, text: str) -> None:
        """``text``: the document; what its commands speak of is laid out."""
        self.folder = folder
        self._ports = {port: str(free_port()) for port in PORTS}
        self._running: list[_Staying] = []
        lay_out(folder, text)
        for part in ("bridge", "proto", "engine_plugins", "tests"):
            (folder / part).symlink_to(REPOSITORY / part)
        if built := os.environ.get("POSEBRIDGE_NATIVE_BUILD"):
            (folder / "build").mkdir()
            (folder / "build" / "release").symlink_to(Path(built).resolve())
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        here = shlex.quote(sys.executable)
        for name, command in {
            "pose-bridge": f"{here} -m bridge.cli",
            "python": here,
            "python3": here,
            "pip": f"{here} {shlex.quote(str(_STAND_INS / 'pip_stand_in.py'))}",
        }.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
            (programs / name).chmod(stat.S_IRWXU)
        (programs / "activate").write_text(f"PATH={shlex.quote(str(programs))}:$PATH\n", encoding="utf-8")
        self._environment = command_environment() | {
            "PATH": f"{programs}:{SEARCH_PATH}",
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "BROWSER": "true",
            "MPLBACKEND": "Agg",
            "POSE_BRIDGE_GRPC": f"127.0.0.1:{self._ports['50551']}",
            "POSE_BRIDGE_ZMQ": f"tcp://127.0.0.1:{self._ports['50552']}",
            "POSE_BRIDGE_OPS": f"127.0.0.1:{self._ports['50553']}",
        }
        shared = shared_dir()
        if shared is not None:
            self._environment["POSE_BRIDGE_MODEL"] = str(shared.resolve() / "models" / "pose_landmarker_lite.task")

    def type(self, fence: Fence) -> str:
        """Run a block; what it printed. The test fails if one of its commands does."""
        script = fence.text
        last = ""
        if "stays" in fence.words:
            last = fence.commands[-1]
            script = "\n".join(fence.commands[:-1])
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", self._here(script)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"line {fence.line}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        if last:
            if _SERVE in last:  # the document's reader ends the server before, whose addresses it takes
                for server in [running for running in self._running if _SERVE in running.command]:
                    server.interrupt()
                    self._running.remove(server)
            self._running.append(_Staying(self._here(last), self.folder, self._environment))
            self._running[-1].wait_until_ready(f"http://127.0.0.1:{self._ports['50553']}/readyz")
        return done.stdout + done.stderr

    def _here(self, script: str) -> str:
        for port, free in self._ports.items():
            script = script.replace(port, free)
        return script

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as ending:  # all of them, last first, whatever one of them does
            for running in self._running:
                ending.callback(running.interrupt)


class _Staying:
    """A command that goes on until Ctrl-C."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.command = command
        self._printed: list[str] = []
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._printed.append(line)

    def wait_until_ready(self, ready_page: str) -> None:
        """A server says that it is; a page says its address; anything else has printed something."""

        def ready() -> bool:
            assert self._process.poll() is None, f"{self.command} ended\n{''.join(self._printed)}"
            if _SERVE in self.command:
                return _answers(ready_page)
            return any("http://" in line for line in self._printed) if " view" in self.command else bool(self._printed)

        wait_until(ready, patience_s=_PATIENCE_S)

    def interrupt(self) -> None:
        """What Ctrl-C does; 0 and 130 are how our commands end then."""
        time.sleep(0.2)
        assert self._process.poll() is None, f"{self.command} ended\n{''.join(self._printed)}"
        self._process.send_signal(signal.SIGINT)
        try:
            assert self._process.wait(_PATIENCE_S) in (0, 130), f"{self.command}\n{''.join(self._printed)}"
        finally:
            self._process.kill()
            self._reader.join(5.0)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5.0) as response:
            return bool(response.status == 200)
    except OSError:
        return False
