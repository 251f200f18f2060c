from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import limits
from bridge.engine import Allowance, LoadController
from bridge.engine.load import MIN_RATE_SHARE, SAMPLES_SHARES, _level
from tests.engine.simulation import HORIZON, SimulatedSession, Simulation, default_cost_s

FULL = Allowance()


def window_s(samples: int, horizon_frames: int) -> float:
    """10 ms for 32 samples, nearly half for half of them."""
    return 0.001 + 0.009 * samples / 32


class Demand:
    """Sessions that ask evenly, each so many forecasts a second, on a clock of their own."""

    def __init__(self, load: LoadController) -> None:
        self.load = load
        self.now_s = 100.0
        self._owed: dict[str, float] = {}

    def ask(self, seconds: float, per_s: dict[str, float], samples: int = 32) -> None:
        for _ in range(round(seconds / 0.01)):
            self.now_s += 0.01
            for session, rate in per_s.items():
                self._owed[session] = self._owed.get(session, 0.0) + rate * 0.01
                while self._owed[session] >= 1.0:
                    self._owed[session] -= 1.0
                    self.load.note_demand(session, samples, HORIZON, self.now_s)

    def allowance(self, session: str) -> Allowance:
        return self.load.allowance(session, self.now_s)

    def given(self, session: str, per_s: float, samples: int = 32) -> float:
        """Share of one engine that a session may use."""
        allowance = self.allowance(session)
        cost_s = window_s(max(limits.MIN_SAMPLES, round(samples * allowance.samples_share)), HORIZON)
        return per_s * allowance.rate_share * allowance.avatars_share * cost_s


def test_everyone_gets_everything_while_there_is_enough() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(2.0, {"a": 40.0, "b": 40.0})
    assert demand.allowance("a") == demand.allowance("b") == FULL
    assert demand.allowance("unheard of") == FULL
    assert demand.load.utilisation == pytest.approx(0.8, rel=0.05)
    assert demand.load.refuses_new_sessions(demand.now_s) == 0


def test_nothing_is_held_back_before_costs_are_known() -> None:
    demand = Demand(LoadController(lambda samples, horizon: 0.0))
    demand.ask(1.0, {"a": 1000.0})
    assert demand.allowance("a") == FULL


@pytest.mark.parametrize(
    ("per_s", "rate_share", "samples_share", "all_avatars"),
    [
        (100.0, 0.85, 1.0, True),
        (200.0, 0.425, 1.0, True),
        (300.0, None, 0.5, True),
        (700.0, None, 0.25, True),
        (2000.0, MIN_RATE_SHARE, 0.25, False),
    ],
)
def test_first_the_rate_gives_then_samples_then_avatars(
    per_s: float, rate_share: float | None, samples_share: float, all_avatars: bool
) -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(3.0, {"a": per_s})
    allowance = demand.allowance("a")
    assert allowance.samples_share == samples_share
    assert MIN_RATE_SHARE <= allowance.rate_share < 1.0
    if rate_share is not None:
        assert allowance.rate_share == pytest.approx(rate_share, rel=0.06)
    assert (allowance.avatars_share == 1.0) == all_avatars
    assert (allowance.retry_after_ms == 0) == all_avatars
    assert demand.given("a", per_s) == pytest.approx(0.85, rel=0.06)


def test_more_overload_means_a_later_try() -> None:
    retries = []
    for per_s in (1000.0, 2000.0, 20_000.0):
        demand = Demand(LoadController(window_s))
        demand.ask(1.0, {"a": per_s})
        retries.append(demand.allowance("a").retry_after_ms)
    assert retries == sorted(retries)
    assert 500 <= retries[0] < retries[-1] <= 2000


def test_small_session_keeps_everything_beside_a_large_one() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(2.0, {"large": 900.0, "small": 20.0})
    assert demand.allowance("small") == FULL
    assert demand.given("large", 900.0) == pytest.approx(0.65, rel=0.08)


def test_equal_sessions_get_equal_shares() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(2.0, {"a": 300.0, "b": 300.0, "c": 30.0})
    assert demand.given("a", 300.0) == pytest.approx(demand.given("b", 300.0), rel=0.02)
    assert demand.given("c", 30.0) == pytest.approx(0.85 / 3, rel=0.08)


def test_two_engines_serve_twice_as_much() -> None:
    demand = Demand(LoadController(window_s, engines=2))
    demand.ask(1.0, {"a": 160.0})
    assert demand.allowance("a") == FULL
    demand.load.engines = 1
    demand.ask(0.5, {"a": 160.0})
    assert demand.allowance("a").rate_share == pytest.approx(0.53, rel=0.06)


