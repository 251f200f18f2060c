"""What ``pip install`` puts on a machine."""

from __future__ import annotations

from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, distribution

import pytest

import bridge
from tests.support import skip_or_fail


@pytest.fixture(scope="module")
def installed() -> list[str]:
    """Paths of the installed distribution's files, relative to site-packages."""
    try:
        found = distribution("pose-bridge")
    except PackageNotFoundError:
        skip_or_fail("pose-bridge is not installed here")
    files = [path.as_posix() for path in found.files or [] if "__pycache__" not in path.parts]
    if "bridge/__init__.py" not in files:
        skip_or_fail("pose-bridge is installed as a link to its source")
    return files


def test_nothing_but_the_package_its_metadata_and_its_command_is_installed(installed: list[str]) -> None:
    foreign = [
        name
        for name in installed
        if not fnmatch(name, "bridge/*")
        and not fnmatch(name, "pose_bridge-*.dist-info/*")
        and "/bin/pose-bridge" not in name
    ]
    assert foreign == []


@pytest.mark.parametrize(
    "pattern",
    [
        "bridge/py.typed",
        "bridge/forecaster/weights/*.safetensors",
        "bridge/cli/data/*.npz",
        "bridge/bvh/joint_maps/motionbuilder.toml",
        "bridge/wire/generated/posebridge/v1/forecast_pb2.py",
        "bridge/wire/generated/posebridge/v1/forecast_pb2.pyi",
        "bridge/wire/generated/posebridge/v1/forecast_pb2_grpc.py",
        "bridge/wire/proto/posebridge/v1/forecast.proto",
        "pose_bridge-*.dist-info/licenses/LICENSE",
    ],
)
def test_what_the_first_command_needs_is_installed(installed: list[str], pattern: str) -> None:
    assert any(fnmatch(name, pattern) for name in installed)


def test_the_distribution_has_the_packages_version(installed: list[str]) -> None:
    assert distribution("pose-bridge").version == bridge.__version__
    assert f"pose_bridge-{bridge.__version__}.dist-info/METADATA" in installed
