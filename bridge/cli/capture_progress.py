"""Progress bars of ``pose-bridge capture``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def busy(console: Console, what: str) -> AbstractContextManager[object]:
    """Show that something is under way; nothing where nobody watches."""
    return console.status(what) if console.is_terminal else nullcontext()


@contextmanager
def download_bar(console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """Yield what is to be called with the bytes had and the bytes in all; shows nothing before the first call."""
    columns = (TextColumn("fetching the model"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    tasks: list[TaskID] = []

    def progress(had: int, total: int | None) -> None:
        if not tasks:
            tasks.append(bar.add_task("", total=total))
            bar.start()
        bar.update(tasks[0], completed=had)

    try:
        yield progress
    finally:
        bar.stop()


@contextmanager
def frame_bar(console: Console, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Yield what is to be called after each picture with those that somebody was in, and those dropped, so far."""
    said = TextColumn("somebody in {task.fields[detected]}, {task.fields[dropped]} dropped")
    counted = (BarColumn(), MofNCompleteColumn(), said, TimeRemainingColumn())
    uncounted = (SpinnerColumn(), TextColumn("{task.completed}"), said, TimeElapsedColumn())
    columns = uncounted if total is None else counted
    quiet = not console.is_terminal
    with Progress(TextColumn("pictures"), *columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=total, detected=0, dropped=0)
        yield lambda detected, dropped: bar.update(task, advance=1, detected=detected, dropped=dropped)
