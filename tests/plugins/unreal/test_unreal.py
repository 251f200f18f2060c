"""The Unreal plugin without Unreal: it compiles against stand-ins, its engine-free side runs, its words agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.plugins.native_build import native_build
from tests.plugins.unreal.header_tool import write_generated_header
from tests.support import REPOSITORY, skip_or_fail

HERE = Path(__file__).resolve().parent
STAND_INS = HERE.parent / "unreal_stubs"
PLUGIN = REPOSITORY / "engine_plugins" / "unreal" / "PoseBridge"
SOURCE = PLUGIN / "Source"
NATIVE = REPOSITORY / "engine_plugins" / "native"
MODULES = ("PoseBridge", "PoseBridgeLiveLink")
SOURCES = sorted(path for module in MODULES for path in (SOURCE / module).rglob("*") if path.suffix in {".cpp", ".h"})
HEADERS = [path for path in SOURCES if path.suffix == ".h"]
WRONG = sorted((HERE / "wrong").glob("*.cpp"))

STRICT = ["-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
EXPORTS = [f'-D{module.upper()}_API=__attribute__((visibility("default")))' for module in MODULES]
"""As Unreal's build tool gives them to every compilation."""

MODULE_OF_HEADER = {
    "CoreMinimal.h": "Core",
    "CoreTypes.h": "Core",
    "Containers": "Core",
    "Delegates": "Core",
    "HAL": "Core",
    "Internationalization": "Core",
    "Logging": "Core",
    "Math": "Core",
    "Misc": "Core",
    "Modules": "Core",
    "Templates": "Core",
    "UObject/NameTypes.h": "Core",
    "UObject": "CoreUObject",
    "Engine/DeveloperSettings.h": "DeveloperSettings",
    "Components": "Engine",
    "DrawDebugHelpers.h": "Engine",
    "Engine": "Engine",
    "GameFramework": "Engine",
    "Subsystems": "Engine",
    "Tickable.h": "Engine",
    "ILiveLinkClient.h": "LiveLinkInterface",
    "ILiveLinkSource.h": "LiveLinkInterface",
    "LiveLinkSourceFactory.h": "LiveLinkInterface",
    "LiveLinkTypes.h": "LiveLinkInterface",
    "Roles": "LiveLinkInterface",
    "Interfaces/IPluginManager.h": "Projects",
    "posebridge/posebridge.h": "PoseBridgeLibrary",
}
"""Which engine module a header is of: the longest entry that an include begins with."""


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE) if path.is_relative_to(SOURCE) else path.name)


def compiler() -> str:
    return shutil.which("g++") or skip_or_fail("g++ is not installed")


@pytest.fixture(scope="session")
def native_include() -> Path:
    folder = NATIVE / "include"
    if not (folder / "posebridge" / "posebridge.h").is_file():
        skip_or_fail(f"posebridge.h is not in {folder}")
    return folder


