"""Cores, usage, child processes, and the arithmetic of the comparison with the forecaster alone."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bridge.bench.serve.children import child
from bridge.bench.serve.cores import Pinning, available_cores, choose_cores, on_cores
from bridge.bench.serve.echo import frames_in
from bridge.bench.serve.faults import FAULTS, parse_faults
from bridge.bench.serve.hostile import host_and_port
from bridge.bench.serve.measure import LoadOptions
from bridge.bench.serve.saturation import windows_per_s_as_served
from bridge.bench.serve.usage import Usage, descendants, machine_time, usage_of
from bridge.errors import DeadlineExceeded, InvalidInput, Unavailable

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.mark.parametrize(
    ("cores", "server", "clients"),
    [({3}, (), ()), ({0, 1}, (0,), (1,)), ({0, 2, 5, 7}, (0, 2, 5), (7,)), (set(range(8)), (0, 1, 2, 3, 4, 5), (6, 7))],
)
def test_server_and_clients_share_no_core(cores: set[int], server: tuple[int, ...], clients: tuple[int, ...]) -> None:
    assert choose_cores(cores) == Pinning(server, clients)


@linux
def test_a_child_runs_on_the_cores_it_is_given_and_its_parent_stays_where_it_was() -> None:
    before = available_cores()
    core = max(before)
    with on_cores((core,)):
        assert available_cores() == {core}
    assert available_cores() == before


@linux
def test_usage_of_a_process_that_runs_is_seen_and_of_one_that_is_gone_is_nothing() -> None:
    own = usage_of(os.getpid())
    assert own.cpu_s > 0 and own.rss_mb > 1 and own.threads >= 1 and own.fds >= 3
    assert own + own == Usage(2 * own.cpu_s, 2 * own.rss_mb, 2 * own.threads, 2 * own.fds)
    assert usage_of(2**22 + 1) == Usage()
    assert machine_time().total_s > machine_time().busy_s > 0


@linux
def test_a_child_is_among_the_descendants_and_ends_with_its_block() -> None:
    arguments = ["--transport", "zmq", "--reply-bytes", "10", "--frame-bytes", "10"]
    with child("bridge.bench.serve.echo", arguments) as process:
        assert process.read_line(30.0).startswith("tcp://127.0.0.1:")
        assert process.pid in descendants(os.getpid())
    assert process.process.returncode is not None


@linux
def test_a_leashed_child_ends_when_nobody_holds_it() -> None:
    arguments = ["--transport", "grpc", "--reply-bytes", "10", "--frame-bytes", "10"]
    with child("bridge.bench.serve.echo", arguments, leashed=True) as process:
        process.read_line(30.0)
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.process.wait(30.0) == -signal.SIGTERM


def test_a_child_that_fails_says_why() -> None:
    with child("bridge.bench.serve.client", ["no such job"]) as process:
        with pytest.raises(Unavailable, match="no such job"):
            process.read_line(30.0)
        with pytest.raises(Unavailable, match="ended with code 1"):
            process.wait(30.0)


def test_a_child_that_says_nothing_is_not_waited_for_for_ever() -> None:
    server = child("http.server", ["0", "--bind", "127.0.0.1", "--directory", str(Path(__file__).parent)])
    with server as process, pytest.raises(DeadlineExceeded, match=r"http\.server did not end"):
        process.wait(0.01)


@pytest.mark.parametrize(("message", "frames"), [(30, 1), (551, 1), (1100, 2), (4410, 8)])
def test_the_echo_knows_how_many_frames_a_message_has_by_its_size(message: int, frames: int) -> None:
    assert frames_in(message, 551) == frames


def test_sessions_and_clients_follow_from_the_avatars_unless_they_are_given() -> None:
    load = LoadOptions("zmq", 30.0, 1.0, pinning=Pinning((0, 1, 2), (3, 4)))
    assert [load.sessions_of(avatars) for avatars in (1, 8, 9, 64, 4096)] == [1, 1, 2, 8, 64]
    assert [load.clients_of(sessions) for sessions in (1, 2, 8)] == [1, 2, 2]
    assert LoadOptions("zmq", 30.0, 1.0, sessions=5).sessions_of(3) == 3


def test_time_alone_is_that_of_the_batches_served() -> None:
    seconds = {1: 0.01, 4: 0.02, 8: 0.04}
    assert windows_per_s_as_served({4: 100}, seconds) == pytest.approx(200.0)
    assert windows_per_s_as_served({1: 10, 4: 40}, seconds) == pytest.approx(50 / (10 * 0.01 + 10 * 0.02))
    assert windows_per_s_as_served({6: 60}, seconds) == pytest.approx(200.0)


def test_faults_are_read_by_name() -> None:
    assert parse_faults("all") == FAULTS
    assert parse_faults("kill-client, slow-loris") == ("kill-client", "slow-loris")
    with pytest.raises(InvalidInput, match="sunspots"):
        parse_faults("kill-client,sunspots")


def test_addresses_of_both_transports_are_ports() -> None:
    assert host_and_port("127.0.0.1:80") == host_and_port("tcp://127.0.0.1:80") == ("127.0.0.1", 80)
    assert host_and_port("[::1]:80") == ("::1", 80)
