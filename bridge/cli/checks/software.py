"""Python, the libraries that PoseBridge needs, and its extras."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version

from packaging.requirements import Requirement

from bridge import __version__
from bridge.cli.checks.finding import Finding, hint, ok, problem

DISTRIBUTION = "pose-bridge"
EXTRAS = ("capture", "viewer", "train")
_OLDEST, _NEWEST_TRIED = (3, 11), (3, 13)
_IMPORT_TIMEOUT_S = 90.0


def check_python(python: tuple[int, int] = sys.version_info[:2], bits: int = sys.maxsize.bit_length() + 1) -> Finding:
    """Whether this Python is one that PoseBridge is made for; ``bits`` of its addresses."""
    named = f"Python {python[0]}.{python[1]}"
    detail = f"PoseBridge {__version__} on Python {platform.python_version()}, {platform.platform()}"
    if python < _OLDEST:
        return problem("python", f"{named} is too old", "install Python 3.11 or newer")
    if bits < 64:
        return problem("python", f"{named} has {bits} bits", "install a 64-bit Python: torch has no other")
    if python > _NEWEST_TRIED:
        return hint("python", detail, f"{named} was not tried yet: Python 3.11 to 3.13 were")
    return ok("python", detail)


def check_libraries(distribution_name: str = DISTRIBUTION) -> Finding:
    """Whether everything that the installed distribution needs is there, in versions that fit."""
    wanted = _requirements(distribution_name, extra="")
    if wanted is None:
        return hint(
            "libraries", f"{distribution_name} runs from its source and is not installed", "pip install . beside it"
        )
    wrong = [words for words in map(_complaint, wanted) if words]
    if wrong:
        return problem("libraries", "; ".join(wrong), f"pip install --upgrade {distribution_name}")
    return ok("libraries", f"all {len(wanted)} are there in versions that fit")


def existing_extras(distribution_name: str = DISTRIBUTION) -> list[str]:
    """Which of the extras for users this version has; none where it is not installed."""
    try:
        provided = distribution(distribution_name).metadata.get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
    return [extra for extra in EXTRAS if extra in provided]


def check_extra(extra: str, distribution_name: str = DISTRIBUTION) -> Finding:
    """Whether an extra is installed and can be loaded (in a process of its own: it may need system libraries)."""
    name = f"extra.{extra}"
    wanted = needs_of_extra(extra, distribution_name)
    if not wanted:
        return ok(name, "needs nothing more")
    wrong = [words for words in map(_complaint, wanted) if words]
    if wrong:
        return hint(name, "; ".join(wrong), f"only if you need it: pip install '{distribution_name}[{extra}]'")
    owned = packages_distributions()
    names = {requirement.name.lower().replace("_", "-") for requirement in wanted}
    modules = sorted(
        module
        for module, owners in owned.items()
        if module.isidentifier() and names & {owner.lower().replace("_", "-") for owner in owners}
    )
    failure = import_failure(modules)
    versions = ", ".join(f"{requirement.name} {version(requirement.name)}" for requirement in wanted)
    if failure:
        return problem(name, f"{versions} cannot be loaded: {failure}", _how_to_load(failure))
    return ok(name, versions)


def needs_of_extra(extra: str, distribution_name: str = DISTRIBUTION) -> list[Requirement]:
    """What an extra adds; nothing where the distribution is not installed."""
    return _requirements(distribution_name, extra) or []


def import_failure(modules: list[str]) -> str:
    """What goes wrong when a fresh Python imports these modules, in one line; empty if nothing does."""
    code = f"import {', '.join(modules)}" if modules else ""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_IMPORT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not done within {_IMPORT_TIMEOUT_S:g} s"
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def _how_to_load(failure: str) -> str:
    if "libGL" in failure or "libEGL" in failure or "libGLES" in failure or "libgthread" in failure:
        return "install the system's libraries, on Debian: apt install libegl1 libgles2 libgl1 libglib2.0-0"
    return "reinstall it: pip install --force-reinstall the library named"


def _requirements(distribution_name: str, extra: str) -> list[Requirement] | None:
    """What a distribution needs without extras, or what one of its extras adds; None if it is not installed."""
    try:
        texts = distribution(distribution_name).requires or []
    except PackageNotFoundError:
        return None
    found = []
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        with_extra = marker is None or marker.evaluate({"extra": extra})
        if with_extra and (not extra or not always):
            found.append(requirement)
    return found


def _complaint(requirement: Requirement) -> str:
    """What is wrong with an installed library, empty if nothing is."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    return f"{requirement.name} {installed} does not fit {requirement.specifier}"
