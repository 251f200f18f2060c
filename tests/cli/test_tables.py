from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.tables import print_tables
from bridge.cli.watch_view import alerts_table
from tests.anomaly.alerts import raised


def wide(columns: int) -> Table:
    table = Table(title="Errors", caption="in millimetres")
    table.add_column("method")
    for index in range(columns):
        table.add_column(f"after {100 * index} ms", justify="right")
    for row in range(3):
        table.add_row(f"method_{row}", *(f"{1000 * row + index}.{index}25" for index in range(columns)))
    return table


def printed(table: Table | Text, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_tables(console, table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("columns", [1, 4, 9, 30])
def test_no_number_is_cut_on_a_narrow_terminal(columns: int) -> None:
    text = printed(wide(columns), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for row in range(3):
        for index in range(columns):
            assert f" {1000 * row + index}.{index}25 " in text


def test_every_part_names_its_rows_and_title_and_caption_stand_once() -> None:
    text = printed(wide(30), 80)
    parts = text.count("┏")
    assert parts > 2
    for row in range(3):
        assert text.count(f"method_{row} ") == parts
    assert (text.count("Errors"), text.count("in millimetres")) == (1, 1)
    assert text.index("Errors") < text.index("┏") < text.rindex("┏") < text.index("in millimetres")


def test_an_id_can_be_copied_from_a_narrow_terminal() -> None:
    known = raised(1)
    long = replace(
        known, id="01a2232cdb51515fe57ddeb7fec2", client_name="a-client-of-ours", avatar_id="player-number-1"
    )
    text = printed(alerts_table([long], whole=True), 80)
    assert long.id in text
    assert "a-client-of-ours/player-number-1" in text
    assert "…" not in text


def test_a_table_that_fits_is_left_as_it_is() -> None:
    table, console = wide(3), Console(file=io.StringIO(), width=80)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    assert printed(table, 80) == console.file.getvalue()
