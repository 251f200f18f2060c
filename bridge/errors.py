"""Every error that PoseBridge raises on purpose, and how each one travels.

::

    BridgeError
    ├── InvalidInput            a field is wrong: which, what was wrong, what is right
    │   └── MalformedMessage    the bytes are not the expected message at all
    ├── FailedPrecondition      something must come first (a config before frames, a full window before a forecast)
    ├── NotFound                no such layout, avatar, file or method
    ├── VersionMismatch         protocol versions of client and server do not fit
    ├── ResourceExhausted       a limit was reached
    ├── Unavailable             draining, not ready, or not reachable
    ├── DeadlineExceeded        no answer in time
    ├── Unauthenticated         no token, or an unknown one
    ├── PermissionDenied        the token's scopes do not allow this
    ├── CheckpointError         a weights file is missing, damaged, foreign or too new
    └── InternalError           a fault of ours

`ErrorKind` is the single place that maps an error to its gRPC status name and to its number on the wire (``ErrorCode``
in ``forecast.proto``, which ZeroMQ clients see directly).
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """What went wrong, as (number of ``posebridge.v1.ErrorCode``, name of the gRPC status)."""

    INVALID_ARGUMENT = (1, "INVALID_ARGUMENT")
    FAILED_PRECONDITION = (2, "FAILED_PRECONDITION")
    NOT_FOUND = (3, "NOT_FOUND")
    VERSION_MISMATCH = (4, "FAILED_PRECONDITION")
    RESOURCE_EXHAUSTED = (5, "RESOURCE_EXHAUSTED")
    UNAVAILABLE = (6, "UNAVAILABLE")
    MALFORMED = (7, "INVALID_ARGUMENT")
    INTERNAL = (8, "INTERNAL")
    DEADLINE_EXCEEDED = (9, "DEADLINE_EXCEEDED")
    UNAUTHENTICATED = (10, "UNAUTHENTICATED")
    PERMISSION_DENIED = (11, "PERMISSION_DENIED")

    @property
    def wire_code(self) -> int:
        """Number of ``posebridge.v1.ErrorCode``."""
        return self.value[0]

    @property
    def grpc_status(self) -> str:
        """Name of the ``grpc.StatusCode`` that a call ends with."""
        return self.value[1]


class BridgeError(Exception):
    """Root of the tree: ``field`` is what is at fault, ``problem`` what was wrong, ``expected`` what would be right.

    ``retry_after_ms`` says after how long another try makes sense; 0 if waiting alone changes nothing.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(self, problem: str, *, field: str = "", expected: str = "", retry_after_ms: int = 0) -> None:
        self.problem = problem
        self.field = field
        self.expected = expected
        self.retry_after_ms = retry_after_ms
        super().__init__(problem)

    def __str__(self) -> str:
        """One line: field, problem and what would be right."""
        head = f"{self.field}: {self.problem}" if self.field else self.problem
        return f"{head}; expected {self.expected}" if self.expected else head


class InvalidInput(BridgeError):
    """A field has a value that cannot be used."""

    kind = ErrorKind.INVALID_ARGUMENT


class MalformedMessage(InvalidInput):
    """Bytes that do not decode to the expected message."""

    kind = ErrorKind.MALFORMED


class FailedPrecondition(BridgeError):
    """Something else must come first."""

    kind = ErrorKind.FAILED_PRECONDITION


class NotFound(BridgeError):
    """The thing named does not exist here."""

    kind = ErrorKind.NOT_FOUND


class VersionMismatch(BridgeError):
    """Client and server speak different versions of the protocol; both are named."""

    kind = ErrorKind.VERSION_MISMATCH


class ResourceExhausted(BridgeError):
    """A limit was reached."""

    kind = ErrorKind.RESOURCE_EXHAUSTED


class Unavailable(BridgeError):
    """The other side is draining, not ready or not reachable."""

    kind = ErrorKind.UNAVAILABLE


class DeadlineExceeded(BridgeError):
    """No answer came in time."""

    kind = ErrorKind.DEADLINE_EXCEEDED


class Unauthenticated(BridgeError):
    """The caller did not say who it is, or not so that we believe it."""

    kind = ErrorKind.UNAUTHENTICATED


class PermissionDenied(BridgeError):
    """The caller is known but may not do this."""

    kind = ErrorKind.PERMISSION_DENIED


class CheckpointError(BridgeError):
    """A weights file is missing, damaged, not ours, or newer than this software."""

    kind = ErrorKind.FAILED_PRECONDITION


class InternalError(BridgeError):
    """A fault of ours; the log has the details."""

    kind = ErrorKind.INTERNAL
