"""The command line: ``pose-bridge``."""
