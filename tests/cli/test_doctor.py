"""The doctor, on machines that really are as ill as it says: taken ports, damaged files, folders that are none."""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge import __version__
from bridge.anomaly.calibration import BUNDLED_CALIBRATION
from bridge.cli.checks import Finding, Status, ports, software
from bridge.cli.checks.alert_folder import check_alert_folder, judge_room
from bridge.cli.checks.clock import check_clock
from bridge.cli.checks.compute import check_gpu_memory, check_torch, judge_gpu_memory, usable_cores
from bridge.cli.checks.loopback import round_trip
from bridge.cli.checks.models import check_calibration, check_weights
from bridge.cli.checks.plugin import check_handshake, check_library, find_library
from bridge.cli.checks.ports import check_port, owner_of
from bridge.cli.child_server import ChildServer, child_server
from bridge.cli.doctor_run import line_of, summary_of
from bridge.client import TransportKind
from bridge.forecaster import BUNDLED_WEIGHTS
from bridge.limits import PROTOCOL_VERSION
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.cli.helpers import run
from tests.support import REPOSITORY, free_port, skip_or_fail, tiny_weights


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildServer]:
    """A real server with a small network, for all tests of this file."""
    with child_server(weights=tiny_weights(tmp_path_factory.mktemp("weights")), threads=1) as running:
        yield running


