"""bvhio, loaded when the first BVH file is read: it is an extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from bridge.errors import FailedPrecondition

INSTALL = "pip install 'pose-bridge[train]'"


def load_bvhio() -> ModuleType:
    """Return the module ``bvhio``.

    Raises:
        FailedPrecondition: if it is not installed or cannot be loaded.
    """
    try:
        return importlib.import_module("bvhio")
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"{error.name} is not installed, which reads BVH files", field="data", expected=INSTALL
        ) from None
    except (ImportError, OSError) as error:
        raise FailedPrecondition(f"bvhio cannot be loaded: {error}", field="data", expected=INSTALL) from error
