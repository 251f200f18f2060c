"""What is left of a command that is ended before its end: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.helpers import environment
from tests.cli.processes import Command, running
from tests.support import REPOSITORY

RECORDING = REPOSITORY / "bridge/cli/data/sports2d_demo.npz"

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def assert_nothing_is_left(command: Command, *, files: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    deadline_s = time.monotonic() + 5
    while command.family() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert command.family() == []
    assert list(command.temporary.glob("pose-bridge*")) == []
    assert command.left_in_shared_memory() == set()
    beside = {path.name for path in command.temporary.parent.iterdir() if not path.name.startswith(".")}
    assert beside - {"stderr.txt", "temporary"} == files
    assert "Traceback" not in command.stderr()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_command_with_its_server(tmp_path: Path, times: int) -> None:
    with running(tmp_path, "demo", "--headless", "--seconds", 60) as command:
        command.wait_for(lambda: "Streaming" in command.stderr())
        assert len(command.family()) >= 2
        for _ in range(times):
            command.ctrl_c()
            time.sleep(0.03)
        assert command.end() == 130
        assert_nothing_is_left(command)


def test_ctrl_c_while_a_server_starts(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--headless") as command:
        command.wait_for(lambda: len(command.family()) >= 2)
        command.ctrl_c()
        assert command.end() == 130
        assert_nothing_is_left(command)


def test_sigterm_to_a_command_alone_ends_what_it_started(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--headless", "--seconds", 60) as command:
        command.wait_for(lambda: "Streaming" in command.stderr())
        command.process.terminate()
        assert command.end() == 143
        assert_nothing_is_left(command)


def test_ctrl_c_under_load_ends_server_and_clients(tmp_path: Path) -> None:
    options = ("--engine", "null", "--avatars", 4, "--seconds", 60, "--clients", 1)
    with running(tmp_path, "bench", "serve", *options) as command:
        command.wait_for(lambda: len(command.family()) >= 3)
        command.ctrl_c()
        assert command.end() == 130
        assert_nothing_is_left(command)


def test_ctrl_c_leaves_no_half_a_film(tmp_path: Path) -> None:
    with running(tmp_path, "plot", RECORDING, "--out", "film.gif") as command:
        command.wait_for(lambda: "Loading the weights" in command.stderr())
        time.sleep(1.0)
        command.ctrl_c()
        assert command.end() == 130
        assert_nothing_is_left(command)


def test_a_server_ends_well_however_often_it_is_told(tmp_path: Path) -> None:
    options = ("--engine", "null", "--grpc", "127.0.0.1:0", "--zmq", "", "--ops", "", "--ready-file", "ready.json")
    with running(tmp_path, "serve", *options) as command:
        command.wait_for((tmp_path / "ready.json").exists)
        for _ in range(3):
            command.ctrl_c()
            time.sleep(0.05)
        assert command.end() == 0
        assert_nothing_is_left(command, files={"ready.json"})


def in_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


BEGIN = (
    "import os, signal, sys, time\nfrom bridge.cli.interruption import Interruption\ni = Interruption(); i.watch()\n"
)


def test_an_interrupt_that_python_swallows_comes_again() -> None:
    """Raised in a destructor it would be a traceback on stderr and nothing more; what waits is woken."""
    began_s = time.monotonic()
    done = in_python(
        BEGIN + "class Dying:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        time.sleep(0.1)\n"
        "Dying()\n"
        "try:\n"
        "    time.sleep(20)\n"
        "    print('slept')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', i.exit_code)\n"
    )
    assert (done.stdout, done.stderr) == ("interrupted 130\n", "")
    assert time.monotonic() - began_s < 10


def test_a_second_signal_does_not_cut_the_cleaning_short_and_a_third_does() -> None:
    code = BEGIN + (
        "try:\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "finally:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('cleaned', flush=True)\n"
    )
    twice = in_python(code)
    assert twice.stdout == "cleaned\n"
    assert "once more ends at once" in twice.stderr
    thrice = in_python(code + "    signal.raise_signal(signal.SIGINT)\n    print('more', flush=True)\n")
    assert (thrice.returncode, thrice.stdout) == (143, "cleaned\n")
    assert "Traceback" not in thrice.stderr


def test_what_was_to_be_ignored_stays_ignored() -> None:
    done = in_python(
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        + BEGIN
        + "os.kill(os.getpid(), signal.SIGHUP); print(i.number)\n"
    )
    assert (done.stdout, done.returncode) == ("0\n", 0)


def test_an_interrupt_in_code_made_of_text_changes_no_exit_code(tmp_path: Path) -> None:
    code = BEGIN + "try: exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt: pass\ni.settle()\nsys.exit(143)\n"
    (tmp_path / "interrupted.py").write_text(code, encoding="utf-8")
    search_path = os.pathsep.join([str(REPOSITORY), str(tmp_path)])
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, env=environment(PYTHONPATH=search_path), stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == 143


def test_once_all_is_done_no_signal_changes_the_exit_code() -> None:
    done = in_python(BEGIN + "i.settle(); os.kill(os.getpid(), signal.SIGINT); time.sleep(0.05); sys.exit(3)\n")
    assert (done.returncode, done.stderr) == (3, "")


def test_ctrl_c_is_heard_from_the_first_import_on(tmp_path: Path) -> None:
    """While the application itself is loaded there is no traceback either."""
    code = (
        "import signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'bridge.cli.app': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from bridge.cli.__main__ import main\n"
        "main()\n"
    )
    done = in_python(code)
    assert (done.returncode, done.stderr) == (130, "")
