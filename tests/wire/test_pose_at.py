"""The pose of a future at any time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.client.helpers import forecast
from tests.support import TINY_LAYOUT

BASE_US, STEP_US, STEPS = 1_000_000, 33_333, 3
TOLD = replace(
    forecast(BASE_US),
    futures_m=np.stack(
        [np.broadcast_to(float(step + 10 * future), (TINY_LAYOUT.joints, 3)) for future in (0, 1) for step in (1, 2, 3)]
    )
    .reshape(2, STEPS, TINY_LAYOUT.joints, 3)
    .astype(np.float32),
)


@pytest.mark.parametrize("step", [0.0, 0.5, 1.0, 1.5, 2.25, 3.0])
def test_poses_between_steps_are_interpolated(step: float) -> None:
    time_us = BASE_US + round(step * STEP_US)
    first_m, second_m = (TOLD.pose_at(time_us, future=future) for future in (0, 1))
    assert first_m is not None and first_m.shape == (TINY_LAYOUT.joints, 3)
    assert first_m == pytest.approx(step, abs=1e-4)
    assert second_m == pytest.approx(step + 10, abs=1e-4)
    # The forecast as a whole expects their mean: they have 3/4 and 1/4 of the probability.
    assert TOLD.pose_at(time_us) == pytest.approx(step + 2.5, abs=1e-4)


@pytest.mark.parametrize("timestamp_us", [BASE_US - 1, BASE_US + STEPS * STEP_US + 10])
def test_there_is_no_pose_where_the_forecast_does_not_reach(timestamp_us: int) -> None:
    assert TOLD.pose_at(timestamp_us) is None
