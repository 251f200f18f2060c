"""``pose-bridge``, also as ``python -m bridge.cli``: runs the application and says what went wrong in one line."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from bridge.cli.interruption import Interruption
from bridge.errors import BridgeError

_DONE, _FAILED, _INTERRUPTED = 0, 1, 130


def main() -> None:
    """Run the command line.

    Exit codes: 0 when what was asked for happened, 1 when not (one line on stderr says why), 2 for a wrong usage,
    130 after Ctrl-C, 143 after SIGTERM.
    """
    _open_what_is_closed()
    interruption = Interruption()
    interruption.watch()
    try:
        code = _outcome(interruption)
        interruption.settle()
    except KeyboardInterrupt:
        interruption.settle()
        code = interruption.exit_code
    sys.exit(_flush(code))


def _outcome(interruption: Interruption) -> int:
    """Run the application, say what went wrong, return the exit code; an interrupt is the caller's."""
    try:
        code = _run()
    except Exception as error:
        if interruption.number:  # libraries turn an interrupt into errors of their own
            return interruption.exit_code
        if _debugging():
            raise
        _tell(_in_words(error))
        return _FAILED
    return interruption.exit_code if interruption.number and code == _INTERRUPTED else code


def _run() -> int:
    """Load the application and run it, return its exit code."""
    try:
        from bridge.cli.app import run

        run()
    except SystemExit as ended:
        return _DONE if ended.code is None else ended.code if isinstance(ended.code, int) else _FAILED
    return _DONE


def _debugging() -> bool:
    """Whether --debug was given; not if the application could not even be loaded."""
    app = sys.modules.get("bridge.cli.app")
    return app is not None and app.shown.debug


def _in_words(error: Exception) -> str:
    """One line: what was wrong with which field, or that the fault is ours."""
    if isinstance(error, BridgeError):
        said = str(error)
    elif isinstance(error, OSError) and error.strerror:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, ImportError):
        said = f"a library cannot be loaded: {error}; `pose-bridge doctor` says what is missing"
    elif isinstance(error, MemoryError):
        said = "there is not enough memory for this"
    else:
        name = type(error).__name__
        said = f"a fault of PoseBridge ({name}: {error}); please report what `pose-bridge --debug COMMAND` shows"
    return f"pose-bridge: error: {' '.join(said.split())}"


def _tell(line: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # stderr is closed or full: the exit code has to do
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _flush(code: int) -> int:
    """Write out what is left for stdout and stderr; return the exit code, a failure's if stdout cannot be written."""
    problem = _left_over(sys.stdout)
    if problem and code == _DONE:
        _tell(f"pose-bridge: error: stdout: cannot be written: {problem}")
        code = _FAILED
    _left_over(sys.stderr)
    return code


def _left_over(stream: TextIO | None) -> str:
    """Flush a stream; one that cannot be written is forgotten, or the interpreter would fail over it at its end."""
    if stream is None:
        return ""
    try:
        stream.flush()
    except OSError as error:
        from bridge.cli.output import forget

        forget(stream)
        return error.strerror or str(error)
    return ""


def _open_what_is_closed() -> None:
    """Put /dev/null where a standard stream is closed: else the next file or socket would get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


if __name__ == "__main__":
    main()
