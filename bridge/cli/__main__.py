"""``python -m bridge.cli``: the same as ``pose-bridge``."""

from bridge.cli.app import main

if __name__ == "__main__":
    main()
