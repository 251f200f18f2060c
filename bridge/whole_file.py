"""Output files: refused early where they could not be written, whole or not there in the end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import InvalidInput, ResourceExhausted

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def whole_file(path: Path, *, field: str = "out", keep_suffix: bool = False) -> Iterator[Path]:
    """Yield a file to write, in the same folder; it becomes ``path`` when the block ends well.

    Where the block fails or is interrupted nothing is left of it, and what was at ``path`` stays as it was. A link is
    followed; what is no regular file, such as ``/dev/stdout``, is written as it is.

    Args:
        path: the file in the end.
        field: what an error names.
        keep_suffix: for writers that go by the suffix; without it no reader of a folder takes a draft for a file.

    Raises:
        InvalidInput: if the file cannot be written.
        ResourceExhausted: if there is no room for it.
    """
    try:
        draft = target = path.resolve()
        in_place = target.exists() and not target.is_file()
        if not in_place:
            suffix = target.suffix if keep_suffix else ""
            draft = target.with_name(f"{target.name}.{os.getpid()}.partial{suffix}")
        try:
            yield draft
            if not in_place:
                os.replace(draft, target)
        except BaseException:
            if not in_place:
                draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror or error}"
        if error.errno in _FULL:
            raise ResourceExhausted(reason, field=field, expected="room for the file") from None
        raise InvalidInput(reason, field=field, expected="a file that can be written") from None


def check_output(path: Path, *, field: str = "out", suffixes: Sequence[str] = ()) -> None:
    """Refuse early what could not be written in the end.

    Args:
        path: the file to write.
        field: what an error names.
        suffixes: those that the file may have, in lower case; empty for any.

    Raises:
        InvalidInput: if the path has another suffix, is a folder, or lies in none that can be written.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        *others, last = suffixes
        known = f"{', '.join(others)} or {last}" if others else last
        raise InvalidInput(f"{path} has no known suffix", field=field, expected=f"a name that ends in {known}")
    try:
        folder = path.resolve().parent
        if path.is_dir():
            raise InvalidInput(f"{path} is a folder", field=field, expected="a file to write")
        if not folder.is_dir():
            raise InvalidInput(f"there is no folder {folder}", field=field, expected="an existing folder")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise InvalidInput(f"{path} cannot be written", field=field, expected="a file that can be written")
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"cannot write {path}: {reason}", field=field, expected="a file") from None
