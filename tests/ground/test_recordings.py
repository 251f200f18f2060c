from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import bridge
from bridge.errors import InvalidInput, NotFound
from bridge.recordings import Clip, clip_frames, load_clips, save_recording
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.timeline import Timeline
from tests.support import TINY_LAYOUT, shared_dir, skip_allowed

FRAMES = 50
BUNDLED = Path(bridge.__file__).parent / "cli" / "data" / "sports2d_demo.npz"


def shared(name: str) -> Path:
    folder = shared_dir()
    if folder is None:
        skip_allowed("the data folder beside the checkout is absent")
    return folder / name


def motion_arrays(**changes: Any) -> dict[str, NDArray[Any]]:
    """A motion file of two clips, 20 and 30 frames."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "pose": rng.integers(-9000, 9000, (FRAMES, 7, 3)).astype(np.int16),
        "root": rng.normal(0, 1, (FRAMES, 3)).astype(np.float32),
        "starts": np.array([0, 20, FRAMES], np.int32),
        "clip_ids": np.array(["walk", "run"]),
        "fps": np.int64(30),
        "scale": 1e-4,
        "layout": np.array(TINY_LAYOUT.id),
    }
    arrays |= changes
    return {key: np.asarray(value) for key, value in arrays.items() if value is not None}


def recording_arrays(**changes: Any) -> dict[str, NDArray[Any]]:
    """A recording as a capture script writes it: nobody in frames 3 and 4, landmark 2 lost in frame 7."""
    world = np.random.default_rng(1).normal(0, 0.5, (FRAMES, 33, 5)).astype(np.float32)
    world[..., 3:] = 0.9
    world[3:5] = np.nan
    world[7, 2, :3] = np.nan
    arrays: dict[str, Any] = {"world": world, "timestamp_ms": np.arange(FRAMES) * 33, "fps": 30.0}
    arrays |= changes
    return {key: np.asarray(value) for key, value in arrays.items() if value is not None}


def saved(path: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **arrays)
    return path


def test_motion_file_becomes_one_clip_for_each_entry(tmp_path: Path) -> None:
    arrays = motion_arrays()
    walk, run = load_clips(saved(tmp_path / "someone.npz", arrays))
    assert (walk.clip_id, run.clip_id) == ("walk", "run")
    assert (walk.frames, run.frames) == (20, 30)
    assert np.allclose(run.pose_m, arrays["pose"][20:] * 1e-4)
    assert run.root_m is not None and np.array_equal(run.root_m, arrays["root"][20:])
    assert run.root_has_vertical
    assert (run.visibility == 1).all()
    assert run.timestamp_us.tolist()[:4] == [0, 33333, 66667, 100000]
    assert (run.subject, run.family, run.split, run.layout_id) == ("someone", "recording", None, TINY_LAYOUT.id)


def test_index_names_subject_split_and_family(tmp_path: Path) -> None:
    saved(tmp_path / "file.npz", motion_arrays())
    header = "clip,subject,split,action,frames,file,licence\n"
    (tmp_path / "index.csv").write_text(header + 'walk,cmu007,train,"walk, slowly",20,file.npz,CMU\n')
    for source in (tmp_path, tmp_path / "file.npz"):
        walk, run = load_clips(source)
        assert (walk.subject, walk.family, walk.split, walk.action, walk.licence) == (
            *("cmu007", "cmu", "train", "walk, slowly", "CMU"),
        )
        assert (run.subject, run.split) == ("file", None)


@pytest.mark.parametrize(
    ("root", "expected"),
    [(None, (False, False)), ("zero", (False, False)), ("flat", (True, False)), ("full", (True, True))],
)
def test_roots_that_say_nothing_are_left_out(tmp_path: Path, root: str | None, expected: tuple[bool, bool]) -> None:
    values = np.random.default_rng(3).normal(0, 1, (FRAMES, 3)).astype(np.float32)
    if root == "zero":
        values[:] = 0
    if root == "flat":
        values[:, 1] = 0.4
    clip = load_clips(saved(tmp_path / "x.npz", motion_arrays(root=None if root is None else values)))[0]
    assert (clip.root_m is not None, clip.root_has_vertical) == expected


def test_recording_keeps_its_times_and_what_was_undetected(tmp_path: Path) -> None:
    (clip,) = load_clips(saved(tmp_path / "take.npz", recording_arrays()))
    assert clip.layout_id == MEDIAPIPE_POSE_33.id
    assert clip.timestamp_us.tolist()[:3] == [0, 33_000, 66_000]
    assert np.flatnonzero(~clip.detected).tolist() == [3, 4]
    assert np.isnan(clip.pose_m[7, 2]).all()
    assert clip.visibility[7, 2] == 0
    assert clip.visibility[8, 2] == pytest.approx(0.9)
    assert clip.root_m is None
    assert clip.family == "recording"


def test_recording_without_visibility_column_counts_as_seen(tmp_path: Path) -> None:
    arrays = recording_arrays()
    arrays["world"] = arrays["world"][..., :3]
    (clip,) = load_clips(saved(tmp_path / "take.npz", arrays))
    assert clip.visibility[0].min() == 1
    assert clip.visibility[3].max() == 0


@pytest.mark.parametrize("half_precision", [False, True])
def test_saved_recording_is_read_back(tmp_path: Path, half_precision: bool) -> None:
    (clip,) = load_clips(saved(tmp_path / "take.npz", recording_arrays()))
    root_m = np.random.default_rng(2).normal(0, 1, (FRAMES, 3)).astype(np.float32)
    path = tmp_path / "copy.npz"
    save_recording(
        path,
        pose_m=clip.pose_m,
        visibility=clip.visibility,
        timestamp_us=clip.timestamp_us + 7,
        fps=29.97,
        layout_id=clip.layout_id,
        root_m=root_m,
        half_precision=half_precision,
        subject="anna",
        action="waves",
        licence="CC0-1.0",
    )
    (copy,) = load_clips(path)
    assert np.allclose(copy.pose_m, clip.pose_m, atol=1e-3 if half_precision else 0, rtol=0, equal_nan=True)
    assert np.allclose(copy.visibility, clip.visibility, atol=1e-3)
    assert np.array_equal(copy.timestamp_us, clip.timestamp_us + 7)
    assert copy.root_m is not None and np.array_equal(copy.root_m, root_m)
    assert (copy.subject, copy.action, copy.licence, copy.fps) == ("anna", "waves", "CC0-1.0", 29.97)
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []


def test_recording_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with pytest.raises(InvalidInput):
        save_recording(
            path,
            pose_m=np.zeros((3, 33, 3)),
            visibility=np.ones((3, 33)),
            timestamp_us=np.array([5, 5, 6]),
            fps=30,
            layout_id=MEDIAPIPE_POSE_33.id,
        )
    assert not path.exists()


def test_clip_frames_are_spaced_as_recorded_and_undetected_ones_say_so(tmp_path: Path) -> None:
    arrays = recording_arrays(root=np.random.default_rng(0).normal(0, 1, (FRAMES, 3)))
    (clip,) = load_clips(saved(tmp_path / "take.npz", arrays))
    frames = list(clip_frames(clip, "anna", start_us=5_000, first_sequence=100))
    assert [frame.timestamp_us for frame in frames] == (clip.timestamp_us + 5_000).tolist()
    assert [frame.sequence for frame in frames] == list(range(100, 100 + FRAMES))
    assert [frame.sequence - 100 for frame in frames if frame.landmarks is None] == [3, 4]
    assert {frame.avatar_id for frame in frames} == {"anna"}
    lost, next_one = frames[7].landmarks, frames[8].landmarks
    assert lost is not None and next_one is not None
    assert np.isfinite(lost).all() and lost[2, 3] == 0
    assert np.allclose(next_one[:, :3], arrays["world"][8, :, :3])
    assert frames[3].root_m is None and frames[8].root_m is not None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scale": 0.0}, "scale"),
        ({"fps": None}, "fps"),
        ({"starts": None}, "starts"),
        ({"starts": np.array([0, 30, 20])}, "starts"),
        ({"starts": np.array([0, 20, 90])}, "starts"),
        ({"clip_ids": None}, "clip_ids"),
        ({"root": np.zeros((4, 3))}, "root"),
        ({"root": np.full((FRAMES, 3), np.nan)}, None),
        ({"pose": np.zeros((FRAMES, 7, 2))}, "pose"),
        ({"pose": np.array(["x"] * FRAMES)}, "pose"),
        ({"pose": None}, "pose"),
        ({"layout": None}, "layout"),
        ({"layout": np.array(MEDIAPIPE_POSE_33.id)}, "33"),
        ({"scale": 1.0}, "100 m"),
        ({"clip_ids": np.array([{"a": 1}, 2], object)}, "pickled"),
    ],
)
def test_unusable_motion_file_is_refused_naming_file_and_key(
    tmp_path: Path, changes: dict[str, Any], named: str | None
) -> None:
    path = saved(tmp_path / "broken.npz", motion_arrays(**changes))
    if named is None:
        assert load_clips(path)[0].root_m is None
        return
    with pytest.raises(InvalidInput) as caught:
        load_clips(path)
    assert "broken.npz" in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"timestamp_ms": None}, "timestamp_ms"),
        ({"timestamp_ms": np.arange(FRAMES - 1)}, "timestamps"),
        ({"timestamp_ms": np.zeros(FRAMES)}, "timestamp"),
        ({"world": np.zeros((FRAMES, 33, 2))}, "world"),
        ({"world": np.zeros((0, 33, 4)), "timestamp_ms": np.zeros(0)}, "world"),
        ({"world": np.zeros((FRAMES, 12, 4))}, "layout"),
        ({"root": np.zeros((FRAMES, 2)) + 1}, "root"),
        ({"detected": np.ones(3, np.bool_)}, "detected"),
    ],
)
def test_unusable_recording_is_refused_naming_file_and_key(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = saved(tmp_path / "broken.npz", recording_arrays(**changes))
    with pytest.raises(InvalidInput) as caught:
        load_clips(path)
    assert "broken.npz" in str(caught.value)
    assert named in str(caught.value)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.npz", motion_arrays()).read_bytes()
    damaged = tmp_path / "damaged.npz"
    flipped = bytearray(whole)
    flipped[300:900] = bytes(600)
    for content in (b"", b"not an npz", whole[: len(whole) // 2], whole[:-30], bytes(flipped)):
        damaged.write_bytes(content)
        with pytest.raises(InvalidInput) as caught:
            load_clips(damaged)
        assert "damaged.npz" in str(caught.value)
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("readme.txt", "a zip, but no arrays")
    with pytest.raises(InvalidInput):
        load_clips(damaged)
    with damaged.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InvalidInput):
        load_clips(damaged)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    for missing in (tmp_path / "nothing.npz", tmp_path):
        with pytest.raises(NotFound):
            load_clips(missing)
    with pytest.raises(NotFound):
        load_clips(saved(tmp_path / "x.npz", motion_arrays(layout=np.array("nobody's"))))


def test_index_without_its_columns_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "x.npz", motion_arrays())
    (tmp_path / "index.csv").write_text("name,who\nwalk,me\n")
    with pytest.raises(InvalidInput) as caught:
        load_clips(tmp_path)
    assert "split" in str(caught.value)


def test_bundled_recording_is_a_real_stream_with_its_licence() -> None:
    (clip,) = load_clips(BUNDLED)
    assert clip.frames == 230
    assert clip.licence == "BSD-3-Clause"
    assert (~clip.detected).sum() == 9
    assert BUNDLED.stat().st_size < 100_000
    line = Timeline(MEDIAPIPE_POSE_33, context_frames=31)
    windows = 0
    for frame in clip_frames(clip, "someone"):
        line.add(frame)
        windows += frame.landmarks is not None and line.window() is not None
    assert windows > 180


def test_bundled_recording_agrees_with_its_original() -> None:
    (original,) = load_clips(shared("recordings/sports2d_demo_full.npz"))
    (bundled,) = load_clips(BUNDLED)
    assert np.array_equal(bundled.timestamp_us, original.timestamp_us)
    assert np.allclose(bundled.pose_m, original.pose_m, atol=1e-3, rtol=0, equal_nan=True)


def test_motion_folder_is_split_by_subject() -> None:
    clips: list[Clip] = load_clips(shared("motion"))
    assert len(clips) == len({clip.clip_id for clip in clips}) > 600
    splits: dict[str, set[str | None]] = {}
    for clip in clips:
        splits.setdefault(clip.subject, set()).add(clip.split)
        assert clip.licence
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "validation", "calibration"}
    assert {clip.family for clip in clips} == {"cmu", "react", "uiprmd", "studiogalt", "deepmimic"}
    assert not any(clip.root_has_vertical for clip in clips if clip.family == "react")
    assert all(clip.root_m is None for clip in clips if clip.subject == "cmuexp")
