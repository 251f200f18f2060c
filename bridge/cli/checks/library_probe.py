"""``python -m bridge.cli.checks.library_probe LIBRARY [ENDPOINT]``: what libposebridge says of itself, as a JSON line.

A process of its own, because a library of another machine or build can end the one that loads it.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Sequence

_STATES = ("disconnected", "connecting", "ready", "draining", "refused")
_READY, _REFUSED = 2, 4
_CONNECT_TIMEOUT_S = 10.0
# More than any version's structs: the library writes no more of them than it knows.
_ROOM_BYTES = 4096


class _Config(ctypes.Structure):
    """The beginning of ``posebridge_config``, and room for the rest."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("endpoint", ctypes.c_char_p),
        ("client_name", ctypes.c_char_p),
        ("rest", ctypes.c_char * _ROOM_BYTES),
    )


class _Session(ctypes.Structure):
    """The beginning of ``posebridge_session``, and room for the rest."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("protocol_version", ctypes.c_uint32),
        ("server_version", ctypes.c_char * 32),
        ("rest", ctypes.c_char * _ROOM_BYTES),
    )


class _Error(ctypes.Structure):
    """``posebridge_error``."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("code", ctypes.c_int32),
        ("count", ctypes.c_uint64),
        ("field", ctypes.c_char * 128),
        ("problem", ctypes.c_char * 256),
        ("expected", ctypes.c_char * 256),
    )


def main(arguments: Sequence[str]) -> int:
    """Load, ask, print; exit code 1 with a line on stderr if it does not load or is none of ours."""
    library_path, *endpoint = arguments
    try:
        library = ctypes.CDLL(library_path)
        library.posebridge_version.restype = ctypes.c_char_p
        version: bytes = library.posebridge_version()
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        return 1
    told: dict[str, object] = {"version": version.decode()}
    if endpoint:
        told |= _connect(library, endpoint[0])
    print(json.dumps(told))
    return 0


def _connect(library: ctypes.CDLL, endpoint: str) -> dict[str, object]:
    """Ask for a session and say how that went."""
    client, error = ctypes.c_void_p(), _Error(size=ctypes.sizeof(_Error))
    config = _Config(size=ctypes.sizeof(_Config))
    library.posebridge_default_config(ctypes.byref(config))
    config.endpoint, config.client_name = endpoint.encode(), b"doctor"
    if library.posebridge_create(ctypes.byref(config), ctypes.byref(client), ctypes.byref(error)) != 0:
        return {"failure": _in_words(error)}
    try:
        library.posebridge_connect(client)
        deadline_s = time.monotonic() + _CONNECT_TIMEOUT_S
        state = library.posebridge_get_state(client)
        while state not in (_READY, _REFUSED) and time.monotonic() < deadline_s:
            time.sleep(0.02)
            state = library.posebridge_get_state(client)
        told: dict[str, object] = {"state": _STATES[state] if 0 <= state < len(_STATES) else str(state)}
        if state != _READY:
            library.posebridge_last_error(client, ctypes.byref(error))
            return told | {"failure": _in_words(error) or f"no session within {_CONNECT_TIMEOUT_S:g} s"}
        session = _Session(size=ctypes.sizeof(_Session))
        library.posebridge_get_session(client, ctypes.byref(session))
        server_version = session.server_version.decode(errors="replace")
        return told | {"protocol_version": session.protocol_version, "server_version": server_version}
    finally:
        library.posebridge_destroy(client)


def _in_words(error: _Error) -> str:
    field, problem, expected = (
        bytes(text).decode(errors="replace") for text in (error.field, error.problem, error.expected)
    )
    words = f"{field}: {problem}" if field else problem
    return f"{words}; expected {expected}" if expected else words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
