"""The tokens file: who may do what, and how much of it. It holds hashes; a token itself is shown once, when it is made.

::

    [[tokens]]
    name = "studio-a"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    scopes = ["stream", "watch"]
    sessions = 4                # optional, and so are the next three: limits over all sessions of the token
    avatars = 64
    frames_per_second = 2000
    message_bytes = 1000000
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from bridge import limits
from bridge.errors import BridgeError, InvalidInput, NotFound

_log = structlog.get_logger(__name__)

_TOKEN_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HIGHEST = 1_000_000
_REQUIRED = ("name", "sha256", "scopes")
_LIMITS = ("sessions", "avatars", "frames_per_second", "message_bytes")


class Scope(StrEnum):
    """What a token is good for."""

    STREAM = "stream"
    """Send frames, get forecasts."""
    WATCH = "watch"
    """See what the server says of others' avatars: verdicts, and alerts with what was seen around them."""
    ADMIN = "admin"
    """Change what a running server has: acknowledge alerts."""


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """Limits over all sessions of a token; None: no limit but the server's."""

    sessions: int | None = None
    avatars: int | None = None
    frames_per_second: float | None = None
    message_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One entry of the file; ``digest`` is the SHA-256 of the token, 32 bytes."""

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    limits: TokenLimits = TokenLimits()


def digest_of(token: str) -> bytes:
    """Return the SHA-256 of a token. Tokens are 32 random bytes, so a plain hash cannot be searched through."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def load_tokens(path: Path) -> tuple[TokenEntry, ...]:
    """Read a tokens file. One that others may read is used, with a warning in the log.

    Raises:
        NotFound: if there is none.
        InvalidInput: if it cannot be read, or an entry is wrong; names the entry and the key.
    """
    entries = _entries(_read(path), path)
    if not entries:
        raise InvalidInput(f"{path} has no tokens: nobody could use the server", field="tokens", expected=_HOW)
    warn_if_others_read(path)
    return entries


def append_token(
    path: Path, name: str, scopes: Iterable[Scope | str], token_limits: TokenLimits | None = None
) -> tuple[str, TokenEntry]:
    """Make a token, add its hash to the file (made if need be, mode 0600), and return the token and its entry.

    What is in the file stays as it is, comments too.

    Raises:
        InvalidInput: if the name is taken or a value is wrong, or the file has faults already; it is then unchanged.
    """
    before = _read(path) if path.exists() else ""
    known = _entries(before, path)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    raw: dict[str, Any] = {"name": name, "sha256": digest_of(token).hex(), "scopes": [str(scope) for scope in scopes]}
    for key in _LIMITS if token_limits is not None else ():
        if (value := getattr(token_limits, key)) is not None:
            raw[key] = value
    entry = _entry(raw, "token")
    if any(entry.name == other.name for other in known):
        raise InvalidInput(f"{path} has a token named {entry.name!r}", field="token.name", expected="another name")
    # Strings, lists of strings and numbers are written alike in TOML and JSON.
    lines = ["[[tokens]]", *(f"{key} = {json.dumps(value)}" for key, value in raw.items())]
    gap = "\n" if before and not before.endswith("\n\n") else ""
    _write_private(path, before + ("" if before.endswith("\n") or not before else "\n") + gap + "\n".join(lines) + "\n")
    return token, entry


def warn_if_others_read(path: Path) -> None:
    """Log a warning if a file that should be private is readable for its group or for everyone."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("file_readable_by_others", file=str(path), mode=f"{mode:04o}", expected="0600")


_HOW = "an entry, as `pose-bridge keys token` makes it"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field="tokens", expected="a file with [[tokens]] entries") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise InvalidInput(f"cannot read {path}: {reason}", field="tokens", expected="a readable TOML file") from None


def _entries(text: str, path: Path) -> tuple[TokenEntry, ...]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is no TOML: {error}", field="tokens", expected="[[tokens]] entries") from None
    _require_known(document, ("tokens",), "", path)
    raw = document.get("tokens", [])
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise InvalidInput(f"{path}: is no list of tables", field="tokens", expected="[[tokens]] entries")
    try:
        entries = [_entry(item, f"tokens[{index}]") for index, item in enumerate(raw)]
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.problem}", field=error.field, expected=error.expected) from None
    _require_unique([entry.name for entry in entries], "name", path)
    _require_unique([entry.digest for entry in entries], "sha256", path)
    return tuple(entries)


def _entry(raw: Mapping[str, Any], where: str) -> TokenEntry:
    _require_known(raw, (*_REQUIRED, *_LIMITS), where)
    for key in _REQUIRED:
        if key not in raw:
            raise InvalidInput("is missing", field=f"{where}.{key}", expected=_HOW)
    name, digest, scopes = (raw[key] for key in _REQUIRED)
    if not isinstance(name, str) or limits.NAME_PATTERN.fullmatch(name) is None:
        raise InvalidInput(f"{name!r:.80} is not a name", field=f"{where}.name", expected=limits.NAME_RULE)
    if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        # Not shown: someone may have put the token itself here.
        raise InvalidInput("is no SHA-256", field=f"{where}.sha256", expected="64 hexadecimal digits, lower case")
    known = [scope.value for scope in Scope]
    if not isinstance(scopes, list) or not scopes or not all(scope in known for scope in scopes):
        raise InvalidInput(f"is {scopes!r:.80}", field=f"{where}.scopes", expected=f"one or more of {known}")
    return TokenEntry(
        name=name,
        digest=bytes.fromhex(digest),
        scopes=frozenset(Scope(scope) for scope in scopes),
        limits=TokenLimits(
            sessions=_whole(raw, "sessions", where, _HIGHEST),
            avatars=_whole(raw, "avatars", where, _HIGHEST),
            frames_per_second=_rate(raw, where),
            message_bytes=_whole(raw, "message_bytes", where, limits.MAX_MESSAGE_BYTES),
        ),
    )


def _whole(raw: Mapping[str, Any], key: str, where: str, highest: int) -> int | None:
    value = raw.get(key)
    if value is None or (type(value) is int and 1 <= value <= highest):
        return value
    raise InvalidInput(f"is {value!r:.80}", field=f"{where}.{key}", expected=f"a whole number, 1 to {highest}")


def _rate(raw: Mapping[str, Any], where: str) -> float | None:
    value = raw.get("frames_per_second")
    if value is None or (type(value) in (int, float) and 0 < value <= _HIGHEST):
        return None if value is None else float(value)
    expected = f"a number above 0 and at most {_HIGHEST}"
    raise InvalidInput(f"is {value!r:.80}", field=f"{where}.frames_per_second", expected=expected)


def _require_known(raw: Mapping[str, Any], known: Sequence[str], where: str, path: Path | None = None) -> None:
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            expected = f"perhaps {near[0]!r}; " if near else ""
            shown = ascii(key[:64])[1:-1]
            field_path = f"{where}.{shown}" if where else shown
            problem = f"{path}: no such key" if path else "no such key"
            raise InvalidInput(problem, field=field_path, expected=f"{expected}one of: {', '.join(known)}")


def _require_unique(values: Sequence[object], key: str, path: Path) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            first = values.index(value)
            problem = f"{path}: is that of tokens[{first}] too"
            raise InvalidInput(problem, field=f"tokens[{index}].{key}", expected="each once")


def _write_private(path: Path, text: str) -> None:
    """Replace a file's content so that a reader finds all of it or none, and nobody else finds anything."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> BridgeError:
    return InvalidInput(f"cannot write {path}: {error.strerror}", field="tokens", expected="a folder to write in")
