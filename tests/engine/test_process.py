"""An engine in a real child process: the same numbers, and life goes on when it dies."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.engine import EngineRequest
from bridge.engine.local import LocalEngine
from bridge.engine.process import ProcessEngine, pause_s
from bridge.engine.worker import failure_of
from bridge.errors import (
    BridgeError,
    CheckpointError,
    InternalError,
    InvalidInput,
    ResourceExhausted,
    Unavailable,
)
from bridge.forecaster.results import ForecastResult
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.telemetry import Telemetry
from tests.engine.bodies import body_without_extent, moving_request, moving_snapshot, request_for
from tests.support import REPOSITORY, TINY_LAYOUT, tiny_weights

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are given open files on POSIX only")

_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"), TINY_LAYOUT)


@pytest.fixture(scope="module")
def engine(weights: Path) -> Iterator[ProcessEngine]:
    engine = ProcessEngine(weights, device="cpu", threads=1)
    yield engine
    engine.close()


@pytest.fixture
def quick() -> Iterator[ProcessEngine]:
    """Canned answers from a child: it starts at once."""
    engine = ProcessEngine(kind="null")
    yield engine
    engine.close()


def soon(deadline_s: float = _PATIENCE_S) -> float:
    return time.monotonic() + deadline_s


def canned_request(seed: int = 0) -> EngineRequest:
    return request_for(moving_snapshot(seed, layout=MEDIAPIPE_POSE_33), seed=seed)


def assert_same(one: ForecastResult | BridgeError, other: ForecastResult | BridgeError) -> None:
    assert isinstance(one, ForecastResult)
    assert isinstance(other, ForecastResult)
    for name in ("futures_m", "probabilities", "spread_m", "samples_m"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert (one.roots_m is None) == (other.roots_m is None)
    if one.roots_m is not None and other.roots_m is not None:
        assert one.roots_m.dtype == other.roots_m.dtype
        np.testing.assert_array_equal(one.roots_m, other.roots_m)
    assert one.acceptance_rate == other.acceptance_rate
    assert one.unobserved_landmarks == other.unobserved_landmarks
    assert one.bridged_share == other.bridged_share


def test_results_are_those_of_the_engine_in_this_process_bit_for_bit(engine: ProcessEngine, weights: Path) -> None:
    batch = [
        moving_request(0),
        request_for(moving_snapshot(1, root=True), seed=2**64 - 1, samples=9, futures=3),
        request_for(moving_snapshot(2, unseen=(0, 6)), horizon_frames=8),
        replace(moving_request(3), snapshot=replace(moving_snapshot(3), initial_heading_rad=1.0)),
    ]
    here = LocalEngine.load(weights, device="cpu", threads=1)
    for mine, theirs in zip(engine.infer(batch, soon()), here.infer(batch, soon()), strict=True):
        assert_same(mine, theirs)
    assert engine.info == here.info


def test_a_result_does_not_change_with_the_batches_after_it(engine: ProcessEngine) -> None:
    (result,) = engine.infer([moving_request(0)], soon())
    assert isinstance(result, ForecastResult)
    kept = result.samples_m.copy()
    engine.infer([moving_request(1)], soon())
    np.testing.assert_array_equal(result.samples_m, kept)


def test_memory_grows_with_the_batch(engine: ProcessEngine) -> None:
    batch = [request_for(moving_snapshot(seed), seed=seed, samples=256, horizon_frames=30) for seed in range(8)]
    results = engine.infer(batch, soon())
    assert all(isinstance(result, ForecastResult) for result in results)
    (after,) = engine.infer([moving_request(0)], soon())
    assert isinstance(after, ForecastResult)


def test_a_faulty_request_spoils_only_itself(engine: ProcessEngine) -> None:
    foreign = request_for(moving_snapshot(layout=MEDIAPIPE_POSE_33))
    batch = [moving_request(0), foreign, request_for(body_without_extent()), moving_request(1)]
    first, of_another_layout, without_extent, last = engine.infer(batch, soon())
    assert isinstance(of_another_layout, InvalidInput)
    assert isinstance(without_extent, InvalidInput)
    assert "extent" in without_extent.problem
    for mine, theirs in zip((first, last), engine.infer([batch[0], batch[-1]], soon()), strict=True):
        assert_same(mine, theirs)


def test_what_goes_wrong_with_a_batch_in_the_child_is_raised_here(engine: ProcessEngine) -> None:
    with pytest.raises(InvalidInput) as raised:
        engine.infer([request_for(moving_snapshot(), samples=100_000)], soon())
    assert raised.value.field == "samples"
    (result,) = engine.infer([moving_request(0)], soon())
    assert isinstance(result, ForecastResult)


def test_a_fault_in_the_child_arrives_without_the_libraries_that_raised_it() -> None:
    failure = failure_of(RuntimeError("some tensor"))
    assert isinstance(failure.error, InternalError)
    assert "RuntimeError" in failure.error.problem
    assert "some tensor" in failure.details
    typed = failure_of(InvalidInput("is wrong", field="samples", expected="less"))
    arrived = pickle.loads(pickle.dumps(typed)).error
    assert (str(arrived), arrived.field, typed.details) == (str(typed.error), "samples", "")


def test_no_memory_for_a_batch_is_said_and_the_next_batch_is_computed(
    quick: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse, raising=False)
        with pytest.raises(ResourceExhausted):
            quick.infer([canned_request()], soon())
    assert isinstance(quick.infer([canned_request()], soon())[0], ForecastResult)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        ProcessEngine(tmp_path / "nowhere.safetensors")


def test_device_that_is_not_there_is_named(weights: Path) -> None:
    with pytest.raises(InvalidInput, match="cuda:99"):
        ProcessEngine(weights, device="cuda:99")


def test_this_process_knows_the_layout_of_the_weights_and_needs_no_torch(weights: Path) -> None:
    code = f"""if True:
        import sys
        from pathlib import Path
        from bridge.engine.process import ProcessEngine
        from bridge.skeleton import layout_ids
        engine = ProcessEngine(Path({str(weights)!r}), device="cpu", threads=1)
        print(*layout_ids(), "torch" in sys.modules)
        engine.close()
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [MEDIAPIPE_POSE_33.id, TINY_LAYOUT.id, "False"]


