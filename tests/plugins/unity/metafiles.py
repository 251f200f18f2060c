"""The .meta file beside each file and folder of the Unity package: Unity knows assets by the guid in it.

``python -m tests.plugins.unity.metafiles`` writes those that are missing or wrong and removes those without an asset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tests.plugins.unity.toolchain import PACKAGE

# Native libraries are not in the repository; where they go, and for which platforms Unity shall take them.
# Path -> (operating system in the editor, group and name of the platform, its settings)
NATIVE_LIBRARIES: dict[str, tuple[str | None, str, str, dict[str, str]]] = {
    "Runtime/Plugins/Windows/posebridge.dll": ("Windows", "Standalone", "Win64", {"CPU": "x86_64"}),
    "Runtime/Plugins/Linux/libposebridge.so": ("Linux", "Standalone", "Linux64", {"CPU": "x86_64"}),
    "Runtime/Plugins/macOS/libposebridge.dylib": ("OSX", "Standalone", "OSXUniversal", {"CPU": "AnyCPU"}),
    "Runtime/Plugins/Android/libposebridge.so": (None, "Android", "Android", {"CPU": "ARM64"}),
    "Runtime/Plugins/iOS/libposebridge.a": (None, "iPhone", "iOS", {"CPU": "AnyCPU"}),
}
_PLATFORMS = ("Android", "Editor", "Linux64", "OSXUniversal", "Win", "Win64", "iOS")

_TAIL = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
_SCRIPT = (
    "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n"
    "  icon: {instanceID: 0}\n" + _TAIL
)
_IMPORTERS = {
    ".cs": _SCRIPT,
    ".asmdef": "AssemblyDefinitionImporter:\n  externalObjects: {}\n" + _TAIL,
    ".md": "TextScriptImporter:\n  externalObjects: {}\n" + _TAIL,
    ".json": "PackageManifestImporter:\n  externalObjects: {}\n" + _TAIL,
}
_FOLDER = "folderAsset: yes\nDefaultImporter:\n  externalObjects: {}\n" + _TAIL


def guid_of(path: str) -> str:
    """Return the guid of a path inside the package: the same on every machine, and no other's."""
    return hashlib.md5(f"com.posebridge.client/{path}".encode(), usedforsecurity=False).hexdigest()


def assets() -> Iterator[str]:
    """Yield every path that Unity imports, inside the package: not what lies in folders that end in ``~``."""
    for path in sorted(PACKAGE.rglob("*")):
        relative = path.relative_to(PACKAGE)
        if path.suffix == ".meta" or any(part.endswith("~") for part in relative.parts):
            continue
        yield relative.as_posix()


def expected_metas() -> dict[str, str]:
    """Return the text of every .meta file by its path inside the package, those of native libraries included."""
    paths = {*assets(), *NATIVE_LIBRARIES}
    return {f"{path}.meta": _meta(path) for path in sorted(paths)}


def write_metas() -> None:
    """Make the package's .meta files what they should be."""
    expected = expected_metas()
    for path in PACKAGE.rglob("*.meta"):
        if path.relative_to(PACKAGE).as_posix() not in expected:
            path.unlink()
    for name, text in expected.items():
        (PACKAGE / name).write_text(text, encoding="utf-8", newline="\n")


def _meta(path: str) -> str:
    head = f"fileFormatVersion: 2\nguid: {guid_of(path)}\n"
    if path in NATIVE_LIBRARIES:
        return head + _plugin_importer(*NATIVE_LIBRARIES[path])
    if (PACKAGE / path).is_dir():
        return head + _FOLDER
    return head + _IMPORTERS[Path(path).suffix]


def _plugin_importer(editor_os: str | None, group: str, name: str, settings: dict[str, str]) -> str:
    taken = {name, "Editor"} if editor_os else {name}
    lines = [
        "PluginImporter:",
        "  externalObjects: {}",
        "  serializedVersion: 2",
        "  iconMap: {}",
        "  executionOrder: {}",
    ]
    lines += ["  defineConstraints: []", "  isPreloaded: 0", "  isOverridable: 0", "  isExplicitlyReferenced: 0"]
    lines += ["  validateReferences: 1", "  platformData:"]
    lines += ["  - first:", "      : Any", "    second:", "      enabled: 0", "      settings:"]
    lines += [f"        Exclude {platform}: {0 if platform in taken else 1}" for platform in _PLATFORMS]
    lines += ["  - first:", "      Any: ", "    second:", "      enabled: 0", "      settings: {}"]
    editor = {"CPU": settings["CPU"], "DefaultValueInitialized": "true", "OS": editor_os or "AnyOS"}
    lines += _platform("Editor", "Editor", editor_os is not None, editor)
    lines += _platform(group, name, True, settings)
    return "\n".join(lines) + "\n" + _TAIL


def _platform(group: str, name: str, enabled: bool, settings: dict[str, str]) -> list[str]:
    lines = ["  - first:", f"      {group}: {name}", "    second:", f"      enabled: {int(enabled)}", "      settings:"]
    return lines + [f"        {key}: {value}" for key, value in sorted(settings.items())]


if __name__ == "__main__":
    write_metas()
