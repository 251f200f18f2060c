"""libposebridge, which engine plugins stand on: found, loaded, and of a version that this software speaks with."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bridge import __version__
from bridge.cli.checks.finding import Finding, hint, ok, problem
from bridge.limits import PROTOCOL_VERSION

_PROBE_TIMEOUT_S = 20.0
_FILES = ("libposebridge.so", "libposebridge.dylib", "posebridge.dll", "libposebridge.dll")
_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_BUILDS = _PACKAGE_PARENT / "engine_plugins" / "native" / "build"
_HOW_TO_BUILD = "only for engine plugins: build it as engine_plugins/native/README.md says, or name it with --library"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a library says of itself; ``failure`` is why it does not, empty otherwise.

    ``state``, ``protocol_version`` and ``server_version`` are of a connection to a server, if there was to be one.
    """

    version: str = ""
    failure: str = ""
    state: str = ""
    protocol_version: int = 0
    server_version: str = ""


def find_library(given: Path | None, builds: Path = _BUILDS) -> str | None:
    """Where the library is: as given, else in a build beside the sources (``release`` first), else the system's.

    A bare name is one that the system's loader knows.
    """
    if given is not None:
        return str(given)
    folders = sorted(builds.glob("*/"), key=lambda folder: (folder.name != "release", folder.name))
    for folder in folders if builds.is_dir() else ():
        for name in _FILES:
            # Built with sanitizers it cannot be loaded into a plain Python.
            if (folder / name).is_file() and folder.name not in ("asan", "tsan"):
                return str(folder / name)
    return ctypes.util.find_library("posebridge")


def check_library(library: str | None, *, named: bool = False) -> Finding:
    """Whether the library loads and has this software's version; ``named``: someone said that it must be there."""
    name = "plugin_library"
    if library is None:
        return hint(name, "libposebridge is not found", _HOW_TO_BUILD)
    if named and not Path(library).is_file():
        return problem(name, f"there is no file {library}", "name the library file with --library")
    probed = probe(library)
    if probed.failure:
        return problem(name, f"{library} cannot be loaded: {probed.failure}", "build it for this machine")
    detail = f"{library}: version {probed.version}"
    if probed.version.split(".")[0] != __version__.split(".")[0]:
        return problem(name, f"{detail}, PoseBridge is {__version__}", "build the library of this version")
    if probed.version != __version__:
        return hint(name, f"{detail}, PoseBridge is {__version__}", "build the library of this version")
    return ok(name, detail)


def check_handshake(library: str, endpoint: str) -> Finding:
    """Whether the library gets a session of a server, which compares protocol versions; ``endpoint`` of its ZeroMQ."""
    name = "plugin_handshake"
    probed = probe(library, endpoint)
    if probed.failure:
        advice = f"use a library and a server that both speak protocol {PROTOCOL_VERSION}: build it again"
        return problem(name, f"{library} gets no session ({probed.state or 'not loaded'}): {probed.failure}", advice)
    return ok(name, f"session with protocol {probed.protocol_version}, server {probed.server_version}")


def probe(library: str, endpoint: str = "") -> Probed:
    """Load a library in a process of its own, which it may take down, and let it connect if an endpoint is given."""
    search_path = os.pathsep.join(filter(None, [str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "bridge.cli.checks.library_probe", library, *filter(None, [endpoint])]
    environment = {**os.environ, "PYTHONPATH": search_path}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return Probed(failure=f"no answer within {_PROBE_TIMEOUT_S:g} s")
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        return Probed(failure=said[-1] if said else f"exit code {done.returncode}")
    return Probed(**json.loads(done.stdout.splitlines()[-1]))
