"""``pose-bridge evaluate --anomaly``: how well alerts find what is not normal, and how often they are wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.clips import read_motion
from bridge.cli.output import write_json
from bridge.cli.progress import busy, counting
from bridge.cli.tables import print_tables

if TYPE_CHECKING:
    from rich.console import Console

    from bridge.recordings import Clip

SEEDS = 3
EVENTS_PER_KIND = 8
QUICK_EVENTS_PER_KIND = 3
_QUICK_FRAMES = 6000
_SAMPLES = 16
_FITTING_SPLIT = "calibration"


def evaluate_anomaly(
    console: Console,
    data: Path,
    joint_map: Path | None,
    *,
    split: str,
    labels: Path | None,
    calibration: Path | None,
    weights: Path | None,
    quick: bool,
    figure: Path | None,
    seed: int,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Run the evaluation, print its tables to stderr and its JSON to stdout.

    Raises:
        BridgeError: if the data, the labels, the weights or the calibration cannot be used.
    """
    from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, identity_of
    from bridge.evaluation import select_clips
    from bridge.evaluation.anomaly import (
        evaluate_labelled,
        evaluate_made,
        load_labels,
        save_anomaly_figure,
        to_json,
        to_tables,
    )
    from bridge.evaluation.figure import check_figure_path
    from bridge.forecaster import Forecaster

    if figure is not None:
        check_figure_path(figure)
    began = time.monotonic()
    everything = read_motion(data, joint_map, console)
    clips = select_clips(everything, split)
    known = None if labels is None else load_labels(labels, clips)
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    normal = Calibration.load(calibration or BUNDLED_CALIBRATION)
    normal.require(identity_of(forecaster))
    fitting = [clip for clip in everything if clip.split == _FITTING_SPLIT and split != _FITTING_SPLIT]
    if quick:
        clips = _some(clips, _QUICK_FRAMES) if known is None else clips
    seeds = tuple(range(seed, seed + (1 if quick else SEEDS)))
    with counting(console, "frames", None) as count:

        def advance(what: str, frames: int) -> None:
            count(frames, what)

        if known is None:
            result = evaluate_made(
                forecaster,
                normal,
                clips,
                fitting,
                seeds=seeds,
                events_per_kind=QUICK_EVENTS_PER_KIND if quick else EVENTS_PER_KIND,
                samples=_SAMPLES,
                progress=advance,
            )
        else:
            result = evaluate_labelled(
                forecaster, normal, clips, known, fitting, seed=seed, samples=_SAMPLES, progress=advance
            )
    elapsed_s = time.monotonic() - began
    for table in to_tables(result):
        print_tables(console, table)
        console.print()
    report = normal.report
    console.print(
        f"Weights {forecaster.weights_id[:12]}, calibration of {report.hours * 60:.0f} minutes of {report.subjects}"
        f" subjects, seeds {', '.join(map(str, seeds))} (normal motion: the first), {forecaster.device},"
        f" {elapsed_s:.0f} s.",
        highlight=False,
    )
    if figure is not None:
        with busy(console, "drawing"):
            save_anomaly_figure(figure, result)
    if as_json:
        document = {
            "split": split if clips[0].split is not None else None,
            "weights": forecaster.weights_id,
            "seeds": list(seeds),
            "samples": _SAMPLES,
            "elapsed_s": round(elapsed_s, 1),
            **to_json(result),
        }
        write_json(document)


def _some(clips: Sequence[Clip], frames: int) -> list[Clip]:
    """Clips of all subjects in turn until there are so many frames; the longest of a subject are left for later."""
    by_subject: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.frames):
        by_subject.setdefault(clip.subject, []).append(clip)
    chosen: list[Clip] = []
    long_enough = {name: [c for c in own if c.frames >= 200] or own for name, own in sorted(by_subject.items())}
    while sum(clip.frames for clip in chosen) < frames and any(long_enough.values()):
        for own in long_enough.values():
            if own:
                chosen.append(own.pop(0))
    return chosen
