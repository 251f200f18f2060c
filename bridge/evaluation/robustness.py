"""How much worse forecasts get with worse input: methods on the same windows, seen under every condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bridge.errors import NotFound
from bridge.evaluation.bootstrap import ClusteredBootstrap
from bridge.evaluation.conditions import CONDITIONS, Condition
from bridge.evaluation.evaluate import BATCH_WINDOWS, Progress, horizon_rows, mobile_joints
from bridge.evaluation.methods import REFERENCE, REFINED, Method
from bridge.evaluation.view_scores import MPJPE, Views, ViewScorer, WindowScores, paired_ratio
from bridge.evaluation.windows import EvaluationWindow, cut_under_conditions, cut_windows
from bridge.recordings import Clip
from bridge.skeleton import Layout

WINDOWS = 240
QUICK_WINDOWS = 40
RECORDINGS = "recordings"
"""Name of the condition whose windows come from real recordings of a tracker instead of from the clips."""
RECORDING_STRIDE_FRAMES = 5


@dataclass(frozen=True, slots=True)
class ConditionScores:
    """One method under one condition; means over the condition's windows.

    Attributes:
        energy_score: fair energy score, metres over whole futures. ade: metres over whole poses, best of all samples.
        mpjpe_mm: of the sample mean, by horizon in ms.
        coverage_90_worst: of the horizons (frames), the one furthest from 0.9; None for a deterministic method.
        energy_ratio: ``energy_score`` over that of the same windows seen clean; None for real recordings, which nobody
            has seen clean.
        energy_ratio_ci: its 95 % bootstrap interval over subjects and clips; None where there is no ratio or one clip.
    """

    energy_score: float
    ade: float
    mpjpe_mm: dict[int, float]
    coverage_90_worst: float | None
    energy_ratio: float | None
    energy_ratio_ci: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """Every method under one condition.

    Attributes:
        description: what was done to the input.
        windows: scored. lost: not scored, because the condition left no context; left out of the clean partner too.
        methods: scores by name; empty when all windows were lost.
    """

    description: str
    windows: int
    lost: int
    methods: dict[str, ConditionScores]


@dataclass(frozen=True, slots=True)
class Robustness:
    """What came out.

    Attributes:
        conditions: results by name, the clean one first.
        horizons_ms: at which landmark errors are given.
        left_out: why a recording, or the whole condition, is not among them, by name.
    """

    conditions: dict[str, ConditionResult]
    horizons_ms: tuple[int, ...]
    left_out: dict[str, str]


def evaluate_robustness(
    clips: Sequence[Clip],
    methods: Sequence[Method],
    layout: Layout,
    *,
    context_frames: int,
    horizon_frames: int,
    rate_hz: float = 30.0,
    max_windows: int | None = WINDOWS,
    seed: int = 0,
    recordings: Sequence[Clip] = (),
    conditions: Sequence[Condition] = CONDITIONS,
    batch_windows: int = BATCH_WINDOWS,
    progress: Progress | None = None,
) -> Robustness:
    """Score methods on windows seen under every condition of `bridge.evaluation.conditions`, and on real recordings.

    The truth is always the recording as it is; for ``recordings`` that is the tracker's own, noisy output.

    Args:
        clips: of one layout, already chosen by split.
        methods: what to compare.
        layout: of the landmarks.
        context_frames: C. horizon_frames: H.
        rate_hz: of windows and futures.
        max_windows: so many windows of ``clips``, evenly spread, each under every condition; None: all.
        seed: of all sampling, of the conditions and of the bootstrap; a window has the same seed under each condition.
        recordings: what a tracker delivered of real video; clips of another layout or too short are left out.
        conditions: the clean one first.
        batch_windows: windows forecast at once.
        progress: called with a condition's name and the number of windows just scored by one method.

    Raises:
        InvalidInput: if a clip has another layout.
        NotFound: if no clip is long enough.
    """
    sizes = {"context_frames": context_frames, "horizon_frames": horizon_frames}
    views = cut_under_conditions(
        clips, layout, conditions, **sizes, rate_hz=rate_hz, max_windows=max_windows, seed=seed
    )
    horizons = horizon_rows(horizon_frames, rate_hz)
    scorer = ViewScorer(horizons, mobile_joints(layout), horizon_frames, seed, batch_windows, progress)
    results: dict[str, ConditionResult] = {}
    clean: dict[str, WindowScores] = {}
    for condition, seen in zip(conditions, views, strict=True):
        by_method = {method.name: scorer.score(condition.name, method, seen) for method in methods}
        clean = clean or by_method
        results[condition.name] = _result(condition.description, seen, by_method, clean, seed)
    windows, left_out = _recorded_windows(recordings, layout, context_frames, horizon_frames, rate_hz)
    if windows:
        by_method = {method.name: scorer.score(RECORDINGS, method, windows) for method in methods}
        names = ", ".join(sorted({item.clip_id for item in windows}))
        every = f"a window every {RECORDING_STRIDE_FRAMES} frames"
        description = f"Real recordings of a tracker ({names}), {every}; the truth is what the tracker saw."
        results[RECORDINGS] = _result(description, windows, by_method, None, seed)
    return Robustness(results, tuple(horizons), left_out)


def robustness_json(robustness: Robustness) -> dict[str, Any]:
    """The results as JSON values.

    ``energy_ratio`` is the condition's energy score over the clean one on the same windows;
    ``energy_ratio_to_last_pose`` that over last pose's under the same condition.
    """
    return {
        "conditions": {name: _condition_json(result) for name, result in robustness.conditions.items()},
        "left_out": dict(robustness.left_out),
    }


def robustness_table(robustness: Robustness) -> Table:
    """The results for people, one row for each condition and method; at most 120 columns wide."""
    table = Table(
        title="Worse input, same questions",
        caption="ES: fair energy score; /clean: over that of the same windows seen clean, 95 % interval; /last: over "
        "last pose's under the same condition; c90: coverage at the worst horizon; then the error of the sample mean "
        "in mm at so many ms.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("condition", no_wrap=True)
    table.add_column("method", no_wrap=True)
    for header in ("windows", "ES", "/clean", "/last", "ADE", "c90"):
        table.add_column(header, justify="right", no_wrap=True)
    for ms in robustness.horizons_ms:
        table.add_column(str(ms), justify="right", no_wrap=True)
    for name, result in robustness.conditions.items():
        windows = f"{result.windows}" + (f" (-{result.lost})" if result.lost else "")
        if not result.methods:
            table.add_row(name, "", windows)
        for row, (method, values) in enumerate(result.methods.items()):
            last = _over_last_pose(result, method)
            table.add_row(
                "" if row else name,
                method,
                "" if row else windows,
                f"{values.energy_score:.3f}",
                _ratio_text(values),
                "" if last is None else f"{last:.2f}",
                f"{values.ade:.2f}",
                "" if values.coverage_90_worst is None else f"{100 * values.coverage_90_worst:.0f} %",
                *(f"{values.mpjpe_mm[ms]:.0f}" for ms in robustness.horizons_ms),
                style="bold" if method == REFINED else None,
                end_section=row == len(result.methods) - 1,
            )
    return table


def _result(
    description: str,
    views: Views,
    by_method: Mapping[str, WindowScores],
    clean: Mapping[str, WindowScores] | None,
    seed: int,
) -> ConditionResult:
    seen = np.array([item is not None for item in views], np.bool_)
    windows = [item for item in views if item is not None]
    methods: dict[str, ConditionScores] = {}
    if windows:
        bootstrap = ClusteredBootstrap([w.subject for w in windows], [w.clip_id for w in windows], seed=seed)
        for name, scored in by_method.items():
            means = {key: float(column[seen].mean()) for key, column in scored.values.items()}
            ratio, interval = None, None
            if clean is not None:
                before, after = clean[name].values["energy_score"][seen], scored.values["energy_score"][seen]
                ratio, interval = paired_ratio(before, after, bootstrap)
            methods[name] = ConditionScores(
                energy_score=means["energy_score"],
                ade=means["ade"],
                mpjpe_mm={int(key.removeprefix(MPJPE)): means[key] for key in means if key.startswith(MPJPE)},
                coverage_90_worst=scored.coverage_90_worst,
                energy_ratio=ratio,
                energy_ratio_ci=interval,
            )
    return ConditionResult(description, len(windows), len(views) - len(windows), methods)


def _recorded_windows(
    recordings: Sequence[Clip], layout: Layout, context_frames: int, horizon_frames: int, rate_hz: float
) -> tuple[list[EvaluationWindow], dict[str, str]]:
    """The windows of real recordings, and why some recordings have none."""
    windows: list[EvaluationWindow] = []
    left_out = {} if recordings else {RECORDINGS: "no recordings given"}
    needed_s = (context_frames + horizon_frames) / rate_hz
    for clip in recordings:
        length_s = float(clip.timestamp_us[-1] - clip.timestamp_us[0]) / 1e6 + 1.0 / clip.fps
        if clip.layout_id != layout.id:
            left_out[clip.clip_id] = f"layout {clip.layout_id}, not {layout.id}"
        elif length_s < needed_s:
            left_out[clip.clip_id] = f"{length_s:.1f} s long, {needed_s:.1f} s needed"
        else:
            try:
                windows += cut_windows(
                    [clip],
                    layout,
                    context_frames=context_frames,
                    horizon_frames=horizon_frames,
                    rate_hz=rate_hz,
                    stride_frames=RECORDING_STRIDE_FRAMES,
                )
            except NotFound:
                left_out[clip.clip_id] = f"no {needed_s:.1f} s in a row with every landmark seen"
    return windows, left_out


def _condition_json(result: ConditionResult) -> dict[str, Any]:
    return {
        "description": result.description,
        "windows": result.windows,
        "lost": result.lost,
        "methods": {
            name: {
                "energy_score": _rounded(values.energy_score),
                "energy_ratio": _rounded(values.energy_ratio),
                "energy_ratio_ci": None if values.energy_ratio_ci is None else [*map(_rounded, values.energy_ratio_ci)],
                "energy_ratio_to_last_pose": _rounded(_over_last_pose(result, name)),
                "ade": _rounded(values.ade),
                "mpjpe_mm": {str(ms): _rounded(error) for ms, error in values.mpjpe_mm.items()},
                "coverage_90_worst": _rounded(values.coverage_90_worst),
            }
            for name, values in result.methods.items()
        },
    }


def _over_last_pose(result: ConditionResult, name: str) -> float | None:
    reference = result.methods.get(REFERENCE)
    if reference is None or not reference.energy_score > 0:
        return None
    return result.methods[name].energy_score / reference.energy_score


def _ratio_text(values: ConditionScores) -> str:
    if values.energy_ratio is None:
        return ""
    interval = values.energy_ratio_ci
    return f"{values.energy_ratio:.2f}" + ("" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)
