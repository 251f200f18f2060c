"""What ``pose-bridge doctor`` looks at: each check is a function that returns a `Finding`."""

from bridge.cli.checks.finding import Finding, Status, hint, ok, problem

__all__ = ["Finding", "Status", "hint", "ok", "problem"]
