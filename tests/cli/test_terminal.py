"""Colours and what moves: on a terminal that can and wants them, nowhere else."""

from __future__ import annotations

import os
import pty
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.helpers import environment, make_recording, run
from tests.support import REPOSITORY, tiny_weights

COLOURS = re.compile(r"\x1b\[[\d;]*m")
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
def plot(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[object, ...]]:
    folder = tmp_path_factory.mktemp("plot")
    recording, weights = make_recording(folder / "r.npz", count=90), tiny_weights(folder)

    def arguments(out: Path) -> tuple[object, ...]:
        return ("plot", recording, "--weights", weights, "--horizon-ms", 200, "--out", out)

    return arguments


def test_a_terminal_has_colours_and_shows_what_goes_on(plot: Callable[..., tuple[object, ...]], tmp_path: Path) -> None:
    shown = on_a_terminal(*plot(tmp_path / "a.png"))
    assert COLOURS.search(shown)
    assert MOVES.search(shown)
    assert "Loading the weights ..." in shown


def test_no_colour_is_obeyed(plot: Callable[..., tuple[object, ...]], tmp_path: Path) -> None:
    assert not COLOUR.search(on_a_terminal(*plot(tmp_path / "a.png"), NO_COLOR="1"))
    assert not COLOUR.search(on_a_terminal("score", "--help", NO_COLOR="1"))


def test_a_terminal_that_can_do_nothing_gets_plain_lines(
    plot: Callable[..., tuple[object, ...]], tmp_path: Path
) -> None:
    shown = on_a_terminal(*plot(tmp_path / "a.png"), TERM="dumb")
    assert "\x1b" not in shown
    assert "still written to" in shown


def test_in_a_pipe_there_are_plain_lines_and_no_bar(plot: Callable[..., tuple[object, ...]], tmp_path: Path) -> None:
    done = run(*plot(tmp_path / "a.png"), env={"TERM": "xterm-256color"})
    assert done.returncode == 0
    assert "\x1b" not in done.stderr and "━" not in done.stderr
    assert done.stderr.splitlines()[0] == "Loading the weights ..."
