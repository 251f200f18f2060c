"""Code that needs Unity: compiled against hand-written signatures of the engine, and run in a stand-in for it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.unity.toolchain import (
    HERE,
    PACKAGE,
    Outcome,
    compile_core,
    compile_library,
    failures,
    fixtures_in,
    native_environment,
    nunit_framework,
    run_nunit,
    sources,
    try_compile,
)

STUBS = HERE / "stubs"
WRONG = HERE / "wrong"
COMPONENT_TESTS = HERE / "engine"
ENGINE_TESTS = PACKAGE / "Tests" / "Editor" / "Engine"

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class Assemblies:
    """Every assembly of the package that ships, and the engine's stubs."""

    folder: Path
    core: Path
    unity: Path
    editor: Path
    engine: Path
    engine_editor: Path
    nunit: Path

    def all(self) -> list[Path]:
        """Everything that a test of the package may refer to."""
        return [self.core, self.unity, self.editor, self.engine, self.engine_editor, self.nunit]


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Assemblies:
    folder = tmp_path_factory.mktemp("unity_stubs")
    core = compile_core(folder)
    engine_files = [STUBS / "UnityEngine.cs", STUBS / "TestRunner.cs", STUBS / "FakePlayer.cs"]
    engine = compile_library(folder / "UnityEngine.dll", engine_files)
    engine_editor = compile_library(folder / "UnityEditor.dll", [STUBS / "UnityEditor.cs"], [engine])
    runtime_files = sources(PACKAGE / "Runtime" / "Unity")
    unity = compile_library(folder / "PoseBridge.Unity.dll", runtime_files, [core, engine])
    editor_references = [core, unity, engine, engine_editor]
    editor = compile_library(folder / "PoseBridge.Editor.dll", sources(PACKAGE / "Editor"), editor_references)
    nunit = Path(shutil.copy(nunit_framework(), folder))
    return Assemblies(folder, core, unity, editor, engine, engine_editor, nunit)


def test_runtime_and_editor_assemblies_compile(assemblies: Assemblies) -> None:
    assert assemblies.unity.is_file()
    assert assemblies.editor.is_file()


@pytest.mark.parametrize("kind", ["Editor", "Runtime"])
def test_tests_of_the_package_compile(assemblies: Assemblies, kind: str) -> None:
    folder = assemblies.folder / f"package_{kind}"
    folder.mkdir()
    target = folder / f"PoseBridge.Tests.{kind}.dll"
    compile_library(target, sources(PACKAGE / "Tests" / kind), assemblies.all())


def test_sample_compiles_against_what_ships(assemblies: Assemblies) -> None:
    target = assemblies.folder / "PoseBridge.Samples.dll"
    references = [assemblies.core, assemblies.unity, assemblies.engine]
    compile_library(target, sources(PACKAGE / "Samples~"), references)


@pytest.fixture(scope="module")
def component_outcomes(assemblies: Assemblies) -> list[Outcome]:
    """Tests of the components, the sample's among them, and those of the package that need no real engine."""
    environment = native_environment(assemblies.folder)
    server = [HERE / "native" / "TestServer.cs", HERE / "native" / "TestBody.cs"]
    files = [*sources(COMPONENT_TESTS, PACKAGE / "Tests" / "Editor", PACKAGE / "Samples~"), *server]
    # The name of an assembly that may see the package's internals.
    target = assemblies.folder / "PoseBridge.Tests.Editor.dll"
    return run_nunit(compile_library(target, files, assemblies.all(), unsafe=True), environment)


@pytest.mark.parametrize("fixture", [*fixtures_in(COMPONENT_TESTS), *fixtures_in(ENGINE_TESTS)])
def test_components_run_in_a_stand_in_for_the_engine(component_outcomes: list[Outcome], fixture: str) -> None:
    assert failures(component_outcomes, fixture) == []


def test_core_does_not_know_the_engine() -> None:
    for path in sources(PACKAGE / "Runtime" / "Core"):
        assert "UnityEngine" not in path.read_text(encoding="utf-8"), path.name


def test_runtime_does_not_know_the_editor() -> None:
    for path in sources(PACKAGE / "Runtime"):
        assert "UnityEditor" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("path", sources(WRONG), ids=lambda path: path.stem)
def test_wrong_call_does_not_compile(assemblies: Assemblies, path: Path) -> None:
    """Else the stubs would accept anything, and the tests above would say nothing."""
    text = path.read_text(encoding="utf-8")
    expected = re.search(r"// expected: (CS\d+)", text)
    assert expected is not None, "say which error is expected"
    said = try_compile(assemblies.folder / f"{path.stem}.dll", [path], assemblies.all())
    assert any(expected.group(1) in line for line in said), said
    # Everything but the wrong line compiles, so the error is about what it should be about.
    kept = "\n".join(line for line in text.splitlines() if "// wrong" not in line)
    right = assemblies.folder / f"{path.stem}_right.cs"
    right.write_text(kept, encoding="utf-8")
    assert try_compile(right.with_suffix(".dll"), [right], assemblies.all()) == []


def test_every_stub_names_its_page() -> None:
    """Each type and each method or property of the stubs says where Unity documents it."""
    page = re.compile(r"https://docs\.unity3d\.com/")
    for path in (STUBS / name for name in ("UnityEngine.cs", "UnityEditor.cs", "TestRunner.cs")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if not re.match(r"\s+public .*\b(class|struct|enum|delegate)\b", line):
                continue
            above = [text for text in lines[max(0, number - 3) : number] if text.strip().startswith(("///", "["))]
            assert any(page.search(text) for text in above), f"{path.name}:{number + 1} names no page"