@pytest.fixture(scope="session")
def include_options(native_include: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Compiler options with which the plugin's sources find what they include."""
    generated = tmp_path_factory.mktemp("generated")
    for header in HEADERS:
        write_generated_header(header, generated)
    folders = [generated, STAND_INS]
    folders += [SOURCE / module / part for module in MODULES for part in ("Public", "Private")]
    return [option for folder in folders for option in ("-I", str(folder))] + ["-isystem", str(native_include)]


def compile_text(text: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [
        compiler(),
        "-x",
        "c++",
        "-fsyntax-only",
        *STRICT,
        "-fno-exceptions",
        "-fno-rtti",
        *EXPORTS,
        *options,
        "-",
    ]
    return subprocess.run(command, input=text, text=True, capture_output=True, timeout=100, check=False)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_each_file_compiles_by_itself_against_the_stand_ins(path: Path, include_options: list[str]) -> None:
    result = compile_text(f'#include "{path}"\n', include_options)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("options", [["-DUE_BUILD_SHIPPING=1"], ["-DPLATFORM_WINDOWS=1"], ["-DPLATFORM_MAC=1"]])
def test_all_of_it_compiles_for_other_builds(options: list[str], include_options: list[str]) -> None:
    # As in Unreal's unity builds: the sources of a module one after the other, so that names may not clash either.
    for module in MODULES:
        text = "".join(f'#include "{path}"\n' for path in SOURCES if path.suffix == ".cpp" and module in path.parts)
        result = compile_text(text, [*include_options, *options])
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", WRONG, ids=name_of)
def test_a_mistake_does_not_compile(path: Path, include_options: list[str]) -> None:
    text = path.read_text(encoding="utf-8")
    expected = text.splitlines()[0].removeprefix("// must mention: ")
    result = compile_text(text, include_options)
    assert result.returncode != 0
    assert expected in result.stderr, result.stderr


# -- what needs no engine, run


def build_program(sources: list[Path], options: list[str], program: Path) -> Path:
    if not Path("/usr/include/doctest/doctest.h").is_file() and "CPLUS_INCLUDE_PATH" not in os.environ:
        skip_or_fail("doctest is not installed")
    checks = ["-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [compiler(), *STRICT, *checks, *options, *map(str, sources), "-o", str(program), "-ldl", "-pthread"]
    result = subprocess.run(command, text=True, capture_output=True, timeout=110, check=False)
    assert result.returncode == 0, result.stderr
    return program


def build_tests(name: str, native_include: Path, folder: Path) -> Path:
    options = ["-fno-exceptions", "-isystem", str(native_include), "-I", str(SOURCE / "PoseBridge" / "Private")]
    return build_program([HERE / f"{name}.cpp"], options, folder / name)


def run_program(program: Path, environment: dict[str, str], *arguments: str) -> None:
    result = subprocess.run(
        [str(program), *arguments],
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_engine_free_parts(native_include: Path, tmp_path: Path) -> None:
    run_program(build_tests("core_tests", native_include, tmp_path), {})


@pytest.fixture(scope="module")
def library_program(native_include: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tests("library_tests", native_include, tmp_path_factory.mktemp("library_tests"))


@pytest.fixture(scope="module")
def library() -> str:
    """The built C library."""
    return os.environ.get("POSEBRIDGE_TEST_LIBRARY") or str(native_build().library)


@pytest.fixture(scope="module")
def server_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ZeroMQ address of a server that answers with canned forecasts."""
    folder = tmp_path_factory.mktemp("server")
    ready = folder / "ready.json"
    arguments = ["--engine", "null", "--zmq", "tcp://127.0.0.1:0", "--grpc", "127.0.0.1:0", "--ops", "127.0.0.1:0"]
    arguments += ["--ready-file", str(ready), "--alert-log", str(folder / "alerts.sqlite3")]
    with (folder / "log").open("w+", encoding="utf-8") as log:
        command = [sys.executable, "-m", "bridge.cli", "serve", *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPOSITORY)
        try:
            deadline_s = time.monotonic() + 60
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    log.seek(0)
                    pytest.fail(f"the server did not start: {log.read()}")
                time.sleep(0.05)
            addresses: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
            yield addresses["zmq"]
        finally:
            process.terminate()
            process.wait(20)


def test_with_the_real_library(library_program: Path, library: str) -> None:
    run_program(library_program, {"POSEBRIDGE_TEST_LIBRARY": library}, "--test-case=library:*")


def test_with_the_real_library_and_a_real_server(library_program: Path, library: str, server_endpoint: str) -> None:
    environment = {"POSEBRIDGE_TEST_LIBRARY": library, "POSEBRIDGE_TEST_ENDPOINT": server_endpoint}
    run_program(library_program, environment, "--test-case=server:*")


@pytest.mark.timeout(240)
def test_the_plugin_in_a_game_of_stand_ins(
    include_options: list[str], library: str, server_endpoint: str, tmp_path: Path
) -> None:
    # All sources in one, as in Unreal's unity builds: quicker than one by one.
    sources = [path for path in SOURCES if path.suffix == ".cpp"]
    unity = tmp_path / "unity.cpp"
    unity.write_text("".join(f'#include "{path}"\n' for path in sources), encoding="utf-8")
    program = build_program([unity, HERE / "game_tests.cpp"], [*EXPORTS, *include_options], tmp_path / "game_tests")
    place = Path("Binaries", "ThirdParty", "posebridge", "Linux", "libposebridge.so")
    for name in ("plugin", "other_version", "broken"):
        (tmp_path / name / place.parent).mkdir(parents=True)
    (tmp_path / "plugin" / place).symlink_to(Path(library).resolve())
    (tmp_path / "broken" / place).write_text("no library\n", encoding="utf-8")
    other = 'extern "C" const char *posebridge_version() { return "1.2.3"; }'
    command = [compiler(), "-x", "c++", "-shared", "-fPIC", "-o", str(tmp_path / "other_version" / place), "-"]
    subprocess.run(command, input=other, text=True, check=True, timeout=60)
    environment = {"POSEBRIDGE_TEST_PLUGINS": str(tmp_path), "POSEBRIDGE_TEST_ENDPOINT": server_endpoint}
    run_program(program, environment)


# -- what the plugin says about itself


def test_the_plugin_description_names_the_modules_and_the_version(native_include: Path) -> None:
    plugin = json.loads((PLUGIN / "PoseBridge.uplugin").read_text(encoding="utf-8"))
    assert plugin["FileVersion"] == 3
    assert {module["Name"] for module in plugin["Modules"]} == set(MODULES)
    for module in plugin["Modules"]:
        assert module["Type"] == "Runtime"
        assert module["LoadingPhase"] == "Default"
        assert (SOURCE / module["Name"] / f"{module['Name']}.Build.cs").is_file()
        implemented = [
            path
            for path in SOURCES
            if f", {module['Name']})" in path.read_text(encoding="utf-8") and path.suffix == ".cpp"
        ]
        assert len(implemented) == 1, f"IMPLEMENT_MODULE of {module['Name']}"
    # The roles and sources of Live Link are in a module of the engine; its window and its subjects are in this plugin.
    assert {"Name": "LiveLink", "Enabled": True} in plugin["Plugins"]

    header = (native_include / "posebridge" / "posebridge.h").read_text(encoding="utf-8")
    numbers = [re.search(rf"POSEBRIDGE_VERSION_{part} (\d+)", header) for part in ("MAJOR", "MINOR", "PATCH")]
    assert plugin["VersionName"] == ".".join(number[1] for number in numbers if number) == bridge.__version__


def module_of(include: str) -> str | None:
    known = [entry for entry in MODULE_OF_HEADER if include == entry or include.startswith(f"{entry}/")]
    return MODULE_OF_HEADER[max(known, key=len)] if known else None


def engine_modules(path: Path) -> set[str]:
    """Modules whose headers a file includes, the plugin's own other modules among them."""
    found: set[str] = set()
    module = path.relative_to(SOURCE).parts[0]
    for include in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")):
        if include.endswith(".generated.h"):
            found.add("CoreUObject")
        elif name := module_of(include):
            found.add(name)
        else:
            owners = [m for m in MODULES for part in ("Public", "Private") if (SOURCE / m / part / include).is_file()]
            owners += [module for beside in [path.parent / include] if beside.is_file()]
            assert owners, f"{path}: {include} is of no module that is known"
            if owners[0] != module:
                assert (SOURCE / owners[0] / "Public" / include).is_file(), f"{path}: {include} is private there"
                found.add(owners[0])
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_build_file_names_the_modules_that_are_included_and_no_others(module: str) -> None:
    text = (SOURCE / module / f"{module}.Build.cs").read_text(encoding="utf-8")
    named: dict[str, set[str]] = {}
    for kind in ("Public", "Private"):
        match = re.search(rf"{kind}DependencyModuleNames\.AddRange\(new string\[\] \{{(.*?)\}}", text, re.DOTALL)
        named[kind] = set(re.findall(r'"(\w+)"', match[1])) if match else set()
    files = {kind: [p for p in SOURCES if p.is_relative_to(SOURCE / module / kind)] for kind in ("Public", "Private")}
    public = set().union(*map(engine_modules, files["Public"]))
    private = set().union(*map(engine_modules, files["Private"]))
    assert named["Public"] == public
    assert named["Private"] == private - public


def test_every_stand_in_belongs_to_a_module() -> None:
    for header in STAND_INS.rglob("*.h"):
        name = header.relative_to(STAND_INS).as_posix()
        assert module_of(name), name
        comment = header.read_text(encoding="utf-8").split("#pragma once")[0]
        assert "https://dev.epicgames.com/documentation/" in comment, f"{name} does not name its page"


def test_no_header_of_the_c_library_is_public() -> None:
    for header in HEADERS:
        text = header.read_text(encoding="utf-8")
        if "Public" in header.parts:
            assert "posebridge.h" not in text
            assert '#include "Core/' not in text
        elif header.name != "PoseBridgeC.h":
            assert "posebridge/posebridge.h" not in text


def test_engine_free_headers_include_no_engine() -> None:
    for header in (SOURCE / "PoseBridge" / "Private" / "Core").glob("*.h"):
        includes = re.findall(r'#include "([^"]+)"', header.read_text(encoding="utf-8"))
        assert [i for i in includes if not i.startswith("PoseBridge")] in ([], ["posebridge/posebridge.h"])


MARKS = re.compile(r"^\s*(UPROPERTY|UFUNCTION|UCLASS|USTRUCT|UENUM)\(")


def marked_declarations() -> Iterator[tuple[str, str, str, str]]:
    """Of everything that is reflected: where it is, its macro with arguments, the comment before and what follows."""
    for header in HEADERS:
        lines = header.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if not MARKS.match(line):
                continue
            end = number
            while "\n".join(lines[number : end + 1]).count("(") > "\n".join(lines[number : end + 1]).count(")"):
                end += 1
            above = number - 1
            while above > 0 and not lines[above].strip().startswith("/**") and lines[above].strip():
                above -= 1
            comment = "\n".join(lines[above:number]).strip()
            macro = " ".join(part.strip() for part in lines[number : end + 1])
            yield f"{header.name}:{number + 1}", macro, comment, lines[end + 1].strip()


def test_everything_that_the_editor_shows_has_a_tooltip_and_a_category() -> None:
    found = 0
    for place, macro, comment, _ in marked_declarations():
        if macro == "UPROPERTY(Transient)":
            continue
        found += 1
        assert comment.startswith("/**") and comment.endswith("*/"), f"{place} has no tooltip: {comment!r}"
        assert len(comment) > 20, f"{place} says too little"
        if macro.startswith(("UPROPERTY", "UFUNCTION")):
            assert "Category = " in macro, f"{place} has no category"
    assert found > 50


def test_every_value_of_an_enum_has_a_tooltip() -> None:
    for header in HEADERS:
        text = header.read_text(encoding="utf-8")
        for body in re.findall(r"UENUM\([^)]*\)\nenum class \w+ : uint8\n\{\n(.*?)\n\};", text, re.DOTALL):
            lines = [line.strip() for line in body.splitlines()]
            for previous, line in zip(["", *lines], lines, strict=False):
                if re.match(r"\w+( UMETA\(.*\))?,?$", line):
                    assert previous.endswith("*/"), f"{header.name}: {line} has no tooltip"


def test_blueprint_can_hold_every_exposed_number() -> None:
    # Blueprint knows these numbers: uint8, int32, int64, float, double. Others do not get past Unreal Header Tool.
    for place, _, _, declaration in marked_declarations():
        assert not re.search(r"\b(u?int16|int8|uint32|uint64|size_t|std::)", declaration), f"{place}: {declaration}"


def test_bones_are_those_of_the_server() -> None:
    text = (SOURCE / "PoseBridge" / "Private" / "Core" / "PoseBridgeSkeleton.h").read_text(encoding="utf-8")
    bones = [(int(a), int(b)) for a, b in re.findall(r"\{(\d+), (\d+)\}", text)]
    assert bones == list(MEDIAPIPE_POSE_33.bones)
    assert f'"{MEDIAPIPE_POSE_33.id}"' in text


def test_the_readme_says_what_was_never_tried() -> None:
    text = (PLUGIN.parent / "README.md").read_text(encoding="utf-8")
    assert "not yet been built in a real Unreal Editor" in " ".join(text.split())
