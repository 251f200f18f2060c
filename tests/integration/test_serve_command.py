"""``pose-bridge serve`` as a process: what it says, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.service_fixtures import (
    TRANSPORTS,
    CallFailed,
    Connections,
    Player,
    ServeCommand,
    StreamEnded,
    command_environment,
)
from tests.support import REPOSITORY


def run_serve(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge.cli", "serve", *options],
        cwd=REPOSITORY,
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )


def assert_fails_with_one_clear_line(run: subprocess.CompletedProcess[str], *words: str) -> None:
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    last = run.stderr.splitlines()[-1]
    for word in words:
        assert word in last


def test_sigterm_tells_every_client_and_ends_with_exit_code_0(served: ServeCommand, connect: Connections) -> None:
    players = [Player(connect.over(name, served.endpoints), MEDIAPIPE_POSE_33) for name in TRANSPORTS]
    for player in players:
        player.fill_windows("a")
    served.process.send_signal(signal.SIGTERM)
    for player in players:
        while (response := player.client.receive()).WhichOneof("payload") == "forecast":
            pass
        assert response.WhichOneof("payload") == "draining"
        with pytest.raises((StreamEnded, CallFailed)):
            player.client.receive()
    assert served.process.wait(30) == 0


def test_logs_are_one_json_object_a_line_when_asked_for(weights: Path, tmp_path: Path, connect: Connections) -> None:
    served = ServeCommand(tmp_path, "--weights", str(weights), "--log-format", "json")
    served.wait_until_ready()
    Player(connect.over("zmq", served.endpoints), MEDIAPIPE_POSE_33)
    connect.close()
    served.process.send_signal(signal.SIGTERM)
    _, stderr = served.process.communicate(timeout=30)
    events = [json.loads(line) for line in stderr.splitlines()]
    names = [event["event"] for event in events]
    assert names[:3] == ["alerts_off", "serving", "session_opened"]  # these weights have no calibration
    # The client's going and the signal come at the same time.
    assert sorted(names[3:]) == ["draining", "session_closed", "stopped"]
    assert names[-1] == "stopped"
    assert events[1]["grpc"] == served.endpoints.grpc
    assert events[2]["client"] == "test"
    assert events[2]["session"] == events[names.index("session_closed")]["session"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_client_process_that_is_killed_is_noticed_and_others_go_on(
    shared_server: ServeCommand, connect: Connections, transport: str
) -> None:
    bystander = Player(connect.over(transport, shared_server.endpoints), MEDIAPIPE_POSE_33)
    bystander.fill_windows("bystander")
    script = (
        "import sys, time\n"
        "from bridge.service import Endpoints\n"
        "from bridge.skeleton import MEDIAPIPE_POSE_33\n"
        "from tests.service_fixtures import Connections, Player\n"
        "endpoints = Endpoints(grpc=sys.argv[2], zmq=sys.argv[3])\n"
        "player = Player(Connections().over(sys.argv[1], endpoints), MEDIAPIPE_POSE_33)\n"
        "player.fill_windows('a')\n"
        "print('streaming', flush=True)\n"
        "while True:\n"
        "    player.send_frames(['a'])\n"
        "    time.sleep(0.01)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, transport, shared_server.endpoints.grpc, shared_server.endpoints.zmq],
        cwd=REPOSITORY,
        env=command_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "streaming\n"
        victim.kill()
    for _ in range(10):
        bystander.expect_forecast("bystander")


@pytest.mark.parametrize("option", ["--grpc", "--zmq"])
def test_port_in_use_is_one_clear_line_and_exit_code_1(weights: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        addresses = {"--grpc": "127.0.0.1:0", "--zmq": "tcp://127.0.0.1:0"}
        addresses[option] = addresses[option].replace(":0", f":{port}")
        options = [word for pair in addresses.items() for word in pair]
        run = run_serve("--weights", str(weights), *options)
    assert_fails_with_one_clear_line(run, str(port), "in use")


def test_missing_weights_are_one_clear_line_and_exit_code_1(tmp_path: Path) -> None:
    run = run_serve("--grpc", "127.0.0.1:0", "--zmq", "", "--weights", str(tmp_path / "nowhere.safetensors"))
    assert_fails_with_one_clear_line(run, "nowhere.safetensors")


def test_corrupt_weights_are_one_clear_line_and_exit_code_1(weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[: os.path.getsize(weights) // 2])
    run = run_serve("--grpc", "127.0.0.1:0", "--zmq", "", "--weights", str(broken))
    assert_fails_with_one_clear_line(run, "broken.safetensors")


def test_address_that_is_none_is_one_clear_line_and_exit_code_1(weights: Path) -> None:
    assert_fails_with_one_clear_line(run_serve("--grpc", "nonsense", "--weights", str(weights)), "grpc", "nonsense")
