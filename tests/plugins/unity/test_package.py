"""The Unity package as Unity's package manager and importer see it."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.plugins.unity.metafiles import NATIVE_LIBRARIES, assets, expected_metas
from tests.plugins.unity.toolchain import PACKAGE, sources
from tests.plugins.unity.walking_clip import CLIP, FRAMES, HEADER, walking_poses
from tests.support import REPOSITORY

ASMDEFS = sorted(PACKAGE.rglob("*.asmdef"))


def definition(name: str) -> dict[str, object]:
    found = [path for path in ASMDEFS if path.stem == name]
    assert len(found) == 1, name
    content: dict[str, object] = json.loads(found[0].read_text(encoding="utf-8"))
    return content


def test_every_asset_has_its_meta_and_every_meta_its_asset() -> None:
    present = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.meta")}
    assert present == {f"{path}.meta" for path in {*assets(), *NATIVE_LIBRARIES}}


@pytest.mark.parametrize("name", sorted(expected_metas()))
def test_meta_is_what_its_asset_needs(name: str) -> None:
    assert (PACKAGE / name).read_text(encoding="utf-8") == expected_metas()[name]


def test_guids_are_unique() -> None:
    guids = []
    for path in PACKAGE.rglob("*.meta"):
        found = re.search(r"^guid: ([0-9a-f]{32})$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None, path
        guids.append(found.group(1))
    assert len(set(guids)) == len(guids)


def test_no_native_library_is_committed() -> None:
    assert [name for name in NATIVE_LIBRARIES if (PACKAGE / name).exists() and not _is_ignored(name)] == []


def _is_ignored(name: str) -> bool:
    """A library that a developer put there is left out by the package's .gitignore."""
    patterns = (PACKAGE.parent / ".gitignore").read_text(encoding="utf-8").split()
    return any(name.endswith(pattern.lstrip("*")) for pattern in patterns)


@pytest.mark.parametrize("path", ASMDEFS, ids=lambda path: path.stem)
def test_assembly_is_named_as_its_file_and_refers_to_assemblies_that_exist(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    names = {other.stem for other in ASMDEFS} | {"UnityEngine.TestRunner", "UnityEditor.TestRunner"}
    assert content["name"] == path.stem
    assert set(content["references"]) <= names - {path.stem}


def test_each_script_belongs_to_exactly_one_assembly() -> None:
    folders = [path.parent for path in ASMDEFS]
    assert len(set(folders)) == len(folders)
    for script in sources(PACKAGE):
        assert sum(folder in script.parents for folder in folders) == 1, script


def test_core_is_free_of_the_engine_and_the_editor_stays_in_the_editor() -> None:
    assert definition("PoseBridge.Core")["noEngineReferences"] is True
    assert definition("PoseBridge.Core")["references"] == []
    assert definition("PoseBridge.Core")["allowUnsafeCode"] is True
    assert definition("PoseBridge.Unity")["references"] == ["PoseBridge.Core"]
    for name in ("PoseBridge.Editor", "PoseBridge.Tests.Editor"):
        assert definition(name)["includePlatforms"] == ["Editor"]
    for name in ("PoseBridge.Tests.Editor", "PoseBridge.Tests.Runtime"):
        assert definition(name)["defineConstraints"] == ["UNITY_INCLUDE_TESTS"]
        assert definition(name)["precompiledReferences"] == ["nunit.framework.dll"]


def test_manifest_is_complete_and_agrees_with_the_code() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    assert manifest["name"] == PACKAGE.name
    assert manifest["unity"] == "2022.3"
    assert manifest["license"] == "Apache-2.0"
    version = manifest["version"]
    code = (PACKAGE / "Runtime" / "Core" / "PoseBridgeVersion.cs").read_text(encoding="utf-8")
    assert f'Package = "{version}"' in code
    assert f"## [{version}]" in (PACKAGE / "CHANGELOG.md").read_text(encoding="utf-8")
    for sample in manifest["samples"]:
        assert (PACKAGE / sample["path"] / "README.md").is_file()


def test_licence_is_that_of_the_repository() -> None:
    licence = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert (PACKAGE / "LICENSE.md").read_text(encoding="utf-8") == licence


def test_every_script_says_its_licence() -> None:
    for script in sources(PACKAGE):
        assert script.read_text(encoding="utf-8").startswith("// SPDX-License-Identifier: Apache-2.0\n"), script


def test_landmarks_and_bones_are_those_of_the_server() -> None:
    text = (PACKAGE / "Runtime" / "Core" / "MediaPipePose.cs").read_text(encoding="utf-8")
    names = re.search(r"Names =\s+\{(.*?)\};", text, re.DOTALL)
    bones = re.search(r"Bones =\s+\{(.*?)\};", text, re.DOTALL)
    assert names is not None
    assert bones is not None
    assert tuple(re.findall(r'"(\w+)"', names.group(1))) == MEDIAPIPE_POSE_33.names
    numbers = [int(number) for number in re.findall(r"\d+", bones.group(1))]
    assert tuple(zip(numbers[::2], numbers[1::2], strict=True)) == MEDIAPIPE_POSE_33.bones


def test_clip_of_the_sample_is_the_formula_and_loops_without_a_jump() -> None:
    content = CLIP.read_bytes()
    magic, landmarks, flags, frames, layout = HEADER.unpack_from(content)
    assert (magic, landmarks, flags, frames) == (b"PBREC\0\0\1", 33, 0, FRAMES)
    assert layout.rstrip(b"\0") == MEDIAPIPE_POSE_33.id.encode("ascii")
    size = 16 + 33 * 16
    assert len(content) == HEADER.size + frames * size
    poses = walking_poses()
    for number in range(frames):
        at = HEADER.size + number * size
        timestamp_us, detected = struct.unpack_from("<QB", content, at)
        assert timestamp_us == 1_000_000 + number * 1_000_000 // 30
        assert detected == 1
        pose = np.frombuffer(content, "<f4", 33 * 4, at + 16).reshape(33, 4)
        np.testing.assert_allclose(pose, poses[number], atol=1e-6)
    steps = np.linalg.norm(np.diff(poses[:, :, :3], axis=0), axis=2).max(axis=1)
    seam = np.linalg.norm(poses[0, :, :3] - poses[-1, :, :3], axis=1).max()
    assert seam <= steps.max() * 1.01
    hips = poses[:, list(MEDIAPIPE_POSE_33.hips), :3].mean(axis=1)
    np.testing.assert_allclose(hips, 0.0, atol=1e-6)
