"""What help says: readable at 80 columns, and every example in it is right."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bridge.bvh import blank_map
from bridge.cli.app import app
from bridge.config import Settings
from tests.bvh.rigs import performance
from tests.cli.helpers import run
from tests.cli.tree import commands
from tests.service_fixtures import RunningServer
from tests.support import REPOSITORY, tiny_weights

COLUMNS = 80
RECORDING = REPOSITORY / "bridge/cli/data/sports2d_demo.npz"
# Examples that are not run here, by how they begin, and why. They are parsed all the same.
NOT_RUN = {
    "pose-bridge demo": "plays for seconds; tests/cli/test_demo.py",
    "pose-bridge serve": "has no end",
    "pose-bridge capture": "needs a camera or MediaPipe's model; tests/cli/test_capture.py",
    "pose-bridge view": "has no end; tests/cli/test_view.py",
    "pose-bridge watch": "has no end; tests/cli/test_alerts_commands.py",
    "pose-bridge alerts": "needs alerts; tests/cli/test_alerts_commands.py",
    "pose-bridge train": "minutes",
    "pose-bridge evaluate": "minutes",
    "pose-bridge calibrate": "needs minutes of motion",
    "pose-bridge convert take.bvh --write-joint-map": "the map of the next example is there; tests/cli/test_convert.py",
    "pose-bridge bench": "seconds to minutes",
    "pose-bridge plot walk.npz --out moment.gif": "draws for seconds; tests/cli/test_plot.py",
    "pose-bridge doctor": "loads every extra; tests/cli/test_doctor.py",
}
# The same of whole examples.
TOO_LONG = {"pose-bridge replay walk.npz --to 127.0.0.1:50551": "plays for seconds; as fast as possible it is run"}


def help_of(words: tuple[str, ...]) -> str:
    runner = CliRunner(env={"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS), "NO_COLOR": "1"})
    done = runner.invoke(app, [*words, "--help"], prog_name="pose-bridge")
    assert done.exit_code == 0, done.output
    return str(done.output)


def examples_of(page: str) -> list[str]:
    """The command lines of the section that a page ends with; a line that goes on is one line."""
    _, title, section = page.rpartition("\n Example")
    assert title, "there is no section with examples"
    joined = section.replace("\\\n", "")
    lines = re.findall(r"^   (pose-bridge\b.*)$", joined, flags=re.MULTILINE)
    told = re.findall(r"^     \S.*$", joined, flags=re.MULTILINE)
    assert len(lines) == len(told) in (1, 2, 3), "one to three, each with what it does"
    return lines


PAGES = {words: help_of(words) for words, _ in commands()}
EXAMPLES = sorted({line for page in PAGES.values() for line in examples_of(page)})
RUN = [line for line in EXAMPLES if not line.startswith(tuple(NOT_RUN)) and line not in TOO_LONG]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_fits_and_ends_with_examples_of_the_command(words: tuple[str, ...]) -> None:
    page = PAGES[words]
    assert max(map(len, page.splitlines())) <= COLUMNS
    assert page.rstrip().splitlines()[-1].startswith("     ")
    assert all(line.startswith(" ".join(("pose-bridge", *words))) for line in examples_of(page))
    # What typer calls things where nobody named them.
    assert not re.search(r"<(bool|path|str|int|float|list)\b", page)
    assert not re.search(r"\bTEXT\b.*\bTEXT\b", page), "name what it takes"


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_are_right_to_the_parser(line: str) -> None:
    words = arguments_of(line)
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), "it names no command"
    if words != ["--help"]:
        command.make_context("pose-bridge", words)  # raises at what it does not know or take


def test_the_parser_would_notice() -> None:
    for wrong in ("score walk.npz --nonsense", "score", "plot walk.npz --futures 99", "info surplus"):
        with pytest.raises(typer.main._click.exceptions.UsageError):  # type: ignore[attr-defined]
            test_examples_are_right_to_the_parser(f"pose-bridge {wrong}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the names that examples use."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(RECORDING, folder / "walk.npz")
    shutil.copy(tiny_weights(folder), folder / "mine.safetensors")
    for name in ("take.bvh", "mocap/anna/walk.bvh"):
        performance(5).write(folder / name)
    (folder / "map.toml").write_text(blank_map(folder / "take.bvh")[0], encoding="utf-8")
    (folder / "pose-bridge.toml").write_text("max_sessions = 9\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = RunningServer(Settings(grpc="127.0.0.1:0", zmq="", ops="", engine="null", anomaly=False))
    yield server.endpoints.grpc
    server.stop(grace_ms=0)


@pytest.mark.parametrize("line", RUN)
def test_examples_run(line: str, folder: Path, address: str) -> None:
    words = [word.replace("127.0.0.1:50551", address) for word in arguments_of(line)]
    done = run(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_not_run_is_there() -> None:
    assert set(TOO_LONG) <= set(EXAMPLES)
    for beginning in NOT_RUN:
        assert any(line.startswith(beginning) for line in EXAMPLES), beginning


def arguments_of(line: str) -> list[str]:
    """The words after ``pose-bridge``, without where the shell sends the output."""
    name, *words = shlex.split(line)
    assert name == "pose-bridge"
    return words[: words.index(">")] if ">" in words else words


def test_help_in_a_pipe_has_no_escapes() -> None:
    done = run("score", "--help", env={"TERM": "xterm-256color"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "Examples" in done.stdout


def test_plain_help_has_the_examples_too() -> None:
    done = run("score", "--help", env={"TYPER_USE_RICH": "0"})
    assert done.returncode == 0, done.stderr
    assert "   pose-bridge score walk.npz\n" in done.stdout


def test_exit_codes_are_written_down_where_help_begins() -> None:
    page = " ".join(PAGES[()].split())
    for words in ("0 when what was asked for happened", "1 when not", "2 for a wrong usage", "130 after Ctrl-C"):
        assert words in page
