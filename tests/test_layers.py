"""The rows of the house: a package imports what lies below it, never what lies above."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

# Every file that lies directly in bridge/ is ground.
GROUND = [path.stem for path in (REPOSITORY / "bridge").glob("*.py")]
ROW_OF = dict.fromkeys(GROUND, 1) | {
    "wire": 1,
    "bvh": 1,
    "forecaster": 2,
    "engine": 3,
    "anomaly": 3,
    "session": 4,
    "service": 5,
    "capture": 6,
    "client": 6,
    "viewer": 6,
    "cli": 7,  # a face like the three before, but the one that puts them together
}
# Beside the rows: what they may use, themselves used by commands (and by people) only.
BESIDE = {"training": 2, "evaluation": 3, "figures": 3, "bench": 6}


def part_of(module: str) -> str:
    """The part of the house that ``bridge.<part>[.…]`` belongs to; "" for ``bridge`` itself."""
    return module.split(".")[1] if "." in module else ""


def imports_of(tree: ast.AST, package: str) -> Iterator[str]:
    """Absolute names of the modules of ours that a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "bridge")


def complaint(importer: str, imported: str) -> str | None:
    """Why part ``importer`` may not import part ``imported``; None if it may."""
    if imported in (importer, "", "__version__"):
        return None
    if imported in BESIDE:
        return None if ROW_OF.get(importer) == 7 else f"only commands use {imported}"
    if importer in BESIDE:
        return None if ROW_OF[imported] <= BESIDE[importer] else f"{importer} uses rows 1 to {BESIDE[importer]}"
    here, there = ROW_OF[importer], ROW_OF[imported]
    if there < here or here == there == 1:
        return None
    return f"row {here} may not import row {there}"


def source_files() -> list[Path]:
    """Our own code; ``bridge/__init__.py`` names every part, lazily, and generated code has no row."""
    bridge = REPOSITORY / "bridge"
    own = (path for path in bridge.rglob("*.py") if "generated" not in path.parts)
    return sorted(path for path in own if path != bridge / "__init__.py")


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("service", "session", True),
        ("session", "service", False),
        ("forecaster", "timeline", True),
        ("timeline", "forecaster", False),
        ("engine", "anomaly", False),
        ("wire", "frames", True),
        ("cli", "client", True),
        ("client", "cli", False),
        ("training", "forecaster", True),
        ("training", "engine", False),
        ("evaluation", "engine", True),
        ("evaluation", "training", False),
        ("cli", "training", True),
        ("service", "evaluation", False),
        ("figures", "anomaly", True),
        ("figures", "client", False),
        ("client", "figures", False),
        ("cli", "figures", True),
        ("bench", "client", True),
        ("bench", "cli", False),
        ("client", "bench", False),
    ],
)
def test_the_rule_knows_up_from_down(importer: str, imported: str, allowed: bool) -> None:
    assert (complaint(importer, imported) is None) == allowed


def test_relative_and_hidden_imports_are_seen() -> None:
    code = "def f():\n    from ..service import server\n    import bridge.cli.app\n"
    assert set(imports_of(ast.parse(code), "bridge.session")) == {"bridge.service.server", "bridge.cli.app"}


def test_imports_go_downwards_only() -> None:
    wrong = []
    for path in source_files():
        module = path.relative_to(REPOSITORY).with_suffix("")
        importer = part_of(".".join(module.parts))
        assert importer in ROW_OF or importer in BESIDE, f"{importer}: give it a row in {__file__}"
        package = ".".join(module.parts[:-1])
        for name in imports_of(ast.parse(path.read_text(encoding="utf-8")), package):
            reason = complaint(importer, part_of(name))
            if reason:
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {name}: {reason}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("bridge", ("torch", "grpc", "zmq", "numpy", "matplotlib", "mediapipe")),
        ("bridge.wire.values", ("torch", "grpc", "google.protobuf", "matplotlib")),
        ("bridge.wire.codec", ("torch", "grpc", "matplotlib")),
        ("bridge.recordings", ("torch", "grpc", "matplotlib", "mediapipe")),
        ("bridge.bvh", ("torch", "grpc", "matplotlib", "bvhio")),
        ("bridge.forecaster.results", ("torch", "grpc", "matplotlib")),
        ("bridge.forecaster.selection", ("torch", "grpc", "matplotlib")),
        ("bridge.engine", ("torch", "grpc", "matplotlib")),
        ("bridge.session", ("torch", "grpc", "matplotlib")),
        ("bridge.bench.serve.client", ("torch", "grpc", "zmq", "matplotlib")),
        ("bridge.client", ("torch", "matplotlib")),
        ("bridge.capture", ("torch", "grpc", "matplotlib", "mediapipe", "cv2")),
        ("bridge.viewer", ("torch", "grpc", "zmq", "matplotlib", "viser")),
        ("bridge.figures", ("torch", "grpc", "matplotlib")),
        ("bridge.figures.forecasts", ("torch", "grpc", "matplotlib.pyplot")),
        ("bridge.figures.scored", ("torch", "grpc", "matplotlib.pyplot")),
        ("bridge.cli.app", ("torch", "grpc", "matplotlib", "mediapipe", "cv2", "viser", "bvhio")),
    ],
)
def test_importing_a_part_loads_no_heavy_library_it_does_not_need(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
