from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.engine import Batcher, CostModel, EngineRequest
from bridge.errors import ResourceExhausted
from tests.engine.doubles import request


def names(requests: list[EngineRequest]) -> list[str]:
    return [request.key.avatar_id for request in requests]


def test_nothing_waits_at_first() -> None:
    batcher = Batcher()
    assert batcher.wait_s(0.0) is None
    assert batcher.take(0.0).run == []


def test_batch_closes_when_the_oldest_has_waited_long_enough() -> None:
    batcher = Batcher(max_wait_ms=2.0)
    batcher.offer(request("a"), now_s=10.0)
    batcher.offer(request("b"), now_s=10.001)
    assert batcher.wait_s(10.001) == pytest.approx(0.001)
    assert batcher.wait_s(10.5) == 0.0
    assert sorted(names(batcher.take(10.5).run)) == ["a", "b"]
    assert batcher.wait_s(10.5) is None


def test_full_batch_closes_at_once() -> None:
    batcher = Batcher(max_batch_windows=2, max_wait_ms=1000.0)
    batcher.offer(request("a"), now_s=0.0)
    assert batcher.wait_s(0.0) == 1.0
    batcher.offer(request("b"), now_s=0.0)
    assert batcher.wait_s(0.0) == 0.0


def test_batch_takes_no_more_windows_than_allowed_and_keeps_the_rest() -> None:
    batcher = Batcher(max_batch_windows=2)
    for name in "abc":
        batcher.offer(request(name), now_s=0.0)
    assert len(batcher.take(1.0).run) == 2
    assert len(batcher) == 1


def test_newest_request_of_an_avatar_replaces_its_older_one() -> None:
    batcher = Batcher()
    older, newer = request("a", value_m=1.0), request("a", value_m=2.0)
    assert batcher.offer(older, now_s=0.0) is None
    assert batcher.offer(newer, now_s=0.1) is older
    assert batcher.take(1.0).run == [newer]


def test_same_avatar_name_in_two_sessions_is_two_avatars() -> None:
    batcher = Batcher()
    batcher.offer(request("player1", session_id="s1"), now_s=0.0)
    batcher.offer(request("player1", session_id="s2"), now_s=0.0)
    assert len(batcher.take(1.0).run) == 2


def test_earliest_deadline_goes_first() -> None:
    batcher = Batcher(max_batch_windows=2)
    for name, deadline_s in (("late", 9.0), ("early", 5.0), ("middle", 7.0)):
        batcher.offer(request(name, deadline_s=deadline_s), now_s=0.0)
    assert names(batcher.take(1.0).run) == ["early", "middle"]


def test_expired_request_is_dropped_before_it_runs() -> None:
    batcher = Batcher()
    batcher.offer(request("gone", deadline_s=1.0), now_s=0.0)
    batcher.offer(request("in time", deadline_s=3.0), now_s=0.0)
    batch = batcher.take(2.0)
    assert names(batch.run) == ["in time"]
    assert names(batch.expired) == ["gone"]


def test_avatar_that_replaces_its_request_again_and_again_is_served_in_its_turn() -> None:
    # Under overload every avatar's request is replaced before it runs; each must still get its turn.
    batcher = Batcher(max_batch_windows=1)
    served = []
    for tick in range(40):
        for order, name in enumerate("abcd"):
            now_s = tick + order * 0.01
            batcher.offer(request(name, deadline_s=now_s + 100), now_s=now_s)
        served += names(batcher.take(tick + 0.5).run)
    assert {name: served.count(name) for name in "abcd"} == {"a": 10, "b": 10, "c": 10, "d": 10}


def test_full_queue_refuses_new_avatars_but_not_newer_frames() -> None:
    batcher = Batcher(max_pending=1)
    older = request("a")
    batcher.offer(older, now_s=0.0)
    with pytest.raises(ResourceExhausted):
        batcher.offer(request("b"), now_s=0.0)
    assert batcher.offer(request("a"), now_s=0.0) is older


def test_discard_removes_one_session_only() -> None:
    batcher = Batcher()
    batcher.offer(request("a", session_id="s1"), now_s=0.0)
    batcher.offer(request("b", session_id="s2"), now_s=0.0)
    assert names(batcher.discard("s1")) == ["a"]
    assert names(batcher.clear()) == ["b"]
    assert len(batcher) == 0


def test_refresh_replaces_what_waits_and_nothing_else() -> None:
    batcher = Batcher()
    older, newer = request("a", deadline_s=5.0), request("a", deadline_s=6.0)
    assert batcher.refresh(request("a")) is None
    assert len(batcher) == 0
    batcher.offer(older, now_s=0.0)
    assert batcher.refresh(request("b")) is None
    assert batcher.refresh(newer) is older
    assert batcher.take(1.0).run == [newer]