def test_overload_is_answered_within_some_hundred_milliseconds_and_over_within_two_seconds() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(2.0, {"a": 60.0})
    demand.ask(0.4, {"a": 60.0, "b": 3000.0})
    assert demand.given("a", 60.0) + demand.given("b", 3000.0) < 1.0
    demand.ask(2.0, {"a": 60.0, "b": 3000.0})
    assert demand.allowance("b").avatars_share < 1.0
    demand.ask(2.0, {"a": 60.0, "b": 15.0})
    assert demand.allowance("a") == demand.allowance("b") == FULL


def test_silent_session_takes_nothing_from_others() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(1.0, {"a": 70.0, "b": 70.0})
    assert demand.allowance("a") != FULL
    demand.ask(2.0, {"a": 70.0})
    assert demand.allowance("a") == FULL
    demand.ask(6.0, {"a": 70.0})
    assert list(demand.load._sessions) == ["a"]


def test_closed_session_is_forgotten_at_once() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(1.0, {"a": 800.0})
    demand.load.forget("a")
    assert demand.allowance("a") == FULL
    demand.load.update(demand.now_s + 1.0)
    assert demand.load.utilisation == 0.0


def test_new_session_is_turned_away_only_when_its_fair_share_would_be_nothing() -> None:
    greedy = Demand(LoadController(window_s))
    greedy.ask(1.0, {"greedy": 10_000.0})
    assert greedy.load.refuses_new_sessions(greedy.now_s) == 0
    crowd = Demand(LoadController(window_s))
    crowd.ask(1.0, {f"session {index}": 100.0 for index in range(60)})
    assert crowd.load.refuses_new_sessions(crowd.now_s) > 0
    crowd.load.update(crowd.now_s + 2.0)
    assert crowd.load.refuses_new_sessions(crowd.now_s + 2.0) == 0


def test_load_at_the_edge_does_not_flicker() -> None:
    demand = Demand(LoadController(window_s))
    seen = []
    for tick in range(200):
        demand.ask(0.1, {"a": 85.0 + (4.0 if tick % 2 else -4.0)})
        seen.append(demand.allowance("a"))
    changes = sum(before != after for before, after in pairwise(seen[10:]))
    assert changes <= 2


def test_fewer_samples_come_back_only_when_there_is_room_for_them() -> None:
    demand = Demand(LoadController(window_s))
    demand.ask(2.0, {"a": 270.0})
    assert demand.allowance("a").samples_share == 0.5
    demand.ask(2.0, {"a": 245.0})  # enough for all samples at a third of the rate, but only just
    assert demand.allowance("a").samples_share == 0.5
    demand.ask(2.0, {"a": 200.0})
    assert demand.allowance("a").samples_share == 1.0


def test_work_that_stands_waiting_makes_less_be_given_out_until_it_does_not() -> None:
    demand = Demand(LoadController(window_s))

    def go_on(seconds: float, backlog_s: float, per_s: float) -> None:
        for _ in range(round(seconds / 0.05)):
            demand.ask(0.05, {"a": per_s})
            demand.load.note_backlog(backlog_s, demand.now_s)

    go_on(3.0, 0.0, 80.0)
    assert demand.allowance("a") == FULL
    go_on(4.0, 0.2, 80.0)
    assert demand.allowance("a").rate_share < 0.9
    go_on(4.0, 0.0, 30.0)
    go_on(2.0, 0.0, 80.0)
    assert demand.allowance("a") == FULL


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(1.0, 5000.0), st.integers(2, 64)), min_size=1),
    st.integers(1, 4),
)
def test_no_more_is_given_out_than_there_is_and_nobody_gets_less_for_asking_more(
    asked: dict[str, tuple[float, int]], engines: int
) -> None:
    load = LoadController(window_s, engines=engines)
    now_s = 0.0
    for tick in range(30):
        now_s = tick * 0.1
        for session, (per_s, samples) in asked.items():
            due = int((tick + 1) * per_s * 0.1) - int(tick * per_s * 0.1)
            for _ in range(min(due, 20)):
                load.note_demand(session, samples, HORIZON, now_s)
    used, costs = {}, {}
    for session, (per_s, samples) in asked.items():
        allowance = load.allowance(session, now_s)
        assert MIN_RATE_SHARE <= allowance.rate_share <= 1.0
        assert allowance.samples_share in SAMPLES_SHARES
        assert 0.0 < allowance.avatars_share <= 1.0
        assert (allowance.retry_after_ms > 0) == (allowance.avatars_share < 1.0)
        heard = min(per_s, 200.0)
        given = heard * allowance.rate_share * allowance.avatars_share
        used[session] = given * window_s(max(2, round(samples * allowance.samples_share)), HORIZON)
        costs[session] = heard * window_s(samples, HORIZON)
    # Demand is counted in whole forecasts of half a second.
    slack = 0.06 + 0.02 * len(asked)
    assert sum(used.values()) <= 0.85 * engines * (1 + slack) + sum(2 * window_s(64, HORIZON) for _ in asked)
    most = max(used.values())
    for session, spent in used.items():
        if spent < costs[session] * 0.8:
            assert spent >= most * 0.6 - 4 * window_s(64, HORIZON)


