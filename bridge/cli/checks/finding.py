"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import BridgeError


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    HINT = "hint"
    """Works, but not as well as it could, or is not there and need not be."""
    PROBLEM = "problem"
    """`pose-bridge serve` with these settings would fail, or not do what it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: of the check, for example ``port.grpc``.
        status: how bad it is.
        detail: what was found.
        advice: what to do; empty where nothing is to be done.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """As ``--json`` says it."""
        return {"name": self.name, "status": self.status.value, "detail": self.detail, "advice": self.advice}


def ok(name: str, detail: str) -> Finding:
    """All is well."""
    return Finding(name, Status.OK, detail)


def hint(name: str, detail: str, advice: str) -> Finding:
    """It works, or need not."""
    return Finding(name, Status.HINT, detail, advice)


def problem(name: str, detail: str, advice: str) -> Finding:
    """It would fail."""
    return Finding(name, Status.PROBLEM, detail, advice)


def problem_of(name: str, error: BridgeError, advice: str = "") -> Finding:
    """An error as a finding: without other advice, what would have been right."""
    detail = f"{error.field}: {error.problem}" if error.field else error.problem
    return problem(name, detail, advice or (f"expected {error.expected}" if error.expected else ""))
