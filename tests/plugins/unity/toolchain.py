"""Compiling C# with mono's compiler and running NUnit, for the tests of the Unity package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.plugins.native_build import native_build
from tests.plugins.unity.layout import write_layout
from tests.support import REPOSITORY, skip_or_fail

PACKAGE = REPOSITORY / "engine_plugins" / "unity" / "com.posebridge.client"
HEADER = REPOSITORY / "engine_plugins" / "native" / "include" / "posebridge" / "posebridge.h"
HERE = Path(__file__).parent

# C# 7 is what mono's compiler knows; Unity 2022.3 takes C# 9, so this is the stricter of the two.
_LANGUAGE = "7.2"
# Fields that only Unity's inspector sets; a stub's == without a meaning of its own; a value read to see it throw.
_EXPECTED_WARNINGS = "-nowarn:649,660,661,219"
_NUNIT_FOLDERS = ("/usr/lib/cli/nunit.framework-2.6.3", "/usr/lib/mono/nunit")
_RUN_TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one NUnit test."""

    fixture: str
    name: str
    passed: bool
    message: str


def required_tool(name: str) -> str:
    """Return the tool's path; skip the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        skip_or_fail(f"{name} is not installed (Debian: mono-mcs mono-runtime nunit-console libnunit-cil-dev gcc)")
    return path


def nunit_framework() -> Path:
    """Return NUnit's assembly; skip the test where it is not installed."""
    for folder in _NUNIT_FOLDERS:
        found = Path(folder) / "nunit.framework.dll"
        if found.is_file():
            return found
    skip_or_fail("nunit.framework.dll is not installed (Debian: libnunit-cil-dev)")


def sources(*folders: Path) -> list[Path]:
    """Return every C# file below the folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.cs"))


def try_compile(
    target: Path, files: Sequence[Path], references: Sequence[Path] = (), *, unsafe: bool = False
) -> list[str]:
    """Compile a library, with every warning an error; return what the compiler said, nothing if it is content."""
    command = [required_tool("mcs"), "-target:library", f"-langversion:{_LANGUAGE}", "-warn:4", "-warnaserror+"]
    command += [_EXPECTED_WARNINGS, f"-out:{target}", "-r:System.Core.dll"]
    command += [f"-r:{reference}" for reference in references]
    command += ["-unsafe"] if unsafe else []
    run = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, timeout=120)
    said = [line for line in (run.stdout + run.stderr).splitlines() if "error" in line or "warning" in line]
    assert (run.returncode == 0) == target.is_file(), said
    return said if run.returncode else []


def compile_library(
    target: Path, files: Sequence[Path], references: Sequence[Path] = (), *, unsafe: bool = False
) -> Path:
    """Compile a library, return it."""
    said = try_compile(target, files, references, unsafe=unsafe)
    assert not said, "\n".join(said)
    return target


def compile_core(folder: Path) -> Path:
    """Compile the assembly that needs no engine."""
    return compile_library(folder / "PoseBridge.Core.dll", sources(PACKAGE / "Runtime" / "Core"), unsafe=True)


def run_nunit(assembly: Path, environment: Mapping[str, str] | None = None) -> list[Outcome]:
    """Run every test of an assembly, in one process and without copies, return what became of each."""
    result = assembly.with_suffix(".xml")
    options = ["-nologo", "-noshadow", "-domain=None", f"-result={result}"]
    command = [required_tool("nunit-console"), *options, str(assembly)]
    run = subprocess.run(
        command,
        cwd=assembly.parent,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_RUN_TIMEOUT_S,
    )
    assert result.is_file(), f"the runner ended with {run.returncode} and without a result:\n{run.stdout}\n{run.stderr}"
    outcomes = [_outcome(case) for case in ElementTree.parse(result).iter("test-case")]
    assert any(outcome.passed for outcome in outcomes), f"no test passed:\n{run.stdout}\n{run.stderr}"
    return outcomes


def native_environment(folder: Path) -> dict[str, str]:
    """Return what tests need that use the native library and start a server, written to a folder where need be."""
    library = native_build().library
    clip = PACKAGE / "Samples~" / "FutureGhosts" / "Walk.pbr.bytes"
    return {
        "LD_LIBRARY_PATH": str(library.parent),
        # Small, so that a few bytes of garbage a frame show as collections.
        "MONO_GC_PARAMS": "nursery-size=64k",
        "POSEBRIDGE_TEST_CLIP": str(clip),
        "POSEBRIDGE_TEST_LAYOUT": str(write_layout(HEADER, required_tool("gcc"), folder)),
        "POSEBRIDGE_TEST_PYTHON": sys.executable,
        "POSEBRIDGE_TEST_REPOSITORY": str(REPOSITORY),
    }


def fixtures_in(folder: Path) -> list[str]:
    """Return the names of the test fixtures in a folder's C# files."""
    fixture = re.compile(r"\[TestFixture\]\s+public sealed (?:unsafe )?class (\w+)")
    return [name for path in sources(folder) for name in fixture.findall(path.read_text(encoding="utf-8"))]


def failures(outcomes: Sequence[Outcome], fixture: str) -> list[str]:
    """Return what went wrong in a fixture, which must have had tests at all."""
    of_fixture = [outcome for outcome in outcomes if outcome.fixture == fixture]
    assert of_fixture, f"{fixture} was not run"
    return [f"{outcome.name}: {outcome.message}" for outcome in of_fixture if not outcome.passed]


def _outcome(case: ElementTree.Element) -> Outcome:
    name = case.attrib["name"]
    # "PoseBridge.Tests.SomeTests.Test(1.5)": the fixture is the word before the test's.
    fixture = name.split("(", 1)[0].split(".")[-2]
    message = "\n".join(text.strip() for text in case.itertext() if text.strip())
    return Outcome(fixture, name, case.attrib.get("result") == "Success", message)
