"""Colours and what moves: on a terminal that can and wants them, nowhere else."""

from __future__ import annotations

import io
import os
import pty
import re
import sys

import pytest
from rich.console import Console

from bridge.cli.progress import announced, busy
from tests.cli.helpers import environment, run
from tests.support import REPOSITORY, tiny_weights

COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9\d|10\d)[\d;]*m")
MOVES = re.compile(r"\x1b\[\d*[A-HJK]|\x1b\[\?\d+[hl]")


def on_a_terminal(*arguments: object, **variables: str) -> str:
    """Run a command on a pseudo terminal of 80 columns and return what it shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(REPOSITORY)
        shown = environment(**({"TERM": "xterm-256color", "COLUMNS": "80"} | variables))
        os.execve(sys.executable, [sys.executable, "-m", "bridge.cli", *map(str, arguments)], shown)
    shown_bytes = bytearray()
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # nobody holds the other end any more
            break
        if not piece:
            break
        shown_bytes += piece
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown_bytes.decode(errors="replace")
    return shown_bytes.decode(errors="replace")


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return "info", "--weights", tiny_weights(tmp_path_factory.mktemp("weights"))


def test_a_terminal_has_colours_and_sees_what_goes_on(info: tuple[object, ...]) -> None:
    shown = on_a_terminal(*info)
    assert COLOUR.search(shown)
    assert MOVES.search(shown)
    assert "loading the weights ..." in shown


def test_no_colour_is_obeyed(info: tuple[object, ...]) -> None:
    for arguments in (info, ("score", "--help")):
        shown = on_a_terminal(*arguments, NO_COLOR="1")
        assert not COLOUR.search(shown)


def test_a_terminal_that_can_do_nothing_gets_plain_lines(info: tuple[object, ...]) -> None:
    shown = on_a_terminal(*info, TERM="dumb")
    assert "\x1b" not in shown
    assert "loading" not in shown
    assert "weights: refinement" in shown


def test_in_a_pipe_nothing_moves(info: tuple[object, ...]) -> None:
    done = run(*info, env={"TERM": "xterm-256color"})
    assert done.returncode == 0
    assert "\x1b" not in done.stderr
    assert "loading" not in done.stderr


def test_where_nobody_watches_a_log_is_told_what_was_waited_for() -> None:
    said = io.StringIO()
    with announced(Console(file=said), "Starting a server"), busy(Console(file=said), "more"):
        pass
    assert said.getvalue() == "Starting a server ...\n"
