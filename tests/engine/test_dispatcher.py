from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from bridge.engine import Batcher, Completed, Dispatcher, Dropped, DropReason, Engine, EngineRequest, Failed
from bridge.errors import BridgeError, InternalError, InvalidInput, ResourceExhausted, Unavailable
from bridge.forecaster.results import ForecastResult
from bridge.telemetry import Telemetry
from tests.engine.doubles import Gate, HoldingEngine, Outcomes, request

Start = Callable[..., Dispatcher]


@pytest.fixture
def start() -> Iterator[Start]:
    before = set(threading.enumerate())
    started = []

    def begin(*engines: Engine, batcher: Batcher | None = None) -> Dispatcher:
        dispatcher = Dispatcher(engines, batcher)
        dispatcher.start()
        started.append(dispatcher)
        return dispatcher

    yield begin
    assert all([dispatcher.stop() for dispatcher in started])
    assert set(threading.enumerate()) <= before


def test_requests_submitted_together_run_in_one_batch(start: Start) -> None:
    engine, outcomes = HoldingEngine(), Outcomes()
    start(engine).submit([request(str(index), done=outcomes.take, value_m=index) for index in range(20)])
    for outcome in outcomes.wait_for(20):
        assert isinstance(outcome, Completed)
        assert outcome.batch_size == 20
    assert [len(batch) for batch in engine.batches] == [20]
    # every window got its own answer
    for one, outcome in outcomes.seen:
        assert isinstance(outcome, Completed)
        assert (outcome.result.futures_m[0, -1] == one.snapshot.window().pose_m[-1]).all()


def test_requests_that_come_while_a_batch_runs_are_collected_for_the_next(start: Start) -> None:
    gate, outcomes = Gate(), Outcomes()
    engine = HoldingEngine(before=gate)
    dispatcher = start(engine)
    dispatcher.submit([request("first", done=outcomes.take)])
    gate.wait_until_reached()
    stale = request("second", done=outcomes.take)
    dispatcher.submit([stale])
    dispatcher.submit([request("second", done=outcomes.take)])
    dispatcher.submit([request("third", done=outcomes.take)])
    gate.open()
    outcomes.wait_for(4)
    assert [len(batch) for batch in engine.batches] == [1, 2]
    assert outcomes.of(stale) == Dropped(DropReason.SUPERSEDED)


def test_job_that_raises_costs_only_itself(start: Start) -> None:
    def refuse(requests: Sequence[EngineRequest]) -> None:
        if any(one.key.avatar_id == "bad" for one in requests):
            raise ValueError("shapes do not fit")

    outcomes = Outcomes()
    bad = request("bad", done=outcomes.take)
    start(HoldingEngine(before=refuse)).submit(
        [request("x", done=outcomes.take), bad, request("y", done=outcomes.take)]
    )
    completed = [outcome for outcome in outcomes.wait_for(3) if isinstance(outcome, Completed)]
    assert len(completed) == 2
    failed = outcomes.of(bad)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, InternalError)
    assert "ValueError" in failed.error.problem
    assert "shapes do not fit" not in failed.error.problem  # details stay in the log


def test_typed_error_of_the_engine_reaches_the_avatar_as_it_is(start: Start) -> None:
    def refuse(requests: Sequence[EngineRequest]) -> None:
        raise InvalidInput("is too far", field="config.horizon_ms", expected="less")

    outcomes = Outcomes()
    start(HoldingEngine(before=refuse)).submit([request(done=outcomes.take)])
    (outcome,) = outcomes.wait_for(1)
    assert isinstance(outcome, Failed)
    assert outcome.error.field == "config.horizon_ms"


def test_engine_goes_on_after_a_receiver_that_raises(start: Start) -> None:
    def raise_something(request: EngineRequest, outcome: object) -> None:
        raise RuntimeError("receiver is broken")

    outcomes = Outcomes()
    dispatcher = start(HoldingEngine())
    dispatcher.submit([request("a", done=raise_something), request("b", done=outcomes.take)])
    assert isinstance(outcomes.wait_for(1)[0], Completed)


