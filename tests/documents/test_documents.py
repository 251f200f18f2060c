"""Every command that a document shows is run as it stands there; see `tests.documents.fences` for how."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.documents.fences import WORDS, Fence, documents, fences, read
from tests.documents.terminal import SEARCH_PATH, Terminal
from tests.support import REPOSITORY, shared_dir, skip_allowed, skip_or_fail

DOCUMENTS = documents()
# Documents with a test of their own, which reads what their commands print or shortens what lasts an hour.
_RUN_ELSEWHERE = {
    "bridge/training/README.md": "tests/training/test_train_on_bvh.py",
    "proto/README.md": "tests/integration/test_contract_document.py",
}
_PROGRAMS = ("openssl", "curl", "jq", "grpcurl", "node", "buf")
# The two commands that README opens with make an environment each: `.ci/run` runs them.
_RUN_BY_CI = (
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/pose-bridge demo",
    "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest",
)


def blocks(document: str) -> list[Fence]:
    """Blocks that are run here."""
    if document in _RUN_ELSEWHERE:
        return []
    return [fence for fence in fences(read(document)) if fence.language == "sh" and "by-hand" not in fence.words]


def _missing(fence: Fence) -> list[str]:
    """Programs that a block needs and that are not here."""
    named = [p for p in _PROGRAMS if re.search(rf"(^|[|(]) *{p} ", fence.text, flags=re.MULTILINE)]
    missing = [program for program in named if shutil.which(program, path=SEARCH_PATH) is None]
    if "native" in fence.words and not os.environ.get("POSEBRIDGE_NATIVE_BUILD"):
        missing.append("the native library that POSEBRIDGE_NATIVE_BUILD names")
    return missing


def _work_through(chosen: Iterable[Fence], folder: Path) -> None:
    """Type all blocks; those that cannot be run here are left out, which skips the test when the others are done."""
    missing = []
    without_data = 0
    with Terminal(folder, "".join(fence.text for fence in chosen)) as terminal:
        for fence in (fence for fence in chosen if fence.script is None):
            if {"motion", "video"} & set(fence.words) and shared_dir() is None:
                without_data += 1
            elif _missing(fence):
                missing += _missing(fence)
            else:
                terminal.type(fence)
    if missing:
        skip_or_fail(", ".join(missing))
    if without_data:
        skip_allowed(f"{without_data} blocks need the data folder shared/, which is not here; all others were run")


def _with(*, slow: bool = False, device: bool = False) -> list[str]:
    return [
        document
        for document in DOCUMENTS
        if any(
            (not slow or "slow" in fence.words) and (not device or fence.needs_device)
            for fence in blocks(document)
            if fence.script is None
        )
    ]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("document", _with())
def test_commands_of_a_document_do_what_they_should(document: str, tmp_path: Path) -> None:
    chosen = [fence for fence in blocks(document) if "slow" not in fence.words and not fence.needs_device]
    _work_through(chosen, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("document", _with(slow=True))
def test_commands_that_last(document: str, tmp_path: Path) -> None:
    _work_through([fence for fence in blocks(document) if not fence.needs_device], tmp_path)


@pytest.mark.device
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("document", _with(device=True))
def test_commands_that_need_a_device(document: str, tmp_path: Path) -> None:
    _work_through([fence for fence in blocks(document) if "slow" not in fence.words], tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_stand_in_blocks_that_are_run(document: str) -> None:
    """So that no command escapes: a line that begins like one of ours stands in a block that is marked ``sh``."""
    assert not re.search(r"^ +```sh", read(document), flags=re.MULTILINE), "a block in a list is not run: take it out"
    for fence in fences(read(document)):
        unknown = set(fence.words) - WORDS - {word for word in fence.words if word.startswith(("in=", "needs-"))}
        assert not unknown, f"{document}, line {fence.line}: {unknown}"
        if fence.language != "sh":
            loose = re.findall(
                r"^(?:\$ )?(?:[\w./-]*pose-bridge|pip|pytest|cmake|grpcurl) .*$", fence.text, flags=re.MULTILINE
            )
            loose += re.findall(r"^(?:[\w./-]*python3?) -m .*$", fence.text, flags=re.MULTILINE)
            assert [line for line in loose if line not in _RUN_BY_CI] == [], f"{document}, line {fence.line}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_that_a_script_runs_stand_in_it(document: str) -> None:
    for fence in blocks(document):
        if fence.script is not None:
            script = (REPOSITORY / fence.script).read_text(encoding="utf-8")
            for command in fence.commands:
                assert command in script, f"{document}: {fence.script} does not run {command!r}"


def test_documents_that_are_run_elsewhere_are() -> None:
    for document, test in _RUN_ELSEWHERE.items():
        assert document in DOCUMENTS
        text = (REPOSITORY / test).read_text(encoding="utf-8")
        assert document in text or all(f'"{part}"' in text for part in document.split("/"))


def test_readmes_two_commands_are_run_by_ci() -> None:
    """What the script takes out of README is these two, and it runs both."""
    readme, script = read("README.md"), (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    for command in _RUN_BY_CI:
        assert f"```\n{command}\n```" in readme
    taking = re.findall(r"^(?:readme_line\(\) .*|(?:see|try)=.*)$", script, flags=re.MULTILINE)
    taken = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([*taking, 'printf "%s\\n" "$see" "$try"'])],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert tuple(taken.stdout.splitlines()) == _RUN_BY_CI
    for name in ("see", "try"):
        assert f'bash -euo pipefail -c "${name}"' in script


@pytest.mark.parametrize(
    "text",
    ["```\npose-bridge info\n```\n", "```text\n.venv/bin/pose-bridge demo --json\n```\n", "```sh maybe\ntrue\n```\n"],
)
def test_a_command_that_escapes_is_noticed(text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.md").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"wrong\.md"):
        test_commands_stand_in_blocks_that_are_run(str(tmp_path / "wrong.md"))


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    with Terminal(tmp_path, "") as terminal, pytest.raises(AssertionError, match="no such file"):
        terminal.type(fences("```sh\npose-bridge plot nothing.npz\npose-bridge --version\n```\n")[0])


def test_an_unknown_extra_is_noticed(tmp_path: Path) -> None:
    with Terminal(tmp_path, "") as terminal, pytest.raises(AssertionError, match="has no extra 'captures'"):
        terminal.type(fences("```sh\npip install '.[captures]'\n```\n")[0])
