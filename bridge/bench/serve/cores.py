"""Which cores the server and its clients have to themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pinning:
    """Cores of the server (its engine included) and of the clients; empty: wherever the system likes."""

    server: tuple[int, ...] = ()
    clients: tuple[int, ...] = ()


def choose_cores(available: set[int]) -> Pinning:
    """Give a quarter of the cores, at least one, to the clients and the rest to the server; nothing with one core."""
    cores = sorted(available)
    if len(cores) < 2:
        return Pinning()
    clients = max(1, len(cores) // 4)
    return Pinning(tuple(cores[:-clients]), tuple(cores[-clients:]))


def available_cores() -> set[int]:
    """Cores that this process may use; none where that cannot be chosen."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()


@contextmanager
def on_cores(cores: tuple[int, ...]) -> Iterator[None]:
    """Processes that are started inside run on these cores: a child inherits the cores of the thread that starts it."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