# -- costs: an engine of 20 ms a batch and 5 ms a window


def costs(*, each_s: float = 0.005, fixed_s: float = 0.02, padded: bool = False, samples: int = 4) -> CostModel:
    model = CostModel(padded=padded)
    for windows in (1, 2, 4, 8, 16, 32, 64):
        for _ in range(3):
            model.observe(windows, samples, 3, fixed_s + each_s * windows)
    return model


def test_no_more_run_together_than_the_time_of_a_batch_allows() -> None:
    batcher = Batcher(costs(), max_batch_ms=60.0)
    for index in range(20):
        batcher.offer(request(str(index), deadline_s=10.0 + index), now_s=0.0)
    assert batcher.wait_s(0.0) == 0.0
    batch = batcher.take(0.0)
    assert names(batch.run) == [str(index) for index in range(8)]
    assert batch.predicted_s == pytest.approx(0.06)


def test_one_window_runs_even_if_it_takes_longer_than_a_batch_may() -> None:
    batcher = Batcher(costs(fixed_s=1.0), max_batch_ms=60.0)
    batcher.offer(request("a", deadline_s=10.0), now_s=0.0)
    batcher.offer(request("b", deadline_s=10.0), now_s=0.0)
    assert len(batcher.take(0.0).run) == 1


def test_batch_closes_before_the_nearest_deadline_comes_too_near() -> None:
    batcher = Batcher(costs(), max_wait_ms=1000.0)
    alone_s = batcher.costs.predict_s(1, 4, 3)
    batcher.offer(request("a", deadline_s=alone_s + 0.005), now_s=0.0)
    wait_s = batcher.wait_s(0.0)
    assert wait_s is not None and 0.003 < wait_s < 0.005
    assert names(batcher.take(wait_s).run) == ["a"]


def test_request_waits_for_company_only_as_long_as_that_is_cheap() -> None:
    batcher = Batcher(costs(), max_wait_ms=1000.0)
    alone_s = batcher.costs.predict_s(1, 4, 3)
    batcher.offer(request("a", deadline_s=9.0), now_s=0.0)
    assert batcher.wait_s(0.0) == pytest.approx(alone_s / 4)
    assert batcher.wait_s(alone_s / 4) == 0.0


def test_batch_is_no_larger_than_the_nearest_deadline_allows() -> None:
    batcher = Batcher(costs(), max_batch_ms=1000.0)
    for name, deadline_s in (("a", 9.0), ("b", 9.0), ("near", 0.032), ("c", 9.0)):
        batcher.offer(request(name, deadline_s=deadline_s), now_s=0.0)
    assert names(batcher.take(0.0).run) == ["near", "a"]
    assert names(batcher.take(0.03).run) == ["b", "c"]


def test_near_deadline_does_not_make_batches_small_while_more_waits_than_fits() -> None:
    batcher = Batcher(costs(), max_batch_ms=100.0)  # 16 windows
    batcher.offer(request("near", deadline_s=0.031), now_s=0.0)
    for index in range(40):
        batcher.offer(request(str(index), deadline_s=9.0), now_s=0.0)
    assert len(batcher.take(0.0).run) == 15
    assert names(batcher.take(0.1).expired) == ["near"]


def test_work_that_cannot_be_ready_in_time_does_not_run() -> None:
    batcher = Batcher(costs())
    batcher.offer(request("late", deadline_s=0.1), now_s=0.0)
    batcher.offer(request("fine", deadline_s=0.2), now_s=0.0)
    batch = batcher.take(0.09)
    assert names(batch.expired) == ["late"]
    assert names(batch.run) == ["fine"]


def test_batch_holds_one_shape_and_the_other_comes_next() -> None:
    batcher = Batcher()
    for index in range(4):
        batcher.offer(request(str(index), deadline_s=5.0 + index, samples=(8, 4)[index % 2]), now_s=0.0)
    assert names(batcher.take(1.0).run) == ["0", "2"]
    assert names(batcher.take(1.0).run) == ["1", "3"]


@pytest.mark.parametrize(("waiting", "run"), [(8, 8), (9, 8), (15, 15), (3, 3)])
def test_padded_batch_is_cut_where_that_serves_more_windows_a_second(waiting: int, run: int) -> None:
    batcher = Batcher(costs(padded=True), max_batch_ms=1000.0)
    for index in range(waiting):
        batcher.offer(request(str(index), deadline_s=10.0), now_s=0.0)
    assert len(batcher.take(0.0).run) == run


