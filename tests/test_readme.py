"""What README shows is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bridge.cli.app import app
from bridge.config import Settings
from bridge.engine.local import LocalEngine
from tests.service_fixtures import RunningServer, command_environment, wait_until
from tests.support import REPOSITORY, free_port, skip_or_fail

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
DOCUMENTS = (
    *("README.md", "bridge/service/README.md", "bridge/capture/README.md"),
    *("engine_plugins/README.md", "engine_plugins/native/README.md", "engine_plugins/unreal/README.md"),
    "engine_plugins/unity/README.md",
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running = RunningServer(
        Settings(ops="", grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=LocalEngine.load(threads=1)
    )
    yield running
    running.stop(grace_ms=0)


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_python_example_prints_futures(
    server: RunningServer, transport: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = EXAMPLES[0]
    assert "127.0.0.1:50551" in example
    example = example.replace("127.0.0.1:50551", str(getattr(server.endpoints, transport)))
    monkeypatch.chdir(REPOSITORY)
    exec(compile(example, "README.md", "exec"), {})
    # The server in this process logs to the same stdout.
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("frame ")]
    assert len(lines) > 10
    assert all(re.fullmatch(r"frame \d+: \d+% \(5, 30, 33, 3\)", line) for line in lines)


def test_notebook_example_prints_a_forecast(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, example = EXAMPLES
    monkeypatch.chdir(REPOSITORY)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("ForecastResult(5 futures of 30 steps, 33 landmarks: ")


def commands_of(text: str) -> list[str]:
    """What a document tells one to type that begins with ``pose-bridge``: in backticks, and lines of code."""
    code = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL))
    typed = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)) + code.splitlines()
    parts = [part.strip() for line in typed for part in re.split(r"&&|\||;|(?<=\S)\s+#", line)]
    return [
        re.sub(r"^\S*pose-bridge\b", "", part) for part in parts if re.match(r"(\.venv/bin/)?pose-bridge(\s|$)", part)
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_options_that_are_written_down_exist(document: str) -> None:
    told = commands_of((REPOSITORY / document).read_text(encoding="utf-8"))
    assert told
    for line in told:
        command: Any = typer.main.get_command(app)
        words = line.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        # What is left after a group's name can only be an option, or a word that stands for any command.
        unknown = hasattr(command, "commands") and words and not words[0].startswith("-") and words[0] != "COMMAND"
        assert not unknown, f"{line}: there is no such command"
        known = {name for part in command.params for name in (*part.opts, *part.secondary_opts)}
        known |= {"--help", "--version", "--debug", "--install-completion", "--show-completion"}
        for word in words:
            option = word.split("=")[0].strip("`,.)(")
            assert not option.startswith("--") or option in known, f"{line}: {option}"


@pytest.mark.parametrize(
    "line", ["pose-bridge nonsense", "pose-bridge alerts nonsense", "pose-bridge serve --nonsense"]
)
def test_what_does_not_exist_would_be_noticed(line: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.md").write_text(f"Type `{line}`.", encoding="utf-8")
    with pytest.raises(AssertionError, match="nonsense"):
        test_commands_and_options_that_are_written_down_exist(str(tmp_path / "wrong.md"))


def test_the_two_commands_stand_as_written() -> None:
    assert "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/pose-bridge demo" in README
    assert "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest" in README


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (REPOSITORY / target).exists(), target


def test_run_it_for_real_runs_as_written(tmp_path: Path) -> None:
    """Both terminals of that section, on free ports."""
    if shutil.which("openssl") is None or shutil.which("curl") is None:
        skip_or_fail("openssl and curl")
    section = README.split("## Run it for real", 1)[1]
    first, second = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)[:2]
    ports = {port: str(free_port()) for port in ("50551", "50552", "50553")}
    for port, free in ports.items():
        first, second = first.replace(port, free), second.replace(port, free)
    assert "sports2d_demo.npz" in second
    shutil.copy(REPOSITORY / "bridge/cli/data/sports2d_demo.npz", tmp_path)
    command = f'pose-bridge() {{ "{sys.executable}" -m bridge.cli "$@"; }}\nset -eo pipefail\n'
    shell: dict[str, Any] = {"cwd": tmp_path, "env": command_environment(), "text": True, "stdin": subprocess.DEVNULL}
    *preparation, serve = first.rstrip().rsplit("\n", 1)
    prepared = subprocess.run(["bash", "-c", command + "\n".join(preparation)], capture_output=True, **shell)
    assert prepared.returncode == 0, prepared.stderr
    serve = serve.replace("pose-bridge", f'exec "{sys.executable}" -m bridge.cli', 1)
    server = subprocess.Popen(["bash", "-c", serve], stderr=subprocess.DEVNULL, **shell)
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{ports['50553']}/readyz"), patience_s=60.0)
        done = subprocess.run(["bash", "-c", command + second], capture_output=True, **shell)
    finally:
        server.terminate()
        assert server.wait(30) == 0
    assert done.returncode == 0, done.stderr
    assert '{"status":"ready"}' in done.stdout
    sent = dict(re.findall(r'forecasts_sent_total{transport="(\w+)"} (\d+)', done.stdout))
    assert min(int(count) for count in sent.values()) > 50, sent


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
