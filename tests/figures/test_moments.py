from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from bridge.figures.bodies import LIGHT
from bridge.figures.moments import choose_moment, moment_of
from bridge.figures.observed import Observed
from bridge.figures.still import draw_moment
from tests.figures.builders import BASE_US, STEP_US, head_forecast, moving_frames
from tests.figures.pictures import has_colour
from tests.support import TINY_LAYOUT


def drawn(path: Path) -> np.ndarray:
    image: np.ndarray = imread(path)
    return image[..., :3]


@pytest.mark.parametrize("futures", [1, 5, 16])
def test_every_future_is_drawn_in_its_colour(futures: int, tmp_path: Path) -> None:
    observed = Observed(moving_frames(), TINY_LAYOUT, 0.1)
    moment = moment_of(head_forecast(20, [0.01 * k for k in range(futures)]), observed)
    path = tmp_path / "moment.png"
    draw_moment(moment, TINY_LAYOUT, title="title", caption="caption").savefig(path)
    image = drawn(path)
    for colour in LIGHT.futures[:futures]:
        assert has_colour(image, colour)
    assert has_colour(image, LIGHT.futures[4]) == (futures > 4)


def test_a_future_that_is_not_known_is_drawn_without_what_happened(tmp_path: Path) -> None:
    observed = Observed(moving_frames(25), TINY_LAYOUT, 0.1)
    moment = moment_of(head_forecast(20, [0.01, 0.02]), observed)
    assert moment.happened[-1] is None
    draw_moment(moment, TINY_LAYOUT, title="title", caption="caption").savefig(tmp_path / "moment.svg")
    assert "<svg" in (tmp_path / "moment.svg").read_text(encoding="utf-8")


def test_the_moment_with_most_movement_is_chosen_and_tracking_jumps_are_not() -> None:
    frames = moving_frames(150, speed_m_per_frame=0.0)
    moved = []
    for frame in frames:
        assert frame.landmarks is not None
        landmarks = frame.landmarks.copy()
        # Slow from frame 40 on, and one jump of everything but the hips by a metre at frame 110.
        landmarks[0, 0] += 0.02 * max(0, min(frame.sequence - 40, 20))
        if frame.sequence >= 110:
            landmarks[[0, 1, 2, 5, 6], 1] += 1.0
        moved.append(replace(frame, landmarks=landmarks))
    observed = {"a": Observed(moved, TINY_LAYOUT, 0.1)}
    forecasts = [head_forecast(row, [0.0]) for row in range(16, 120)]
    moment = choose_moment(forecasts, observed)
    assert moment is not None
    # Past (16 frames) and future (30 frames) of the chosen one hold the whole movement and not the jump.
    assert 30 <= moment.forecast.based_on_sequence <= 56
    assert moment.forecast.based_on_timestamp_us == BASE_US + moment.forecast.based_on_sequence * STEP_US


def test_a_moment_whose_future_is_known_goes_before_one_whose_future_is_not() -> None:
    observed = {"a": Observed(moving_frames(60), TINY_LAYOUT, 0.1)}
    chosen = choose_moment([head_forecast(row, [0.0]) for row in (50, 20, 40)], observed)
    assert chosen is not None and chosen.forecast.based_on_sequence == 20


def test_a_recording_too_short_to_know_everything_still_gives_a_picture(tmp_path: Path) -> None:
    observed = {"a": Observed(moving_frames(25), TINY_LAYOUT, 0.1)}
    moment = choose_moment([head_forecast(row, [0.0]) for row in (10, 12)], observed)
    assert moment is not None and None in moment.past
    draw_moment(moment, TINY_LAYOUT, title="title", caption="caption").savefig(tmp_path / "moment.png")
    assert (tmp_path / "moment.png").stat().st_size > 10_000
    assert choose_moment([], observed) is None
