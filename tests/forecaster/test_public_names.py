"""The package's names load when they are asked for."""

from __future__ import annotations

import pytest

import bridge.forecaster


@pytest.mark.parametrize("name", bridge.forecaster.__all__)
def test_public_name_is_found(name: str) -> None:
    assert getattr(bridge.forecaster, name) is not None


def test_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match="Forcaster"):
        bridge.forecaster.Forcaster  # type: ignore[attr-defined]  # noqa: B018
