from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from bridge.errors import InvalidInput, NotFound
from bridge.evaluation.baselines import LastPose
from bridge.evaluation.conditions import CLEAN, CONDITIONS, Condition, Degrade
from bridge.evaluation.evaluate import Progress, evaluate_methods, mobile_joints
from bridge.evaluation.methods import Method
from bridge.evaluation.robustness import Robustness, evaluate_robustness, robustness_json, robustness_table
from bridge.evaluation.scores import coverage, truth_ranks
from bridge.evaluation.windows import cut_windows
from bridge.frames import Window
from bridge.recordings import Clip, load_clips
from bridge.skeleton import MEDIAPIPE_POSE_33, Layout
from tests.support import REPOSITORY, TINY_LAYOUT

CONTEXT, HORIZON, SAMPLES = 16, 30, 8


@dataclass(frozen=True)
class AroundTheLastPose:
    """Samples with a spread that grows with time, about the pose that was seen last."""

    name: str = "gru_snf"
    step_m: float = 0.02
    stochastic: bool = True

    def futures(self, windows: Sequence[Window], horizon_frames: int, seeds: Sequence[int]) -> NDArray[np.float32]:
        last_m = np.stack([window.pose_m[-1] for window in windows])[:, None, None]
        steps = [
            np.random.default_rng(s).normal(0, self.step_m, (SAMPLES, horizon_frames, *last_m.shape[3:])) for s in seeds
        ]
        return (last_m + np.cumsum(steps, axis=2)).astype(np.float32)


METHODS: tuple[Method, ...] = (LastPose(), AroundTheLastPose())


def test_clean_input_scores_as_in_the_evaluation_itself() -> None:
    clips = _clips(4)
    result = _evaluate(clips, conditions=[CLEAN])
    windows = cut_windows(clips, TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON)
    expected = evaluate_methods(windows, METHODS, TINY_LAYOUT, rate_hz=30.0).methods["gru_snf"]
    scored = result.conditions["clean"].methods["gru_snf"]
    assert result.conditions["clean"].windows == len(windows)
    assert scored.energy_score == pytest.approx(expected.mean("energy_score"), rel=1e-5)
    assert scored.ade == pytest.approx(expected.mean("ade"), rel=1e-5)
    for ms, error_mm in scored.mpjpe_mm.items():
        assert error_mm == pytest.approx(expected.mean(f"mpjpe_mm_{ms}"), rel=1e-4)
    assert scored.energy_ratio == 1.0
    assert scored.energy_ratio_ci == (1.0, 1.0)


def test_coverage_is_that_of_the_horizon_where_it_is_worst() -> None:
    """Steps that are too short for the motion: the longer the horizon, the fewer truths lie among the samples."""
    clips, method = _clips(4), AroundTheLastPose(step_m=0.001)
    scored = _evaluate(clips, methods=[method], conditions=[CLEAN])
    windows = cut_windows(clips, TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON)
    seeds = np.random.default_rng(0).integers(2**62, size=len(windows)).tolist()
    samples_m = method.futures([item.window for item in windows], HORIZON, seeds)
    truth_m = np.stack([item.truth_m for item in windows])
    covered = coverage(truth_ranks(samples_m, truth_m, mobile_joints(TINY_LAYOUT)), 0.9)
    assert covered.argmin() > 5
    assert scored.conditions["clean"].methods["gru_snf"].coverage_90_worst == pytest.approx(covered.min())


def test_noise_and_losses_cost_and_frames_between_frames_do_not() -> None:
    result = _evaluate(_clips(4))
    assert list(result.conditions) == [condition.name for condition in CONDITIONS]
    ratio = {name: scored.methods["last_pose"].energy_ratio for name, scored in result.conditions.items()}
    assert ratio["input_60_hz"] == pytest.approx(1.0, abs=1e-4)
    for name in ("tracker_noise", "landmarks_dropped_30"):
        found = ratio[name]
        assert found is not None and found > 1.01
        interval = result.conditions[name].methods["last_pose"].energy_ratio_ci
        assert interval is not None and interval[0] <= found <= interval[1]
        errors_mm = (result.conditions[where].methods["last_pose"].mpjpe_mm[100] for where in (name, "clean"))
        assert next(errors_mm) > next(errors_mm)


@pytest.mark.parametrize("lost_clip", ["clip 0", "clip 2"])
def test_a_lost_window_is_taken_from_its_clean_partner_too_and_the_others_keep_their_seeds(lost_clip: str) -> None:
    result = _evaluate(_clips(3), conditions=[CLEAN, Condition("lossy", "Loses one clip.", _lose(lost_clip))])
    clean, lossy = result.conditions["clean"], result.conditions["lossy"]
    assert lossy.windows + lossy.lost == clean.windows
    assert lossy.lost * 3 == clean.windows
    for name, scored in lossy.methods.items():
        assert scored.energy_ratio == 1.0
        assert scored.energy_score != pytest.approx(clean.methods[name].energy_score, rel=0.01)


def test_a_condition_that_loses_everything_is_reported_without_scores() -> None:
    result = _evaluate(_clips(2), conditions=[CLEAN, Condition("dark", "Sees nothing.", _lose(""))])
    dark = result.conditions["dark"]
    assert (dark.windows, dark.methods) == (0, {})
    assert dark.lost == result.conditions["clean"].windows
    assert robustness_json(result)["conditions"]["dark"]["methods"] == {}
    assert "dark" in _text(result)


