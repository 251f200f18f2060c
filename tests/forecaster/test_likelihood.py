"""The density of the newest block: exact, causal, of nobody else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bridge.errors import InvalidInput
from bridge.forecaster.forecaster import WindowBatch
from bridge.forecaster.likelihood import one_step
from bridge.geometry import canonicalise
from tests.forecaster.builders import moved_window, moving_window, small_forecaster

FORECASTER = small_forecaster()
WINDOWS = [moving_window(seed=seed) for seed in range(4)]


def test_the_density_is_that_of_a_change_of_variables() -> None:
    """log p(x) = log N(u) + log|det du/dx| for the newest block x, with the Jacobian found by autograd."""
    model, layout = FORECASTER.model, FORECASTER.layout
    window = WINDOWS[0]
    context = len(window.pose_m) - model.arch.block_frames
    assert window.root_m is not None
    canonical = canonicalise(window.pose_m[None], layout, root_m=window.root_m[None], context_frames=context)
    assert canonical.root is not None
    before = WindowBatch(
        canonical.pose[:, :context], window.observed[None, :context], canonical.root[:, :context], np.array([True])
    )
    with torch.no_grad():
        state = model.start(FORECASTER.context(before)).state
        poses = torch.from_numpy(canonical.pose[:, context - 1 :]).flatten(2)
        block = model.codec.encode_blocks(poses)[:, 0]

    def base_of(x: torch.Tensor) -> torch.Tensor:
        return model.flow.pull(x[None], model.flow.condition(state))[0][0]

    jacobian = torch.autograd.functional.jacobian(base_of, block[0])
    base = base_of(block[0]).detach()
    log_normal = float(-0.5 * (base**2).sum() - 0.5 * base.numel() * math.log(2 * math.pi))
    step = one_step(FORECASTER, [window])
    expected = log_normal + float(torch.linalg.slogdet(jacobian)[1])
    assert step.log_density[0] == pytest.approx(expected, rel=1e-4, abs=1e-2)
    assert step.base_square[0] == pytest.approx(float((base**2).sum()), rel=1e-3)


def test_a_batch_says_of_each_window_what_it_says_of_it_alone() -> None:
    together = one_step(FORECASTER, WINDOWS)
    for i, window in enumerate(WINDOWS):
        alone = one_step(FORECASTER, [window])
        np.testing.assert_allclose(together.log_density[i], alone.log_density[0], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(together.outside_m[i], alone.outside_m[0], atol=1e-6)


@pytest.mark.parametrize(("angle", "scale"), [(0.7, 1.0), (-2.5, 1.0), (0.0, 1.3)])
def test_heading_place_and_size_do_not_matter(angle: float, scale: float) -> None:
    moved = [moved_window(w, angle, scale, np.array([5.0, -1.0, 30.0])) for w in WINDOWS]
    here, there = one_step(FORECASTER, WINDOWS), one_step(FORECASTER, moved)
    np.testing.assert_allclose(here.log_density, there.log_density, rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(here.outside_m * scale, there.outside_m, rtol=1e-2, atol=1e-5)


def test_a_jump_is_less_likely_than_motion_that_goes_on() -> None:
    jumped = WINDOWS[0].pose_m.copy()
    jumped[-1, 0] += 0.5
    calm, wild = one_step(FORECASTER, [WINDOWS[0], replace(WINDOWS[0], pose_m=jumped)]).log_density
    assert wild < calm


def test_what_lies_outside_the_coordinates_is_measured_where_it_is() -> None:
    step = one_step(FORECASTER, WINDOWS)
    assert step.outside_m.shape == (4, FORECASTER.layout.joints)
    assert (step.outside_m >= 0).all()
    assert np.isfinite(step.log_density).all()


def test_a_window_that_is_too_short_is_refused() -> None:
    short = replace(WINDOWS[0], pose_m=WINDOWS[0].pose_m[-4:], observed=WINDOWS[0].observed[-4:])
    with pytest.raises(InvalidInput, match="rows"):
        one_step(FORECASTER, [short])
