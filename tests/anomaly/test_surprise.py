"""From scores to nats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.anomaly.scored import SCORE_NAMES
from bridge.anomaly.surprise import MOST_NATS, Nats, SpeedLine, SurpriseModel
from tests.anomaly.builders import normal_track


def model() -> SurpriseModel:
    tracks = [normal_track(seed) for seed in range(6)]
    return SurpriseModel.fit(np.concatenate([t.scores for t in tracks]), np.concatenate([t.log_speed for t in tracks]))


MODEL = model()


def test_nats_are_minus_the_logarithm_of_the_share_that_scores_as_high() -> None:
    values = np.random.default_rng(0).uniform(size=20_000)
    nats = Nats.fit(values)
    np.testing.assert_allclose(nats.apply(np.array([0.5, 0.9, 0.97])), -np.log([0.5, 0.1, 0.03]), atol=0.05)


def test_an_exponential_tail_goes_on_as_it_is() -> None:
    values = np.random.default_rng(0).exponential(2.0, 50_000)
    nats = Nats.fit(values)
    np.testing.assert_allclose(nats.apply(np.array([20.0, 60.0])), [10.0, 30.0], rtol=0.1)


@given(st.floats(-50.0, 50.0), st.floats(0.0, 20.0))
def test_a_higher_score_never_surprises_less(value: float, more: float) -> None:
    nats = MODEL.scores[3]
    low, high = nats.apply(np.array([value, value + more]))
    assert high >= low


def test_a_constant_score_surprises_nobody() -> None:
    nats = Nats.fit(np.full(100, 3.0))
    assert nats.apply(np.array([3.0]))[0] == 0.0
    assert nats.apply(np.array([3.1]))[0] > 5.0


def test_what_half_of_all_frames_score_surprises_as_much_as_half_do() -> None:
    nats = Nats.fit(np.concatenate([np.zeros(500), np.ones(500)]))
    np.testing.assert_allclose(nats.apply(np.array([0.0, 1.0])), [0.0, np.log(2.0)], atol=0.02)


def test_what_is_normal_for_fast_motion_is_learnt_and_its_spread_never_shrinks() -> None:
    rng = np.random.default_rng(1)
    speed = rng.normal(size=5000)
    rising = SpeedLine.fit(speed, 3.0 * speed + rng.normal(size=5000))
    assert rising.b == pytest.approx(3.0, abs=0.2)
    narrowing = SpeedLine.fit(speed, rng.normal(size=5000) * np.exp(-speed))
    assert narrowing.d == 0.0
    assert SpeedLine.fit(np.zeros(100), rng.normal(size=100)).b == 0.0


@given(
    st.lists(
        st.one_of(st.floats(-20.0, 20.0), st.just(float("nan"))), min_size=len(SCORE_NAMES), max_size=len(SCORE_NAMES)
    ),
    st.floats(-5, 3),
)
def test_one_frame_comes_to_the_same_as_many(scores: list[float], log_speed: float) -> None:
    many = MODEL.surprise(np.array([scores], np.float32), np.array([log_speed]))[0]
    largest = MODEL.largest_of_one(np.array(scores, np.float32).tolist(), log_speed)
    if largest is None:
        assert np.isnan(many)
    else:
        assert MODEL.whole_of_one(largest) == pytest.approx(many, rel=1e-6, abs=1e-6)


def test_no_single_score_counts_without_bound() -> None:
    scores = np.full((1, len(SCORE_NAMES)), 1e6)
    assert (MODEL.parts(scores, np.zeros(1)) == MOST_NATS).all()


def test_a_model_survives_being_stored() -> None:
    track = normal_track(99)
    again = SurpriseModel.from_arrays(MODEL.to_arrays())
    np.testing.assert_array_equal(
        MODEL.surprise(track.scores, track.log_speed), again.surprise(track.scores, track.log_speed)
    )
    damaged = MODEL.to_arrays()
    del damaged["grid_0"]
    with pytest.raises(KeyError):
        SurpriseModel.from_arrays(damaged)