def test_a_killed_child_is_replaced_and_the_next_batch_is_computed(weights: Path) -> None:
    telemetry = Telemetry()
    engine = ProcessEngine(weights, device="cpu", threads=1, telemetry=telemetry)
    try:
        before = engine.infer([moving_request(0)], soon())[0]
        killed = engine.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert_same(until_answered(lambda: engine.infer([moving_request(0)], soon())[0]), before)
        assert engine.pid != killed
        assert telemetry.engine_restarts == 1
    finally:
        engine.close()


def test_a_batch_that_its_child_dies_over_fails_at_once(quick: ProcessEngine) -> None:
    stopped = quick.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    killing = threading.Timer(0.2, os.kill, (stopped, signal.SIGKILL))
    killing.start()
    with pytest.raises(Unavailable) as raised:
        quick.infer([canned_request()], soon())
    killing.join()
    assert raised.value.retry_after_ms > 0
    assert isinstance(until_answered(lambda: quick.infer([canned_request()], soon())[0]), ForecastResult)


def test_a_child_that_hangs_is_ended_and_replaced() -> None:
    engine = ProcessEngine(kind="null", hung_after_s=2.0)
    try:
        hung = engine.pid
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        with pytest.raises(Unavailable):
            engine.infer([canned_request()], soon())
        assert isinstance(until_answered(lambda: engine.infer([canned_request()], soon())[0]), ForecastResult)
        assert engine.pid != hung
    finally:
        engine.close()


def test_without_a_child_a_batch_waits_no_longer_than_its_deadline(weights: Path) -> None:
    engine = ProcessEngine(weights, device="cpu", threads=1)
    try:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        while engine.ready:
            time.sleep(0.001)
        with pytest.raises(Unavailable):
            engine.infer([moving_request()], time.monotonic())
    finally:
        engine.close()  # while the next child loads


def test_weights_that_changed_meanwhile_are_not_taken(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights.read_bytes())
    telemetry = Telemetry()
    engine = ProcessEngine(path, device="cpu", threads=1, telemetry=telemetry)
    try:
        assert engine.pid is not None
        path.write_bytes(tiny_weights(tmp_path, TINY_LAYOUT, seed=1).read_bytes())
        os.kill(engine.pid, signal.SIGKILL)
        wait_until(lambda: telemetry.engine_restarts == 2)
        assert not engine.ready
        path.write_bytes(weights.read_bytes())
        assert isinstance(until_answered(lambda: engine.infer([moving_request()], soon())[0]), ForecastResult)
    finally:
        engine.close()


