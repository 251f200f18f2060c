"""The native library, built once for all tests of a run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support import REPOSITORY, skip_or_fail

NATIVE = REPOSITORY / "engine_plugins" / "native"
TOOLS = ("cmake", "ninja", "g++", "pkg-config")
_HEADERS = ("/usr/include/zmq.h", "/usr/include/pb_decode.h", "/usr/include/doctest/doctest.h")


@dataclass(frozen=True, slots=True)
class NativeBuild:
    """A build folder of the preset `release`."""

    folder: Path

    @property
    def library(self) -> Path:
        """The shared library."""
        return self.folder / "libposebridge.so"

    @property
    def probe(self) -> Path:
        """``posebridge_probe``."""
        return self.folder / "examples" / "posebridge_probe"

    @property
    def decode(self) -> Path:
        """``posebridge_decode``: a server's message as JSON."""
        return self.folder / "tests" / "posebridge_decode"

    @property
    def allocation_counter(self) -> Path:
        """What is preloaded to count allocations."""
        return self.folder / "tests" / "libposebridge_allocation_counter.so"


def missing_tool() -> str | None:
    """What is needed to build and is not there; None if all of it is."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    missing += [header for header in _HEADERS if not Path(header).exists()]
    if shutil.which("nanopb_generator.py") is None and shutil.which("nanopb_generator") is None:
        missing.append("nanopb_generator")
    return ", ".join(missing) or None


@cache
def _built() -> NativeBuild:
    given = os.environ.get("POSEBRIDGE_NATIVE_BUILD")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if given:
        folder = Path(given)
    elif run:
        folder = Path(tempfile.gettempdir(), f"posebridge-native-{run}")
    else:
        folder = Path(tempfile.mkdtemp(prefix="posebridge-native-"))
    commands = [
        ["cmake", "-S", str(NATIVE), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", str(folder)],
    ]
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes of one run may share the folder: the first builds, the others find it built.
    with (folder / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                pytest.fail(f"{' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}", pytrace=False)
    return NativeBuild(folder)


def native_build() -> NativeBuild:
    """Build the library, its example and its tests, once; skip where a tool for that is missing.

    ``POSEBRIDGE_NATIVE_BUILD`` names a folder to build in (and to find what was built there before).
    """
    if (missing := missing_tool()) is not None:
        skip_or_fail(f"the native library cannot be built without {missing}")
    return _built()
