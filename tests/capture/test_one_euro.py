from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.capture import OneEuroFilter
from bridge.errors import InvalidInput

CUTOFFS_HZ = st.floats(0.1, 10.0)
BETAS = st.floats(0.0, 100.0)
RATES_HZ = st.floats(15.0, 120.0)


@settings(max_examples=50)
@given(st.floats(-3.0, 3.0), CUTOFFS_HZ, BETAS, RATES_HZ)
def test_what_does_not_move_is_unchanged(value: float, cutoff_hz: float, beta: float, rate_hz: float) -> None:
    smooth = OneEuroFilter(cutoff_hz, beta)
    for row in range(50):
        result = smooth(np.full((33, 3), value), round(row * 1e6 / rate_hz))
        np.testing.assert_array_equal(result, value)


@settings(max_examples=30)
@given(st.floats(0.01, 5.0), st.floats(0.5, 10.0), st.floats(0.0, 100.0), RATES_HZ)
def test_a_steady_movement_is_followed_with_the_lag_that_the_settings_say(
    speed_m_s: float, cutoff_hz: float, beta: float, rate_hz: float
) -> None:
    smooth = OneEuroFilter(cutoff_hz, beta)
    lags_m = []
    for row in range(round(5 * rate_hz)):
        at_us = round(row * 1e6 / rate_hz)
        position_m = speed_m_s * at_us * 1e-6
        lags_m.append(position_m - float(smooth(np.array([position_m]), at_us)[0]))
    expected_m = speed_m_s / (2 * np.pi * (cutoff_hz + beta * speed_m_s))
    assert lags_m[-1] == pytest.approx(expected_m, rel=0.02, abs=1e-5)
    assert lags_m[-1] < smooth.max_lag_m
    assert min(lags_m) >= -1e-9


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_noise_at_rest_becomes_less_and_no_value_leaves_the_range_of_what_came(seed: int) -> None:
    noisy = 1.0 + 0.005 * np.random.default_rng(seed).standard_normal((200, 3))
    smooth = OneEuroFilter()
    calm = np.array([smooth(row, round(index * 1e6 / 30)) for index, row in enumerate(noisy)])
    assert calm[50:].std() < 0.7 * noisy[50:].std()
    assert noisy.min() <= calm.min() and calm.max() <= noisy.max()


def test_after_a_gap_and_for_what_was_not_seen_it_starts_anew() -> None:
    smooth = OneEuroFilter()
    smooth(np.array([0.0, 0.0]), 0)
    first = smooth(np.array([1.0, np.nan]), 33_333)
    assert 0 < first[0] < 1 and np.isnan(first[1])
    second = smooth(np.array([np.nan, 1.0]), 66_667)
    assert np.isnan(second[0]) and 0 < second[1] < 1  # a gap of two frames is bridged
    np.testing.assert_array_equal(smooth(np.array([5.0, 5.0]), 400_000), 5.0)


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (-1.0, 1.0), (1.0, -0.1), (float("nan"), 1.0), (1.0, float("nan"))])
def test_settings_that_do_not_filter_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        OneEuroFilter(*wrong)
