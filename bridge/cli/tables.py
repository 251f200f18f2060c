"""Tables that are wider than the terminal: shown one part under the other, so that no number is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_AMPLE = 1000


def print_tables(console: Console, *tables: Table | Text) -> None:
    """Print tables, each in as many parts as the console's width asks for, and words in place of one."""
    for table in tables:
        for part in parts(table, console) if isinstance(table, Table) else [table]:
            console.print(part)


def parts(table: Table, console: Console) -> Iterator[Table]:
    """Yield the table, or tables of some of its columns each, the first column in all of them.

    A column that is too wide alone is in a part of its own.
    """
    if _fits(table, console):
        yield table
        return
    first, *others = table.columns
    chosen: list[Column] = []
    is_first = True
    for index, column in enumerate(others):
        if chosen and not _fits(_with(table, [first, *chosen, column]), console):
            yield _with(table, [first, *chosen], title=is_first)
            chosen, is_first = [], False
        chosen.append(column)
        if index == len(others) - 1:
            yield _with(table, [first, *chosen], title=is_first, caption=True)


def _fits(table: Table, console: Console) -> bool:
    """Whether rich cuts no word or number: it may break a cell between words, and says with an ellipsis what it cut."""
    ample = console.options.update(max_width=_AMPLE)
    if console.measure(table, options=ample).minimum > console.width:
        return False
    return _cut(table, console, console.width) == _cut(table, console, _AMPLE)


def _cut(table: Table, console: Console, width: int) -> int:
    options = console.options.update(max_width=width)
    return sum(segment.text.count("…") for segment in console.render(table, options))


def _with(table: Table, columns: list[Column], *, title: bool = False, caption: bool = False) -> Table:
    """A table like this one, of these columns of it."""
    part = Table(
        *(replace(column, _cells=[], _index=index) for index, column in enumerate(columns)),
        title=table.title if title else None,
        caption=table.caption if caption else None,
        box=table.box,
        show_header=table.show_header,
        header_style=table.header_style,
        title_style=table.title_style,
        title_justify=table.title_justify,
        caption_style=table.caption_style,
        caption_justify=table.caption_justify,
        pad_edge=table.pad_edge,
        padding=table.padding,
    )
    rows = zip(*(column.cells for column in columns), strict=True)
    for cells, row in zip(rows, table.rows, strict=True):
        part.add_row(*cells, style=row.style, end_section=row.end_section)
    return part