def test_request_past_its_deadline_never_reaches_the_engine(start: Start) -> None:
    engine, outcomes = HoldingEngine(), Outcomes()
    dispatcher = start(engine)
    dispatcher.submit([request(done=outcomes.take, deadline_s=dispatcher.now_s() - 1)])
    assert outcomes.wait_for(1) == [Dropped(DropReason.EXPIRED)]
    assert engine.batches == []


def test_full_queue_fails_the_request_with_resource_exhausted(start: Start) -> None:
    gate, outcomes = Gate(), Outcomes()
    dispatcher = start(HoldingEngine(before=gate), batcher=Batcher(max_pending=1))
    dispatcher.submit([request("running", done=outcomes.take)])
    gate.wait_until_reached()
    refused = request("refused", done=outcomes.take)
    dispatcher.submit([request("waiting", done=outcomes.take), refused])
    outcome = outcomes.of(refused)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ResourceExhausted)
    gate.open()
    outcomes.wait_for(3)


def test_discard_cancels_what_a_session_has_waiting(start: Start) -> None:
    gate, outcomes = Gate(), Outcomes()
    dispatcher = start(HoldingEngine(before=gate))
    dispatcher.submit([request("running", done=outcomes.take)])
    gate.wait_until_reached()
    waiting = request("waiting", session_id="gone", done=outcomes.take)
    dispatcher.submit([waiting])
    dispatcher.discard("gone")
    assert outcomes.of(waiting) == Dropped(DropReason.CANCELLED)
    gate.open()
    outcomes.wait_for(2)


def test_stop_finishes_the_running_batch_and_drops_the_rest() -> None:
    gate, outcomes = Gate(), Outcomes()
    dispatcher = Dispatcher([HoldingEngine(before=gate)])
    dispatcher.start()
    running, waiting = request("running", done=outcomes.take), request("waiting", done=outcomes.take)
    dispatcher.submit([running])
    gate.wait_until_reached()
    dispatcher.submit([waiting])
    assert not dispatcher.stop(timeout_s=0.05)
    gate.open()
    assert dispatcher.stop()
    assert isinstance(outcomes.of(running), Completed)
    assert outcomes.of(waiting) == Dropped(DropReason.STOPPED)
    late = request("late", done=outcomes.take)
    dispatcher.submit([late])
    assert outcomes.of(late) == Dropped(DropReason.STOPPED)


def test_stop_closes_the_engines() -> None:
    engines = [HoldingEngine(), HoldingEngine()]
    dispatcher = Dispatcher(engines)
    dispatcher.start()
    assert dispatcher.stop()
    assert [engine.closed for engine in engines] == [1, 1]


def test_newer_frame_takes_the_place_of_what_waits_and_its_outcome(start: Start) -> None:
    gate, outcomes = Gate(), Outcomes()
    dispatcher = start(HoldingEngine(before=gate))
    dispatcher.submit([request("running", done=outcomes.take)])
    gate.wait_until_reached()
    older, newer, unasked = (request(name, done=outcomes.take) for name in ("a", "a", "b"))
    dispatcher.submit([older])
    dispatcher.refresh([newer, unasked])
    assert outcomes.of(older) == Dropped(DropReason.REFRESHED)
    gate.open()
    outcomes.wait_for(3)
    assert isinstance(outcomes.of(newer), Completed)
    assert all(seen is not unasked for seen, _ in outcomes.seen)
    assert dispatcher.telemetry.dropped == {}


def test_engine_learns_the_latest_deadline_of_its_batch(start: Start) -> None:
    engine, outcomes = HoldingEngine(), Outcomes()
    dispatcher = start(engine)
    late_s = dispatcher.now_s() + 100
    dispatcher.submit(
        [
            request("a", done=outcomes.take, deadline_s=late_s - 1),
            request("b", done=outcomes.take, deadline_s=late_s),
        ]
    )
    outcomes.wait_for(2)
    assert engine.deadlines_s == [late_s]


