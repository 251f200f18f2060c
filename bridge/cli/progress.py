"""What a command shows while it works: a bar or a line that moves, on a terminal and nowhere else.

Where stderr is a file, a pipe or a terminal that cannot move its cursor, nothing of it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def watched(console: Console) -> bool:
    """Whether somebody sees what moves."""
    return console.is_interactive


def busy(console: Console, what: str) -> AbstractContextManager[object]:
    """Show that something is under way, for as long as the block lasts."""
    return console.status(f"{what} ...") if watched(console) else nullcontext()


def announced(console: Console, what: str) -> AbstractContextManager[object]:
    """As `busy`; where nobody watches it is said once, in a line of its own, for whoever reads the log."""
    if not watched(console):
        console.print(f"{what} ...", style="dim", soft_wrap=True)
    return busy(console, what)


@contextmanager
def telling(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield what is to be called with what is being done now."""
    if not watched(console):
        yield lambda what: None
        return
    with console.status("") as status:
        yield lambda what: status.update(f"{what} ...")


@contextmanager
def counting(console: Console, what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show how much of ``total`` is done; None where nobody knows how much there is.

    Yields a function of how much more has been done and, if that changes, what is being done.
    """
    with _bar(console, TextColumn("{task.description}"), *_measured(total)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more, now=None: bar.update(task, advance=more, description=now)


@contextmanager
def timing(console: Console, what: str, total_s: float) -> Iterator[Callable[[float, str], None]]:
    """Show how much of a given time is over; yields a function of the seconds gone and of what is being done."""
    with _bar(console, TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=total_s)
        yield lambda elapsed_s, now: bar.update(task, completed=elapsed_s, description=now)


@contextmanager
def download_bar(console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """Yield what is to be called with the bytes had and the bytes in all; shows nothing before the first call."""
    columns = (TextColumn("fetching the model"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = _bar(console, *columns)
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
def picture_bar(console: Console, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Yield what is to be called after each picture with those that somebody was in, and those dropped, so far."""
    said = TextColumn("somebody in {task.fields[detected]}, {task.fields[dropped]} dropped")
    with _bar(console, TextColumn("pictures"), *_measured(total), said) as bar:
        task = bar.add_task("", total=total, detected=0, dropped=0)
        yield lambda detected, dropped: bar.update(task, advance=1, detected=detected, dropped=dropped)


@contextmanager
def reading_bar(console: Console, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Yield what is to be called with the bytes that were read; with 0 in all, something moves that counts nothing."""
    if not total_bytes:
        with busy(console, "reading the motion"):
            yield lambda more: None
        return
    with _bar(console, TextColumn("reading BVH files"), BarColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda more: bar.update(task, advance=more)


def _measured(total: int | None) -> tuple[ProgressColumn, ...]:
    if total is None:
        return SpinnerColumn(), TextColumn("{task.completed}"), TimeElapsedColumn()
    return BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()


def _bar(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=console, transient=True, disable=not watched(console))
