"""Scores of frames against samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.anomaly.habits import TrackHabits
from bridge.anomaly.scored import SCORE_NAMES, FrameScores
from bridge.anomaly.track import Reference, TrackScorer, landmark_votes, scored_steps
from bridge.forecaster.results import OneStep
from bridge.skeleton import MEDIAPIPE_POSE_33
from bridge.wire.alerts import NoVerdict
from tests.anomaly.builders import LAYOUT, PERIOD_US, body, reference, swaying
from tests.support import TINY_LAYOUT

SEEN = np.ones(LAYOUT.joints, np.float32)
LIKELY = OneStep(-10.0, 48.0, np.full(LAYOUT.joints, 1e-3, np.float32))


def value(scores: FrameScores, name: str) -> float:
    return float(scores.scores[SCORE_NAMES.index(name)])


def watched(
    last: NDArray[np.float32] | None = None,
    visibility: NDArray[np.float32] = SEEN,
    *,
    frames: int = 45,
    one_step: OneStep | None = LIKELY,
) -> FrameScores:
    """The scores of the last of some frames of a swaying body, which is ``last`` if given."""
    rng = np.random.default_rng(1)
    scorer = TrackScorer(LAYOUT)
    scores = None
    for i in range(frames):
        time_us = 1 + i * PERIOD_US
        pose_m = swaying(time_us, rng)
        if i == frames - 1 and last is not None:
            pose_m = last
        seen = visibility if i == frames - 1 else SEEN
        scores = scorer.score(time_us, pose_m, seen, one_step)
        if i % 3 == 0:
            scorer.add_reference(reference(time_us, rng))
    assert scores is not None
    return scores


def last_pose() -> NDArray[np.float32]:
    return swaying(1 + 44 * PERIOD_US)


def test_every_score_of_a_whole_frame_is_a_number() -> None:
    assert np.isfinite(watched().scores).all()


def test_a_frame_far_from_every_sample_scores_higher_than_one_among_them() -> None:
    among, far = watched(last_pose()), watched((last_pose() + [[0.0, 0.0, 0.4]] * SEEN[:, None]).astype(np.float32))
    for name in ("nearest_100ms", "nearest_200ms", "nearest_500ms", "rank_500ms"):
        assert value(far, name) > value(among, name) + 0.5, name


def test_a_frame_that_is_one_of_the_samples_is_nearest_to_it_however_far_that_is_from_their_mean() -> None:
    scorer = TrackScorer(LAYOUT)
    modes = np.stack([body(-0.5), body(0.5)] * 8)[:, None].repeat(20, axis=1).astype(np.float16)
    for i in range(8):
        scorer.score(1 + i * PERIOD_US, body(), SEEN, None)
        if i == 0:
            scorer.add_reference(Reference(1, PERIOD_US, modes, body()))
    at_a_mode = scorer.score(1 + 8 * PERIOD_US, modes[0, 0].astype(np.float32), SEEN, None)
    between = scorer.score(1 + 9 * PERIOD_US, body(), SEEN, None)
    assert value(at_a_mode, "nearest_200ms") < value(between, "nearest_200ms") - 2.0


def test_contributions_point_at_the_landmark_that_moved() -> None:
    pose_m = last_pose()
    wrist = LAYOUT.names.index("left_wrist")
    pose_m[wrist] += (0.0, -0.5, 0.0)
    scores = watched(pose_m)
    assert int(scores.joints.argmax()) == wrist
    assert value(scores, "joint_100ms") > value(watched(last_pose()), "joint_100ms") + 1.0
    assert value(scores, "bones") > value(watched(last_pose()), "bones")


def test_a_body_that_stops_while_the_samples_go_on_scores_as_still() -> None:
    earlier = swaying(1 + 41 * PERIOD_US)
    assert value(watched(earlier), "frozen_100ms") > value(watched(last_pose()), "frozen_100ms")


@settings(max_examples=12)
@given(st.lists(st.integers(0, LAYOUT.joints - 1), max_size=8), st.floats(-5.0, 5.0))
def test_landmarks_that_are_not_seen_change_nothing(unseen: list[int], anywhere_m: float) -> None:
    visibility = SEEN.copy()
    visibility[[j for j in unseen if j not in LAYOUT.hips]] = 0.0
    moved = last_pose()
    moved[visibility == 0.0] = anywhere_m
    np.testing.assert_array_equal(watched(last_pose(), visibility).scores, watched(moved, visibility).scores)


@settings(max_examples=10)
@given(st.floats(-np.pi, np.pi))
def test_heading_does_not_matter(angle: float) -> None:
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    scores = []
    for matrix in (np.eye(3), turn):
        rng = np.random.default_rng(2)
        scorer = TrackScorer(LAYOUT)
        for i in range(40):
            time_us = 1 + i * PERIOD_US
            last = scorer.score(time_us, (swaying(time_us, rng) @ matrix.T).astype(np.float32), SEEN, None)
            if i % 3 == 0:
                made = reference(time_us, rng)
                samples = (made.samples_m.astype(np.float64) @ matrix.T).astype(np.float32)
                # As float32: rounding to half precision is the one thing that depends on the axes.
                scorer.add_reference(Reference(time_us, PERIOD_US, samples, made.start_m @ matrix.T))  # type: ignore[arg-type]
        scores.append(last.scores)
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-2)


def test_too_few_landmarks_give_no_verdict() -> None:
    visibility = np.zeros(LAYOUT.joints, np.float32)
    visibility[[11, 12, 23, 24]] = 1.0
    scores = watched(last_pose(), visibility)
    assert scores.missing is NoVerdict.TOO_FEW_LANDMARKS
    assert np.isnan(scores.scores).all()


def test_a_short_track_gives_no_verdict() -> None:
    assert watched(frames=3).missing is NoVerdict.TOO_SHORT


def test_without_forecasts_for_a_while_there_is_no_verdict() -> None:
    rng = np.random.default_rng(0)
    scorer = TrackScorer(LAYOUT)
    scorer.score(1, swaying(1), SEEN, None)
    scorer.add_reference(reference(1, rng))
    assert scorer.score(1 + 2_000_000, swaying(2_000_001), SEEN, None).missing is NoVerdict.NO_FORECAST


def test_without_a_likelihood_the_other_scores_stand() -> None:
    scores = watched(one_step=None)
    assert scores.missing is None
    missing = [name for name, x in zip(SCORE_NAMES, scores.scores, strict=True) if np.isnan(x)]
    assert missing == ["likelihood", "innovation", "outside"]


def test_a_likelihood_holds_for_the_next_two_frames_and_no_longer() -> None:
    rng = np.random.default_rng(0)
    scorer = TrackScorer(LAYOUT)
    known = []
    for i in range(30):
        time_us = 1 + i * PERIOD_US
        scores = scorer.score(time_us, swaying(time_us, rng), SEEN, LIKELY if i == 20 else None)
        scorer.add_reference(reference(time_us, rng))
        known.append(scores.missing is None and bool(np.isfinite(scores.scores[0])))
    assert [i for i, there in enumerate(known) if there] == [20, 21, 22]


def test_another_track_begins_with_no_memory() -> None:
    rng = np.random.default_rng(0)
    scorer = TrackScorer(LAYOUT)
    for i in range(20):
        scorer.score(1 + i * PERIOD_US, swaying(1 + i * PERIOD_US), SEEN, None)
        scorer.add_reference(reference(1 + i * PERIOD_US, rng))
    scorer.restart()
    assert scorer.references == ()
    assert scorer.score(1 + 20 * PERIOD_US, swaying(1), SEEN, None).missing is NoVerdict.TOO_SHORT


def test_landmarks_that_lie_together_share_their_votes() -> None:
    votes = landmark_votes(MEDIAPIPE_POSE_33)
    face, knee = votes[:11].sum(), votes[25]
    assert 0.5 < face / knee < 3.0
    assert (landmark_votes(TINY_LAYOUT) > 0).all()


def test_samples_between_steps_move_linearly() -> None:
    steps = np.zeros((2, 3, LAYOUT.joints, 3), np.float16)
    steps[:, 1], steps[:, 2] = 1.0, 2.0
    made = Reference(0, 100.0, steps, body())
    assert made.at(300)[0, 0, 0] == pytest.approx(2.0)
    assert made.at(250)[0, 0, 0] == pytest.approx(1.5)


def test_samples_reach_past_the_longest_lag() -> None:
    assert scored_steps(30.0) == 20
    assert scored_steps(60.0) == 39


def test_noise_of_a_tracker_is_learnt_and_a_jump_is_not_taken_for_it() -> None:
    rng = np.random.default_rng(3)
    habits = TrackHabits(LAYOUT, landmark_votes(LAYOUT))
    seen = np.ones(LAYOUT.joints, np.bool_)
    for i in range(200):
        habits.add(1 + i * PERIOD_US, swaying(1 + i * PERIOD_US, rng, noise_m=0.01), seen)
    assert np.sqrt(habits.noise_m2.mean()) == pytest.approx(0.01, rel=0.25)
    before = habits.noise_m2.copy()
    habits.add(1 + 200 * PERIOD_US, swaying(1, rng) + np.float32(0.5), seen)
    assert (habits.noise_m2 < 1.2 * before + 1e-6).all()


def test_speed_is_told_late_and_does_not_follow_one_jump() -> None:
    habits = TrackHabits(LAYOUT, landmark_votes(LAYOUT))
    seen = np.ones(LAYOUT.joints, np.bool_)
    for i in range(90):
        habits.add(1 + i * PERIOD_US, swaying(1 + i * PERIOD_US), seen)
    calm = habits.log_speed
    for i in range(90, 100):
        habits.add(1 + i * PERIOD_US, swaying(1 + i * PERIOD_US) + np.float32(0.3 * (i == 92)), seen)
    assert habits.log_speed < calm + 0.5


def test_a_tracker_that_repeats_its_numbers_is_told_from_a_body_that_stands_still() -> None:
    rng = np.random.default_rng(7)
    for noise_m, stuck in ((0.0, True), (0.0005, False)):
        scorer = TrackScorer(LAYOUT)
        for i in range(40):
            time_us = 1 + i * PERIOD_US
            pose_m = (body() + rng.normal(0.0, noise_m, body().shape)).astype(np.float32)
            scores = scorer.score(time_us, pose_m, SEEN, None)
            if i % 3 == 0:
                scorer.add_reference(reference(time_us, rng))
        assert (value(scores, "repeated") > 3.0) == stuck


def test_a_source_that_repeats_every_other_frame_is_none_that_lost_its_subject() -> None:
    rng = np.random.default_rng(8)
    scorer = TrackScorer(LAYOUT)
    for i in range(40):
        time_us = 1 + i * PERIOD_US
        scores = scorer.score(time_us, swaying(1 + i // 2 * 2 * PERIOD_US), SEEN, None)
        if i % 3 == 0:
            scorer.add_reference(reference(time_us, rng))
    assert value(scores, "repeated") == 0.0
