"""The whole evaluation on little motion, with the bundled weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, replay
from bridge.cli.clips import BUNDLED_RECORDING
from bridge.errors import InvalidInput
from bridge.evaluation.anomaly import evaluate_labelled, evaluate_made, save_anomaly_figure, to_json, to_tables
from bridge.evaluation.anomaly.baselines import BASELINES, PoseGaussian, baseline_scores
from bridge.evaluation.anomaly.labels import Label
from bridge.evaluation.anomaly.results import AnomalyEvaluation
from bridge.forecaster import Forecaster
from bridge.recordings import Clip, load_clips
from tests.evaluation.anomaly.test_made import moving_clip

FORECASTER = Forecaster.load(device="cpu")
NORMAL = Calibration.load(BUNDLED_CALIBRATION)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return moving_clip("walk", frames=240, sway_m=0.08)


@pytest.fixture(scope="module")
def labelled(clip: Clip) -> AnomalyEvaluation:
    pose_m = clip.pose_m.copy()
    pose_m[150:180, 11:23] += np.float32(0.6)
    broken = replace(clip, clip_id="broken", pose_m=pose_m)
    labels = [Label("broken", 5.0, 6.0, "leap")]
    return evaluate_labelled(FORECASTER, NORMAL, [clip, broken], labels, [], samples=16)


def test_a_labelled_event_is_scored_against_the_rest(labelled: AnomalyEvaluation) -> None:
    kind = labelled.kinds["leap"]
    assert kind.events == 1
    assert kind.auroc is not None
    assert kind.auroc > 0.8
    assert set(labelled.baselines) == set(BASELINES)
    assert labelled.hours > 0


def test_the_json_has_the_keys_that_others_rely_on(labelled: AnomalyEvaluation) -> None:
    document = json.loads(json.dumps(to_json(labelled), allow_nan=False))
    assert {"auroc", "average_precision", "event_recall_at_12_per_hour"} <= set(document["overall"])
    assert {"auroc", "event_recall_at_12_per_hour", "delay_ms_median", "events"} <= set(document["kinds"]["leap"])
    assert all(
        {"nominal_per_hour", "realised_per_hour", "alarms", "hours", "interval"} <= set(rate)
        for rate in document["false_alarms"]
    )
    assert {1.0, 30.0} <= {rate["nominal_per_hour"] for rate in document["false_alarms"]}
    assert set(document["exceedance"]) == {"0.1", "0.05", "0.01"}
    assert set(document["baselines"]) == {"velocity", "mahalanobis", "flow_nll", "nearest_sample", "last_pose"}
    assert all("auroc" in baseline for baseline in document["baselines"].values())


def test_tables_and_figure_are_made(labelled: AnomalyEvaluation, tmp_path: Path) -> None:
    assert len(to_tables(labelled)) == 4
    save_anomaly_figure(tmp_path / "anomaly.png", labelled)
    assert (tmp_path / "anomaly.png").stat().st_size > 10_000


def test_made_events_of_every_kind_are_evaluated(clip: Clip) -> None:
    longer = moving_clip("longer", frames=300, sway_m=0.1)
    result = evaluate_made(FORECASTER, NORMAL, [longer, clip], [clip], seeds=(0,), events_per_kind=1, samples=16)
    assert len(result.kinds) >= 8
    assert sum(kind.events for kind in result.kinds.values()) + sum(result.events_not_made.values()) == 10
    assert len(result.auroc_by_seed) == 1
    assert all(kind.severities for kind in result.kinds.values())


def test_without_a_clip_that_is_long_enough_it_says_so() -> None:
    with pytest.raises(InvalidInput, match="long enough"):
        evaluate_made(FORECASTER, NORMAL, [moving_clip(frames=80)], [], seeds=(0,), events_per_kind=1)


def test_replayed_scores_never_look_ahead(clip: Clip) -> None:
    part = replace(
        clip, pose_m=clip.pose_m[:120], visibility=clip.visibility[:120], timestamp_us=clip.timestamp_us[:120]
    )
    (whole,), (start,) = replay(FORECASTER, [clip], seed=3), replay(FORECASTER, [part], seed=3)
    np.testing.assert_allclose(whole.scored.scores[:120], start.scored.scores, atol=2e-3)


def test_a_clip_scores_the_same_alone_and_among_others(clip: Clip) -> None:
    other = moving_clip("other", frames=100)
    (alone,) = replay(FORECASTER, [clip])
    _, among = replay(FORECASTER, [other, clip])
    np.testing.assert_allclose(alone.scored.scores, among.scored.scores, atol=2e-3)


def test_a_real_recording_with_gaps_gets_verdicts_where_it_can() -> None:
    recording = load_clips(BUNDLED_RECORDING)[0]
    (track,) = replay(FORECASTER, [recording], calibration=NORMAL, false_alarms_per_hour=1.0)
    known = [frame.judgement.p_value for frame in track.frames if frame.judgement.p_value is not None]
    assert len(track.frames) == recording.frames
    assert len(known) > 150
    assert all(0 < p <= 1 for p in known)
    assert not any(frame.change for frame in track.frames)


def test_a_clip_of_another_layout_is_refused(clip: Clip) -> None:
    with pytest.raises(InvalidInput, match="layout"):
        replay(FORECASTER, [replace(clip, layout_id="test.tiny.7")])


def test_baselines_are_one_number_a_judged_frame(clip: Clip) -> None:
    (track,) = replay(FORECASTER, [clip])
    gaussian = PoseGaussian.fit([clip])
    scores = baseline_scores(track, gaussian)
    assert tuple(scores) == BASELINES
    assert all(values.shape == (len(track.frames),) for values in scores.values())
    assert np.isfinite(scores["mahalanobis"][1:]).all()
    still = replace(clip, pose_m=np.repeat(clip.pose_m[:1], clip.frames, axis=0))
    (stopped,) = replay(FORECASTER, [still])
    assert np.nanmax(baseline_scores(stopped, gaussian)["velocity"]) == 0.0
