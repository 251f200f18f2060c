"""The demo as a user runs it: real server, real sockets, the bundled recording; the network is small and untrained."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.cli.helpers import json_of, make_recording, run
from tests.support import tiny_weights

HORIZONS = {"100", "333", "1000"}


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_forecasts_come_back_and_are_scored(transport: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    result = json_of(
        run(
            *("demo", "--headless", "--json", "--transport", transport, "--picture", picture, "--seconds", 4),
            *("--weights", tiny_weights(tmp_path), "--samples", 8, "--futures", 3, "--avatars", 2, "--threads", 1),
        )
    )
    assert result["transport"] == transport
    assert (result["avatars"], result["futures"], result["samples"], result["horizon_ms"]) == (2, 3, 8, 1000)
    assert 200 < result["frames_sent"] <= 240
    assert 0 < result["forecasts"] <= result["frames_with_full_window"] < result["frames_sent"]
    for method in ("best_of_k", "most_probable", "last_pose"):
        assert set(result[f"{method}_mpjpe_mm"]) == HORIZONS
    for horizon in HORIZONS:
        assert result["forecasts_scored"][horizon] > 0
        assert 0 < result["best_of_k_mpjpe_mm"][horizon] <= result["most_probable_mpjpe_mm"][horizon]
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"]
    assert result["probabilities_sum"] == pytest.approx(1.0, abs=1e-5)
    assert result["future_distance_mm"] > 0
    assert 0 <= result["acceptance_rate"] <= 1
    assert "pcn" in result["refinement"]
    assert (result["device"], result["threads"], len(result["weights_id"])) == ("cpu", 1, 64)
    assert Path(result["picture"]) == picture
    assert imread(picture).shape[0] > 300


def test_a_recording_of_another_rate_with_a_root_works(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "fast.npz", count=90, fps=60.0, lost=(0, 1, 40), root=True)
    result = json_of(
        run(
            *("demo", "--headless", "--json", "--recording", recording, "--picture", tmp_path / "p.png"),
            *("--weights", tiny_weights(tmp_path), "--samples", 4, "--futures", 2, "--horizon-ms", 200, "--threads", 1),
        )
    )
    assert (result["recording"], result["frames_sent"], result["horizon_ms"]) == ("fast", 180, 200)
    # 90 frames at 60 Hz, 26 of them a window of 13 at 30 Hz; forecasts are due at 30 Hz at most, in each of two rounds.
    assert 0 < result["forecasts"] <= result["frames_with_full_window"] <= 2 * 35
    assert result["best_of_k_mpjpe_mm"]["1000"] is None


def test_a_recording_without_a_full_window_is_exit_code_1_and_says_why(tmp_path: Path) -> None:
    recording = make_recording(tmp_path / "short.npz", count=8)
    done = run("demo", "--headless", "--json", "--recording", recording, "--weights", tiny_weights(tmp_path))
    assert done.returncode == 1
    assert "short never shows a person" in done.stderr
    assert done.stdout == ""


def test_weights_that_cannot_be_used_are_exit_code_1_and_say_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not weights")
    done = run("demo", "--headless", "--weights", broken)
    assert done.returncode == 1
    assert str(broken) in done.stderr


def test_a_picture_that_cannot_be_written_is_said_before_anything_else(tmp_path: Path) -> None:
    done = run("demo", "--headless", "--picture", tmp_path / "no" / "where.png")
    assert done.returncode == 1
    assert "picture" in done.stderr
    done = run("demo", "--headless", "--picture", tmp_path / "picture.docx")
    assert done.returncode == 1
    assert ".png" in done.stderr
