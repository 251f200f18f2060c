from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from bridge.engine import Batcher, Completed, Dispatcher, Dropped, DropReason, Engine, EngineRequest, Failed
from bridge.errors import InternalError, InvalidInput, ResourceExhausted
from tests.engine.doubles import Gate, HoldingEngine, Outcomes, request

Start = Callable[..., Dispatcher]


@pytest.fixture
def start() -> Iterator[Start]:
    before = set(threading.enumerate())
    started = []

    def begin(engine: Engine, batcher: Batcher | None = None) -> Dispatcher:
        dispatcher = Dispatcher(engine, batcher)
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
        assert (outcome.result.futures_m == one.window.pose_m[0, 0, 0]).all()


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
    dispatcher = start(HoldingEngine(before=gate), Batcher(max_pending=1))
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
    dispatcher = Dispatcher(HoldingEngine(before=gate))
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
