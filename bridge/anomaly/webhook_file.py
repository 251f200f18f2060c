"""The webhooks file: who is told of alerts over HTTP, and the secret that each message is signed with.

::

    [[webhooks]]
    name = "guard-desk"
    url = "https://example.org/hooks/pose"
    secret_file = "guard-desk.secret"      # relative to this file; as `whsec_` and base64, 24 to 64 bytes
    min_severity = "medium"                # optional: low, medium or high
    states = ["raised", "cleared"]         # optional: those of an alert
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook as Signer

from bridge import limits
from bridge.errors import InvalidInput, NotFound
from bridge.wire.alerts import Alert, AlertState, Severity

_KNOWN = ("name", "url", "secret_file", "min_severity", "states")
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}")
_Choice = TypeVar("_Choice", Severity, AlertState)
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver."""

    name: str
    url: str
    secret: str = field(repr=False)
    min_severity: Severity = Severity.LOW
    states: frozenset[AlertState] = frozenset(AlertState)

    def wants(self, alert: Alert) -> bool:
        """Whether it is told of this change."""
        return alert.state in self.states and _RANK[alert.severity] >= _RANK[self.min_severity]


def load_webhooks(path: Path) -> tuple[Webhook, ...]:
    """Read a webhooks file.

    Raises:
        NotFound: if it, or a secret's file, does not exist.
        InvalidInput: if something in it is wrong; names the entry and the key.
    """
    try:
        document = tomllib.loads(_text(path, "webhooks"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is no TOML: {error}", field="webhooks", expected="[[webhooks]] entries") from None
    entries = document.get("webhooks")
    if set(document) - {"webhooks"} or not isinstance(entries, list) or not entries:
        raise InvalidInput(
            f"{path} has no [[webhooks]] entries", field="webhooks", expected="one or more, nothing else"
        )
    hooks = tuple(_entry(entry, f"webhooks[{i}]", path) for i, entry in enumerate(entries))
    names = [hook.name for hook in hooks]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InvalidInput(f"{name!r} stands twice", field=f"webhooks[{i}].name", expected="each name once")
    return hooks


def _entry(entry: Any, where: str, path: Path) -> Webhook:
    if not isinstance(entry, dict):
        raise InvalidInput("is no table", field=where, expected="name, url and secret_file")
    for key in entry:
        if key not in _KNOWN:
            raise InvalidInput("no such key", field=f"{where}.{key[:64]}", expected=f"one of: {', '.join(_KNOWN)}")
    for key in ("name", "url", "secret_file"):
        if not isinstance(entry.get(key), str):
            raise InvalidInput("is missing or no text", field=f"{where}.{key}", expected="text")
    if limits.NAME_PATTERN.fullmatch(entry["name"]) is None:
        raise InvalidInput(f"is {entry['name'][:80]!r}", field=f"{where}.name", expected=limits.NAME_RULE)
    parts = urlsplit(entry["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"is {entry['url'][:80]!r}", field=f"{where}.url", expected="http:// or https:// and a host")
    return Webhook(
        name=entry["name"],
        url=entry["url"],
        secret=_secret(path.parent / entry["secret_file"], f"{where}.secret_file"),
        min_severity=_one_of(Severity, entry.get("min_severity", Severity.LOW.value), f"{where}.min_severity"),
        states=_states(entry.get("states"), f"{where}.states"),
    )


def _states(value: Any, field_path: str) -> frozenset[AlertState]:
    if value is None:
        return frozenset(AlertState)
    if not isinstance(value, list) or not value:
        raise InvalidInput(f"is {value!r:.80}", field=field_path, expected=_choices(AlertState))
    return frozenset(_one_of(AlertState, item, field_path) for item in value)


def _one_of(kind: type[_Choice], value: Any, field_path: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"is {value!r:.80}", field=field_path, expected=_choices(kind)) from None


def _choices(kind: type[Severity] | type[AlertState]) -> str:
    return f"of: {', '.join(kind)}"


def _secret(path: Path, field_path: str) -> str:
    secret = _text(path, field_path).strip()
    # Not shown when it is wrong: it may be the secret, with a typing error.
    expected = "whsec_ and base64 of 24 to 64 random bytes"
    if _SECRET.fullmatch(secret) is None:
        raise InvalidInput(f"{path} holds no secret", field=field_path, expected=expected)
    try:
        Signer(secret)
    except Exception:
        raise InvalidInput(f"{path} holds no secret", field=field_path, expected=expected) from None
    return secret


def _text(path: Path, field_path: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field=field_path, expected="a file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise InvalidInput(f"cannot read {path}: {reason}", field=field_path, expected="a readable file") from None
