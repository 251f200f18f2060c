from __future__ import annotations

import threading

import pytest
import torch

from bridge.forecaster.workers import on_threads


def test_results_come_in_the_order_of_the_parts() -> None:
    assert on_threads(lambda part: part * 10, [3, 1, 2]) == [30, 10, 20]


def test_a_single_part_stays_on_the_callers_thread() -> None:
    assert on_threads(lambda _: threading.get_ident(), [0]) == [threading.get_ident()]


def test_a_small_part_can_be_put_aside_to_a_thread_that_computes_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ((thread, alone),) = on_threads(lambda _: (threading.get_ident(), torch.get_num_threads()), [0], aside=True)
        assert thread != threading.get_ident()
        assert alone == 1 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_every_part_computes_alone_and_the_callers_thread_count_stays() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        # Two parts that wait for each other: they do run side by side.
        meeting = threading.Barrier(2, timeout=30)

        def threads(_: int) -> tuple[int, int]:
            meeting.wait()
            return threading.get_ident(), torch.get_num_threads()

        (first, alone), (second, also_alone) = on_threads(threads, [0, 1])
        assert len({first, second, threading.get_ident()}) == 3
        assert alone == also_alone == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_goes_wrong_in_a_part_reaches_the_caller() -> None:
    def fail(part: int) -> None:
        if part == 1:
            raise ValueError("part 1")

    with pytest.raises(ValueError, match="part 1"):
        on_threads(fail, [0, 1])
