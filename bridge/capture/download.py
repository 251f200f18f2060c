"""Fetching a file once: resumed after a cut, checked by size, by the server's hash and by use, then put in place.

The hash is what Google's storage says of an object (``x-goog-hash: crc32c=...,md5=...``, base64;
https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash). A server without that header is taken at
its word for size, and the file must still load.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx

from bridge.errors import CheckpointError, ResourceExhausted, Unavailable

MODEL_URL = "https://storage.googleapis.com/mediapipe-models/pose_landmarker"
Progress = Callable[[int, int | None], None]
"""Called with the bytes had and the bytes in all, None if unknown."""

_MAX_BYTES = 512 * 1024 * 1024
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def fetch_file(url: str, target: Path, *, check: Callable[[Path], None], progress: Progress | None = None) -> None:
    """Fetch a file; what has come when the connection is cut is kept and gone on from in the next call.

    Raises:
        Unavailable: if the server cannot be reached, has no such file, or the connection was cut.
        CheckpointError: if size or hash are not what the server says, or ``check`` refuses the file; it is removed.
        ResourceExhausted: if the file cannot be written.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = _transfer(url, partial, target, progress)
        if resumed and not partial.exists():  # the rest was of another version: once more, from the beginning
            _transfer(url, partial, target, progress)
        try:
            check(partial)
        except CheckpointError as error:
            partial.unlink(missing_ok=True)
            raise CheckpointError(
                f"what came from {url} is no usable model: {error.problem}",
                field="model",
                expected=by_hand(url, target),
            ) from error
        os.replace(partial, target)
    except OSError as error:
        raise ResourceExhausted(
            f"cannot write {target}: {error.strerror or error}", field="model", expected="a cache that can be written"
        ) from error


def by_hand(url: str, target: Path) -> str:
    """What a person can do instead, in words."""
    return f"{url} put at {target} by hand, or --model FILE"


def _transfer(url: str, partial: Path, target: Path, progress: Progress | None) -> bool:
    """Bring ``partial`` to its full length and check it; True if it was gone on from.

    What was gone on from and then has another hash is removed without an error.
    """
    begun = partial.stat().st_size if partial.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begun}-"} if begun else {})
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if begun and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink()
                return True
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise _unavailable(url, target, f"the server answers {response.status_code}")
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            total = _total(response, begun if resumed else 0)
            if total is not None and total > _MAX_BYTES:
                raise _unavailable(url, target, f"it has {total} bytes, which is no model")
            md5 = _md5(response)
            with partial.open("ab" if resumed else "wb") as file:
                had = begun if resumed else 0
                for block in response.iter_raw():
                    file.write(block)
                    had += len(block)
                    if had > _MAX_BYTES:
                        break
                    if progress is not None:
                        progress(had, total)
    except httpx.InvalidURL as error:
        raise _unavailable(url, target, str(error)) from error
    except httpx.HTTPError as error:
        had = partial.stat().st_size if partial.is_file() else 0
        kept = f" after {had} bytes, from which the next try goes on" if had else ""
        raise _unavailable(url, target, f"{str(error) or type(error).__name__}{kept}") from error
    return _verify(url, partial, target, total, md5, resumed=resumed)


def _verify(url: str, partial: Path, target: Path, total: int | None, md5: bytes | None, *, resumed: bool) -> bool:
    """Hold the file against what the server said of it; True if it was gone on from."""
    had = partial.stat().st_size
    if total is not None and had < total:
        raise _unavailable(url, target, f"it ended after {had} of {total} bytes, from which the next try goes on")
    same_size = had <= _MAX_BYTES if total is None else had == total
    if same_size and (md5 is None or _md5_of(partial) == md5):
        return resumed
    partial.unlink()
    if resumed:
        return True
    wrong = (
        "the hash is not the one that the server names" if same_size else f"{had} bytes came, not {total or _MAX_BYTES}"
    )
    raise CheckpointError(f"{url} came damaged: {wrong}", field="model", expected=by_hand(url, target))


def _total(response: httpx.Response, begun: int) -> int | None:
    """Length of the whole file by what the answer says; Google's storage also says what it has in store."""
    stored = response.headers.get("x-goog-stored-content-length", "")
    if stored.isdigit():
        return int(stored)
    length = response.headers.get("content-length", "")
    return begun + int(length) if length.isdigit() else None


def _md5(response: httpx.Response) -> bytes | None:
    """MD5 of the whole file, if the server says it."""
    for part in response.headers.get("x-goog-hash", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            try:
                return base64.b64decode(value, validate=True)
            except ValueError:
                return None
    return None


def _md5_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def _unavailable(url: str, target: Path, reason: str) -> Unavailable:
    return Unavailable(f"cannot fetch {url}: {reason}", field="model", expected=by_hand(url, target))
