from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.capture import (
    Picture,
    PoseDetector,
    PoseStream,
    Recorder,
    Seen,
    Smoothing,
    avatar_names,
    check_model,
    draw_poses,
)
from bridge.capture.drawing import AnnotatedVideo, Preview
from bridge.errors import CheckpointError, FailedPrecondition, InvalidInput
from bridge.frames import Frame
from bridge.recordings import load_clips
from tests.capture.support import ListSource, model, need_mediapipe, person, pictures_of, shared_file, video


def landmarks_of(pictures: list[Picture], *, variant: str = "lite", **options: object) -> np.ndarray:
    """(T, 33, 4), NaN where nobody is found."""
    with PoseDetector(model(variant)) as detector:
        stream = PoseStream(ListSource(pictures), detector, ["player1"], **options)  # type: ignore[arg-type]
        frames = [seen.frames[0] for seen in stream if seen is not None]
    missing = np.full((33, 4), np.nan, np.float32)
    return np.stack([missing if frame.landmarks is None else frame.landmarks for frame in frames])


def median_distance_m(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.nanmedian(np.linalg.norm(left[..., :3] - right[..., :3], axis=-1)))


@pytest.mark.parametrize(("name", "count"), [("p2s_single_cam01", 30), ("p2s_single_cam02", 15), ("sports2d_demo", 45)])
def test_landmarks_are_those_of_the_recordings_of_the_same_videos(name: str, count: int) -> None:
    pictures = pictures_of(video(name), count)
    found = landmarks_of(pictures, variant="full")
    with np.load(shared_file("recordings", f"{name}_full.npz")) as recording:
        world, detected = recording["world"][:count], recording["detected"][:count]
    assert np.mean(np.isfinite(found[:, 0, 0]) == detected) > 0.9
    assert median_distance_m(found, world) < 0.02
    seen = np.isfinite(found[:, 0, 0]) & detected
    assert seen.sum() >= 0.8 * count
    assert float(np.median(np.abs(found[seen, :, 3] - world[seen, :, 3]))) < 0.02


def test_mirrored_pictures_are_turned_back() -> None:
    pictures = pictures_of(video(), 8)
    mirrored = [replace(picture, bgr=np.ascontiguousarray(picture.bgr[:, ::-1])) for picture in pictures]
    straight = landmarks_of(pictures)
    np.testing.assert_array_equal(landmarks_of(mirrored, mirror=True), straight)
    # Without it left is right: the mirror image of the body, with the names of its sides swapped.
    assert median_distance_m(landmarks_of(mirrored), straight) > 0.05


def test_smoothing_calms_and_stays_within_its_lag() -> None:
    pictures = pictures_of(video(), 25)
    raw = landmarks_of(pictures)[..., :3]
    smoothing = Smoothing(min_cutoff_hz=1.5, beta_per_m=10.0)
    smooth = landmarks_of(pictures, smoothing=smoothing)[..., :3]
    np.testing.assert_array_equal(smooth[0], raw[0])
    assert np.abs(np.diff(smooth, 2, axis=0)).mean() < 0.5 * np.abs(np.diff(raw, 2, axis=0)).mean()
    assert np.median(np.abs(smooth - raw)) < 1 / (2 * np.pi * smoothing.beta_per_m)


def test_two_people_keep_their_names(tmp_path: Path) -> None:
    pairs = zip(pictures_of(video(), 12), pictures_of(video("p2s_single_cam02"), 12), strict=True)
    together = [replace(left, bgr=np.concatenate([left.bgr, right.bgr], axis=1)) for left, right in pairs]
    recorder = Recorder(tmp_path / "two.npz", ["ann", "bob"])
    sides: dict[str, set[bool]] = {"ann": set(), "bob": set()}
    with PoseDetector(model("full"), max_poses=2) as detector:
        for seen in PoseStream(ListSource(together), detector, ["ann", "bob"]):
            assert seen is not None
            recorder.add(seen.frames)
            for avatar, detection in seen.detections.items():
                sides[avatar].add(bool(detection.image[:, 0].mean() > 0.5))
    assert sorted(map(tuple, sides.values())) == [(False,), (True,)]
    written = recorder.save(fps=60.0)
    assert sorted(path.name for path in written.values()) == ["two.ann.npz", "two.bob.npz"]
    clips = [load_clips(path)[0] for path in written.values()]
    np.testing.assert_array_equal(clips[0].timestamp_us, clips[1].timestamp_us)
    assert not np.allclose(clips[0].pose_m[-1], clips[1].pose_m[-1])


