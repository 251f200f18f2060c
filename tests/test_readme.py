"""What README shows is run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bridge.config import Settings
from bridge.engine.local import LocalEngine
from tests.service_fixtures import RunningServer
from tests.support import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running = RunningServer(Settings(grpc="127.0.0.1:0", zmq="tcp://127.0.0.1:0"), engine=LocalEngine.load(threads=1))
    yield running
    running.stop(grace_ms=0)


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_python_example_prints_futures(
    server: RunningServer, transport: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "127.0.0.1:50551" in example
    example = example.replace("127.0.0.1:50551", str(getattr(server.endpoints, transport)))
    monkeypatch.chdir(REPOSITORY)
    exec(compile(example, "README.md", "exec"), {})
    # The server in this process logs to the same stdout.
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("frame ")]
    assert len(lines) > 10
    assert all(re.fullmatch(r"frame \d+: \d+% \(5, 30, 33, 3\)", line) for line in lines)


def test_the_two_commands_stand_as_written() -> None:
    assert "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/pose-bridge demo" in README
    assert "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest" in README


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (REPOSITORY / target).exists(), target
