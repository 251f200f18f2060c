"""``python -m bridge.bench.serve.leash MODULE ...`` runs a module that has no end until its parent is gone.

The parent holds our standard input open; when that ends, so do we, by SIGTERM, as a server is asked to.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the module that is named first, with what follows as its arguments."""
    threading.Thread(target=_end_with_parent, name="bench-leash", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