def test_a_model_that_is_none_is_named(tmp_path: Path) -> None:
    need_mediapipe()
    with pytest.raises(CheckpointError, match=r"model: .*gone.task cannot be used: there is no such file"):
        check_model(tmp_path / "gone.task")
    (tmp_path / "text.task").write_text("no model")
    with pytest.raises(CheckpointError, match=r"text.task cannot be used.*expected a pose landmarker bundle"):
        check_model(tmp_path / "text.task")


def test_avatar_names() -> None:
    assert avatar_names((), None) == ("player1",)
    assert avatar_names((), 3) == ("player1", "player2", "player3")
    assert avatar_names(["ann", "bob"], None) == ("ann", "bob")
    for given, poses in ((["a b"], None), (["a", "a"], None), (["a:b", "a_b"], None), (["a"], 2), ([], 99)):
        with pytest.raises(InvalidInput, match="expected"):
            avatar_names(given, poses)


def test_a_recording_has_a_row_for_every_picture_and_none_is_made_of_nobody(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.npz", ["ann", "bob"])
    seen = np.concatenate([np.ones((33, 3)), np.full((33, 1), 0.5)], axis=1).astype(np.float32)
    for row in range(5):
        landmarks = None if row == 2 else seen
        at_us = row * 40_000
        recorder.add([Frame("ann", row, at_us, landmarks), Frame("bob", row, at_us, None)])
    written = recorder.save(fps=0.0, source="test")
    assert written == {"ann": tmp_path / "out.ann.npz"}
    (clip,) = load_clips(written["ann"])
    assert clip.detected.tolist() == [True, True, False, True, True]
    assert (clip.fps, clip.layout_id) == (25.0, "mediapipe.pose.33")
    np.testing.assert_array_equal(clip.timestamp_us, np.arange(5) * 40_000)
    assert [path.name for path in tmp_path.iterdir()] == ["out.ann.npz"]


@pytest.mark.parametrize("path", ["out.txt", "nowhere/out.npz", "folder.npz"])
def test_what_cannot_be_a_recording_is_refused_before_anything_is_captured(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InvalidInput, match="out: "):
        Recorder(tmp_path / path, ["ann"])


def test_poses_are_drawn_over_a_copy_in_different_colours() -> None:
    need_mediapipe()
    blank = np.zeros((240, 240, 3), np.uint8)
    drawn = draw_poses(blank, {"player1": person(0.3), "player2": person(0.7)})
    assert blank.max() == 0
    left, right = (half[half.any(axis=-1) & (half != 255).any(axis=-1)] for half in np.split(drawn, 2, axis=1))
    assert len(left) > 100 and len(right) > 100
    assert np.abs(np.median(left, axis=0) - np.median(right, axis=0)).max() > 40
    # Somebody far outside the picture is no error.
    assert draw_poses(blank, {"player1": person(50.0)}).shape == blank.shape


def test_an_annotated_video_is_named_an_mp4(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"annotated: .*avi has no known suffix; expected a name that ends in .mp4"):
        AnnotatedVideo(tmp_path / "out.avi", fps=30.0)
    assert AnnotatedVideo(tmp_path / "out.mp4", fps=30.0).close() is None


def test_a_preview_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(FailedPrecondition, match=r"preview: there is no display.*--annotated"):
        Preview()


def test_a_preview_on_a_display_that_is_not_there_is_refused_and_ends_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_mediapipe()
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(FailedPrecondition, match="no window can be opened"):
        Preview()


class FakeWindows:
    """As OpenCV's windows with Qt: to ask about a window is an error when none is left."""

    WND_PROP_VISIBLE = 4
    error = RuntimeError

    def __init__(self) -> None:
        self.open = False
        self.key = -1

    def imshow(self, name: str, picture: np.ndarray) -> None:
        self.open = True

    def waitKey(self, wait_ms: int) -> int:
        return self.key

    def getWindowProperty(self, name: str, which: int) -> float:
        if not self.open:
            raise self.error("no window")
        return 1.0

    def destroyAllWindows(self) -> None:
        if not self.open:
            raise self.error("no window")


def test_a_preview_ends_with_its_window_or_by_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = FakeWindows()
    monkeypatch.setattr("bridge.capture.drawing._require_display", lambda: None)
    monkeypatch.setattr("bridge.capture.drawing.load_cv2", lambda: windows)
    seen = Seen(Picture(np.zeros((8, 8, 3), np.uint8), 0), [], {})
    preview = Preview()
    assert preview.show(None) and preview.show(seen) and preview.show(None)
    windows.key = ord("q")
    assert not preview.show(seen)
    windows.key = -1
    assert preview.show(seen)
    windows.open = False
    assert not preview.show(seen) and not windows.open
    preview.close()
