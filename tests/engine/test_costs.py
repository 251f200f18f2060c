from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine import CostModel

SHAPE = (32, 30)


def true_s(windows: int, samples: int = 32, horizon_frames: int = 30) -> float:
    """An engine with a fixed cost a step and one a row, about as a CPU with the default weights."""
    return horizon_frames * (0.6e-3 + 5.5e-6 * windows * samples)


def measured(*sizes: int, padded: bool = False, times: int = 3, factor: float = 1.0) -> CostModel:
    costs = CostModel(padded=padded)
    for size in sizes:
        for _ in range(times):
            costs.observe(size, *SHAPE, factor * true_s(size))
    return costs


def test_costs_nothing_until_something_is_measured() -> None:
    costs = CostModel()
    assert costs.predict_s(64, *SHAPE) == 0.0
    assert costs.best_batch(0.05, 64, *SHAPE) == (64, 0.0)


def test_predicts_what_it_measured_and_what_lies_between_and_beyond() -> None:
    costs = measured(1, 4, 16)
    for windows in (1, 4, 16):
        assert costs.predict_s(windows, *SHAPE) == pytest.approx(true_s(windows))
    for windows in (2, 3, 6, 9, 12, 32, 64):
        assert costs.predict_s(windows, *SHAPE) == pytest.approx(true_s(windows), rel=0.05)


def test_one_measurement_is_enough_for_a_guess_at_other_sizes() -> None:
    costs = measured(16, times=1)
    assert true_s(1) < costs.predict_s(1, *SHAPE) < true_s(16)
    assert true_s(16) < costs.predict_s(64, *SHAPE) < 4 * true_s(16)


def test_fewer_samples_and_shorter_horizons_are_foreseen_before_they_are_measured() -> None:
    costs = measured(1, 4, 16)
    for windows, samples, horizon in ((4, 16, 30), (16, 8, 30), (8, 32, 15), (16, 16, 60)):
        assert costs.predict_s(windows, samples, horizon) == pytest.approx(true_s(windows, samples, horizon), rel=0.1)


def test_shape_that_is_dearer_than_its_rows_say_keeps_its_own_cost() -> None:
    costs = measured(1, 4, 16)
    for _ in range(3):
        costs.observe(4, 256, 30, 1.0)
    assert costs.predict_s(4, 256, 30) == pytest.approx(1.0)
    assert costs.predict_s(8, 256, 30) > 1.5
    assert costs.predict_s(4, *SHAPE) == pytest.approx(true_s(4))


def test_batches_of_any_size_teach_the_sizes_beside_them() -> None:
    costs = measured(1, 4, 16)
    for _ in range(60):
        costs.observe(11, *SHAPE, 2 * true_s(11))
    assert costs.predict_s(11, *SHAPE) == pytest.approx(2 * true_s(11), rel=0.1)


def test_machine_that_slows_down_makes_all_sizes_dearer() -> None:
    costs = measured(1, 4, 16)
    for _ in range(40):
        costs.observe(4, *SHAPE, 4 * true_s(4))
    assert costs.predict_s(4, *SHAPE) == pytest.approx(4 * true_s(4), rel=0.02)
    assert costs.predict_s(16, *SHAPE) > 1.5 * true_s(16)
    for _ in range(40):
        costs.observe(4, *SHAPE, true_s(4))
    assert costs.predict_s(16, *SHAPE) == pytest.approx(true_s(16), rel=0.05)


def test_a_stall_of_the_machine_moves_nothing() -> None:
    costs = measured(4)
    costs.observe(4, *SHAPE, 10.0)
    assert costs.predict_s(4, *SHAPE) == pytest.approx(true_s(4))
    costs.observe(4, *SHAPE, true_s(4))
    assert costs.predict_s(4, *SHAPE) == pytest.approx(true_s(4))


def test_lasting_change_is_learned_within_a_dozen_batches() -> None:
    costs = measured(4)
    for _ in range(12):
        costs.observe(4, *SHAPE, 3 * true_s(4))
    assert costs.predict_s(4, *SHAPE) == pytest.approx(3 * true_s(4), rel=0.1)


def test_warm_up_of_the_first_batch_is_forgotten_with_the_second() -> None:
    costs = CostModel()
    costs.observe(1, *SHAPE, 3.0)
    costs.observe(1, *SHAPE, true_s(1))
    assert costs.predict_s(1, *SHAPE) == pytest.approx(true_s(1))


def test_warm_up_of_a_new_size_counts_for_little() -> None:
    costs = measured(1, 4)
    costs.observe(16, *SHAPE, 5.0)
    assert costs.predict_s(16, *SHAPE) < 3 * true_s(16)
    assert costs.predict_s(4, *SHAPE) == pytest.approx(true_s(4))


def test_padded_batch_costs_as_much_as_the_next_power_of_two() -> None:
    costs = measured(1, 4, 16, padded=True)
    assert costs.predict_s(9, *SHAPE) == costs.predict_s(16, *SHAPE) == pytest.approx(true_s(16))
    for _ in range(30):
        costs.observe(9, *SHAPE, 2 * true_s(16))
    assert costs.predict_s(16, *SHAPE) == pytest.approx(2 * true_s(16), rel=0.05)


def test_most_windows_fit_the_time_and_one_always_runs() -> None:
    costs = measured(1, 2, 4, 8, 16)
    most = costs.most_windows(0.05, 64, *SHAPE)
    assert true_s(most) <= 0.0501 and true_s(most + 1) > 0.0499
    assert costs.most_windows(1e-9, 64, *SHAPE) == 1
    assert costs.most_windows(1e9, 64, *SHAPE) == 64
    windows, each_s = costs.best_batch(0.05, 64, *SHAPE)
    assert windows == most
    assert each_s == pytest.approx(true_s(most) / most, rel=0.02)


def test_relaxed_model_believes_half_and_the_next_measurement_at_once() -> None:
    costs = measured(4, factor=8.0)
    before_s = costs.predict_s(4, *SHAPE)
    costs.relax()
    assert costs.predict_s(4, *SHAPE) == pytest.approx(before_s / 2)
    costs.observe(4, *SHAPE, true_s(4))
    assert costs.predict_s(4, *SHAPE) == pytest.approx(true_s(4))


def test_remembers_a_bounded_number_of_shapes() -> None:
    costs = CostModel()
    for samples in range(2, 257):
        for horizon in (1, 30, 90):
            costs.observe(4, samples, horizon, 0.01)
            costs.predict_s(5, samples, horizon)
            costs.best_batch(0.05, 64, samples, horizon)
    assert len(costs._measured) <= 64 and len(costs._curves) <= 64 and len(costs._best) <= 64


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from([2, 8, 32, 256]), st.integers(1, 90), st.floats(0.0, 20.0)),
        max_size=30,
    ),
    st.booleans(),
)
def test_larger_batches_never_seem_cheaper(batches: list[tuple[int, int, int, float]], padded: bool) -> None:
    costs = CostModel(padded=padded)
    for windows, samples, horizon, seconds in batches:
        costs.observe(windows, samples, horizon, seconds)
    for samples, horizon in [(32, 30), *((samples, horizon) for _, samples, horizon, _ in batches[:3])]:
        predicted = [costs.predict_s(windows, samples, horizon) for windows in range(1, 300)]
        assert all(low <= high * (1 + 1e-9) for low, high in pairwise(predicted))
        assert all(seconds >= 0 for seconds in predicted)
        if batches:
            assert predicted[0] > 0