class Answering(HoldingEngine):
    """Gives an error instead of a result for avatars called "bad"."""

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        results = super().infer(batch, deadline_s)
        bad = InvalidInput("has no extent", field="frame.landmarks")
        return [bad if one.key.avatar_id == "bad" else result for one, result in zip(batch, results, strict=True)]


def test_request_that_the_engine_finds_at_fault_fails_alone(start: Start) -> None:
    engine, outcomes = Answering(), Outcomes()
    bad = request("bad", done=outcomes.take)
    start(engine).submit([request("x", done=outcomes.take), bad])
    outcomes.wait_for(2)
    failed = outcomes.of(bad)
    assert isinstance(failed, Failed) and isinstance(failed.error, InvalidInput)
    assert len(engine.batches) == 1


class Forgetful(HoldingEngine):
    """Loses a result of every batch."""

    def infer(self, batch: Sequence[EngineRequest], deadline_s: float) -> list[ForecastResult | BridgeError]:
        return super().infer(batch, deadline_s)[1:]


def test_engine_that_loses_results_fails_its_requests_and_goes_on(start: Start) -> None:
    outcomes = Outcomes()
    dispatcher = start(Forgetful())
    for _ in range(2):
        dispatcher.submit([request("a", done=outcomes.take), request("b", done=outcomes.take)])
    assert all(isinstance(outcome, Failed) for outcome in outcomes.wait_for(4) if not isinstance(outcome, Dropped))


def test_events_are_counted(start: Start) -> None:
    gate, outcomes = Gate(), Outcomes()

    def refuse_together(requests: Sequence[EngineRequest]) -> None:
        gate(requests)
        if len(requests) > 1:
            raise ValueError("only one at a time")

    dispatcher = start(HoldingEngine(before=refuse_together), batcher=Batcher(max_pending=3))
    dispatcher.submit([request("running", done=outcomes.take, arrived_s=dispatcher.now_s())])
    gate.wait_until_reached()
    dispatcher.submit([request(name, done=outcomes.take) for name in ("a", "a", "b", "c", "one too many")])
    dispatcher.discard("nobody")
    gate.open()
    outcomes.wait_for(6)
    assert dispatcher.stop()
    telemetry = dispatcher.telemetry
    assert telemetry.dropped == {"superseded": 1, "refused": 1}
    assert telemetry.batches_failed == 1
    assert sum(telemetry.batch_windows.counts) == sum(telemetry.compute_s.counts) == 4
    assert sum(telemetry.queue_s.counts) == 4


def test_telemetry_of_the_server_is_used() -> None:
    telemetry = Telemetry()
    dispatcher = Dispatcher([HoldingEngine()], telemetry=telemetry)
    dispatcher.submit([request()])
    dispatcher.stop()
    assert telemetry.dropped == {"stopped": 1}


# -- costs and load


def test_costs_are_learned_from_every_batch(start: Start) -> None:
    batcher, outcomes = Batcher(), Outcomes()
    dispatcher = start(HoldingEngine(), batcher=batcher)
    dispatcher.submit([request(done=outcomes.take)])
    outcomes.wait_for(1)
    assert dispatcher.stop()
    assert batcher.costs.predict_s(1, 4, 3) > 0


def test_what_cannot_be_ready_in_time_is_refused_with_a_time_to_try_again(start: Start) -> None:
    batcher, outcomes = Batcher(), Outcomes()
    for _ in range(3):
        batcher.costs.observe(1, 4, 3, 5.0)
    dispatcher = start(HoldingEngine(), batcher=batcher)
    dispatcher.submit([request(done=outcomes.take, deadline_s=dispatcher.now_s() + 1)])
    (outcome,) = outcomes.wait_for(1)
    assert isinstance(outcome, Failed) and isinstance(outcome.error, ResourceExhausted)
    assert outcome.error.retry_after_ms > 0


# -- several engines, and engines that go away