# -- admission


def test_what_cannot_be_ready_in_time_is_refused_with_a_time_to_try_again() -> None:
    batcher = Batcher(costs())
    with pytest.raises(ResourceExhausted) as refused:
        batcher.offer(request("a", deadline_s=0.2), now_s=0.0, busy_until_s=[0.25])
    assert 75 <= refused.value.retry_after_ms <= 500
    assert len(batcher) == 0
    batcher.offer(request("a", deadline_s=0.3), now_s=0.0, busy_until_s=[0.25])


def test_work_ahead_counts_and_a_second_engine_halves_it() -> None:
    def admitted(engines: int) -> int:
        batcher = Batcher(costs())
        for index in range(300):
            try:
                batcher.offer(request(str(index), deadline_s=0.5), now_s=0.0, busy_until_s=[0.0] * engines)
            except ResourceExhausted:
                return index
        raise AssertionError("everything was let in")

    assert 45 <= admitted(1) <= 60
    assert admitted(2) == pytest.approx(2 * admitted(1), abs=2)


def test_newer_frame_of_a_waiting_avatar_is_never_refused() -> None:
    batcher = Batcher(costs())
    batcher.offer(request("a", deadline_s=0.1), now_s=0.0)
    assert batcher.offer(request("a", deadline_s=0.11), now_s=0.05, busy_until_s=[9.0]) is not None


def test_queue_of_one_session_is_not_ahead_of_another_session() -> None:
    batcher = Batcher(costs())
    for index in range(500):
        try:
            batcher.offer(request(str(index), session_id="many", deadline_s=0.5), now_s=0.0)
        except ResourceExhausted:
            break
    for name in "ab":
        batcher.offer(request(name, session_id="few", deadline_s=0.1), now_s=0.0)
    with pytest.raises(ResourceExhausted):
        batcher.offer(request("one more", session_id="many", deadline_s=0.5), now_s=0.0)


def test_wrong_costs_do_not_lock_an_idle_engine_out_for_good() -> None:
    # Measured while the machine stood still: nothing would ever be admitted, so nothing would ever be measured.
    batcher = Batcher(costs(fixed_s=5.0))
    admitted_s = None
    for tick in range(200):
        now_s = tick / 30
        try:
            batcher.offer(request("a", deadline_s=now_s + 0.2), now_s)
        except ResourceExhausted:
            continue
        admitted_s = now_s
        break
    assert admitted_s is not None and admitted_s < 2.0


# -- between sessions


@pytest.mark.parametrize("batch", [1, 2, 8, 64])
def test_session_with_few_avatars_is_in_the_next_batch_however_many_another_has(batch: int) -> None:
    batcher = Batcher(max_batch_windows=batch)
    for index in range(500):
        batcher.offer(request(str(index), session_id="many", deadline_s=1.0 + index), now_s=0.0)
    batcher.take(0.1)
    batcher.offer(request("x", session_id="few", deadline_s=900.0), now_s=0.2)
    batcher.offer(request("y", session_id="few", deadline_s=900.0), now_s=0.2)
    runs = [names(batcher.take(0.3).run) for _ in range(3)]
    assert "x" in runs[0]
    assert "y" in runs[0] + (runs[2] if batch == 1 else []) + (runs[1] if batch == 2 else [])


def test_sessions_that_always_have_work_get_the_same_time_whatever_its_shape() -> None:
    model = costs(samples=4)
    for windows in (1, 2, 4, 8, 16):
        for _ in range(3):
            model.observe(windows, 64, 3, 4 * (0.02 + 0.005 * windows))
    batcher = Batcher(model, max_batch_ms=60.0)
    had_s = {"cheap": 0.0, "dear": 0.0}
    now_s = 0.0
    for _ in range(400):
        for session, samples in (("cheap", 4), ("dear", 64)):
            for index in range(20):
                batcher.offer(request(str(index), session_id=session, samples=samples), now_s)
        batch = batcher.take(now_s)
        now_s += batch.predicted_s
        had_s[batch.run[0].key.session_id] += batch.predicted_s
    assert had_s["cheap"] == pytest.approx(had_s["dear"], rel=0.05)


def test_session_that_was_idle_is_owed_nothing() -> None:
    batcher = Batcher(max_batch_windows=1)
    for round_ in range(100):
        batcher.offer(request(str(round_ % 7), session_id="busy"), now_s=0.0)
        batcher.take(0.0)
    for index in range(50):
        batcher.offer(request(str(index), session_id="busy"), now_s=1.0)
        batcher.offer(request(str(index), session_id="new"), now_s=1.0)
    served = [batcher.take(2.0).run[0].key.session_id for _ in range(20)]
    assert 9 <= served.count("busy") <= 11


