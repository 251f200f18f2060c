"""CURVE for ZeroMQ: encrypted, the server proven by its key, clients by a list of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import zmq

from bridge.curve_keys import KeyPair, raw_key, read_key_pair, read_public_key
from bridge.errors import InvalidInput, NotFound
from bridge.service.tokens import warn_if_others_read

_log = structlog.get_logger(__name__)

_ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_ZAP_VERSION = b"1.0"
_DOMAIN = b"posebridge"
_LOG_EVERY_S = 10.0
_LIST = "a file with one public key a line (`# name` may follow), or a folder of .key files"


@dataclass(frozen=True, slots=True)
class CurveServer:
    """The server's keys, and the clients (raw public keys, 32 bytes each) that may connect; None: any."""

    keys: KeyPair
    allowed: frozenset[bytes] | None = field(default=None, repr=False)

    @classmethod
    def load(cls, secret_file: Path, allow: Path | None) -> CurveServer:
        """Read the server's ``.key_secret`` file, and the list of clients: `read_allowed`.

        Raises:
            NotFound, InvalidInput: if a file is missing or holds something else; names it.
        """
        keys = read_key_pair(secret_file, field="curve_secret_key")
        warn_if_others_read(secret_file)
        return cls(keys, None if allow is None else read_allowed(allow))

    def protect(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> ZapHandler | None:
        """Make a socket, not yet bound, a CURVE server. The handler, if there is one, wants its socket polled."""
        socket.curve_server = True
        socket.curve_secretkey = self.keys.secret.encode("ascii")
        if self.allowed is None:
            return None
        socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody gets in while the handler does not answer
        return ZapHandler(context, self.allowed)


class ZapHandler:
    """Answers libzmq's question whether a client may connect (RFC 27) for the sockets of one context.

    `answer` belongs to the thread that polls ``socket``.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        allowed: frozenset[bytes],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._refused = 0
        self._logged_s: float | None = None
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ZAP_ENDPOINT)

    def answer(self) -> None:
        """Answer one question that waits."""
        version, request_id, domain, _address, _identity, mechanism, *credentials = self.socket.recv_multipart()
        right = version == _ZAP_VERSION and domain == _DOMAIN and mechanism == b"CURVE" and len(credentials) == 1
        if right and credentials[0] in self._allowed:
            status = (b"200", b"OK")
        else:
            status = (b"400", b"not listed")
            self._note_refusal()
        self.socket.send_multipart((_ZAP_VERSION, request_id, *status, b"", b""))

    def _note_refusal(self) -> None:
        """Log it, but no more than a line every few seconds: anyone can knock."""
        self._refused += 1
        now_s = self._clock()
        if self._logged_s is None or now_s - self._logged_s >= _LOG_EVERY_S:
            _log.warning("curve_client_refused", refused=self._refused)
            self._logged_s, self._refused = now_s, 0


def read_allowed(path: Path) -> frozenset[bytes]:
    """Read the public keys that may connect: a file with one key a line, or a folder of ``.key`` files.

    Raises:
        NotFound: if there is neither.
        InvalidInput: if there is no key in it, or something that is none; says in which line or file.
    """
    try:
        keys = _keys_of_folder(path) if path.is_dir() else _keys_of_list(path)
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
        raise InvalidInput(problem, field="curve_allow", expected=_LIST) from None
    if not keys:
        raise InvalidInput(f"{path} has no keys: nobody could connect", field="curve_allow", expected=_LIST)
    return frozenset(keys)


def _keys_of_folder(folder: Path) -> list[bytes]:
    texts = (read_public_key(path, field="curve_allow") for path in sorted(folder.glob("*.key")))
    return [key for text in texts if (key := raw_key(text)) is not None]


def _keys_of_list(path: Path) -> list[bytes]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field="curve_allow", expected=_LIST) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no text", field="curve_allow", expected=_LIST) from None
    keys = []
    for number, line in enumerate(lines, start=1):
        # A key may contain "#", but never at its beginning (85^4 times its value is no 32-bit number).
        text, *rest = line.split(maxsplit=1) or [""]
        if not text or text.startswith("#"):
            continue
        key = raw_key(text)
        if key is None or (rest and not rest[0].startswith("#")):
            # The line is not shown: it may be a secret key's.
            problem = f"{path}, line {number}: no public key"
            raise InvalidInput(problem, field="curve_allow", expected="40 characters of Z85, then `# name` or nothing")
        keys.append(key)
    return keys
