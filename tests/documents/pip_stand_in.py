"""``pip install`` in documents, without a network: checks that what it names we offer and is here."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement


def main(arguments: list[str]) -> None:
    """Take ``install`` and our own distribution, by path or by name, with extras; exit with a message if not."""
    verb, *wanted = arguments
    if verb != "install":
        sys.exit(f"pip {verb}: documents show `pip install` only")
    for specification in wanted:
        match = re.fullmatch(r"(?:\.|pose-bridge)(?:\[([a-z,]+)\])?", specification)
        if match is None:
            sys.exit(f"pip install {specification}: not our distribution; such a block needs the word needs-network")
        for extra in [extra for extra in (match[1] or "").split(",") if extra]:
            _check(extra)


def _check(extra: str) -> None:
    needed = [Requirement(line) for line in requires("pose-bridge") or []]
    of_extra = [
        r for r in needed if r.marker and r.marker.evaluate({"extra": extra}) and not r.marker.evaluate({"extra": ""})
    ]
    if not of_extra:
        sys.exit(f"pose-bridge has no extra {extra!r}, or nothing in it")
    for requirement in of_extra:
        try:
            if version(requirement.name) not in requirement.specifier:
                sys.exit(f"{requirement} is not installed, but {version(requirement.name)}")
        except PackageNotFoundError:
            sys.exit(f"{requirement} is not installed")


if __name__ == "__main__":
    main(sys.argv[1:])
