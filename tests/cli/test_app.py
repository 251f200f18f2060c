from __future__ import annotations

import subprocess
import sys

import bridge
from tests.cli.helpers import run
from tests.support import REPOSITORY


def test_help_names_every_command_and_loads_neither_torch_nor_grpc() -> None:
    code = (
        "import sys; from bridge.cli.app import app; app(['--help'], standalone_mode=False); "
        "print(sorted({'torch', 'grpc', 'matplotlib', 'mediapipe'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("serve", "demo", "replay", "capture", "info", "doctor", "train", "evaluate", "plot"):
        assert command in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"pose-bridge {bridge.__version__}")


def test_what_goes_wrong_is_one_clear_line_and_exit_code_1() -> None:
    done = run("info", "--weights", "/nowhere/weights.safetensors")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("pose-bridge: error: ")
    assert "/nowhere/weights.safetensors" in line
    assert done.stdout == ""


def test_wrong_usage_is_exit_code_2() -> None:
    done = run("replay")
    assert done.returncode == 2
    assert "RECORDING" in done.stderr


def test_with_debug_the_way_to_the_error_is_shown() -> None:
    done = run("--debug", "info", "--weights", "/nowhere/weights.safetensors")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "/nowhere/weights.safetensors" in done.stderr.splitlines()[-1]


def test_shells_can_complete_commands() -> None:
    # Which shell this is depends on who runs the tests: it is named.
    done = run("--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert done.returncode == 0
    assert "complete_bash" in done.stdout