def test_ctrl_c_and_a_managers_sigterm_leave_the_child_alone(quick: ProcessEngine) -> None:
    pid = quick.pid
    assert pid is not None
    assert os.getpgid(pid) != os.getpgid(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert isinstance(quick.infer([canned_request()], soon())[0], ForecastResult)
    assert quick.pid == pid


def test_a_killed_parent_takes_its_child_along() -> None:
    code = """if True:
        import time
        from bridge.engine.process import ProcessEngine
        engine = ProcessEngine(kind="null")
        print("ready", flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        # The child has its stderr from the parent: that ends when both are gone.
        assert parent.stderr.read() == b""


def test_a_closed_engine_says_so_and_leaves_no_process() -> None:
    engine = ProcessEngine(kind="null")
    pid = engine.pid
    assert pid is not None
    engine.close()
    engine.close()
    with pytest.raises(ChildProcessError):  # waited for already: not even a zombie is left
        os.waitpid(pid, os.WNOHANG)
    with pytest.raises(Unavailable, match="closed"):
        engine.infer([canned_request()], soon())


def test_closing_does_not_wait_for_a_batch_that_hangs(quick: ProcessEngine) -> None:
    assert quick.pid is not None
    os.kill(quick.pid, signal.SIGSTOP)
    raised: list[Exception] = []

    def infer() -> None:
        try:
            quick.infer([canned_request()], soon())
        except Unavailable as error:
            raised.append(error)

    waiting = threading.Thread(target=infer)
    waiting.start()
    quick.close()
    waiting.join(_PATIENCE_S)
    assert len(raised) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_opening_and_closing_leaks_neither_files_nor_threads() -> None:
    def open_and_close() -> None:
        engine = ProcessEngine(kind="null")
        engine.infer([canned_request()], soon())
        engine.close()

    open_and_close()
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(20):
        open_and_close()
    assert len(os.listdir("/proc/self/fd")) == files
    assert threading.active_count() == threads


def test_a_process_that_cannot_be_started_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Unavailable, match="cannot be started"):
        ProcessEngine(kind="null")


def test_pauses_between_starts_grow_and_are_bounded() -> None:
    pauses = [pause_s(failures) for failures in range(1, 40)]
    assert pauses[0] == 0.0
    assert pauses == sorted(pauses)
    assert 0.0 < pauses[1] <= 1.0
    assert pauses[-1] <= 60.0


def until_answered(ask: Callable[[], ForecastResult | BridgeError]) -> ForecastResult | BridgeError:
    """The first answer; until the loss of a child is noticed there may be none."""
    end_s = soon()
    while True:
        try:
            return ask()
        except Unavailable:
            assert time.monotonic() < end_s
            time.sleep(0.01)


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = soon()
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_what_scores_need_comes_from_the_child_as_from_here(engine: ProcessEngine, weights: Path) -> None:
    requests = [
        replace(moving_request(seed), scored_samples=3, scored_steps=9, wants_likelihood=seed > 0) for seed in range(3)
    ]
    here = LocalEngine.load(weights, device="cpu", threads=1).infer(requests, 1e12)
    for there, local in zip(engine.infer(requests, 1e12), here, strict=True):
        assert isinstance(there, ForecastResult)
        assert isinstance(local, ForecastResult)
        assert there.scored_m is not None
        assert local.scored_m is not None
        np.testing.assert_array_equal(there.scored_m, local.scored_m)
        assert (there.one_step is None) == (local.one_step is None)
        if there.one_step is not None and local.one_step is not None:
            assert there.one_step.log_density == pytest.approx(local.one_step.log_density)
            np.testing.assert_array_equal(there.one_step.outside_m, local.one_step.outside_m)


def test_canned_answers_bring_nothing_to_score(quick: ProcessEngine) -> None:
    snapshot = moving_snapshot(layout=MEDIAPIPE_POSE_33, context_frames=31)
    (result,) = quick.infer(
        [replace(request_for(snapshot), scored_samples=2, scored_steps=2, wants_likelihood=True)], 1e12
    )
    assert isinstance(result, ForecastResult)
    assert result.scored_m is None
    assert result.one_step is None
