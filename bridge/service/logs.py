"""Structured logs, ours and those of the libraries, one event a line, on stderr or in a file.

What takes the log may fail or stand still (a full disk, a pipe that nobody reads): the service goes on. Lines are
made where the event happens and written by a thread of their own; those that cannot be written, or find too many
waiting, are counted (`lost_records`) and forgotten.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import queue
import sys
import threading
from logging.handlers import QueueHandler, RotatingFileHandler
from pathlib import Path
from typing import IO, Any, Literal

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from bridge.errors import InvalidInput

LOG_FILE_BYTES = 64 * 1024 * 1024
"""A log file that would grow beyond this becomes FILE.1, the one before it FILE.2, and so on."""
LOG_FILES_KEPT = 5
"""Older log files that are kept; the next one is deleted."""
_WAITING_LINES = 10_000
_FLUSH_S = 1.0


def configure_logging(
    level: str, log_format: Literal["console", "json"], log_file: Path | None = None, *, stream: IO[str] | None = None
) -> None:
    """Send structlog's and the standard library's records to ``log_file`` from now on, to stderr if there is none.

    ``level`` is a name of `logging`, for example ``"info"``. ``stream`` stands in for stderr.

    Raises:
        InvalidInput: if the file cannot be opened.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if log_format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        colors = log_file is None and _shows_colours(stream)
        last = [
            _escape_control_characters,
            structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_plain_traceback),
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    target = _file_handler(log_file) if log_file is not None else _stream_handler(stream)
    handler = _Handler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.raiseExceptions = False  # otherwise a failure of a handler is told on stderr, which may be what failed
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def _shows_colours(stream: IO[str]) -> bool:
    """Whether it is a terminal that can, of somebody who did not say that they want none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def flush_logs() -> None:
    """Wait until what was logged is written; at most about a second."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def lost_records() -> int:
    """Return how many log records of this process could not be written so far."""
    return _lost.count


class _Lost:
    """Counts from several threads."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.count += 1


_lost = _Lost()


class _Handler(QueueHandler):
    """Formats a record where it is logged and leaves the line to a thread that hands it to ``target``."""

    def __init__(self, target: logging.Handler) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING_LINES)
        super().__init__(self._lines)
        self._target = target
        # A daemon: a pipe that nobody reads must not keep the process from ending.
        self._writer = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._writer.start()

    def handleError(self, record: logging.LogRecord) -> None:
        _lost.add()

    def flush(self) -> None:
        """Wait until what was logged is written, but not for a target that stands still."""
        done = self._lines.all_tasks_done
        with done:
            done.wait_for(lambda: not self._lines.unfinished_tasks, _FLUSH_S)

    def close(self) -> None:
        """Write what waits, within a bounded time, and close the target."""
        self.flush()
        if not self._lines.unfinished_tasks:
            self._lines.put_nowait(None)
            self._writer.join(_FLUSH_S)
            self._target.close()
        super().close()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            # Not `handle`: a write that hangs would hold the handler's lock, which the end of the process wants.
            try:
                self._target.emit(record)
            except Exception:
                _lost.add()
            self._lines.task_done()


class _Unbuffered(io.FileIO):
    """A file whose writes are whole or fail: nothing stays behind to be tried again, or to be told of at the end."""

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        left = memoryview(data)
        while left:
            left = left[super().write(left) :]
        return len(data)


def _text(file: _Unbuffered) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)


class _FileHandler(RotatingFileHandler):
    def _open(self) -> io.TextIOWrapper:
        return _text(_Unbuffered(self.baseFilename, "ab"))

    def handleError(self, record: logging.LogRecord) -> None:
        _lost.add()


class _StreamHandler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:
        _lost.add()


def _file_handler(path: Path) -> logging.Handler:
    try:
        return _FileHandler(path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT)
    except OSError as error:
        raise InvalidInput(
            f"cannot write {str(path)!r}: {error.strerror}", field="settings.log_file", expected="a file in a folder"
        ) from None


def _stream_handler(stream: IO[str]) -> logging.Handler:
    """The stream without its buffer, whose lock a write that hangs would hold when the process ends."""
    with contextlib.suppress(OSError, ValueError):  # there may be no descriptor behind it
        stream = _text(_Unbuffered(stream.fileno(), "wb", closefd=False))
    return _StreamHandler(stream)


def _escape_control_characters(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Make what clients sent harmless on a terminal: no colours, no line ends, no other direction of writing."""
    return {_escaped(key): _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str, keep: str = "") -> str:
    """``text`` with all that does not print written as Python would, but for the characters in ``keep``.

    >>> print(_escaped("a\\x1b[31mb\\nc"))
    a\\x1b[31mb\\nc
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in text
    )


def _plain_traceback(out: IO[str] | Any, exc_info: ExcInfo) -> None:
    """Without the values of all locals, which take seconds to draw and may show what clients sent.

    Lines are set in, so that none of them passes for an event.
    """
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write("\n".join(f"  {line}" for line in _escaped(plain.getvalue(), keep="\n").splitlines()))
