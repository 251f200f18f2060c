from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.capture import Camera, Recorder, cached_model
from bridge.cli.capture import capture
from bridge.cli.child_server import ChildServer, child_server
from bridge.frames import Frame
from bridge.recordings import load_clips
from tests.capture.support import model, need_mediapipe, pictures_of, shared_file, video
from tests.cli.helpers import environment, json_of, run
from tests.support import REPOSITORY, free_port, tiny_weights


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildServer]:
    with child_server(weights=tiny_weights(tmp_path_factory.mktemp("weights")), threads=1) as running:
        yield running


def start(*arguments: object, cwd: Path = REPOSITORY) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bridge.cli", "capture", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until the capture has begun to write."""
    deadline_s = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline_s, process.communicate()
        time.sleep(0.02)


def count_of(path: Path) -> int:
    """How many pictures a video has, read one by one."""
    return len(pictures_of(path, 10_000))


def folder_of(path: Path, folder: Path, count: int) -> Path:
    """The first pictures of a video as images."""
    import cv2

    folder.mkdir()
    for row, picture in enumerate(pictures_of(path, count)):
        cv2.imwrite(str(folder / f"{row}.png"), picture.bgr)
    return folder


def test_a_video_becomes_a_recording_and_an_annotated_video(tmp_path: Path) -> None:
    out, annotated = tmp_path / "walk.npz", tmp_path / "walk.mp4"
    done = run(
        *("capture", video(), "--model", model("full"), "--out", out, "--annotated", annotated, "--json"),
        *("--seconds", 0.5, "--avatar", "ann"),
    )
    result = json_of(done)
    assert (result["frames"], result["detected"], result["dropped"], result["avatars"]) == (30, 30, 0, {"ann": 30})
    assert (result["out"], result["annotated"], result["ended_by"]) == (str(out), str(annotated), "seconds")
    assert result["seconds"] > 0 and result["source_seconds"] == pytest.approx(29 / 60, abs=0.002)
    (said,) = done.stderr.splitlines()
    assert said.startswith("p2s_single_cam01.mp4: 30 pictures in ") and str(out) in said
    (clip,) = load_clips(out)
    with np.load(shared_file("recordings", "p2s_single_cam01_full.npz")) as recording:
        distance_m = np.linalg.norm(clip.pose_m - recording["world"][:30, :, :3], axis=-1)
        np.testing.assert_allclose(clip.timestamp_us / 1000, recording["timestamp_ms"][:30], atol=1.0)
    assert np.nanmedian(distance_m) < 0.02
    assert (clip.fps, clip.layout_id) == (60.0, "mediapipe.pose.33")
    with np.load(out) as saved:
        assert (str(saved["source"]), str(saved["mirrored"])) == ("p2s_single_cam01.mp4", "no")
    assert count_of(annotated) == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.mp4", "walk.npz"]


def test_a_folder_of_images_gives_what_its_video_gives(tmp_path: Path) -> None:
    folder = folder_of(video(), tmp_path / "images", 10)
    (folder / "4.png").write_bytes(b"broken")
    out = tmp_path / "images.npz"
    result = json_of(
        run("capture", folder, "--fps", 60, "--model", model("full"), "--out", out, "--mirror", "--smooth", "--json")
    )
    assert (result["frames"], result["detected"], result["dropped"]) == (9, 9, 1)
    result = json_of(run("capture", folder, "--fps", 60, "--model", model("full"), "--out", out, "--json"))
    (clip,) = load_clips(out)
    with np.load(shared_file("recordings", "p2s_single_cam01_full.npz")) as recording:
        world = np.delete(recording["world"][:10, :, :3], 4, axis=0)
    assert np.median(np.linalg.norm(clip.pose_m - world, axis=-1)) < 0.02
    assert np.diff(clip.timestamp_us).max() == pytest.approx(2e6 / 60, abs=1)


@pytest.mark.parametrize("transport", ["grpc", "zmq"])
def test_a_video_goes_to_a_server_at_its_own_speed_and_forecasts_come_back(
    server: ChildServer, transport: str, tmp_path: Path
) -> None:
    address = server.grpc if transport == "grpc" else server.zmq
    out = tmp_path / "walk.npz"
    result = json_of(run("capture", video(), "--model", model(), "--to", address, "--out", out, "--json"))
    assert (result["frames"], result["frames_sent"], result["frame_faults"]) == (100, 100, 0)
    assert (result["to"], result["out"], result["frames_unsent"]) == (address, str(out), 0)
    assert result["forecasts"] > 5
    assert result["seconds"] > result["source_seconds"] == 1.65


