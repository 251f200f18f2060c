from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.bench.serve.schedule import Due, LoadPlan, Metronome, Surge, plan_load
from bridge.errors import InvalidInput

MS = 1_000_000


def plan(**changed: object) -> LoadPlan:
    values = {"avatars": 4, "sessions": 2, "hz": 50.0, "seconds": 0.1} | changed
    return plan_load(**values)  # type: ignore[arg-type]


def all_of(metronome: Metronome, *times_ns: int) -> list[Due]:
    return [due for now_ns in times_ns for due in metronome.take(now_ns)]


def test_sessions_are_spread_over_the_frame_period() -> None:
    offsets_s = [session.offset_s for session in plan(avatars=8, sessions=4).sessions]
    assert offsets_s == pytest.approx([0.0, 0.005, 0.010, 0.015])


def test_nothing_is_due_before_its_time() -> None:
    metronome = Metronome(plan(), start_ns=1000)
    assert all_of(metronome, 999) == []
    assert all_of(metronome, 1000) == [Due(0, 0, 1000)]
    assert all_of(metronome, 1000 + 9 * MS) == []
    assert metronome.next_due() == Due(1, 0, 1000 + 10 * MS)


def test_who_asks_late_gets_everything_with_the_time_it_was_due() -> None:
    metronome = Metronome(plan(), start_ns=0)
    assert all_of(metronome, 45 * MS) == [
        *(Due(0, 0, 0), Due(1, 0, 10 * MS), Due(0, 1, 20 * MS), Due(1, 1, 30 * MS), Due(0, 2, 40 * MS)),
    ]


def test_the_last_frame_is_the_last() -> None:
    metronome = Metronome(plan(), start_ns=0)
    assert len(all_of(metronome, 10_000 * MS)) == 2 * 5
    assert metronome.next_due() is None


@given(
    avatars=st.integers(1, 40),
    sessions=st.integers(1, 40),
    hz=st.sampled_from([10.0, 30.0, 60.0, 72.0, 240.0]),
    steps_ns=st.lists(st.integers(0, 20 * MS), max_size=60),
)
def test_every_tick_is_given_once_in_order_however_one_asks(
    avatars: int, sessions: int, hz: float, steps_ns: list[int]
) -> None:
    sessions = min(avatars, sessions)
    load = plan(avatars=avatars, sessions=sessions, hz=hz, seconds=0.2)
    metronome = Metronome(load, start_ns=5)
    now_ns, given_out = 0, []
    for step_ns in steps_ns:
        now_ns += step_ns
        taken = list(metronome.take(now_ns))
        assert all(due.due_ns <= now_ns for due in taken)
        given_out += taken
    given_out += metronome.take(10_000 * MS)
    assert [due.due_ns for due in given_out] == sorted(due.due_ns for due in given_out)
    assert sorted(given_out) == [
        Due(session, tick, 5 + load.due_ns(session, tick)) for session in range(sessions) for tick in range(load.ticks)
    ]


@given(avatars=st.integers(1, 100), sessions=st.integers(1, 20), clients=st.integers(1, 8))
def test_avatars_are_dealt_out_evenly_and_none_is_forgotten(avatars: int, sessions: int, clients: int) -> None:
    load = plan(avatars=avatars, sessions=min(avatars, sessions))
    sizes = [len(session.avatars) for session in load.sessions]
    assert sum(sizes) == avatars and max(sizes) - min(sizes) <= 1
    shares = load.share(clients)
    assert sorted(session.name for share in shares for session in share.sessions) == sorted(
        session.name for session in load.sessions
    )
    offsets_s = {session.name: session.offset_s for session in load.sessions}
    for share in shares:
        for number, session in enumerate(share.sessions):
            assert share.due_ns(number, 3) == round(1e9 * (offsets_s[session.name] + 3 / load.hz))


def test_a_surge_has_frames_only_while_it_lasts() -> None:
    load = plan(seconds=1.0, surges=[Surge(3, 0.2, 0.6)])
    assert load.avatars == 7
    spans = {avatar.name: (avatar.first_tick, avatar.end_tick) for s in load.sessions for avatar in s.avatars}
    assert spans["avatar0"] == (0, 50)
    assert [spans[f"surge0-{number}"] for number in range(3)] == [(10, 30)] * 3


def test_a_plan_reads_back_from_json() -> None:
    load = plan(batched=True, surges=[Surge(1, 0.0, 0.04)])
    assert LoadPlan.from_json(json.loads(json.dumps(load.to_json()))) == load


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"sessions": 5}, "sessions"), ({"sessions": 0}, "sessions"), ({"seconds": 0.001}, "seconds")],
)
def test_a_load_that_makes_no_sense_is_refused(changed: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(**changed)
    assert caught.value.field == field
