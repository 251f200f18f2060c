"""Canned answers: shaped like real ones, plausible, and always the same."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.engine.null import NullEngine
from bridge.forecaster.results import ForecastResult
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from tests.engine.bodies import moving_snapshot, request_for
from tests.support import TINY_LAYOUT


def answer(engine: NullEngine, *, root: bool = False, samples: int = 6, futures: int = 4) -> ForecastResult:
    snapshot = moving_snapshot(layout=engine.info.layout, root=root)
    request = request_for(snapshot, horizon_frames=7, samples=samples, futures=futures)
    (result,) = engine.infer([request], 0.0)
    assert isinstance(result, ForecastResult)
    return result


@pytest.mark.parametrize("layout", [MEDIAPIPE_POSE_33, TINY_LAYOUT], ids=lambda layout: layout.id)
def test_answers_have_the_shapes_that_were_asked_for(layout: Layout) -> None:
    result = answer(NullEngine(layout), root=True)
    assert result.samples_m.shape == (6, 7, layout.joints, 3)
    assert result.futures_m.shape == (4, 7, layout.joints, 3)
    assert result.probabilities.shape == (4,)
    assert result.spread_m.shape == (7, layout.joints)
    assert result.roots_m is not None
    assert result.roots_m.shape == (4, 7, 3)
    assert result.samples_m.dtype == result.futures_m.dtype == result.spread_m.dtype == np.float32
    assert result.probabilities.dtype == np.float32
    assert result.roots_m.dtype == np.float64


def test_probabilities_fall_and_add_up() -> None:
    probabilities = answer(NullEngine()).probabilities
    assert probabilities.sum() == pytest.approx(1.0)
    assert (np.diff(probabilities) < 0).all()


def test_the_body_is_of_human_size_and_keeps_its_hips_at_the_origin() -> None:
    samples_m = answer(NullEngine(), samples=32).samples_m
    height_m = np.ptp(samples_m[..., 1], axis=-1)
    assert (height_m > 1.5).all()
    assert (height_m < 1.9).all()
    left, right = MEDIAPIPE_POSE_33.hips
    np.testing.assert_allclose((samples_m[:, :, left] + samples_m[:, :, right]) / 2, 0.0, atol=0.01)


def test_futures_are_different_samples() -> None:
    result = answer(NullEngine())
    for i, future in enumerate(result.futures_m):
        assert any(np.array_equal(future, sample) for sample in result.samples_m)
        assert not any(np.array_equal(future, other) for other in result.futures_m[:i])


def test_root_stays_where_the_newest_frame_has_it_and_is_absent_without_one() -> None:
    engine = NullEngine()
    snapshot = moving_snapshot(layout=MEDIAPIPE_POSE_33, root=True)
    (result,) = engine.infer([request_for(snapshot)], 0.0)
    assert isinstance(result, ForecastResult)
    assert result.roots_m is not None
    window = snapshot.window()
    assert window.root_m is not None
    np.testing.assert_allclose(result.roots_m, np.broadcast_to(window.root_m[-1], result.roots_m.shape), atol=1e-5)
    assert answer(engine, root=False).roots_m is None


def test_equal_requests_share_arrays_that_nobody_can_change() -> None:
    engine = NullEngine()
    assert answer(engine) is answer(engine)
    with pytest.raises(ValueError, match="read-only"):
        answer(engine).futures_m[0] = 0.0


def test_memory_is_bounded_however_many_shapes_are_asked_for() -> None:
    engine = NullEngine(TINY_LAYOUT)
    first = answer(engine, samples=4)
    for samples in range(5, 40):
        answer(engine, samples=samples)
    assert answer(engine, samples=39) is answer(engine, samples=39)
    assert answer(engine, samples=4) is not first
