"""Parts of a batch on threads of their own, each on one core.

A rollout is some thousand small operations one after the other. Sharing each of them out among cores costs more than
most of them take; sharing out the windows costs nothing but the last wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def on_threads(work: Callable[[_Part], _Result], parts: Sequence[_Part], *, aside: bool = False) -> list[_Result]:
    """``work`` of every part, in order, side by side.

    A single part is worked on by the caller's own thread, and by as many as torch likes for each operation; with
    ``aside`` by a thread that computes alone, like those of several parts.
    """
    if len(parts) == 1 and not aside:
        return [work(parts[0])]
    return list(_pool(len(parts)).map(work, parts))


def _pool(size: int) -> ThreadPoolExecutor:
    """As many threads, each of them set to compute alone; made once."""
    with _lock:
        if size not in _pools:
            threads, everyone = torch.get_num_threads(), threading.Barrier(size)
            pool = ThreadPoolExecutor(size, thread_name_prefix="bridge-rollout")

            def settle(_: int) -> None:
                everyone.wait()
                # Asked first: a thread takes everyone's number the first time it needs one, unless it already has.
                torch.get_num_threads()
                torch.set_num_threads(1)
                everyone.wait()

            list(pool.map(settle, range(size)))
            # Torch sets it for the calling thread and for threads yet to come: these get their number back.
            torch.set_num_threads(threads)
            _pools[size] = pool
        return _pools[size]