def test_engines_share_the_work_and_each_runs_on_its_own_thread(start: Start) -> None:
    gates, outcomes = [Gate(), Gate()], Outcomes()
    dispatcher = start(*(HoldingEngine(before=gate) for gate in gates))
    assert dispatcher.load.engines == 2
    dispatcher.submit([request("a", done=outcomes.take)])
    dispatcher.submit([request("b", done=outcomes.take, samples=8)])
    for gate in gates:
        gate.wait_until_reached()  # both run at once
    for gate in gates:
        gate.open()
    assert all(isinstance(outcome, Completed) for outcome in outcomes.wait_for(2))


class Breakable(HoldingEngine):
    """Is away while ``away`` is set."""

    def __init__(self) -> None:
        super().__init__(before=self._check)
        self.away = threading.Event()
        self.tried = threading.Event()

    def _check(self, requests: Sequence[EngineRequest]) -> None:
        self.tried.set()
        if self.away.is_set():
            raise Unavailable("the engine has gone", retry_after_ms=500)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(2000):
        if true():
            return
        deadline.wait(0.01)
    raise AssertionError("it never came true")


def test_engine_that_goes_away_fails_its_batch_at_once_and_is_not_ready_until_it_answers(start: Start) -> None:
    engine, outcomes = Breakable(), Outcomes()
    dispatcher = start(engine)
    assert dispatcher.ready
    engine.away.set()
    dispatcher.submit([request(str(index), done=outcomes.take) for index in range(3)])
    for outcome in outcomes.wait_for(3):
        assert isinstance(outcome, Failed) and isinstance(outcome.error, Unavailable)
    assert [len(batch) for batch in engine.batches] == [3]  # not tried one by one
    assert not dispatcher.ready
    dispatcher.submit([request("later", done=outcomes.take)])
    assert isinstance(outcomes.wait_for(4)[-1], Failed)  # at once, too
    engine.away.clear()
    dispatcher.submit([request("again", done=outcomes.take)])
    assert isinstance(outcomes.wait_for(5)[-1], Completed)
    assert dispatcher.ready


def test_engine_that_comes_back_is_found_without_anyone_asking(start: Start) -> None:
    engine, outcomes = Breakable(), Outcomes()
    dispatcher = start(engine)
    engine.away.set()
    dispatcher.submit([request(done=outcomes.take)])
    outcomes.wait_for(1)
    engine.away.clear()
    wait_until(lambda: dispatcher.ready)
    assert len(outcomes.seen) == 1


def test_other_engines_do_the_work_of_one_that_has_gone(start: Start) -> None:
    gone, there, outcomes = Breakable(), HoldingEngine(), Outcomes()
    gone.away.set()
    dispatcher = start(gone, there)
    sent = 0
    while not gone.tried.is_set():
        dispatcher.submit([request(str(sent), done=outcomes.take)])
        sent += 1
        outcomes.wait_for(sent)
    wait_until(lambda: dispatcher.load.engines == 1)
    failed = sum(isinstance(outcome, Failed) for _, outcome in outcomes.seen)
    assert failed == 1
    for _ in range(50):
        dispatcher.submit([request(str(sent), done=outcomes.take)])
        sent += 1
        outcomes.wait_for(sent)
    assert sum(isinstance(outcome, Failed) for _, outcome in outcomes.seen) == failed
    assert dispatcher.ready


def test_clients_that_come_and_go_get_one_outcome_for_each_request(start: Start) -> None:
    outcomes = Outcomes()
    dispatcher = start(HoldingEngine(), HoldingEngine(), batcher=Batcher(max_batch_windows=8, max_pending=64))
    sent: list[EngineRequest] = []
    lock = threading.Lock()

    def client(name: str) -> None:
        for index in range(200):
            batch = [
                request(str((index + offset) % 7), session_id=name, done=outcomes.take, samples=4 + 4 * (index % 2))
                for offset in range(3)
            ]
            with lock:
                sent.extend(batch)
            dispatcher.submit(batch)
            if index % 50 == 49:
                dispatcher.discard(name)

    threads = [threading.Thread(target=client, args=(f"s{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes.wait_for(len(sent))
    assert sorted(map(id, sent)) == sorted(id(one) for one, _ in outcomes.seen)
