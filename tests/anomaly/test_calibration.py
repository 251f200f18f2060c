"""P-values that mean what they say, thresholds, and files."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.anomaly.calibration import BUNDLED_CALIBRATION, Calibration
from bridge.anomaly.rule import run_rule
from bridge.anomaly.scored import FrameScores, ScoredTrack
from bridge.errors import CheckpointError, FailedPrecondition, InvalidInput, ResourceExhausted
from bridge.wire.alerts import AlertState, NoVerdict
from tests.anomaly.builders import IDENTITY, calibration, normal_track

NORMAL = calibration()


def test_p_values_of_other_normal_tracks_are_uniform() -> None:
    p = np.concatenate([NORMAL.p_values(NORMAL.surprise(normal_track(seed))) for seed in range(100, 120)])
    for level in (0.5, 0.1, 0.05, 0.01):
        assert (p <= level).mean() == pytest.approx(level, rel=0.35), level


def test_p_values_of_single_scores_are_uniform_too() -> None:
    p = np.concatenate([NORMAL.p_values_by_score(normal_track(seed)) for seed in range(100, 110)])
    np.testing.assert_allclose((p <= 0.1).mean(axis=0), 0.1, atol=0.04)


def test_the_smallest_p_value_is_one_over_n_plus_one() -> None:
    far = NORMAL.p_values(np.array([1e9]))[0]
    assert far == NORMAL.report.smallest_p_value == 1.0 / (NORMAL.report.values + 1)


def test_what_is_missing_stays_missing() -> None:
    track = normal_track(100)
    track.scores[10] = np.nan
    surprise = NORMAL.surprise(track)
    assert np.isnan(surprise[10])
    assert np.isnan(NORMAL.p_values(surprise)[10])
    none = FrameScores(track.scores[10], 0.0, np.zeros(33, np.float32), NoVerdict.TOO_SHORT)
    assert NORMAL.judge(none).p_value is None


def test_a_frame_by_itself_is_judged_as_in_its_track() -> None:
    track = normal_track(101, frames=50)
    surprise = NORMAL.surprise(track)
    p = NORMAL.p_values(surprise)
    for row in range(50):
        alone = NORMAL.judge(FrameScores(track.scores[row], float(track.log_speed[row]), np.zeros(33, np.float32)))
        assert alone.surprise == pytest.approx(surprise[row], rel=1e-6)
        assert alone.p_value == pytest.approx(p[row], abs=1.01 / (NORMAL.report.values + 1))


def test_frames_that_share_what_they_look_back_on_count_once() -> None:
    seconds = 12 * 1800 / 30.0
    assert NORMAL.report.values <= seconds / 1.6 + 12
    assert NORMAL.report.hours == pytest.approx(seconds / 3600, rel=0.01)


def test_rarer_alarms_need_more_evidence() -> None:
    thresholds = [NORMAL.threshold(rate) for rate in (600.0, 60.0, 12.0, 1.0, 0.1, 0.01)]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] > thresholds[0]


def test_other_normal_tracks_alarm_no_more_often_than_was_asked_for() -> None:
    hours, alarms = 0.0, 0
    for seed in range(200, 240):
        track = normal_track(seed)
        surprise = NORMAL.surprise(track)
        changes = run_rule(NORMAL.rule(60.0), track.timestamps_us.tolist(), surprise.tolist(), surprise.tolist())
        alarms += sum(change.state is AlertState.RAISED for change in changes)
        hours += len(track.timestamps_us) / 30.0 / 3600.0
    # 90 % sure of at most 60; a Poisson count of 40 tracks that is higher than this would be a fault.
    assert alarms / hours <= 60.0 * 1.4


def test_tracks_that_are_shifted_alarm() -> None:
    track = normal_track(300, shift=4.0)
    surprise = NORMAL.surprise(track)
    changes = run_rule(NORMAL.rule(1.0), track.timestamps_us.tolist(), surprise.tolist(), surprise.tolist())
    assert changes[0].state is AlertState.RAISED
    assert changes[0].raised_us < 3_000_000


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="false_alarms_per_hour"):
        NORMAL.threshold(rate)


@pytest.mark.parametrize("field", ["weights_id", "refinement", "layout_id", "rate_hz", "samples", "scores", "version"])
def test_a_calibration_of_others_is_refused_naming_both(field: str) -> None:
    changed: Any = ("x",) if field == "scores" else 7 if field in ("rate_hz", "samples", "version") else "x"
    other = replace(IDENTITY, **{field: changed})
    with pytest.raises(FailedPrecondition) as caught:
        NORMAL.require(other)
    assert field in caught.value.problem
    assert "calibrate" in caught.value.expected
    NORMAL.require(IDENTITY)


def test_too_little_motion_is_refused_and_says_how_much_is_needed() -> None:
    with pytest.raises(InvalidInput, match="at least 40") as caught:
        Calibration.fit([normal_track(1, frames=300)], IDENTITY)
    assert caught.value.field == "recordings"


def test_motion_that_is_all_alike_is_refused() -> None:
    track = normal_track(1, frames=4000)
    flat = replace(track, scores=np.full_like(track.scores, 0.5))
    with pytest.raises(InvalidInput, match="hardly changes"):
        Calibration.fit([flat], IDENTITY)
    slow = replace(track, log_speed=np.full_like(track.log_speed, -3.9))
    with pytest.raises(InvalidInput, match="speed"):
        Calibration.fit([slow], IDENTITY)


def test_recordings_without_a_single_score_are_refused() -> None:
    track = normal_track(1)
    nothing = ScoredTrack("t", "s", "f", track.timestamps_us, np.full_like(track.scores, np.nan), track.log_speed)
    with pytest.raises(InvalidInput, match="no frame could be scored"):
        Calibration.fit([nothing], IDENTITY)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    NORMAL.save(tmp_path / "normal.npz")
    again = Calibration.load(tmp_path / "normal.npz")
    track = normal_track(100)
    assert again.identity == NORMAL.identity
    assert again.report == NORMAL.report
    assert again.threshold(1.0) == NORMAL.threshold(1.0)
    assert again.thresholds(12.0) == NORMAL.thresholds(12.0)
    np.testing.assert_array_equal(again.p_values(again.surprise(track)), NORMAL.p_values(NORMAL.surprise(track)))
    np.testing.assert_array_equal(again.ranking(track), NORMAL.ranking(track))


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        Calibration.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Calibration.load(tmp_path / "text.npz")
    NORMAL.save(tmp_path / "half.npz")
    whole = (tmp_path / "half.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        Calibration.load(tmp_path / "half.npz")
    with pytest.raises(InvalidInput, match="out"):
        NORMAL.save(tmp_path / "no" / "folder.npz")


def test_a_file_is_damaged_in_any_byte_and_is_refused_or_reads_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "normal.npz"
    NORMAL.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ int(rng.integers(1, 256))]) + whole[at + 1 :])
        try:
            assert Calibration.load(path).threshold(1.0) == NORMAL.threshold(1.0)
        except CheckpointError:
            refused += 1
    assert refused > 30


def _without(about: dict[str, Any], part: str, key: str) -> None:
    del about[part][key]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about, arrays: about.update(format=2), "format 2"),
        (lambda about, arrays: _without(about, "identity", "version"), "version"),
        (lambda about, arrays: _without(about, "report", "hours"), "hours"),
        (lambda about, arrays: about["identity"].update(scores=["one"]), "1 scores"),
        (lambda about, arrays: arrays.update(values=np.zeros((0, 16))), "nothing"),
        (lambda about, arrays: arrays.update(values=np.zeros(16)), "scores"),
        (lambda about, arrays: arrays.update(alarms=np.zeros((0, 2))), "shape"),
        (lambda about, arrays: arrays.update(alarms=np.array([[9.0, 3.0], [8.0, 1.0]])), "rise"),
        (lambda about, arrays: arrays.update(excess=np.array([np.nan])), "tail"),
        (lambda about, arrays: arrays.update(excess=np.zeros(0)), "cannot be read"),
        (lambda about, arrays: arrays.pop("ranking_lines"), "ranking_lines|lines"),
    ],
)
def test_a_whole_file_whose_parts_do_not_fit_is_refused(
    change: Callable[[dict[str, Any], dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "normal.npz"
    NORMAL.save(path)
    with np.load(path) as archive:
        arrays: dict[str, Any] = dict(archive)
    about = json.loads(str(arrays.pop("about")))
    change(about, arrays)
    np.savez_compressed(path, allow_pickle=False, about=np.asarray(json.dumps(about)), **arrays)
    with pytest.raises(CheckpointError, match=said):
        Calibration.load(path)


def test_a_save_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "normal.npz"
    NORMAL.save(path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(ResourceExhausted, match="No space left"):
        NORMAL.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["normal.npz"]


def test_the_bundled_calibration_is_of_the_bundled_weights() -> None:
    from bridge.anomaly.replay import identity_of
    from bridge.forecaster import Forecaster

    bundled = Calibration.load(BUNDLED_CALIBRATION)
    bundled.require(identity_of(Forecaster.load(device="cpu")))
    assert bundled.report.hours > 0.1
