"""The Unity package's core, compiled with mono, against a real server through the real native library."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.plugins.unity.layout import structs_of
from tests.plugins.unity.toolchain import (
    HEADER,
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
)

CORE_TESTS = PACKAGE / "Tests" / "Editor" / "Core"
NATIVE_TESTS = HERE / "native"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def core_outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder = tmp_path_factory.mktemp("unity_core")
    references = [compile_core(folder), Path(shutil.copy(nunit_framework(), folder))]
    return run_nunit(compile_library(folder / "PoseBridge.Tests.Editor.dll", sources(CORE_TESTS), references))


@pytest.fixture(scope="module")
def native_outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder = tmp_path_factory.mktemp("unity_native")
    environment = native_environment(folder)
    references = [compile_core(folder), Path(shutil.copy(nunit_framework(), folder))]
    assembly = compile_library(folder / "PoseBridge.Tests.Native.dll", sources(NATIVE_TESTS), references, unsafe=True)
    return run_nunit(assembly, environment)


@pytest.mark.parametrize("fixture", fixtures_in(CORE_TESTS))
def test_core_without_native_library(core_outcomes: list[Outcome], fixture: str) -> None:
    assert failures(core_outcomes, fixture) == []


@pytest.mark.parametrize("fixture", fixtures_in(NATIVE_TESTS))
def test_core_through_native_library(native_outcomes: list[Outcome], fixture: str) -> None:
    assert failures(native_outcomes, fixture) == []


def test_every_function_of_the_header_is_bound_but_the_one_that_is_not_needed() -> None:
    header = HEADER.read_text(encoding="utf-8")
    bare = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    declared = set(re.findall(r"\b(posebridge_\w+)\(", bare))
    binding = (PACKAGE / "Runtime" / "Core" / "Native" / "UnsafeNativeMethods.cs").read_text(encoding="utf-8")
    bound = set(re.findall(r"static extern \w+ (posebridge_\w+)\(", binding))
    assert declared - bound == {"posebridge_latest_forecast"}
    assert bound - declared == set()


def test_enumerations_have_the_numbers_of_the_header() -> None:
    header = HEADER.read_text(encoding="utf-8")
    numbers = {name: int(value) for name, value in re.findall(r"POSEBRIDGE_([A-Z_]+) = (-?\d+)", header)}
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources(PACKAGE / "Runtime" / "Core"))
    prefixes = {
        "PoseAxes": "AXES_",
        "PoseBridgeState": "",
        "PoseBridgeErrorCode": "ERROR_",
        "PoseLogLevel": "LOG_",
        "AlertState": "ALERT_",
        "HumanoidJoint": "JOINT_",
    }
    for enumeration, prefix in prefixes.items():
        body = re.search(rf"public enum {enumeration}\s+\{{(.*?)\n    \}}", text, re.DOTALL)
        assert body is not None, enumeration
        members = re.findall(r"(\w+) = (\d+)", body.group(1))
        assert members, enumeration
        for name, value in members:
            key = prefix + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
            key = key.replace("MEDIA_PIPE", "MEDIAPIPE")
            assert numbers[key] == int(value), f"{enumeration}.{name}"


def test_versions_are_those_of_the_header() -> None:
    header = HEADER.read_text(encoding="utf-8")
    parts = [re.search(rf"POSEBRIDGE_VERSION_{part} (\d+)", header) for part in ("MAJOR", "MINOR", "PATCH")]
    version = ".".join(part.group(1) for part in parts if part is not None)
    source = (PACKAGE / "Runtime" / "Core" / "PoseBridgeVersion.cs").read_text(encoding="utf-8")
    assert f'ExpectedLibrary = "{version}"' in source


def test_struct_parser_reads_what_it_is_given() -> None:
    header = "typedef struct posebridge_a { size_t size; /* b; c */ float x, y; char name[3]; } posebridge_a;"
    assert structs_of(header) == {"a": ["size", "x", "y", "name"]}
