"""The bench of frame saving: on made-up recordings, with weights that know nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bridge.bench.saver import HORIZONS_MS, RULES, Rule, Settings, Way, measure, shortened, to_json
from bridge.bench.saver.truth import Truth, error_mm
from bridge.cli.app import app
from bridge.errors import InvalidInput, NotFound
from bridge.forecaster import Forecaster
from bridge.recordings import Clip, clip_frames, load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33
from tests.cli.helpers import make_recording
from tests.support import TINY_LAYOUT, tiny_weights

QUICK = Settings(samples=2, futures=1)
ROW = {
    *("rule", "every_nth", "threshold_m", "frames", "frames_sent", "sent_share", "bytes_all", "bytes_sent"),
    *("bytes_saved", "bytes_saved_share", "unsent_error_mm", "unsent_held_error_mm", "filled_rows"),
    *("filled_error_mm", "forecasts", "full_error_mm", "added_error_mm"),
}


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    return Forecaster.load(tiny_weights(tmp_path_factory.mktemp("weights")), device="cpu")


def a_clip(folder: Path, *, count: int = 90, lost: tuple[int, ...] = (), fps: float = 30.0) -> Clip:
    return load_clips(make_recording(folder / f"clip{count}.npz", count=count, lost=lost, fps=fps))[0]


def test_shares_bytes_and_errors_of_a_rule_fit_together(forecaster: Forecaster, tmp_path: Path) -> None:
    clips = [a_clip(tmp_path), a_clip(tmp_path, count=80, lost=(60,))]
    done: list[int] = []
    tallies = measure(forecaster, clips, QUICK, rules=(Rule(every_nth=3),), progress=done.append)
    assert sum(done) == 170
    tally = tallies[Rule(every_nth=3)]
    assert 0.3 < tally.sent_share < 0.55
    assert tally.saved_share == pytest.approx(1 - tally.sent_share, abs=0.03)
    assert tally.told_mm.count == tally.held_mm.count == tally.frames - tally.frames_sent
    assert tally.filled_mm[Way.FORECAST].count == tally.filled_mm[Way.BRIDGED].count > 0
    # A swaying body on a straight line from third to third frame.
    assert tally.filled_mm[Way.STRAIGHT].value == pytest.approx(tally.filled_mm[Way.BRIDGED].value, rel=0.01)
    for way in Way:
        assert all(tally.error_mm[way][h].count == tally.full_error_mm[h].count > 0 for h in (100, 333))
        assert tally.added_mm(100, way) is not None


def test_a_rule_that_saves_nothing_costs_nothing(forecaster: Forecaster, tmp_path: Path) -> None:
    # Weights that know nothing are off by more than a tenth of a millimetre, always.
    rule = Rule(threshold_m=1e-4)
    tally = measure(forecaster, [a_clip(tmp_path, count=70)], QUICK, rules=(rule,))[rule]
    assert tally.sent_share == 1.0 and tally.saved_share == 0.0
    assert tally.told_mm.value is None and tally.added_mm(100) is None
    assert to_json({rule: tally})[0]["unsent_error_mm"] is None


def test_a_threshold_that_nothing_exceeds_sends_only_what_the_silence_asks_for(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    rule = Rule(threshold_m=50.0)
    settings = Settings(samples=2, futures=1, max_silence_ms=200)
    tally = measure(forecaster, [a_clip(tmp_path)], settings, rules=(rule,))[rule]
    assert tally.sent_share == pytest.approx(0.2, abs=0.06)


def test_the_latency_is_waited_for(forecaster: Forecaster, tmp_path: Path) -> None:
    clip, rule = a_clip(tmp_path), Rule(every_nth=2)
    counted = [
        measure(forecaster, [clip], Settings(samples=2, futures=1, latency_ms=latency_ms), rules=(rule,))[rule].frames
        for latency_ms in (10.0, 310.0)
    ]
    assert counted[0] - counted[1] == 9


def test_clips_that_are_too_short_are_left_out_and_none_at_all_is_refused(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="long enough"):
        measure(forecaster, [a_clip(tmp_path, count=30)], QUICK)


def test_the_middle_of_a_long_clip_is_taken(tmp_path: Path) -> None:
    clip = a_clip(tmp_path, count=90)
    assert shortened(clip, 5.0) is clip
    short = shortened(clip, 1.0)
    assert 29 <= short.frames <= 31
    assert short.timestamp_us[0] - clip.timestamp_us[0] == pytest.approx(1e6, abs=40_000)
    assert short.pose_m.shape[0] == short.visibility.shape[0] == short.frames


def test_truth_lies_between_close_frames_and_is_unknown_elsewhere(tmp_path: Path) -> None:
    frames = list(clip_frames(a_clip(tmp_path, lost=(40, 41)), "one"))
    truth = Truth(frames, MEDIAPIPE_POSE_33, 1e6 / 30)
    times_us = [frame.timestamp_us for frame in frames]
    middle = truth.at((times_us[3] + times_us[4]) / 2)
    assert middle == pytest.approx((truth.at(times_us[3]) + truth.at(times_us[4])) / 2)
    for unknown_us in (times_us[40], (times_us[41] + times_us[42]) / 2, times_us[-1] + 5_000, -10_000):
        assert np.isnan(truth.at(unknown_us)).all()
    assert error_mm(truth.at(times_us[3]) + 0.001, truth.at(times_us[3])) == pytest.approx(3**0.5)


def test_rules_have_names() -> None:
    names = [rule.name for rule in RULES]
    assert names == ["every 2nd", "every 3rd", "every 5th", "off by 20 mm", "off by 40 mm", "off by 80 mm"]


def test_the_command_tells_tables_json_and_picture(tmp_path: Path) -> None:
    files = [make_recording(tmp_path / f"{name}.npz", count=70) for name in ("one", "two")]
    picture = tmp_path / "saver.png"
    options = ["--samples", "2", "--json", "--quick", "--figure", picture, "--weights", tiny_weights(tmp_path)]
    for file in files:
        options += ["--recording", file]
    result = CliRunner().invoke(app, ["bench", "saver", *map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 1
    report = json.loads(result.stdout)
    assert report["clips"] == ["one", "two"]
    assert [row["rule"] for row in report["rows"]] == [rule.name for rule in RULES]
    for row in report["rows"]:
        assert set(row) == ROW
        assert row["bytes_saved"] == row["bytes_all"] - row["bytes_sent"] >= 0
        assert set(row["added_error_mm"]) == {"forecast", "straight", "bridged"}
        assert set(row["full_error_mm"]) == {str(h) for h in HORIZONS_MS}
    assert "bytes saved" in result.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    options = ("--weights", tmp_path / "missing", "--figure", tmp_path / "saver.jpg")
    result = CliRunner().invoke(app, ["bench", "saver", *map(str, options)])
    assert isinstance(result.exception, InvalidInput) and result.exception.field == "figure"


def test_clips_of_another_layout_are_left_out(forecaster: Forecaster, tmp_path: Path) -> None:
    clip = replace(a_clip(tmp_path), layout_id=TINY_LAYOUT.id)
    with pytest.raises(NotFound):
        measure(forecaster, [clip], QUICK)
