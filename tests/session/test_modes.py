from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.session.modes import ModeTracker

STEP_US = 100_000
RATE_HZ = 10.0


def futures(*slopes: float, start: float = 0.0) -> NDArray[np.float32]:
    """(K, 10, 1, 3): one landmark that leaves ``start`` along x with each of these speeds a step."""
    steps = np.arange(1, 11)
    made = np.zeros((len(slopes), 10, 1, 3), np.float32)
    for row, slope in enumerate(slopes):
        made[row, :, 0, 0] = start + slope * steps
    return made


def test_future_that_continues_an_earlier_one_keeps_its_id_whatever_its_rank() -> None:
    tracker = ModeTracker(RATE_HZ)
    assert tracker.ids_of(futures(1.0, -1.0), 1_000_000) == (0, 1)
    # one step later at x = 0: the same two ways lie one step's worth further on, in the other order
    later = np.concatenate([futures(-1.0, start=-1.0), futures(1.0, start=1.0)])
    assert tracker.ids_of(later, 1_000_000 + STEP_US) == (1, 0)


def test_future_that_continues_none_gets_an_id_never_used_before() -> None:
    tracker = ModeTracker(RATE_HZ)
    tracker.ids_of(futures(1.0, 1.2), 1_000_000)
    later = np.concatenate([futures(1.0, start=1.0), futures(-5.0)])
    assert tracker.ids_of(later, 1_000_000 + STEP_US) == (0, 2)


def test_nothing_continues_over_a_break_longer_than_the_horizon() -> None:
    tracker = ModeTracker(RATE_HZ)
    tracker.ids_of(futures(1.0, -1.0), 1_000_000)
    assert tracker.ids_of(futures(1.0, -1.0), 1_000_000 + 11 * STEP_US) == (2, 3)


def test_nothing_continues_when_the_sender_began_a_new_clock() -> None:
    tracker = ModeTracker(RATE_HZ)
    tracker.ids_of(futures(1.0, -1.0), 1_000_000)
    assert tracker.ids_of(futures(1.0, -1.0), 500) == (2, 3)
