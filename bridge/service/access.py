"""Who is calling and what they may do: bearer tokens with scopes and limits.

Without a tokens file everyone may do everything, without limits. A token never appears in an error, a log or a repr.
"""

from __future__ import annotations

import hmac
import math
import threading
from collections.abc import Iterable
from pathlib import Path

from bridge import limits
from bridge.errors import PermissionDenied, ResourceExhausted, Unauthenticated
from bridge.service.tokens import Scope, TokenEntry, TokenLimits, digest_of, load_tokens

_LONGEST_TOKEN = 256
_RETRY_SESSION_MS = 1000
_ROUNDING = 1e-6
_BURST_S = 1.0
"""Frames of so much time at the allowed rate may come at once."""


class AccessGrant:
    """What one token (or, without tokens, everyone) may do; all its sessions share the limits. Safe from any thread.

    Matches `bridge.session.grant.Grant`.
    """

    def __init__(self, name: str, scopes: Iterable[Scope], token_limits: TokenLimits | None = None) -> None:
        self.name = name
        self.scopes = frozenset(scopes)
        self.limits = token_limits or TokenLimits()
        self.max_message_bytes = self.limits.message_bytes or limits.MAX_MESSAGE_BYTES
        self._lock = threading.Lock()
        self._sessions = 0
        self._avatars = 0
        self._frames_left = self._burst = max(1.0, (self.limits.frames_per_second or 0.0) * _BURST_S)
        self._filled_s = -math.inf

    def __repr__(self) -> str:
        """Name and scopes."""
        return f"AccessGrant({self.name!r}, {sorted(self.scopes)})"

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return self._sessions

    @property
    def avatars(self) -> int:
        """Avatars of the open sessions."""
        return self._avatars

    def require(self, scope: Scope) -> None:
        """Check that this may be done.

        Raises:
            PermissionDenied: if not; names the scope that is missing.
        """
        if scope not in self.scopes:
            raise PermissionDenied(
                f"the token {self.name!r} lacks the scope {scope.value!r}",
                field="token",
                expected=f"a token with the scope {scope.value!r}",
            )

    def require_size(self, message_bytes: int) -> None:
        """Check that a message of this length is taken.

        Raises:
            ResourceExhausted: if it is too long for this token.
        """
        if message_bytes > self.max_message_bytes:
            raise ResourceExhausted(
                f"the message has {message_bytes} bytes",
                expected=f"at most {self.max_message_bytes} bytes a message",
            )

    def open_session(self) -> None:
        """See `bridge.session.grant.Grant.open_session`."""
        with self._lock:
            allowed = self.limits.sessions
            if allowed is not None and self._sessions >= allowed:
                raise ResourceExhausted(
                    f"{self._sessions} sessions of the token {self.name!r} are open",
                    field="session",
                    expected=f"at most {allowed}; several avatars can share one session",
                    retry_after_ms=_RETRY_SESSION_MS,
                )
            self._sessions += 1

    def close_session(self) -> None:
        """See `bridge.session.grant.Grant.close_session`."""
        with self._lock:
            self._sessions = max(0, self._sessions - 1)

    def add_avatar(self) -> None:
        """See `bridge.session.grant.Grant.add_avatar`."""
        with self._lock:
            allowed = self.limits.avatars
            if allowed is not None and self._avatars >= allowed:
                raise ResourceExhausted(
                    f"the token {self.name!r} has {self._avatars} avatars",
                    field="frame.avatar_id",
                    expected=f"at most {allowed} avatars over all its sessions",
                    retry_after_ms=_RETRY_SESSION_MS,
                )
            self._avatars += 1

    def remove_avatars(self, count: int) -> None:
        """See `bridge.session.grant.Grant.remove_avatars`."""
        with self._lock:
            self._avatars = max(0, self._avatars - count)

    def take_frame(self, now_s: float) -> None:
        """See `bridge.session.grant.Grant.take_frame`."""
        rate_hz = self.limits.frames_per_second
        if rate_hz is None:
            return
        with self._lock:
            # Several threads take the time before they get the lock: it may seem to go back a little.
            passed_s = max(0.0, now_s - self._filled_s)
            self._filled_s = max(self._filled_s, now_s)
            self._frames_left = min(self._burst, self._frames_left + passed_s * rate_hz)
            if self._frames_left < 1.0 - _ROUNDING:
                raise ResourceExhausted(
                    f"more frames than the token {self.name!r} allows",
                    field="frame",
                    expected=f"at most {rate_hz:g} frames a second over all its sessions",
                    retry_after_ms=math.ceil((1.0 - self._frames_left) / rate_hz * 1000),
                )
            self._frames_left -= 1.0


class AccessControl:
    """Knows the tokens. ``entries`` None: everyone is welcome, under the name "anonymous"."""

    def __init__(self, entries: Iterable[TokenEntry] | None = None) -> None:
        self.required = entries is not None
        self._known = [(entry.digest, AccessGrant(entry.name, entry.scopes, entry.limits)) for entry in entries or ()]
        self._anonymous = AccessGrant("anonymous", Scope)

    @classmethod
    def load(cls, path: Path | None) -> AccessControl:
        """Read a tokens file; without one everyone is welcome.

        Raises:
            NotFound, InvalidInput: as `bridge.service.tokens.load_tokens`.
        """
        return cls(None if path is None else load_tokens(path))

    def authenticate(self, token: str | None) -> AccessGrant:
        """Return what the bearer of a token may do. Takes the same time whichever token matches, or none.

        Raises:
            Unauthenticated: if there is no token, or one that is not known.
        """
        if not self.required:
            return self._anonymous
        if not token:
            raise Unauthenticated("no token was given", field="token", expected=_WHERE)
        found: AccessGrant | None = None
        if len(token) <= _LONGEST_TOKEN:
            digest = digest_of(token)
            for known, grant in self._known:
                if hmac.compare_digest(digest, known):
                    found = grant
        if found is None:
            raise Unauthenticated("this token is not known here", field="token", expected="a token of this server")
        return found


_WHERE = "metadata `authorization: Bearer TOKEN` over gRPC, ClientEnvelope.token over ZeroMQ"
