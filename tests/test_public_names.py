"""What a package offers says what it is: a docstring for every public name, examples that run, one line as a repr."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support import REPOSITORY

PACKAGES = (
    *("anomaly", "capture", "client", "engine", "evaluation", "figures", "forecaster", "service", "session"),
    *("training", "viewer"),
)
MODULES = ("brief", "errors", "frames", "geometry", "recordings", "skeleton", "timeline", "wire.alerts", "wire.values")
EXAMPLES = sorted(
    path.relative_to(REPOSITORY)
    for path in (REPOSITORY / "bridge").rglob("*.py")
    if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
)


def public_names(part: str) -> dict[str, Any]:
    """Names of a package's ``__all__``; of a module what it defines without an underscore."""
    module = import_module(f"bridge.{part}")
    if part in PACKAGES:
        return {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }


def undocumented(name: str, value: Any) -> list[str]:
    """A class or function, and the public members of a class, that say nothing of themselves."""
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        return []
    text = value.__doc__ or ""
    # A dataclass without a docstring is given its signature as one.
    missing = [] if text and not text.startswith(f"{name}(") else [name]
    if inspect.isclass(value) and value.__module__.startswith("bridge."):
        for member, function in vars(value).items():
            plain = getattr(function, "__func__", function)
            if not member.startswith("_") and (inspect.isroutine(plain) or isinstance(plain, property)):
                missing += [] if plain.__doc__ else [f"{name}.{member}"]
    return missing


@pytest.mark.parametrize("part", [*PACKAGES, *MODULES])
def test_every_public_name_says_what_it_is(part: str) -> None:
    names = public_names(part)
    assert names
    assert [missing for name, value in names.items() for missing in undocumented(name, value)] == []


def test_a_name_that_says_nothing_would_be_noticed() -> None:
    @dataclasses.dataclass
    class Bare:
        x: int

        def method(self) -> None:
            return None

    Bare.__module__ = "bridge.client"
    assert undocumented("Bare", Bare) == ["Bare", "Bare.method"]


@pytest.mark.parametrize("part", [part for part in PACKAGES if part != "service"])
def test_names_are_listed_once_and_exist(part: str) -> None:
    module = import_module(f"bridge.{part}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("part", [*PACKAGES, *MODULES])
def test_no_value_prints_its_arrays(part: str) -> None:
    for name, value in public_names(part).items():
        if inspect.isclass(value) and dataclasses.is_dataclass(value):
            arrays = [field.name for field in dataclasses.fields(value) if re.search("NDArray|Tensor", str(field.type))]
            shown = [field.name for field in dataclasses.fields(value) if field.name in arrays and field.repr]
            generated = value.__repr__.__code__.co_filename == dataclasses.__file__
            assert not (shown and generated), f"{name} prints {shown}: give it a __repr__, or `brief_repr`"


def test_examples_were_found() -> None:
    assert Path("bridge/forecaster/forecaster.py") in EXAMPLES and len(EXAMPLES) >= 6


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_examples_in_docstrings_hold(path: Path) -> None:
    module = import_module(".".join(path.with_suffix("").parts))
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0
