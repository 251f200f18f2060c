from __future__ import annotations

import subprocess
import sys

from tests.support import REPOSITORY


def test_service_loads_torch_only_with_an_engine() -> None:
    # A null engine, a client or a check of the settings must not wait for torch.
    code = "import sys, bridge.service; sys.exit('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
