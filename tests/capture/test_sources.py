from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.capture import Camera, ImageFolder, Picture, VideoFile, open_source
from bridge.errors import InvalidInput, NotFound, Unavailable
from tests.capture.support import need_mediapipe, shared_file, video


def test_a_videos_times_are_its_own() -> None:
    source = VideoFile(video())
    times_us = [picture.timestamp_us for picture in source.pictures() if picture is not None]
    source.close()
    with np.load(shared_file("recordings", "p2s_single_cam01_full.npz")) as recording:
        np.testing.assert_allclose(np.array(times_us) / 1000, recording["timestamp_ms"], atol=1.0)
    assert (source.fps, source.total, source.dropped, source.live) == (60.0, 100, 0, False)


def write_images(folder: Path, names: list[str]) -> None:
    import cv2

    for row, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((8, 12, 3), row * 20, np.uint8))


def test_images_come_in_the_order_of_their_numbers_and_the_unreadable_are_dropped(tmp_path: Path) -> None:
    need_mediapipe()
    write_images(tmp_path, ["frame_1.png", "frame_2.png", "frame_10.png"])
    (tmp_path / "frame_3.png").write_bytes(b"no image")
    (tmp_path / "frame_4.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image either")
    source = open_source(str(tmp_path), fps=10.0)
    pictures = [picture for picture in source.pictures() if picture is not None]
    assert [int(picture.bgr[0, 0, 0]) for picture in pictures] == [0, 20, 40]
    # Those that cannot be read leave their time.
    assert [picture.timestamp_us for picture in pictures] == [0, 100_000, 400_000]
    assert (source.total, source.dropped) == (5, 2)


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    need_mediapipe()
    no_video = tmp_path / "text.mp4"
    no_video.write_text("this is text")
    with pytest.raises(InvalidInput, match=r"source: .*text.mp4 is not a video that can be read; expected a camera"):
        open_source(str(no_video))
    with pytest.raises(NotFound, match=r"source: there is no .*gone.mp4"):
        open_source(str(tmp_path / "gone.mp4"))
    with pytest.raises(NotFound, match="there is no image in"):
        open_source(str(tmp_path))
    with pytest.raises(NotFound, match="camera 97 is not there"):
        open_source("97")
    with pytest.raises(InvalidInput, match="fps: is 0"):
        ImageFolder(_folder_with_image(tmp_path), fps=0.0)
    with pytest.raises(InvalidInput, match="a video has times of its own"):
        open_source(str(no_video), fps=30.0)


def _folder_with_image(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    write_images(folder, ["a.png"])
    return folder


class FakeDevice:
    """A camera that gives a picture whenever it is told to, and nothing once it is pulled out."""

    def __init__(self) -> None:
        self.ready = threading.Semaphore(0)
        self.taken = 0
        self.pulled = False
        self.released = False

    def grab(self) -> bool:
        if self.pulled or not self.ready.acquire(timeout=0.02):
            return False
        self.taken += 1
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.full((4, 4, 3), self.taken, np.uint8)

    def release(self) -> None:
        self.released = True


def taken(device: FakeDevice, count: int) -> None:
    deadline_s = time.monotonic() + 10
    while device.taken < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    time.sleep(0.02)


def test_a_camera_gives_its_newest_picture_and_counts_those_that_nobody_took() -> None:
    device = FakeDevice()
    camera = Camera(device, name="camera 0", fps=30.0)
    pictures = camera.pictures()
    assert next(pictures) is None
    device.ready.release()
    first = _next_picture(pictures)
    for _ in range(3):
        device.ready.release()
    taken(device, 4)
    second = _next_picture(pictures)
    assert (int(first.bgr[0, 0, 0]), int(second.bgr[0, 0, 0])) == (1, 4)
    assert camera.dropped == 2
    now_us = time.monotonic_ns() // 1000
    assert first.timestamp_us < second.timestamp_us <= now_us < second.timestamp_us + 10_000_000
    camera.close()
    assert device.released


def test_a_camera_that_is_pulled_out_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.capture.camera._SILENCE_S", 0.2)
    device = FakeDevice()
    camera = Camera(device, name="camera 0", fps=30.0)
    pictures = camera.pictures()
    device.ready.release()
    _next_picture(pictures)
    device.pulled = True
    with pytest.raises(Unavailable, match="camera 0 gives no more pictures"):
        for _ in pictures:
            pass
    camera.close()
    assert device.released


def test_a_camera_that_was_never_read_is_let_go() -> None:
    device = FakeDevice()
    Camera(device, name="camera 0", fps=30.0).close()
    assert device.released


def _next_picture(pictures: Any) -> Picture:
    return next(picture for picture in pictures if picture is not None)
