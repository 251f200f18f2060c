from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.figures.observed import Observed, futures_at
from tests.figures.builders import BASE_US, STEP_US, head_forecast, moving_frames
from tests.support import TINY_LAYOUT


def test_a_short_gap_is_interpolated() -> None:
    frames = [replace(f, landmarks=None) if f.sequence in (12, 13) else f for f in moving_frames()]
    found = Observed(frames, TINY_LAYOUT, 0.1).at(BASE_US + 12 * STEP_US)
    assert found is not None
    assert found[0][0, 0] == pytest.approx(TINY_LAYOUT.template[0, 0] + 0.12, abs=1e-4)


def test_futures_start_from_the_observed_pose() -> None:
    forecast = head_forecast(0, [0.01])
    at_zero = futures_at(forecast, TINY_LAYOUT.template, 0.0)
    assert at_zero is not None
    np.testing.assert_allclose(at_zero[0], TINY_LAYOUT.template)
    assert futures_at(forecast, TINY_LAYOUT.template, 1000.0) is not None
    assert futures_at(forecast, TINY_LAYOUT.template, 1100.0) is None


def test_a_landmark_that_is_no_number_is_not_visible_and_hips_that_are_none_hide_the_frame() -> None:
    frames = moving_frames(4)
    for row, landmark in ((1, 0), (2, TINY_LAYOUT.hips[0])):
        landmarks = frames[row].landmarks
        assert landmarks is not None
        landmarks[landmark, 1] = np.nan
    observed = Observed(frames, TINY_LAYOUT, 0.1)
    first = observed.at(BASE_US + STEP_US)
    assert first is not None and not first[1][0] and first[1][1:].all()
    assert observed.timestamp_us.tolist() == [BASE_US, BASE_US + STEP_US, BASE_US + 3 * STEP_US]
