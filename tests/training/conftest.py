"""Settings for the training's tests."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors are fastest on one thread, and other tests may run beside these."""
    torch.set_num_threads(1)
