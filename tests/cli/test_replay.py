from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format

from bridge.cli.child_server import ChildServer, child_server
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.recordings import load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.codec import config_from_message, frame_from_message
from bridge.wire.generated.posebridge.v1 import forecast_pb2
from bridge.wire.values import Encoding
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


def test_a_recording_is_exported_as_the_requests_of_a_stream(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "body.npz", count=4, lost=(1,), root=True)
    out = tmp_path / "body.jsonl"
    result = json_of(
        run("replay", recording, "--export", out, "--json", "--samples", 6, "--futures", 3, "--horizon-ms", 300)
    )
    assert (result["exported"], result["exported_bytes"]) == (str(out), out.stat().st_size)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []
    first, *rest = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    config = config_from_message(json_format.ParseDict(first, forecast_pb2.StreamForecastsRequest()).config)
    assert (config.samples, config.futures, config.horizon_ms, config.encoding) == (6, 3, 300, Encoding.FLOAT32)
    clip = load_clips(recording)[0]
    assert [line["frame"]["timestampUs"] for line in rest] == [str(time_us) for time_us in clip.timestamp_us]
    assert rest[1]["frame"]["landmarks"] == [] and "root" not in rest[1]["frame"]
    frames = [json_format.ParseDict(line, forecast_pb2.StreamForecastsRequest()).frame for line in rest]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3]
    assert clip.root_m is not None
    for row in (0, 2, 3):
        frame = frame_from_message(frames[row], MEDIAPIPE_POSE_33)
        assert frame.landmarks is not None and frame.root_m is not None
        np.testing.assert_array_equal(frame.landmarks[:, :3], clip.pose_m[row].astype(np.float32))
        np.testing.assert_array_equal(frame.root_m, clip.root_m[row].astype(np.float32))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("body.txt", "export: body.txt has no suffix that says in which form; expected FILE.pbr"),
        ("nowhere/body.jsonl", "export: there is no folder"),
        ("nowhere/body.pbr", "export: there is no folder"),
    ],
)
def test_an_export_that_cannot_be_is_one_line_and_leaves_nothing(tmp_path: Path, name: str, said: str) -> None:
    done = run("replay", BUNDLED_RECORDING, "--export", tmp_path / name)
    assert done.returncode == 1
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_replay_to_nowhere_says_what_is_missing() -> None:
    failed = run("replay", BUNDLED_RECORDING)
    assert failed.returncode == 1
    assert "--to or --export" in failed.stderr
