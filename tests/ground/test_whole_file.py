from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import InvalidInput
from bridge.whole_file import check_output, whole_file
from tests.support import REPOSITORY


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_once_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_text("old")
    with whole_file(target, keep_suffix=True) as draft:
        draft.write_text("new")
        assert target.read_text() == "old"
        assert draft.suffix == ".png"
    assert (target.read_text(), names(tmp_path)) == ("new", ["out.png"])


def test_no_reader_of_the_folder_takes_a_draft_for_a_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out.npz") as draft:
        draft.write_text("half")
        assert list(tmp_path.glob("*.npz")) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_what_fails_or_is_interrupted_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "out.npz"
    target.write_text("old")
    with pytest.raises(failure), whole_file(target) as draft:
        draft.write_text("half")
        raise failure
    assert (target.read_text(), names(tmp_path)) == ("old", ["out.npz"])


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    with whole_file(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    with whole_file(Path("/dev/null")) as draft:
        draft.write_text("gone")
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_is_said_with_the_option_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bridge.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1]), field='figure') as draft: draft.write_bytes(bytes(100_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    last = done.stderr.splitlines()[-1]
    assert "ResourceExhausted: figure: cannot write" in last and "File too large; expected room for the file" in last
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.txt", "has no known suffix; expected a name that ends in .png or .svg"),
        ("folder.png", "is a folder; expected a file to write"),
        ("nowhere/out.png", "there is no folder"),
        ("file/out.png", "there is no folder"),
        (f"{'x' * 300}.png", "File name too long"),
    ],
)
def test_what_could_not_be_written_is_refused_early(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput) as caught:
        check_output(tmp_path / name, field="figure", suffixes=(".png", ".svg"))
    assert caught.value.field == "figure"
    assert words in str(caught.value)


def test_what_can_be_written_passes(tmp_path: Path) -> None:
    check_output(tmp_path / "out.PNG", suffixes=(".png",))
    check_output(tmp_path / "anything")
    check_output(Path("/dev/null"))
