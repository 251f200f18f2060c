"""The help of a command: what its options take is named alike everywhere, and it ends with examples.

A command says its examples with `examples`; `CommandPage` and `GroupPage` are the classes that print them.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

_Function = TypeVar("_Function", bound=Callable[..., Any])

_ATTRIBUTE = "help_page_examples"
_METAVARS: dict[Any, str] = {Path: "FILE", int: "N", float: "N", str: "TEXT"}
_METAVARS_BY_NAME = {
    "alert_id": "ALERT_ID",
    "at": "SECONDS",
    "avatar": "NAME",
    "by": "NAME",
    "client": "NAME",
    "client_name": "NAME",
    "clip": "NAME",
    "data": "PATH",
    "device": "NAME",
    "host": "HOST",
    "layout": "NAME",
    "methods": "NAMES",
    "minutes": "MINUTES",
    "name": "NAME",
    "recording": "RECORDING",
    "recordings": "RECORDINGS",
    "seconds": "SECONDS",
    "source": "SOURCE",
    "split": "NAME",
}
_LEAD, _INDENT = " ", "   "


@dataclass(frozen=True, slots=True)
class Example:
    """A command line, as one types it (a line that goes on ends with a backslash), and what it does in a few words."""

    line: str
    does: str


def examples(*pairs: tuple[str, str]) -> Callable[[_Function], _Function]:
    """Give a command the examples that its help ends with: (command line, what it does).

    Options and arguments without a metavar get the one of their name or type: SECONDS, FILE, N, the choices there are.
    """

    def decorate(command: _Function) -> _Function:
        setattr(command, _ATTRIBUTE, tuple(Example(line, does) for line, does in pairs))
        parameters = inspect.signature(command, eval_str=True).parameters.values()
        for parameter in parameters:
            _name_what_it_takes(parameter)
        # Evaluated anew for each reader they would be other objects.
        command.__annotations__.update({parameter.name: parameter.annotation for parameter in parameters})
        return command

    return decorate


class CommandPage(TyperCommand):
    """A command whose help ends with its examples."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer does; types that say nothing more are left out."""
        return _without_idle_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page, then the examples."""
        super().format_help(ctx, formatter)
        _write_examples(self.callback, formatter)


class GroupPage(TyperGroup):
    """A group of commands whose help ends with its examples."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer does; types that say nothing more are left out."""
        return _without_idle_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page, then the examples."""
        super().format_help(ctx, formatter)
        _write_examples(self.callback, formatter)


def _name_what_it_takes(parameter: inspect.Parameter) -> None:
    if get_origin(parameter.annotation) is not Annotated:
        return
    kind, *notes = get_args(parameter.annotation)
    metavar = _METAVARS_BY_NAME.get(parameter.name) or _metavar_of(kind)
    for note in notes:
        if metavar and getattr(note, "metavar", "") is None:
            note.metavar = metavar


def _metavar_of(kind: Any) -> str | None:
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (part for part in get_args(kind) if part is not types.NoneType)
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(choice.value for choice in kind)
    return _METAVARS.get(kind)


def _without_idle_types(params: list[Any]) -> list[Any]:
    """A flag is there or not, and an argument's metavar says what it takes: neither needs a type beside it."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.param_type_name == "argument":
            param.display_type_rich = _no_type
    return params


def _no_type(ctx: Any) -> str:
    return ""


def _write_examples(callback: Callable[..., Any] | None, formatter: Any) -> None:
    """Write them where the page went: rich writes to stdout at once, plain typer into its formatter."""
    shown: tuple[Example, ...] = getattr(callback, _ATTRIBUTE, ())
    if not shown:
        return
    title = "Examples" if len(shown) > 1 else "Example"
    page = Text.assemble((f"{_LEAD}{title}\n", "bold"))
    for example in shown:
        line = example.line.replace("\n", f"\n{_INDENT}")
        page.append(f"\n{_INDENT}{line}\n", style="cyan").append(f"{_INDENT}  {example.does}\n", style="dim")
    if formatter.getvalue():
        formatter.write(f"\n{page.plain}")
    else:
        # Never broken: a line must stay one that can be copied.
        Console(highlight=False, emoji=False).print(page, soft_wrap=True, end="")