def test_ctrl_c_leaves_complete_files(tmp_path: Path, server: ChildServer) -> None:
    out, annotated = tmp_path / "out.npz", tmp_path / "out.mp4"
    process = start(
        *(video("sports2d_demo"), "--model", model(), "--to", server.grpc),
        *("--out", out, "--annotated", annotated, "--json"),
    )
    wait_for(tmp_path / "out.partial.mp4", process)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    result = json.loads(stdout.splitlines()[-1])
    assert result["ended_by"] == "interrupt"
    assert 0 < result["frames"] < 230
    (clip,) = load_clips(out)
    assert clip.frames == result["frames"] == count_of(annotated)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "out.npz"]


def test_a_server_that_goes_away_is_said_and_the_recording_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    with child_server(weights=tiny_weights(tmp_path), threads=1) as mine:
        process = start(
            *(video(), "--model", model(), "--to", mine.zmq, "--out", out),
            *("--annotated", tmp_path / "out.mp4"),
        )
        wait_for(tmp_path / "out.partial.mp4", process)
        mine.process.kill()
        mine.process.wait()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert f"error: to: the server at {mine.zmq} is gone" in stderr.splitlines()[-1]
    assert load_clips(out)[0].frames == 100


class FilmCamera:
    """A camera that shows a film, over and over, at 60 Hz."""

    def __init__(self, film: Path) -> None:
        self._pictures = itertools.cycle(pictures_of(film, 30))

    def grab(self) -> bool:
        time.sleep(1 / 60)
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, next(self._pictures).bgr

    def release(self) -> None:
        pass


def test_ctrl_c_is_the_normal_end_of_a_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = Camera(FilmCamera(video()), name="camera 0", fps=60.0)
    monkeypatch.setattr("bridge.cli.capture_run.open_source", lambda *_, **__: camera)
    monkeypatch.setattr("bridge.cli.capture_run.Recorder.add", _interrupt_at(20, Recorder.add))
    out = tmp_path / "out.npz"
    before = signal.getsignal(signal.SIGINT)
    capture("0", model=str(model()), out=out, as_json=True)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["ended_by"], result["frames"]) == ("interrupt", 20)
    assert signal.getsignal(signal.SIGINT) is before
    (clip,) = load_clips(out)
    assert clip.frames == 20 and clip.detected.any()
    # The times are the camera's: 60 Hz at most, less what was dropped.
    assert clip.timestamp_us[-1] - clip.timestamp_us[0] > 19 * 16_000
    assert result["dropped"] >= 0


def _interrupt_at(count: int, add: Callable[..., None]) -> Callable[..., None]:
    calls = itertools.count(1)

    def counted(self: Recorder, frames: Sequence[Frame]) -> None:
        add(self, frames)
        if next(calls) == count:
            signal.raise_signal(signal.SIGINT)

    return counted


def test_nobody_in_any_picture_is_exit_code_1_and_no_recording(tmp_path: Path) -> None:
    bundle = model()
    import cv2

    (tmp_path / "dark").mkdir()
    for row in range(3):
        cv2.imwrite(str(tmp_path / "dark" / f"{row}.png"), np.zeros((120, 160, 3), np.uint8))
    out = tmp_path / "out.npz"
    done = run("capture", tmp_path / "dark", "--out", out, "--json", env={"POSE_BRIDGE_MODEL": str(bundle)})
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody was detected in any of the 3 pictures of dark" in done.stderr
    assert not out.exists()


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    for name in ("cv2", "mediapipe"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name={name!r})")
    done = run("capture", 0, "--out", tmp_path / "out.npz", env={"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("is not installed; expected pip install 'pose-bridge[capture]'")


def test_what_is_wrong_is_one_line_that_names_it(tmp_path: Path) -> None:
    need_mediapipe()
    out = ("--out", tmp_path / "out.npz")
    bundle = tmp_path / "text.task"
    bundle.write_text("no model")
    (tmp_path / "images").mkdir()
    for arguments, expected in (
        (("0",), "--to, --out, --annotated or --preview"),
        (("97", *out), "camera 97 is not there"),
        ((tmp_path / "gone.mp4", *out), "there is no "),
        ((bundle, *out), "is not a video that can be read"),
        ((tmp_path / "images", *out), "there is no image in"),
        (("97", "--out", tmp_path / "out.txt"), "out: "),
        (("97", "--smooth-beta", 3, *out), "expected --smooth with it"),
        (("97", "--max-poses", 2, "--avatar", "ann", *out), "is given 1 times for 2 poses"),
    ):
        done = run("capture", *arguments)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("pose-bridge: error: ") and expected in line


def test_a_model_that_cannot_be_fetched_is_named_with_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = video()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = run("capture", film, "--out", tmp_path / "out.npz", "--model-url", nowhere, env=cache)
    assert done.returncode == 1
    assert f"model: cannot fetch {nowhere}/pose_landmarker_full/" in done.stderr
    assert f"put at {cached_model('full')} by hand, or --model FILE" in done.stderr