def test_recordings_are_scored_without_a_clean_partner_and_those_left_out_are_named() -> None:
    long, other = _clips(1, layout=MEDIAPIPE_POSE_33)[0], _clips(1)[0]
    (demo,) = load_clips(REPOSITORY / "bridge" / "cli" / "data" / "sports2d_demo.npz")
    short = replace(
        long,
        clip_id="short",
        pose_m=long.pose_m[:40],
        visibility=long.visibility[:40],
        timestamp_us=long.timestamp_us[:40],
    )
    hidden = replace(long, clip_id="hidden", pose_m=long.pose_m.copy())
    hidden.pose_m[::20, 3] = np.nan
    result = _evaluate([long], layout=MEDIAPIPE_POSE_33, conditions=[CLEAN], recordings=[demo, short, other, hidden])
    assert result.left_out == {
        "short": "1.3 s long, 1.5 s needed",
        "clip 0": "layout test.tiny.7, not mediapipe.pose.33",
        "hidden": "no 1.5 s in a row with every landmark seen",
    }
    recorded = result.conditions["recordings"]
    assert recorded.windows > 10
    assert demo.clip_id in recorded.description
    for scored in recorded.methods.values():
        assert scored.energy_ratio is None
        assert scored.energy_score > 0
    assert "recordings" not in _evaluate(_clips(1), conditions=[CLEAN]).conditions


def test_the_json_has_every_key_and_is_json() -> None:
    document = robustness_json(_evaluate(_clips(3)))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["left_out"] == {"recordings": "no recordings given"}
    for name, condition in document["conditions"].items():
        assert set(condition) == {"description", "windows", "lost", "methods"}
        for scored in condition["methods"].values():
            assert set(scored) == {
                *("energy_score", "energy_ratio", "energy_ratio_ci", "energy_ratio_to_last_pose"),
                *("ade", "mpjpe_mm", "coverage_90_worst"),
            }
        last, refined = condition["methods"]["last_pose"], condition["methods"]["gru_snf"]
        assert last["energy_ratio_to_last_pose"] == 1.0
        assert last["coverage_90_worst"] is None and 0 <= refined["coverage_90_worst"] <= 1, name
        ratio = refined["energy_score"] / last["energy_score"]
        assert refined["energy_ratio_to_last_pose"] == pytest.approx(ratio, abs=1e-4)


def test_the_table_shows_every_condition_within_120_columns() -> None:
    text = _text(_evaluate(_clips(3)))
    assert "…" not in text
    for condition in CONDITIONS:
        assert condition.name in text
    assert text.count("gru_snf") == text.count("last_pose") == len(CONDITIONS)
    assert "1000" in text


def test_progress_counts_every_scored_window_of_every_method() -> None:
    told: list[tuple[str, int]] = []
    _evaluate(_clips(2), progress=lambda name, count: told.append((name, count)))
    windows = len(cut_windows(_clips(2), TINY_LAYOUT, context_frames=CONTEXT, horizon_frames=HORIZON))
    assert {name for name, _ in told} == {condition.name for condition in CONDITIONS}
    assert sum(count for _, count in told) == windows * len(METHODS) * len(CONDITIONS)


def test_clips_too_short_or_of_another_layout_are_refused() -> None:
    clip = _clips(1)[0]
    with pytest.raises(InvalidInput, match="layout"):
        _evaluate([clip], layout=MEDIAPIPE_POSE_33)
    with pytest.raises(NotFound, match="long enough"):
        _evaluate(
            [replace(clip, pose_m=clip.pose_m[:9], visibility=clip.visibility[:9], timestamp_us=clip.timestamp_us[:9])]
        )


def _evaluate(
    clips: Sequence[Clip],
    *,
    methods: Sequence[Method] = METHODS,
    layout: Layout = TINY_LAYOUT,
    conditions: Sequence[Condition] = CONDITIONS,
    recordings: Sequence[Clip] = (),
    progress: Progress | None = None,
) -> Robustness:
    return evaluate_robustness(
        clips,
        methods,
        layout,
        context_frames=CONTEXT,
        horizon_frames=HORIZON,
        recordings=recordings,
        conditions=conditions,
        batch_windows=7,
        progress=progress,
    )


def _text(result: Robustness) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(robustness_table(result))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _clips(count: int, *, layout: Layout = TINY_LAYOUT) -> list[Clip]:
    """Bodies whose limbs swing, each clip's wider than the one's before."""
    time_s = np.arange(120) / 30
    swing = np.sin(2.0 * time_s[:, None] + np.arange(layout.joints))
    swing[:, list(layout.hips)] = 0.0
    clips = []
    for index in range(count):
        pose_m = np.repeat(layout.template[None] * np.float32(0.36), len(time_s), axis=0)
        pose_m[..., 0] += 0.02 * (1 + index) * swing
        clips.append(
            Clip(
                clip_id=f"clip {index}",
                subject=f"subject {index % 2}",
                action="swing",
                split=None,
                family="recording",
                licence="",
                layout_id=layout.id,
                fps=30.0,
                pose_m=pose_m.astype(np.float32),
                visibility=np.ones((len(time_s), layout.joints), np.float32),
                root_m=None,
                root_has_vertical=False,
                timestamp_us=np.rint(time_s * 1e6).astype(np.int64),
            )
        )
    return clips


def _lose(clip_id: str) -> Degrade:
    def degrade(clip: Clip, rng: np.random.Generator) -> Clip:
        lost = clip_id in clip.clip_id
        return replace(clip, pose_m=clip.pose_m * np.nan, visibility=clip.visibility * 0.0) if lost else clip

    return degrade
