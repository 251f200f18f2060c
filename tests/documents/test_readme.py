"""What README shows in Python is run; commands and files that documents name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from bridge.cli.app import app
from bridge.config import Settings
from bridge.engine.local import LocalEngine
from tests.documents.fences import documents, fences, read
from tests.service_fixtures import RunningServer
from tests.support import REPOSITORY

EXAMPLES = [fence.text for fence in fences(read("README.md")) if fence.language == "python"]
DOCUMENTS = documents()


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
    example, _ = EXAMPLES
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
    printed = capsys.readouterr().out.splitlines()[-1]  # the server in this process logs to stdout as well
    assert printed.startswith("ForecastResult(5 futures of 30 steps, 33 landmarks: ")


def commands_of(text: str) -> list[str]:
    """What a document tells one to type that begins with ``pose-bridge``: in backticks, and lines of code."""
    code = "\n".join(fence.text for fence in fences(text)).replace("\\\n", " ")
    typed = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))
    parts = [part.strip() for line in typed + code.splitlines() for part in re.split(r"&&|\||;|(?<=\S)\s+#", line)]
    return [
        re.sub(r"^\S*pose-bridge\b", "", part) for part in parts if re.match(r"(\.venv/bin/)?pose-bridge(\s|$)", part)
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_options_that_are_written_down_exist(document: str) -> None:
    for line in commands_of(read(document)):
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
    "text", ["`pose-bridge nonsense`", "`pose-bridge alerts nonsense`", "`pose-bridge serve --nonsense`"]
)
def test_a_command_that_does_not_exist_is_noticed(text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.md").write_text(f"Type {text}.", encoding="utf-8")
    with pytest.raises(AssertionError, match="nonsense"):
        test_commands_and_options_that_are_written_down_exist(str(tmp_path / "wrong.md"))


def test_readme_names_every_command() -> None:
    groups: Any = typer.main.get_command(app)
    table = read("README.md").split("## Commands", 1)[1]
    for name, command in groups.commands.items():
        for part in getattr(command, "commands", {}) or [""]:
            # `pose-bridge alerts list`, `show`, `ack`: the group's name may stand once.
            assert f"`pose-bridge {name}" in table and re.search(rf"`[^`]*\b{part or name}\b[^`]*`", table), name


def anchors(text: str) -> set[str]:
    """Names by which links reach a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_linked_files_and_headings_exist(document: str) -> None:
    text = read(document)
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        target, _, heading = unquote(link).partition("#")
        path = (REPOSITORY / document).parent / target if target else REPOSITORY / document
        assert path.exists(), link
        if heading:
            assert heading in anchors(path.read_text(encoding="utf-8")), link