@given(st.lists(st.floats(0.0, 100.0), max_size=20), st.floats(0.001, 100.0))
def test_level_shares_out_all_there_is_and_no_more(demands: list[float], capacity: float) -> None:
    level = _level(demands, capacity)
    given_out = sum(min(demand, level) for demand in demands)
    assert given_out <= capacity * (1 + 1e-9)
    if level < float("inf"):
        assert given_out == pytest.approx(capacity)


# -- all of it together


def test_overload_three_times_over_is_shared_out_and_ends_quickly() -> None:
    few = SimulatedSession("few", 2)
    many = SimulatedSession("many", 500, until_s=5.0)
    simulation = Simulation([few, many])
    simulation.run(8.0)
    # The few are served as often as when sharing with one other like them, and no frame of theirs is refused.
    assert few.per_s(1.0, 5.0) >= 28
    assert few.refused == [] and few.expired == []
    assert many.per_s(1.0, 5.0) > 100
    # What is delivered is fresh.
    assert few.age_s(0.5, 5.0) < 0.1
    assert many.age_s(0.5, 5.0) < 0.1
    # Whatever was not served was refused, not lost.
    assert len(many.refused) > 10_000 and many.expired == []
    assert few.allowances[-1][1] == FULL
    assert {allowance for at_s, allowance in few.allowances if at_s > 7.0} == {FULL}
    assert few.per_s(7.0, 8.0) == pytest.approx(60, abs=3)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_three_times_the_capacity_keeps_within_it(together: bool, noise: float) -> None:
    def dear_s(windows: int, samples: int) -> float:
        return 0.002 + windows * (0.0005 + 0.00005 * samples)

    # About 430 windows a second fit, 1290 are asked for.
    session = SimulatedSession("all", 43, together=together, until_s=5.0)
    simulation = Simulation([session], cost_s=dear_s, noise=noise, jitter_s=0.004, measured_samples=(32, 16, 8))
    simulation.run(7.0)
    assert simulation.utilisations[-1][1] == pytest.approx(3.0, rel=0.35)
    for second in range(1, 5):
        within = (samples for at_s, _, samples in session.done if second <= at_s < second + 1)
        work_s = sum(dear_s(20, samples) / 20 for samples in within)
        assert work_s <= 0.95 + noise / 2
        assert work_s >= 0.7
    assert session.age_s(1.0, 5.0) < 0.1
    assert session.refused == []
    assert len({(a.samples_share, a.avatars_share) for a in session.allowed(2.0, 5.0)}) == 1
    assert len(session.allowed(2.0, 5.0)) <= 6


@pytest.mark.parametrize("avatars", [3, 4, 5, 6])
def test_steady_load_gets_a_steady_answer(avatars: int) -> None:
    session = SimulatedSession("one", avatars)
    Simulation([session], noise=0.2, jitter_s=0.01).run(12.0)
    assert session.refused == []
    assert {allowance.samples_share for allowance in session.allowed(2.0, 12.0)} == {1.0}
    assert len(session.allowed(2.0, 12.0)) <= 6
    assert session.age_s(1.0, 12.0) < 0.1


def test_costs_that_were_measured_wrong_are_found_out_while_serving() -> None:
    # Measured four times too dear: the controller must not keep the engine three quarters idle for good.
    session = SimulatedSession("one", 3)
    simulation = Simulation([session])
    for _ in range(30):
        for windows in (1, 4, 16):
            simulation.costs.observe(windows, 32, HORIZON, 4 * default_cost_s(windows, 32))
    simulation.run(15.0)
    assert session.allowances[-1][1].rate_share > 0.75
    assert session.per_s(13.0, 15.0) > 65


def test_two_engines_carry_twice_the_load() -> None:
    alone, shared = (SimulatedSession("all", 20) for _ in range(2))
    Simulation([alone], engines=1).run(4.0)
    Simulation([shared], engines=2).run(4.0)
    samples = [sum(samples for at_s, _, samples in one.done if at_s > 1.0) for one in (alone, shared)]
    assert samples[1] > 1.6 * samples[0]
