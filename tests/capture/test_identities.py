from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.capture import Identities
from tests.capture.support import person

STEP_US = 33_333


@given(st.integers(0, 10_000))
def test_people_keep_their_number_in_whatever_order_they_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    identities = Identities(3)
    places = np.array([0.2, 0.5, 0.8])
    expected: dict[int, int] = {}
    for row in range(40):
        places += rng.uniform(-0.01, 0.01, 3)
        order = rng.permutation(3)[: rng.integers(1, 4)].tolist()
        numbers = identities.assign([person(places[who]) for who in order], row * STEP_US)
        assert len(set(numbers)) == len(numbers)
        for who, number in zip(order, numbers, strict=True):
            assert expected.setdefault(who, number) == number


def test_who_comes_back_has_the_old_number_and_somebody_new_takes_that_of_whoever_is_longest_gone() -> None:
    identities = Identities(2)
    assert identities.assign([person(0.2), person(0.8)], 0) == [0, 1]
    assert identities.assign([person(0.8)], STEP_US) == [1]
    assert identities.assign([person(0.8), person(0.22)], 10 * STEP_US) == [1, 0]
    # Both are in the picture for the last time; only number 1 stays a little longer, then somebody is elsewhere.
    assert identities.assign([person(0.8)], 11 * STEP_US) == [1]
    assert identities.assign([person(0.5, -3.0)], 12 * STEP_US) == [0]


def test_a_single_number_is_for_everyone_and_more_people_than_numbers_are_left_out() -> None:
    identities = Identities(1)
    assert identities.assign([], 0) == []
    assert identities.assign([person(0.1)], STEP_US) == [0]
    assert identities.assign([person(0.9), person(0.1)], 2 * STEP_US) == [0]
