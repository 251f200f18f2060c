"""Forecasts in the sender's world: what is turned, scaled or shifted there is so in the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bridge.errors import InvalidInput
from bridge.forecaster import ForecastJob, ForecastResult, Refinement, run_jobs
from bridge.forecaster.jobs import canonical_batch
from bridge.frames import Window
from bridge.geometry import hip_middle
from tests.forecaster.builders import SMALL, moved_window, moving_window, small_forecaster, turned
from tests.support import TINY_LAYOUT

FORECASTER = small_forecaster()


def _job(window: Window, *, horizon_frames: int = 6, samples: int = 8, futures: int = 3, seed: int = 1) -> ForecastJob:
    return ForecastJob(window, horizon_frames, samples, futures, seed)


def _run(window: Window, **settings: int) -> ForecastResult:
    (result,) = run_jobs(FORECASTER, [_job(window, **settings)])
    return result


def test_shapes_and_probabilities() -> None:
    result = _run(moving_window())
    assert result.futures_m.shape == (3, 6, 7, 3) and result.futures_m.dtype == np.float32
    assert result.samples_m.shape == (8, 6, 7, 3)
    assert result.spread_m.shape == (6, 7)
    assert result.roots_m is not None and result.roots_m.shape == (3, 6, 3) and result.roots_m.dtype == np.float64
    assert result.probabilities.sum() == pytest.approx(1.0) and (np.diff(result.probabilities) <= 0).all()
    assert result.acceptance_rate is None or 0 <= result.acceptance_rate <= 1


@pytest.mark.parametrize("angle_rad", [0.0, 0.9, np.pi, -2.5])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_turning_scaling_and_shifting_the_world_turns_scales_and_shifts_the_futures(
    angle_rad: float, scale: float
) -> None:
    window, shift_m = moving_window(), np.array([120.0, -3.0, 45.0])
    here, there = _run(window), _run(moved_window(window, angle_rad, scale, shift_m))
    np.testing.assert_allclose(there.samples_m, turned(here.samples_m, angle_rad, scale), atol=2e-4)
    np.testing.assert_allclose(there.futures_m, turned(here.futures_m, angle_rad, scale), atol=2e-4)
    np.testing.assert_allclose(there.spread_m, scale * here.spread_m, atol=2e-4)
    np.testing.assert_allclose(there.probabilities, here.probabilities)
    assert here.roots_m is not None and there.roots_m is not None
    np.testing.assert_allclose(there.roots_m, turned(here.roots_m, angle_rad, scale) + shift_m, atol=5e-4)


def test_futures_go_on_where_the_body_stands() -> None:
    window = moving_window()
    result = _run(window, samples=16)
    step = np.linalg.norm(result.samples_m[:, 0] - window.pose_m[-1], axis=-1).mean()
    far = np.linalg.norm(turned(window.pose_m[-1], 1.0) - window.pose_m[-1], axis=-1).mean()
    assert step < 0.5 * far
    assert window.root_m is not None and result.roots_m is not None
    assert float(np.abs(result.roots_m[:, 0] - window.root_m[-1]).max()) < 1.0


def test_roots_come_back_only_where_they_were_given() -> None:
    with_root, without = moving_window(seed=1), moving_window(seed=2, with_root=False)
    results = run_jobs(FORECASTER, [_job(without), _job(with_root), _job(without)])
    assert [r.roots_m is None for r in results] == [True, False, True]


def test_a_forecast_does_not_depend_on_how_far_away_the_world_begins() -> None:
    near = moving_window()
    assert near.root_m is not None
    offset = np.array([20_000.0, 0.0, -50_000.0], np.float32)
    far = _run(replace(near, root_m=(near.root_m - near.root_m[-1]).astype(np.float32) + offset))
    there = _run(replace(near, root_m=near.root_m - near.root_m[-1]))
    assert far.roots_m is not None and there.roots_m is not None
    # A position 50 km out is itself rounded to 4 mm in float32.
    np.testing.assert_allclose(far.roots_m - offset, there.roots_m, atol=0.05)


def test_landmarks_never_seen_in_the_window_are_reported() -> None:
    window = moving_window()
    observed = window.observed.copy()
    observed[:, [0, 5]] = False
    observed[:-1, 6] = False  # seen once
    bridged = window.bridged.copy()
    bridged[2:5] = True
    result = _run(replace(window, observed=observed, bridged=bridged))
    assert result.unobserved_landmarks == (0, 5)
    assert all(type(index) is int for index in result.unobserved_landmarks)
    assert result.bridged_share == pytest.approx(3 / SMALL.context_frames)
    assert _run(window).unobserved_landmarks == () and _run(window).bridged_share == 0.0


def test_jobs_of_different_horizons_samples_and_futures_keep_their_order_and_answers() -> None:
    settings = [(6, 8, 3), (4, 8, 2), (6, 5, 5), (6, 8, 1), (4, 8, 2), (9, 3, 1)]
    jobs = [
        ForecastJob(moving_window(seed=i, with_root=i % 2 == 0), horizon, samples, futures, seed=100 + i)
        for i, (horizon, samples, futures) in enumerate(settings)
    ]
    together = run_jobs(FORECASTER, jobs)
    assert len(together) == len(jobs)
    for job, result in zip(jobs, together, strict=True):
        assert result.futures_m.shape[:2] == (job.futures, job.horizon_frames)
        assert result.samples_m.shape[0] == job.samples
        (alone,) = run_jobs(FORECASTER, [job])
        np.testing.assert_allclose(result.samples_m, alone.samples_m, atol=2e-5)
        np.testing.assert_allclose(result.futures_m, alone.futures_m, atol=2e-5)
        np.testing.assert_allclose(result.probabilities, alone.probabilities)
        assert (result.roots_m is None) == (job.window.root_m is None)


def test_no_jobs_no_results() -> None:
    assert run_jobs(FORECASTER, []) == []


def test_futures_are_samples_and_spread_is_their_deviation() -> None:
    result = _run(moving_window(), samples=8, futures=8)
    assert {f.tobytes() for f in result.futures_m} == {s.tobytes() for s in result.samples_m}
    deviation = result.samples_m - result.samples_m.mean(axis=0)
    np.testing.assert_allclose(result.spread_m, np.sqrt((deviation**2).sum(axis=-1).mean(axis=0)), rtol=1e-4)


def test_another_refinement_gives_other_futures_and_reports_its_acceptance_when_asked() -> None:
    jobs = [_job(moving_window())]
    refinement = Refinement("metropolis", 2, 0.5)
    (default,), (other,) = (
        run_jobs(FORECASTER, jobs),
        run_jobs(FORECASTER, jobs, refinement=refinement, diagnostics=True),
    )
    assert not np.array_equal(default.samples_m, other.samples_m)
    assert other.acceptance_rate is not None and 0.0 < other.acceptance_rate < 1.0


def test_more_futures_than_samples_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 4") as caught:
        _run(moving_window(), samples=4, futures=5)
    assert caught.value.field == "futures"


def test_windows_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"{SMALL.context_frames}") as caught:
        _run(moving_window(frames=SMALL.context_frames - 3))
    assert caught.value.field == "batch.pose"


def test_known_heading_carries_over_a_body_that_tells_none() -> None:
    """Someone lying on the side, hips and shoulders steep: only the heading known from before says where front is."""
    upright = moving_window()
    still = 0.45 * np.repeat(TINY_LAYOUT.template[None], SMALL.context_frames, axis=0)
    lying = still[..., [1, 0, 2]] * np.array([-1, 1, 1], np.float32)
    for heading in (0.3, -1.2):
        window = replace(upright, pose_m=lying, root_m=None, initial_heading_rad=heading)
        batch, frame = canonical_batch([window], TINY_LAYOUT)
        assert float(frame.heading_rad[0]) == pytest.approx(heading, abs=0.2)
        np.testing.assert_allclose(frame.pose_to_world(batch.pose)[0], lying, atol=1e-5)


def test_canonical_windows_are_hip_centred_of_unit_size_and_face_one_way() -> None:
    windows = [moving_window(seed=s, with_root=s != 1) for s in range(3)]
    windows[2] = moved_window(windows[2], 2.0, 1.7, np.zeros(3))
    batch, frame = canonical_batch(windows, TINY_LAYOUT)
    np.testing.assert_allclose(hip_middle(batch.pose, TINY_LAYOUT), 0.0, atol=1e-5)
    left, right = TINY_LAYOUT.hips
    axis = batch.pose[:, -1, left] - batch.pose[:, -1, right]
    assert (axis[:, 0] > 0).all()
    np.testing.assert_allclose(axis[:, 2], 0.0, atol=1e-5)
    assert batch.has_root.tolist() == [True, False, True]
    np.testing.assert_allclose(batch.root[:, -1], 0.0, atol=1e-5)
    ends = np.asarray(TINY_LAYOUT.scale_bones)
    lengths = np.linalg.norm(batch.pose[:, :, ends[:, 1]] - batch.pose[:, :, ends[:, 0]], axis=-1)
    np.testing.assert_allclose(lengths.mean(axis=(1, 2)), 1.0, rtol=1e-3)
    assert frame.heading_rad.shape == (3,)
