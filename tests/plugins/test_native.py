"""libposebridge, built here, against the real server."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from bridge.cli.clips import BUNDLED_RECORDING
from bridge.config import Settings
from bridge.curve_keys import KeyPair, write_key_pair
from bridge.native_recordings import save_native_recording
from bridge.recordings import load_clips
from bridge.service.tokens import Scope, append_token
from tests.plugins.native_build import NATIVE, NativeBuild, native_build
from tests.service_fixtures import RunningServer, ServeCommand
from tests.support import free_port, skip_or_fail
from tests.wire.conformance import vectors

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def native() -> NativeBuild:
    return native_build()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "demo.pbr"
    save_native_recording(path, load_clips(BUNDLED_RECORDING)[0])
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeCommand]:
    folder = tmp_path_factory.mktemp("served")
    command = ServeCommand(folder, "--engine", "null", "--alert-log", str(folder / "alerts.sqlite3"))
    command.wait_until_ready()
    yield command
    command.kill()


def probe(
    native: NativeBuild, address: str, recording: Path, *options: str, env: dict[str, str] | None = None
) -> dict[str, Any]:
    """What posebridge_probe says; it must succeed."""
    done = run_probe(native, address, recording, *options, env=env)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def run_probe(
    native: NativeBuild, address: str, recording: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(native.probe), "--connect", address, "--recording", str(recording), "--json", *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})}, check=False
    )


# -- the library by itself


def test_its_own_tests_pass(native: NativeBuild) -> None:
    done = subprocess.run(
        ["ctest", "--test-dir", str(native.folder), "--output-on-failure"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_nothing_but_posebridge_is_seen_from_outside(native: NativeBuild) -> None:
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(native.library)], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    header = (NATIVE / "include" / "posebridge" / "posebridge.h").read_text(encoding="utf-8")
    declared = {
        line.split("(")[0].split()[-1].lstrip("*") for line in header.splitlines() if "POSEBRIDGE_EXPORT " in line
    }
    declared = {name for name in declared if name.startswith("posebridge_")}
    assert names == declared


def test_stripped_it_is_small(native: NativeBuild, tmp_path: Path) -> None:
    stripped = tmp_path / "libposebridge.so"
    subprocess.run(["strip", "-o", str(stripped), str(native.library.resolve())], check=True)
    assert stripped.stat().st_size <= 1_500_000


def test_another_project_finds_and_links_it(native: NativeBuild, tmp_path: Path) -> None:
    prefix, project = tmp_path / "prefix", tmp_path / "project"
    subprocess.run(
        ["cmake", "--install", str(native.folder), "--prefix", str(prefix)], check=True, stdout=subprocess.DEVNULL
    )
    project.mkdir()
    (project / "main.c").write_text(
        "#include <posebridge/posebridge.h>\n#include <stdio.h>\n"
        "int main(void) { puts(posebridge_version()); return 0; }\n"
    )
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(game C)\nfind_package(posebridge 0.1 REQUIRED)\n"
        "add_executable(game main.c)\ntarget_link_libraries(game PRIVATE posebridge::shared)\n"
    )
    build = project / "build"
    configure = ["cmake", "-S", str(project), "-B", str(build), f"-DCMAKE_PREFIX_PATH={prefix}"]
    for command in (configure, ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([str(build / "game")], capture_output=True, text=True, check=True).stdout == "0.1.0\n"


@pytest.mark.parametrize("name", sorted(vectors()))
def test_messages_are_read_as_in_python(native: NativeBuild, name: str, tmp_path: Path) -> None:
    data, expected = vectors()[name]
    path = tmp_path / f"{name}.bin"
    path.write_bytes(data)
    done = subprocess.run([str(native.decode), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_sources_are_formatted(native: NativeBuild) -> None:
    tool = shutil.which("clang-format") or skip_or_fail("there is no clang-format")
    folders = [NATIVE / name for name in ("include", "src", "examples", "tests")]
    files = [str(path) for folder in folders for path in folder.rglob("*") if path.suffix in (".h", ".cpp")]
    done = subprocess.run([tool, "--dry-run", "-Werror", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# -- against the real server


def test_frames_go_and_forecasts_come(native: NativeBuild, served: ServeCommand, recording: Path) -> None:
    told = probe(native, served.endpoints.zmq, recording, "--seconds", "4", "--avatars", "2")
    assert told["frames_sent"] == 240
    # Windows are full after one second; the recording has a few frames without a body.
    assert told["forecasts"] >= 120
    assert told["latency_ms"]["p50"] > 0
    assert (told["reconnects"], told["frames_dropped"], told["frame_errors"], told["malformed"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("seconds", [6, pytest.param(20, marks=pytest.mark.soak)])
def test_eight_avatars_at_ninety_hertz_lose_nothing(
    native: NativeBuild, served: ServeCommand, recording: Path, seconds: int
) -> None:
    told = probe(native, served.endpoints.zmq, recording, "--hz", "90", "--seconds", str(seconds), "--avatars", "8")
    assert told["frames_sent"] == 90 * seconds * 8
    assert (told["reconnects"], told["frames_dropped"], told["frame_errors"], told["malformed"]) == (0, 0, 0, 0)
    # At most 30 forecasts a second and avatar, from the time that the window is full.
    assert told["forecasts"] > 8 * 30 * 0.7 * (seconds - 2)


def test_nothing_is_allocated_for_a_frame(native: NativeBuild, served: ServeCommand, recording: Path) -> None:
    env = {"LD_PRELOAD": str(native.allocation_counter)}
    told = probe(native, served.endpoints.zmq, recording, "--seconds", "6", "--avatars", "2", env=env)
    assert told["forecasts"] > 100
    assert told["allocations_per_frame"] == 0


def test_a_server_that_is_killed_and_comes_back_is_found_again(
    native: NativeBuild, recording: Path, tmp_path: Path
) -> None:
    port = free_port()
    options = ("--engine", "null", "--zmq", f"tcp://127.0.0.1:{port}", "--alert-log", str(tmp_path / "alerts.sqlite3"))
    served = ServeCommand(tmp_path, *options)
    served.wait_until_ready()
    told: dict[str, Any] = {}

    def run() -> None:
        told.update(probe(native, f"tcp://127.0.0.1:{port}", recording, "--seconds", "14"))

    runner = threading.Thread(target=run)
    runner.start()
    try:
        time.sleep(3.0)
        served.kill()
        (tmp_path / "ready.json").unlink()
        served = ServeCommand(tmp_path, *options)
        served.wait_until_ready()
        runner.join(60.0)
    finally:
        served.kill()
    assert told["reconnects"] >= 1
    assert told["forecasts"] > 100
    assert told["malformed"] == 0


def test_who_listens_nowhere_is_told_in_time(native: NativeBuild, recording: Path) -> None:
    done = run_probe(native, f"tcp://127.0.0.1:{free_port()}", recording, "--timeout", "6")
    assert done.returncode == 1
    assert "nobody listens" in done.stderr


def test_a_server_of_another_protocol_is_refused_and_both_are_named(native: NativeBuild, recording: Path) -> None:
    from bridge.wire.generated.posebridge.v1 import envelope_pb2

    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    reply = envelope_pb2.ServerEnvelope()
    reply.stream.accepted.protocol_version = 2
    reply.stream.accepted.server_version = "7.0.0"

    def serve() -> None:
        identity, _ = router.recv_multipart()
        router.send_multipart([identity, reply.SerializeToString()])

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    done = run_probe(native, f"tcp://127.0.0.1:{port}", recording, "--seconds", "1")
    server.join(20.0)
    router.close(linger=0)
    context.term()
    assert done.returncode == 1
    assert "the server (7.0.0) speaks protocol 2, this library (0.1.0) protocol 1" in done.stderr


def test_keys_and_token_open_a_server_that_asks_for_them(native: NativeBuild, recording: Path, tmp_path: Path) -> None:
    server_keys, client_keys = KeyPair.new(), KeyPair.new()
    (tmp_path / "allowed").mkdir()
    write_key_pair(server_keys, tmp_path / "server.key", tmp_path / "server.key_secret")
    write_key_pair(client_keys, tmp_path / "allowed" / "client.key", tmp_path / "client.key_secret")
    token, _ = append_token(tmp_path / "tokens.toml", "game", [Scope.STREAM])
    settings = Settings(
        engine="null",
        grpc="",
        zmq="tcp://127.0.0.1:0",
        ops="",
        curve_secret_key=tmp_path / "server.key_secret",
        curve_allow=tmp_path / "allowed",
        tokens=tmp_path / "tokens.toml",
    )
    server = RunningServer(settings)
    keys = (
        *("--server-key", server_keys.public, "--public-key", client_keys.public),
        *("--secret-key", client_keys.secret),
    )
    try:
        told = probe(native, server.endpoints.zmq, recording, "--seconds", "3", "--token", token, *keys)
        refused = run_probe(native, server.endpoints.zmq, recording, "--seconds", "1", "--token", "wrong", *keys)
        stranger = run_probe(native, server.endpoints.zmq, recording, "--timeout", "2", "--token", token)
    finally:
        server.stop()
    assert told["forecasts"] > 0
    assert refused.returncode == 1
    assert "token" in refused.stderr
    assert stranger.returncode == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: b"", "ends too early"),
        (lambda data: b"PBREC\x00\x00\x02" + data[8:], "no recording of version 1"),
        (lambda data: data[:-5], "ends too early"),
        (lambda data: data[:8] + struct.pack("<I", 0) + data[12:], "makes no sense"),
    ],
)
def test_a_damaged_recording_is_told(
    native: NativeBuild, recording: Path, tmp_path: Path, change: Any, problem: str
) -> None:
    damaged = tmp_path / "damaged.pbr"
    damaged.write_bytes(change(recording.read_bytes()))
    done = run_probe(native, "tcp://127.0.0.1:1", damaged)
    assert done.returncode == 1
    assert problem in done.stderr


@pytest.mark.parametrize("options", [("--hz", "0"), ("--hz", "fast"), ("--nonsense", "1"), ("--seconds",)])
def test_wrong_options_are_told_with_the_usage(native: NativeBuild, recording: Path, options: tuple[str, ...]) -> None:
    done = run_probe(native, "tcp://127.0.0.1:1", recording, *options)
    assert done.returncode == 2
    assert "usage:" in done.stderr


# -- from another language, through the C interface alone


def test_the_c_interface_can_be_called_without_its_header(native: NativeBuild) -> None:
    library = ctypes.CDLL(str(native.library))
    library.posebridge_version.restype = ctypes.c_char_p
    assert library.posebridge_version() == b"0.1.0"
    points = (ctypes.c_float * 3)(0.1, 0.2, 0.3)
    assert library.posebridge_convert_points(0, 2, points, points, 1) == 0
    assert list(points) == pytest.approx([30.0, 10.0, -20.0], rel=1e-5)


def test_a_struct_of_an_older_header_is_filled_in_as_far_as_it_goes(native: NativeBuild) -> None:
    library = ctypes.CDLL(str(native.library))
    config = (ctypes.c_uint8 * 256)(*([0xEE] * 256))
    struct.pack_into("<Q", config, 0, 40)
    assert library.posebridge_default_config(config) == 0
    assert bytes(config)[40:] == b"\xee" * 216
    assert struct.unpack_from("<Q", config, 0) == (40,)


def test_five_hundred_plays_never_hang_whatever_the_server_does(native: NativeBuild, tmp_path: Path) -> None:
    library = ctypes.CDLL(str(native.library))
    library.posebridge_get_state.argtypes = library.posebridge_destroy.argtypes = [ctypes.c_void_p]
    served = ServeCommand(tmp_path, "--engine", "null", "--alert-log", str(tmp_path / "alerts.sqlite3"))
    slowest_s = 0.0

    def play(*, until_ready: bool) -> None:
        nonlocal slowest_s
        # A config of the oldest header there could be: its size and the address.
        config = struct.pack("<QQ", 16, ctypes.cast(ctypes.c_char_p(address), ctypes.c_void_p).value or 0)
        client = ctypes.c_void_p()
        assert library.posebridge_create(config, ctypes.byref(client), None) == 0
        assert library.posebridge_connect(client) == 0
        deadline_s = time.monotonic() + 10.0
        while until_ready and library.posebridge_get_state(client) != 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.001)
        begun_s = time.monotonic()
        library.posebridge_destroy(client)
        slowest_s = max(slowest_s, time.monotonic() - begun_s)

    try:
        served.wait_until_ready()
        address = served.endpoints.zmq.encode()
        for number in range(300):
            play(until_ready=number % 3 == 0)
        os.kill(served.process.pid, signal.SIGSTOP)
        for _ in range(100):
            play(until_ready=False)
        os.kill(served.process.pid, signal.SIGCONT)
        served.kill()
        for _ in range(100):
            play(until_ready=False)
    finally:
        if served.process.poll() is None:
            served.kill()
    assert slowest_s < 2.0  # 0.2 s on a machine that has time
