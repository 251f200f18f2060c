"""What goes to stdout: strict JSON, and one line on stderr where it cannot go."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from bridge.cli.output import write_json
from tests.cli.helpers import environment, run
from tests.support import REPOSITORY

COMMAND = (sys.executable, "-m", "bridge.cli", "config", "show", "--json")


def strict(text: str) -> Any:
    """Parse JSON as a machine does that knows no NaN and no Infinity."""

    def refuse(literal: str) -> Any:
        raise AssertionError(f"{literal} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_number_that_is_not_finite_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"a": math.nan, "b": [1.5, math.inf], "c": {"d": (-math.inf, "NaN")}})
    assert strict(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": [None, "NaN"]}}


def test_every_command_writes_json_the_one_way() -> None:
    """`json.dumps` writes NaN; so does no module of ours but the one that takes care."""
    for path in (REPOSITORY / "bridge/cli").rglob("*.py"):
        if path.name in ("output.py", "library_probe.py"):  # the second is a process of its own that doctor reads
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            is_dumps = isinstance(called, ast.Attribute) and called.attr == "dumps"
            is_print = isinstance(called, ast.Name) and called.id == "print"
            assert not is_dumps and not is_print, f"{path}:{getattr(node, 'lineno', 0)}: use bridge.cli.output"


def test_the_object_is_the_last_line() -> None:
    done = run("config", "show", "--json")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert set(strict(line)) == {"config", "settings"}


def with_stdout(stdout: int | IO[bytes]) -> tuple[int, str]:
    done = subprocess.run(
        COMMAND, cwd=REPOSITORY, env=environment(), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_full_disk_is_one_line_and_exit_code_1() -> None:
    with Path("/dev/full").open("wb") as full:
        code, line = with_stdout(full)
    assert code == 1
    assert line.startswith("pose-bridge: error: stdout: cannot be written: No space left on device")


def test_a_reader_that_is_gone_is_one_line_and_exit_code_1() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, line = with_stdout(writer)
    finally:
        os.close(writer)
    assert (code, line) == (
        1,
        "pose-bridge: error: stdout: cannot be written: nobody reads it; expected somewhere to write",
    )


@pytest.mark.parametrize("closed", [">&-", ">&- <&-"])
def test_a_closed_stdout_is_one_line_and_exit_code_1(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$@" {closed}', *COMMAND],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "pose-bridge: error: stdout: is closed; expected somewhere to write"


def test_a_stderr_that_is_full_or_closed_changes_no_exit_code() -> None:
    for where, code in (("2>/dev/full", 1), ("2>&-", 1)):
        done = subprocess.run(
            ["bash", "-c", f'"$0" -m bridge.cli config check /nowhere {where}', sys.executable],
            cwd=REPOSITORY,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("ValueError('two\\nlines')", "a fault of PoseBridge (ValueError: two lines); please report what"),
        ("PermissionError(13, 'Permission denied', 'here')", "here: Permission denied"),
        ("MemoryError()", "there is not enough memory"),
        ("ImportError('no such library')", "a library cannot be loaded: no such library"),
        ("KeyError('x')", "a fault of PoseBridge (KeyError: 'x')"),
    ],
)
def test_what_nobody_foresaw_is_one_line_too_and_a_traceback_with_debug(raised: str, said: str) -> None:
    code = (
        "import sys, bridge.config\n"
        f"def failing(*_, **__): raise {raised}\n"
        "import bridge.cli.setting_options as options; options.effective_settings = failing\n"
        "from bridge.cli.__main__ import main; main()\n"
    )

    def fails(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)

    done = fails("config", "show")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pose-bridge: error: {said}")
    assert "Traceback" in fails("--debug", "config", "show").stderr
