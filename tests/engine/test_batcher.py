from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine import Batcher, EngineRequest
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


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "take", "discard"]), st.integers(0, 5), st.floats(0.0, 3.0), st.integers(0, 1)
        )
    )
)
def test_every_request_leaves_exactly_once(steps: list[tuple[str, int, float, int]]) -> None:
    batcher = Batcher(max_batch_windows=2, max_pending=4)
    offered: list[EngineRequest] = []
    left: list[EngineRequest] = []
    for now_s, (action, avatar, allowed_s, session) in enumerate(steps):
        if action == "offer":
            one = request(str(avatar), session_id=str(session), deadline_s=now_s + allowed_s)
            try:
                replaced = batcher.offer(one, now_s)
            except ResourceExhausted:
                assert len(batcher) == 4
                continue
            offered.append(one)
            left += [replaced] if replaced is not None else []
        elif action == "take":
            batch = batcher.take(now_s)
            assert len(batch.run) <= 2
            assert all(one.deadline_s > now_s for one in batch.run)
            assert all(one.deadline_s <= now_s for one in batch.expired)
            left += batch.run + batch.expired
        else:
            left += batcher.discard(str(session))
    left += batcher.clear()
    assert sorted(map(id, left)) == sorted(map(id, offered))