@contextmanager
def listening() -> Iterator[int]:
    """A port on which something listens that is no PoseBridge server, and answers nothing."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def doctor(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """Run the command; exit code, the JSON object of the last line, and what people read."""
    done = run("doctor", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def assert_says(finding: Finding, status: Status, *words: str) -> None:
    told = f"{finding.detail} / {finding.advice}"
    assert finding.status is status, told
    for word in words:
        assert word in told, told
    assert bool(finding.advice) == (status is not Status.OK), told


# ---- the command ----


def test_a_healthy_machine_has_no_problem_and_both_transports_answer(tmp_path: Path) -> None:
    addresses = ["--grpc", f"127.0.0.1:{free_port()}", "--zmq", f"tcp://127.0.0.1:{free_port()}", "--ops", ""]
    where = ["--alert-log", tmp_path / "alerts.sqlite3", "--weights", tiny_weights(tmp_path), "--threads", 1]
    code, result, text = doctor(*addresses, *where)
    by_name = {check["name"]: check for check in result["checks"]}
    assert (code, result["ok"]) == (0, True), text
    for name in ("python", "torch", "port.grpc", "port.zmq", "port.ops", "weights", "alert_log"):
        assert by_name[name]["status"] == "ok", by_name[name]
    for transport in ("grpc", "zmq"):
        assert by_name[f"loopback.{transport}"]["status"] in ("ok", "hint")
        assert "futures of 30 steps in" in by_name[f"loopback.{transport}"]["detail"]
    # These weights are not those of the bundled calibration.
    assert by_name["calibration"]["status"] == "hint"
    for check in result["checks"]:
        assert set(check) == {"name", "status", "detail", "advice"}
        assert any(line.startswith(check["status"]) and check["name"] in line for line in text.splitlines())
    assert list(tmp_path.glob("alerts*")) == []


def test_problems_are_told_all_at_once_and_are_exit_code_1(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(BUNDLED_WEIGHTS.read_bytes()[:100_000])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with listening() as port:
        code, result, text = doctor(
            *("--weights", broken, "--zmq", f"tcp://127.0.0.1:{port}", "--library", tmp_path / "none.so"),
            *("--alert-log", tmp_path / "file" / "alerts.sqlite3", "--device", "cuda:99"),
        )
    assert (code, result["ok"]) == (1, False)
    problems = {check["name"] for check in result["checks"] if check["status"] == "problem"}
    assert problems >= {"weights", "port.zmq", "plugin_library", "alert_log", "torch"}
    assert all(check["advice"] for check in result["checks"] if check["status"] != "ok")
    assert "problems" in text.splitlines()[-1]


def test_settings_that_do_not_read_are_a_finding_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("max_sesions = 3\n", encoding="utf-8")
    code, result, _ = doctor("--config", config, "--no-loopback", "--device", "cpu")
    settings, *rest = result["checks"]
    assert (code, settings["name"], settings["status"]) == (1, "settings", "problem")
    assert "max_sesions" in settings["detail"] and "max_sessions" in settings["advice"]
    assert {"weights", "clock", "alert_log"} <= {check["name"] for check in rest}
    assert not any(check["name"].startswith("loopback") for check in rest)


def test_a_finding_is_one_line() -> None:
    line = line_of(Finding("clock", Status.HINT, "two\nlines", "do this")).plain
    assert line == "hint    clock            two lines  -> do this"
    findings = [Finding("a", status, "") for status in (Status.OK, Status.HINT, Status.PROBLEM, Status.PROBLEM)]
    assert summary_of(findings) == "4 checks: 2 problems, 1 hint"


# ---- Python and libraries ----


def test_this_python_fits_and_an_old_or_a_small_one_does_not() -> None:
    assert_says(software.check_python((3, 12)), Status.OK, __version__)
    assert_says(software.check_python((3, 10)), Status.PROBLEM, "3.11")
    assert_says(software.check_python((3, 12), bits=32), Status.PROBLEM, "64-bit")
    assert_says(software.check_python((3, 99)), Status.HINT, "3.99")


def pretend_installed(folder: Path, monkeypatch: pytest.MonkeyPatch, *requires: str) -> None:
    """Put a distribution ``pretended`` on the path that needs these."""
    about = folder / "pretended-1.0.dist-info"
    about.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: pretended", "Version: 1.0", "Provides-Extra: capture"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (about / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))


def test_libraries_that_are_missing_or_too_old_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(tmp_path, monkeypatch, "numpy>=999", "no-such-library", "rich", "also-not; extra == 'capture'")
    found = software.check_libraries("pretended")
    assert_says(found, Status.PROBLEM, "numpy", ">=999", "no-such-library is not installed")
    assert "rich" not in found.detail and "also-not" not in found.detail
    assert software.existing_extras("pretended") == ["capture"]
    assert_says(software.check_extra("capture", "pretended"), Status.HINT, "also-not", "pretended[capture]")
    assert_says(software.check_libraries("never-heard-of"), Status.HINT, "pip install")


def test_an_extra_that_is_installed_but_does_not_load_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_installed(tmp_path, monkeypatch, "broken-camera>=1; extra == 'capture'")
    about = tmp_path / "broken_camera-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-camera\nVersion: 1.0\n", encoding="utf-8")
    (about / "top_level.txt").write_text("broken_camera\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module = tmp_path / "broken_camera.py"
    module.write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n", encoding="utf-8")
    assert_says(software.check_extra("capture", "pretended"), Status.PROBLEM, "libGL.so.1", "apt install")
    module.write_text("", encoding="utf-8")
    assert_says(software.check_extra("capture", "pretended"), Status.OK, "broken-camera 1.0")


# ---- where forecasts are computed ----


def test_torch_computes_and_more_threads_than_cores_are_a_hint() -> None:
    assert_says(check_torch("cpu", 1, cores=2), Status.OK, "1 thread", "2 cores")
    assert_says(check_torch("cpu", 8, cores=2), Status.HINT, "8 threads", "--threads 1")
    assert_says(check_torch("cuda:99", 1), Status.PROBLEM, "cuda:99", "cpu")


def test_a_containers_quota_counts(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("max 100000\n", encoding="ascii")
    whole = usable_cores(quota)
    quota.write_text("100000 100000\n", encoding="ascii")
    assert (usable_cores(quota), usable_cores(tmp_path / "none")) == (1, whole)


def test_gpu_memory_is_judged_by_what_is_free() -> None:
    assert_says(check_gpu_memory("cpu"), Status.OK, "no NVIDIA GPU")
    assert_says(judge_gpu_memory("GPU", 8 * 2**30, 80 * 2**30), Status.OK, "8.0 of 80.0 GiB")
    assert_says(judge_gpu_memory("GPU", 2**29, 80 * 2**30), Status.HINT, "nvidia-smi")
    assert_says(judge_gpu_memory("GPU", 2**27, 80 * 2**30), Status.PROBLEM, "--device cpu")


# ---- ports ----


def test_a_free_port_is_fine_and_stays_free() -> None:
    port = free_port()
    for _ in range(2):
        assert_says(check_port("grpc", f"127.0.0.1:{port}"), Status.OK, "free")
    assert_says(check_port("zmq", f"tcp://*:{port}"), Status.OK, "free")
    assert_says(check_port("ops", ""), Status.OK, "switched off")
    assert_says(check_port("zmq", "tcp://127.0.0.1:0"), Status.OK, "any free port")


@pytest.mark.parametrize("setting", ["grpc", "zmq", "ops"])
def test_a_port_that_something_else_has_is_a_problem_and_says_who(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_ANSWER_TIMEOUT_S", 0.5)
    with listening() as port:
        address = f"tcp://127.0.0.1:{port}" if setting == "zmq" else f"127.0.0.1:{port}"
        found = check_port(setting, address)
        assert_says(found, Status.PROBLEM, str(port), f"--{setting}")
        if sys.platform == "linux":
            assert f"process {os.getpid()}" in owner_of(port) and owner_of(port) in found.detail


def test_a_port_that_our_own_server_has_is_a_hint(server: ChildServer) -> None:
    for setting, address in (("grpc", server.grpc), ("zmq", server.zmq)):
        assert_says(check_port(setting, address), Status.HINT, f"PoseBridge {__version__}", MEDIAPIPE_POSE_33.id)


def test_the_ops_page_of_our_own_server_is_known(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "bridge.cli", "serve", "--engine", "null", "--ready-file", str(ready)]
    command += ["--grpc", "127.0.0.1:0", "--zmq", "", "--ops", "127.0.0.1:0", "--no-anomaly", "--log-level", "error"]
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        try:
            while not ready.exists():
                assert process.poll() is None
            found = check_port("ops", json.loads(ready.read_text(encoding="utf-8"))["ops"])
            assert_says(found, Status.HINT, "ops page of a PoseBridge server")
        finally:
            process.terminate()


def test_addresses_that_are_not_this_machines_are_a_problem() -> None:
    assert_says(check_port("grpc", "192.0.2.1:50551"), Status.PROBLEM, "192.0.2.1", "this machine")


@pytest.mark.skipif(sys.platform == "win32", reason="no ipc endpoints there")
def test_ipc_endpoints_are_looked_at_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_ANSWER_TIMEOUT_S", 0.5)
    path = tmp_path / "s"
    assert_says(check_port("zmq", f"ipc://{path}"), Status.OK, "free")
    assert_says(check_port("zmq", f"ipc://{tmp_path}/none/s"), Status.PROBLEM, "no folder")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert_says(check_port("zmq", f"ipc://{path}"), Status.PROBLEM, "taken")
    assert_says(check_port("zmq", f"ipc://{path}"), Status.OK, "left over")


# ---- files ----


def test_the_bundled_files_fit_each_other() -> None:
    weights = check_weights(None)
    assert_says(weights.finding, Status.OK, "mediapipe.pose.33", "30 Hz")
    assert weights.layout is not None and weights.layout.id == MEDIAPIPE_POSE_33.id
    assert_says(check_calibration(None, weights.identity), Status.OK, "made with these weights")


def test_weights_that_are_damaged_or_gone_are_a_problem(tmp_path: Path) -> None:
    whole = BUNDLED_WEIGHTS.read_bytes()
    file = tmp_path / "weights.safetensors"
    for damaged in (b"", b"not weights", whole[: len(whole) // 2], b"\xff" * 64 + whole[64:]):
        file.write_bytes(damaged)
        found = check_weights(file)
        assert_says(found.finding, Status.PROBLEM, "--weights")
        assert (found.identity, found.layout) == (None, None)
    assert_says(check_weights(tmp_path / "none").finding, Status.PROBLEM, str(tmp_path / "none"))


def test_a_calibration_is_damaged_foreign_or_not_to_be_judged(tmp_path: Path) -> None:
    other = check_weights(tiny_weights(tmp_path)).identity
    copy, damaged = tmp_path / "copy.npz", tmp_path / "damaged.npz"
    shutil.copy(BUNDLED_CALIBRATION, copy)
    damaged.write_bytes(BUNDLED_CALIBRATION.read_bytes()[:500])
    assert_says(check_calibration(damaged, other), Status.PROBLEM, "damaged.npz", "pose-bridge calibrate")
    assert_says(check_calibration(copy, other), Status.PROBLEM, "weights", "pose-bridge calibrate")
    assert_says(check_calibration(None, other), Status.HINT, "no alerts")
    assert_says(check_calibration(None, None), Status.HINT, "without weights")
    assert_says(check_calibration(damaged, other, anomaly=False), Status.OK, "switched off")


# ---- the alert log ----


def test_a_folder_that_works_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    assert_says(check_alert_folder(tmp_path / "alerts.sqlite3", megabytes=1), Status.OK, "journal wal")
    # One that is still to be made is tried where it would be made.
    assert_says(check_alert_folder(tmp_path / "new" / "deep" / "alerts.sqlite3", megabytes=1), Status.OK, "writable")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="utf-8")
    assert_says(
        check_alert_folder(tmp_path / "state" / "alerts.sqlite3"), Status.PROBLEM, "not a folder", "--alert-log"
    )
    assert_says(check_alert_folder(tmp_path / "state" / "x" / "a.sqlite3"), Status.PROBLEM, "not a folder")
    assert_says(check_alert_folder(tmp_path), Status.PROBLEM, "is a folder")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no file system at hand that nobody can write to")
def test_a_folder_that_nobody_can_write_to_is_a_problem() -> None:
    # Even root makes no files here.
    assert_says(check_alert_folder(Path("/proc/self/alerts.sqlite3")), Status.PROBLEM, "/proc/self", "writable")


def test_a_disk_without_a_write_ahead_log_or_without_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_wal(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None)  # what SQLite falls back to where memory cannot be shared

    monkeypatch.setattr("bridge.cli.checks.alert_folder.open_whole", without_wal)
    assert_says(check_alert_folder(tmp_path / "alerts.sqlite3"), Status.PROBLEM, "journal delete", "local disk")
    assert_says(judge_room("here", 10_000_000, 256), Status.PROBLEM, "make room")
    assert_says(judge_room("here", 100_000_000, 256), Status.HINT, "alert_log_mb")
    assert_says(judge_room("here", 1_000_000_000, 256), Status.OK)


# ---- clocks ----


class SteppedClock:
    """The wall clock, set forward by ``jump_s`` after some readings."""

    def __init__(self, jump_s: float) -> None:
        self._jump_s, self._readings = jump_s, 0

    def __call__(self) -> float:
        self._readings += 1
        return time.time() + (self._jump_s if self._readings > 5 else 0.0)


def test_clocks_that_run_together_are_fine_and_a_jump_is_a_hint() -> None:
    assert_says(check_clock(0.1), Status.OK, "monotonic steps")
    for jump_s in (0.05, -3.0):
        assert_says(check_clock(0.2, wall_s=SteppedClock(jump_s)), Status.HINT, "slewed")


def test_coarse_and_backward_clocks_are_told() -> None:
    assert_says(check_clock(0.1, monotonic_s=lambda: time.monotonic() // 0.016 * 0.016), Status.HINT, "finer")
    assert_says(check_clock(0.1, monotonic_s=lambda: -time.monotonic()), Status.PROBLEM, "goes back")


# ---- the plugin library ----


def built_library() -> str:
    """The native library as `.ci/native` builds it."""
    given = os.environ.get("POSEBRIDGE_NATIVE_BUILD")
    found = find_library(None, Path(given).parent) if given else find_library(None)
    if found is None:
        skip_or_fail("libposebridge is not built")
    return found


def test_a_library_that_is_not_there_is_a_hint_unless_it_was_named(tmp_path: Path) -> None:
    assert_says(check_library(None), Status.HINT, "README")
    assert_says(check_library(str(tmp_path / "none.so"), named=True), Status.PROBLEM, "none.so")
    assert find_library(tmp_path / "given.so") == str(tmp_path / "given.so")


def test_a_release_build_beside_the_sources_is_found_first(tmp_path: Path) -> None:
    for folder in ("asan", "debug", "release"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libposebridge.so").write_bytes(b"")
    assert find_library(None, tmp_path) == str(tmp_path / "release" / "libposebridge.so")
    shutil.rmtree(tmp_path / "release")
    assert find_library(None, tmp_path) == str(tmp_path / "debug" / "libposebridge.so")


def test_what_is_no_library_or_none_of_ours_is_a_problem(tmp_path: Path) -> None:
    text = tmp_path / "libposebridge.so"
    text.write_text("not a library", encoding="utf-8")
    assert_says(check_library(str(text), named=True), Status.PROBLEM, "cannot be loaded")
    foreign = ctypes.util.find_library("c")
    if foreign is not None:
        assert_says(check_library(foreign), Status.PROBLEM, "posebridge_version")


def compiled(folder: Path, source: str) -> str:
    """A shared library made of C source."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        skip_or_fail("no C compiler")
    (folder / "library.c").write_text(source, encoding="utf-8")
    library = folder / "libposebridge.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "library.c"], check=True)
    return str(library)


