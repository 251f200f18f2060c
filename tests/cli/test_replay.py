from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.cli.child_server import ChildServer, child_server
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.recordings import load_clips
from tests.cli.helpers import json_of, make_recording, run
from tests.support import free_port, tiny_weights

ROWS = 45
CONTEXT = 13  # of the tiny weights


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildServer]:
    with child_server(weights=tiny_weights(tmp_path_factory.mktemp("weights")), threads=1) as running:
        yield running


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_every_frame_with_a_full_window_is_forecast_at_full_speed(
    server: ChildServer, transport: str, tmp_path: Path
) -> None:
    recording = make_recording(tmp_path / "body.npz", count=ROWS, root=True)
    out = tmp_path / "out.npz"
    address = server.grpc if transport == "grpc" else server.zmq
    result = json_of(
        run(
            *("replay", recording, "--to", address, "--out", out, "--speed", "max", "--json"),
            *("--samples", 6, "--futures", 3, "--horizon-ms", 300),
        )
    )
    count = ROWS - CONTEXT + 1
    assert (result["frames_sent"], result["forecasts"], result["frame_faults"]) == (ROWS, count, 0)
    assert result["out"] == str(out)
    with np.load(out, allow_pickle=False) as saved:
        assert saved["futures"].shape == (count, 3, 9, 33, 3)
        assert saved["roots"].shape == (count, 3, 9, 3)
        assert saved["spread"].shape == (count, 9, 33)
        assert saved["mode_ids"].shape == saved["probabilities"].shape == (count, 3)
        assert saved["acceptance_rate"].shape == saved["latency_us"].shape == (count,)
        np.testing.assert_allclose(saved["probabilities"].sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_array_equal(saved["based_on_sequence"], np.arange(CONTEXT - 1, ROWS))
        with np.load(recording) as source:
            np.testing.assert_array_equal(saved["based_on_timestamp_us"], source["timestamp_us"][CONTEXT - 1 :])
        assert (str(saved["layout"]), str(saved["clip"])) == ("mediapipe.pose.33", "body")
        assert saved["step_us"] == pytest.approx(33_333, abs=1)
        assert np.isfinite(saved["futures"]).all()


def test_both_transports_give_the_same_forecasts(server: ChildServer, tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=20)
    arrays = []
    for address in (server.grpc, server.zmq):
        out = tmp_path / "out.npz"
        done = run("replay", recording, "--to", address, "--out", out, "--speed", "max", "--samples", 6, "--seed", 5)
        assert done.returncode == 0, done.stderr
        with np.load(out) as saved:
            arrays.append(saved["futures"])
    np.testing.assert_array_equal(*arrays)


def test_at_true_speed_the_server_gets_the_frames_as_they_were_recorded(server: ChildServer, tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=30, lost=(3,))
    result = json_of(
        run(*("replay", recording, "--to", server.grpc, "--json", "--samples", 4, "--futures", 2), cwd=tmp_path)
    )
    assert result["frames_sent"] == 30
    assert 0 < result["forecasts"] <= 30 - CONTEXT + 1
    assert result["out"] == str(tmp_path / "body.forecasts.npz")
    assert (tmp_path / "body.forecasts.npz").exists()


def test_a_recording_too_short_for_a_forecast_is_exit_code_1_and_writes_nothing(
    server: ChildServer, tmp_path: Path
) -> None:
    recording = make_recording(tmp_path / "short.npz", count=5)
    done = run("replay", recording, "--to", server.grpc, "--out", tmp_path / "out.npz", "--speed", "max")
    assert done.returncode == 1
    assert "no forecast came back" in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_no_server_and_no_address_are_exit_code_1(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=5)
    done = run("replay", recording, "--to", "nonsense")
    assert done.returncode == 1 and "HOST:PORT" in done.stderr
    done = run("replay", recording, "--to", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1 and "no session" in done.stderr


def test_a_recording_is_exported_without_a_server(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=ROWS, root=True)
    out = tmp_path / "body.pbr"
    result = json_of(run("replay", recording, "--export", out, "--json"))
    assert result["exported_bytes"] == out.stat().st_size
    magic, joints, flags, frames, layout = struct.unpack_from("<8sIIQ64s", out.read_bytes())
    assert (magic, joints, flags, frames) == (b"PBREC\x00\x00\x01", 33, 1, ROWS)
    assert layout.rstrip(b"\x00") == b"mediapipe.pose.33"
    row = np.dtype([("us", "<u8"), ("seen", "<u8"), ("landmarks", "<f4", (33, 4)), ("root_m", "<f8", (3,))])
    rows = np.frombuffer(out.read_bytes(), row, offset=88)
    clip = load_clips(recording)[0]
    assert rows["us"][0] == 1
    np.testing.assert_array_equal(np.diff(rows["us"]), np.diff(clip.timestamp_us))
    np.testing.assert_array_equal(rows["seen"] & 0xFF, clip.detected)
    np.testing.assert_array_equal(rows["landmarks"][..., :3], clip.pose_m)
    np.testing.assert_array_equal(rows["root_m"], clip.root_m)


def test_replay_to_nowhere_says_what_is_missing() -> None:
    failed = run("replay", BUNDLED_RECORDING)
    assert failed.returncode == 1
    assert "--to or --export" in failed.stderr
