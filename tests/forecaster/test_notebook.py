"""What one types in a notebook: a window from frames, a forecast from the window, and what they say of themselves."""

from __future__ import annotations

import doctest
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import bridge.forecaster.forecaster as module
from bridge.errors import FailedPrecondition, InvalidInput
from bridge.frames import Frame
from tests.forecaster.builders import small_forecaster
from tests.support import TINY_LAYOUT

FORECASTER = small_forecaster()


def frames(count: int, joints: int = TINY_LAYOUT.joints) -> list[Frame]:
    body = np.zeros((joints, 4), np.float32)
    body[:, 3] = 1.0
    body[: TINY_LAYOUT.joints, :3] = TINY_LAYOUT.template[:joints]
    return [Frame("me", i, 1 + round(i * 1e6 / FORECASTER.rate_hz), body, None) for i in range(count)]


def test_examples_in_docstrings_hold() -> None:
    results = doctest.testmod(module)
    assert results.attempted >= 6
    assert results.failed == 0


def test_same_seed_same_window_same_forecast() -> None:
    window = FORECASTER.window(frames(40))
    first, again, other = (
        FORECASTER.forecast(window, horizon_ms=300, samples=8, futures=3, seed=seed, keep_samples=True)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.samples_m, again.samples_m)
    assert not np.array_equal(first.samples_m, other.samples_m)
    steps = round(0.3 * FORECASTER.rate_hz)
    assert first.futures_m.shape == (3, steps, TINY_LAYOUT.joints, 3)
    assert first.samples_m.shape[0] == 8
    assert repr(first).startswith(
        f"ForecastResult(3 futures of {steps} steps, {TINY_LAYOUT.joints} landmarks, 8 samples:"
    )


def test_samples_are_kept_only_if_asked_for() -> None:
    result = FORECASTER.forecast(FORECASTER.window(frames(40)), samples=4, futures=2)
    assert len(result.samples_m) == 0


def test_too_few_frames_make_no_window() -> None:
    with pytest.raises(FailedPrecondition, match="do not fill a window"):
        FORECASTER.window(frames(3))
    with pytest.raises(FailedPrecondition):
        FORECASTER.window([])


def test_frames_of_another_body_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"frame.landmarks: shape \(9, 4\)"):
        FORECASTER.window(frames(20, joints=9))


def test_frames_of_two_avatars_and_of_wrong_types_are_refused() -> None:
    mixed = [*frames(20), replace(frames(1)[0], avatar_id="you", timestamp_us=900_000)]
    with pytest.raises(InvalidInput, match=r"frame.avatar_id: is 'you' after frames of 'me'"):
        FORECASTER.window(mixed)
    for wrong, said in (
        ({"landmarks": [[0.0] * 4] * 7}, "frame.landmarks: is a list; expected a numpy array of float32"),
        ({"landmarks": np.array([["a"] * 4] * 7)}, "frame.landmarks: is an array of <U1"),
        ({"timestamp_us": 1.5}, "frame.timestamp_us: is 1.5; expected a whole number"),
        ({"sequence": True}, "frame.sequence: is True"),
        ({"root_m": (0, 0, 0)}, "frame.root_m: is a tuple"),
    ):
        changed: dict[str, Any] = wrong
        with pytest.raises(InvalidInput, match=said):
            FORECASTER.window([replace(frames(1)[0], **changed)])
    with pytest.raises(InvalidInput, match=r"frame: is a dict; expected a bridge.frames.Frame"):
        FORECASTER.window([{}])  # type: ignore[list-item]


def test_frames_in_place_of_a_window_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"window: is a list; expected a Window: Forecaster.window\(frames\)"):
        FORECASTER.forecast(frames(40))  # type: ignore[arg-type]


def test_a_result_says_whose_it_is_and_from_when() -> None:
    window = FORECASTER.window(frames(40))
    assert window.avatar_id == "me" and window.rate_hz == pytest.approx(FORECASTER.rate_hz)
    result = FORECASTER.forecast(window, samples=4, futures=2)
    assert (result.avatar_id, result.based_on_sequence, result.based_on_timestamp_us, result.step_us) == (
        *("me", 39, window.timestamp_us),
        round(1e6 / FORECASTER.rate_hz),
    )


def test_a_forecaster_says_what_it_is() -> None:
    assert repr(FORECASTER).startswith(f"Forecaster({FORECASTER.layout.id}, {FORECASTER.layout.joints} landmarks, ")