@pytest.mark.parametrize(("version", "status"), [("9.0.0", Status.PROBLEM), ("0.0.7", Status.HINT)])
def test_a_library_of_another_version_is_told(version: str, status: Status, tmp_path: Path) -> None:
    library = compiled(tmp_path, f'const char *posebridge_version(void) {{ return "{version}"; }}')
    assert_says(check_library(library), status, version, __version__)


def test_a_library_that_crashes_does_not_take_the_doctor_with_it(tmp_path: Path) -> None:
    library = compiled(tmp_path, "#include <stdlib.h>\nconst char *posebridge_version(void) { abort(); }")
    assert_says(check_library(library), Status.PROBLEM, "cannot be loaded")


def test_the_real_library_gets_a_session_of_a_real_server(server: ChildServer) -> None:
    library = built_library()
    assert_says(check_library(library), Status.OK, __version__)
    assert_says(check_handshake(library, server.zmq), Status.OK, f"protocol {PROTOCOL_VERSION}", __version__)
    assert_says(check_handshake(library, "nonsense://"), Status.PROBLEM, "no session")


# ---- there and back ----


def test_a_round_trip_tells_its_latency_and_a_server_that_is_gone_is_a_problem(server: ChildServer) -> None:
    for transport, address in ((TransportKind.GRPC, server.grpc), (TransportKind.ZMQ, server.zmq)):
        found = round_trip(transport, address, MEDIAPIPE_POSE_33)
        assert found.status in (Status.OK, Status.HINT)
        assert "5 futures of 30 steps in" in found.detail and "ms of them to compute" in found.detail


def test_the_doctors_own_server_takes_no_settings_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_BRIDGE_TOKENS", str(tmp_path / "no-such-file"))
    with child_server(weights=tiny_weights(tmp_path), threads=1, with_environment=False) as running:
        assert running.process.poll() is None
