"""Blocks of code in our documents, and what the words after their language say.

A block that begins with ```` ```sh ```` is typed into a terminal and is run by the tests, block after block of a
document in one folder. Words after ``sh`` say how:

``stays``
    its last command goes on until Ctrl-C, while the blocks below it run: the document says "in a second terminal".
``slow``
    lasts minutes: run with ``pytest -m soak``.
``motion``, ``video``, ``native``
    needs the motion data, a video and a MediaPipe model, or the built native library; skipped where it
    is missing.
``needs-WORD``
    needs a device that a plain machine lacks (``needs-camera``): run with ``pytest -m device``.
``by-hand``
    changes the system (root, systemd, containers): never run by a test.
``in=FILE``
    is run by that script of ours: the test checks that each of its lines stands there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support import REPOSITORY

WORDS = {"stays", "slow", "by-hand", "motion", "video", "native"}
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_NO_DOCUMENTS = ("LICENSE", "CHANGELOG")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code.

    Attributes:
        line: at which it begins in its document.
        language: the first word behind the ticks, "" for none.
        words: the others.
        text: what stands in it.
    """

    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def script(self) -> str | None:
        """The script of ours that runs it, as ``in=FILE`` says."""
        return next((word.removeprefix("in=") for word in self.words if word.startswith("in=")), None)

    @property
    def needs_device(self) -> bool:
        """Whether it needs what a plain machine lacks."""
        return any(word.startswith("needs-") for word in self.words)

    @property
    def commands(self) -> list[str]:
        """Its lines, those that end in a backslash joined with the next, without those that are empty."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def fences(text: str) -> list[Fence]:
    """All blocks of code of a document."""
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match[1].split() or [""]
        found.append(Fence(text.count("\n", 0, match.start()) + 1, language, tuple(words), match[2]))
    return found


def documents() -> list[str]:
    """Paths of all our documents, relative to the repository: those for users, not those of the tests."""
    folders = ("bridge", "engine_plugins", "proto")
    paths = [REPOSITORY / "README.md", *(path for folder in folders for path in (REPOSITORY / folder).rglob("*.md"))]
    kept = [path for path in paths if not path.stem.startswith(_NO_DOCUMENTS) and "node_modules" not in path.parts]
    return sorted(str(path.relative_to(REPOSITORY)) for path in kept if "build" not in path.parts)


def read(document: str | Path) -> str:
    """Text of a document."""
    return (REPOSITORY / document).read_text(encoding="utf-8")
