"""``pose-bridge view`` as a user runs it: the page is there, says what it shows, and its end leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.cli.app import app
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.cli.performance import endless, perform, round_us
from bridge.cli.view_sources import phase_shifted
from bridge.errors import BridgeError
from bridge.recordings import load_clips
from tests.cli.helpers import json_of, make_recording, run
from tests.service_fixtures import ServeCommand, command_environment
from tests.support import REPOSITORY, tiny_weights

SMALL = ("--samples", "4", "--futures", "2", "--horizon-ms", "200")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeCommand]:
    folder = tmp_path_factory.mktemp("server")
    options = ("--weights", str(weights), "--zmq-watch", "tcp://127.0.0.1:0", "--threads", "1", "--no-anomaly")
    running = ServeCommand(folder, *options)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=30)


@contextmanager
def viewing(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """``pose-bridge view --json`` while it runs, and the object that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "view", "--json", "--port", "0", *map(str, arguments)],
        cwd=REPOSITORY,
        env=command_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str], with_signal: int) -> tuple[str, str]:
    """What it said after its one object, once it was told to end and did."""
    process.send_signal(with_signal)
    out, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return out, said


def updates_a_second(said: str) -> float:
    found = re.search(r"updated ([0-9.]+) times a second", said)
    assert found, said
    return float(found[1])


def test_a_recording_is_shown_until_it_is_told_to_end(weights: Path, tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=90, root=True)
    with viewing(recording, "--weights", weights, *SMALL, "--avatars", 2, "--threads", 1) as (process, result):
        assert result["url"] == f"http://127.0.0.1:{result['port']}"
        assert (result["source"], result["clip"], result["avatars"]) == ("recording", "body", 2)
        assert httpx.get(result["url"], trust_env=False).status_code == 200
        out, said = ended(process, signal.SIGTERM)
    assert out == ""  # nothing but the one object
    assert "Traceback" not in said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", result["port"])) != 0


def test_it_ends_at_once_while_a_recording_is_being_scored() -> None:
    with viewing("--avatars", 8, "--threads", 1) as (process, _):
        _, said = ended(process, signal.SIGINT)
    assert "Traceback" not in said and "8 avatars" in said


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_a_recording_goes_to_a_server_and_what_comes_back_is_shown(
    server: ServeCommand, transport: str, tmp_path: Path
) -> None:
    recording = make_recording(tmp_path / "body.npz", count=90, root=True)
    address = server.endpoints.grpc if transport == "grpc" else server.endpoints.zmq
    done = run(*("view", recording, "--to", address, "--no-open", "--port", 0, "--seconds", 3, "--avatars", 2, *SMALL))
    assert done.returncode == 0, done.stderr
    assert "frame sent to forecast held" in done.stderr
    assert updates_a_second(done.stderr) > 5


def test_what_a_server_publishes_is_shown(server: ServeCommand, tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=90, root=True)
    with viewing(recording, "--to", server.endpoints.grpc, *SMALL):
        done = run("view", "--watch", server.endpoints.zmq_watch, "--no-open", "--port", 0, "--seconds", 4)
    assert done.returncode == 0, done.stderr
    assert "server: frame in to forecast out" in done.stderr
    assert "1 avatar updated" in done.stderr and updates_a_second(done.stderr) > 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "127.0.0.1:1", "--watch", "tcp://127.0.0.1:1"), "view: --to and --watch are given; expected one"),
        (("--watch", "nowhere"), "watch: 'nowhere' is no address"),
        (("body.npz", "--watch", "tcp://127.0.0.1:1"), "watch: shows what others send, and a recording is given"),
        (("--to", "nowhere"), "address: 'nowhere' is no address"),
        (("missing.npz",), "recording: no such file or folder: missing.npz"),
        (("--host", "0.0.0.0"), "host: 0.0.0.0 can be reached from other machines"),
        (("--layout", "martian", "--watch", "tcp://127.0.0.1:1"), "config.layout_id: no layout 'martian'"),
        (("--futures", "8", "--samples", "4"), "config.futures: 8 futures from 4 samples"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(arguments: Sequence[str], said: str) -> None:
    done = CliRunner().invoke(app, ["view", "--no-open", "--port", "0", "--seconds", "1", *arguments])
    assert isinstance(done.exception, BridgeError), done.exception
    assert str(done.exception).startswith(said)
    assert done.exception.expected


@pytest.mark.parametrize("command", [("view",), ("demo", "--view", "--headless")])
def test_without_the_extra_one_line_says_what_to_install(command: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / "viser.py").write_text("raise ImportError('not here')\n")
    environment = command_environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "bridge.cli", *command, "--no-open"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "pose-bridge: error: view: viser is not installed; expected pip install 'pose-bridge[viewer]'\n"
    )


def test_the_demo_shows_itself_and_says_its_result_as_before(weights: Path, tmp_path: Path) -> None:
    result = json_of(
        run(
            *("demo", "--view", "--no-open", "--headless", "--json", "--seconds", 1.2, "--threads", 1, *SMALL),
            *("--weights", weights, "--picture", tmp_path / "p.png"),
        )
    )
    assert result["forecasts"] > 0


def test_endless_goes_on_where_a_round_ends_with_one_clock_and_numbers_without_a_gap() -> None:
    clip = load_clips(BUNDLED_RECORDING)[0]
    period_us = round_us(clip)
    round_frames = len(perform(clip, "avatar1", seconds=period_us / 1e6))
    frames = list(islice(endless(clip, 2), 5 * round_frames))
    times = [frame.timestamp_us for frame in frames]
    assert times == sorted(times)
    for name in ("avatar1", "avatar2"):
        own = [frame for frame in frames if frame.avatar_id == name]
        assert [frame.sequence for frame in own] == list(range(len(own)))
        assert min(np.diff([frame.timestamp_us for frame in own])) > 20_000
    assert own[round_frames].timestamp_us - own[0].timestamp_us == period_us


def test_a_shifted_clip_has_all_rows_in_another_order_and_a_pause_between() -> None:
    clip = load_clips(BUNDLED_RECORDING)[0]
    shifted = phase_shifted(clip, 0.25)
    row = round(0.25 * clip.frames)
    np.testing.assert_array_equal(shifted.pose_m[0], clip.pose_m[row])
    np.testing.assert_array_equal(shifted.pose_m[-1], clip.pose_m[row - 1])
    steps = np.diff(shifted.timestamp_us)
    assert (steps > 0).all() and (steps >= 500_000).sum() == 1
    assert phase_shifted(clip, 0.0) is clip
