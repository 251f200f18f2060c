"""What a command says: one JSON object for machines, to a stdout that may be gone or full."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from bridge.errors import Unavailable


def write_json(document: Mapping[str, Any]) -> None:
    """Print an object on one line of stdout, at once; a number that is not finite is null, as JSON knows no other.

    Raises:
        Unavailable: if stdout is closed, full, or nobody reads it.
    """
    write_line(json.dumps(_finite(document), allow_nan=False))


def write_line(line: str) -> None:
    """Print a line on stdout, at once.

    Raises:
        Unavailable: if stdout is closed, full, or nobody reads it.
    """
    if sys.stdout is None:  # it was closed when this process began
        raise Unavailable("is closed", field="stdout", expected="somewhere to write")
    try:
        print(line, flush=True)
    except OSError as error:
        forget(sys.stdout)
        reason = "nobody reads it" if error.errno == errno.EPIPE else error.strerror or str(error)
        raise Unavailable(f"cannot be written: {reason}", field="stdout", expected="somewhere to write") from None


def forget(stream: TextIO) -> None:
    """Send what a stream still holds nowhere, so that the interpreter does not fail over it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
