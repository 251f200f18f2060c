"""Timing: whole calls, on any device, repeated for as long as there is time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: for the repeats of one row.
        least: repeats at least. most: repeats at most.
        ceiling_s: for one shape of matrix product, each of the two times that it is measured.
        loop_share: share of the frames (or samples) of the slow loop that is run, (0, 1]; its time is scaled up.
    """

    seconds: float
    least: int
    most: int
    ceiling_s: float
    loop_share: float


FULL = Effort(seconds=12.0, least=3, most=60, ceiling_s=0.2, loop_share=1.0)
QUICK = Effort(seconds=2.0, least=1, most=30, ceiling_s=0.04, loop_share=0.125)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def time_ms(call: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of one call, everything it started on the device included."""
    synchronize(device)
    began = time.perf_counter()
    call()
    synchronize(device)
    return 1e3 * (time.perf_counter() - began)


def repeat(measure: Callable[[], None], effort: Effort) -> int:
    """Call ``measure`` until the time or the number of repeats is used up; returns how often."""
    began = time.perf_counter()
    done = 0
    while done < effort.least or (done < effort.most and time.perf_counter() - began < effort.seconds):
        measure()
        done += 1
    return done


def median(values_ms: list[float]) -> float:
    """Median of a list that is not empty."""
    return float(np.median(values_ms))


def p95(values_ms: list[float]) -> float:
    """95th percentile by linear interpolation; of few values, close to the largest."""
    return float(np.percentile(values_ms, 95))