def test_sessions_that_are_gone_are_forgotten() -> None:
    batcher = Batcher(max_batch_windows=1)
    for index in range(1000):
        batcher.offer(request("a", session_id="stays"), now_s=float(index))
        batcher.offer(request("a", session_id=f"call {index}"), now_s=float(index))
        batcher.take(float(index))
        batcher.take(float(index))
    assert len(batcher._lines) <= 3


# -- laws

ACTIONS = st.tuples(
    st.sampled_from(["offer", "offer", "offer", "refresh", "take", "discard"]),
    st.integers(0, 5),
    st.floats(0.0, 3.0),
    st.integers(0, 2),
    st.sampled_from([2, 4]),
)


@given(st.lists(ACTIONS, max_size=60), st.sampled_from([0.0, 0.005, 0.4]), st.booleans())
def test_every_request_leaves_exactly_once(
    steps: list[tuple[str, int, float, int, int]], each_s: float, padded: bool
) -> None:
    model = costs(each_s=each_s, fixed_s=each_s, padded=padded) if each_s else CostModel(padded=padded)
    batcher = Batcher(model, max_batch_windows=2, max_batch_ms=500.0, max_pending=4)
    offered: list[EngineRequest] = []
    left: list[EngineRequest] = []
    for tick, (action, avatar, allowed_s, session, samples) in enumerate(steps):
        now_s = tick * 0.3
        one = request(str(avatar), session_id=str(session), deadline_s=now_s + allowed_s, samples=samples)
        if action == "offer":
            try:
                replaced = batcher.offer(one, now_s)
            except ResourceExhausted as error:
                assert error.retry_after_ms > 0
                continue
            offered.append(one)
            left += [replaced] if replaced is not None else []
        elif action == "refresh":
            if (replaced := batcher.refresh(one)) is not None:
                offered.append(one)
                left.append(replaced)
        elif action == "take":
            waiting = len(batcher)
            batch = batcher.take(now_s)
            assert len(batch.run) <= 2
            assert bool(batch.run or batch.expired) == bool(waiting)
            assert len({(run.samples, run.horizon_frames) for run in batch.run}) <= 1
            assert all(run.deadline_s >= now_s + batch.predicted_s - 1e-9 for run in batch.run)
            assert all(
                late.deadline_s <= now_s + model.predict_s(1, late.samples, late.horizon_frames)
                for late in batch.expired
            )
            left += batch.run + batch.expired
        else:
            left += batcher.discard(str(session))
        assert len(batcher) == len(offered) - len(left)
        assert (batcher.wait_s(now_s) is None) == (len(batcher) == 0)
        assert batcher.backlog_s >= 0.0
    left += batcher.clear()
    assert sorted(map(id, left)) == sorted(map(id, offered))


@example([(0.0, 0.01, 0), (0.0, 0.01, 1)], 0.0)
@given(
    st.lists(st.tuples(st.floats(0.0, 0.03), st.floats(0.01, 0.6), st.integers(0, 400)), max_size=150),
    st.floats(0.0, 0.05),
)
def test_admitted_work_of_one_session_is_ready_in_time(
    arrivals: list[tuple[float, float, int]], fixed_s: float
) -> None:
    # One session whose requests are due in the order in which they come, and an engine that takes as long as predicted.
    model = costs(fixed_s=fixed_s)
    batcher = Batcher(model, max_wait_ms=0.0)
    now_s, free_s, latest_s = 0.0, 0.0, 0.0
    due: list[tuple[float, EngineRequest]] = []

    def run_until(end_s: float) -> None:
        nonlocal free_s
        while len(batcher) and max(free_s, now_s) <= end_s:
            start_s = max(free_s, now_s)
            batch = batcher.take(start_s)
            assert batch.expired == []
            free_s = start_s + batch.predicted_s
            assert all(one.deadline_s >= free_s - 1e-9 for one in batch.run)

    for gap_s, allowed_s, avatar in arrivals:
        run_until(now_s + gap_s)
        now_s += gap_s
        latest_s = max(latest_s, now_s + allowed_s)
        one = request(str(avatar), deadline_s=latest_s)
        alone_s = model.predict_s(1, 4, 3)
        try:
            batcher.offer(one, now_s, [free_s])
        except ResourceExhausted:
            continue
        assert max(now_s, free_s) + alone_s <= latest_s + 1e-9 or one.key.avatar_id in {o.key.avatar_id for _, o in due}
        due.append((latest_s, one))
    run_until(float("inf"))
