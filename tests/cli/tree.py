"""The commands as the parser knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from bridge.cli.app import app


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands with the words that lead to it; the application itself comes first."""
    yield from _below((), typer.main.get_command(app))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _below((*words, name), inner)
