"""``pose-bridge evaluate``: how good the forecasts are on recorded motion, next to simpler ways to forecast."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.cli.clips import BUNDLED_RECORDING, JointMapFile, read_motion
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, Device, Samples, Seed, Split, Threads, Weights
from bridge.cli.output import write_json
from bridge.cli.progress import busy, counting
from bridge.cli.tables import print_tables
from bridge.errors import InvalidInput
from bridge.limits import MAX_HORIZON_MS

if TYPE_CHECKING:
    from bridge.evaluation import EvaluationWindow, Method, Robustness
    from bridge.forecaster import Forecaster
    from bridge.recordings import Clip

QUICK_WINDOWS = 210
LIBRARY_WINDOWS = 16000
QUICK_LIBRARY_WINDOWS = 4000
_LOG_COLUMNS = 120
_TRAIN_SPLIT = "train"
_UNDER_CONDITIONS = ("last_pose", "gru_nf", "gru_snf")


@examples(
    (
        "pose-bridge evaluate --data motion --quick --figure scores.png",
        "The forecaster beside simpler ways, in minutes.",
    ),
    ("pose-bridge evaluate --data motion --methods gru_snf,last_pose --json", "Two of them, for a program."),
    (
        "pose-bridge evaluate --anomaly --data motion --quick",
        "How well alerts find events that are made into the motion.",
    ),
)
def evaluate(
    data: Annotated[Path, typer.Option(help="Recording, motion file, BVH file, or a folder of them.")],
    joint_map: JointMapFile = None,
    split: Split = "validation",
    weights: Weights = None,
    samples: Samples = 32,
    horizon_ms: Annotated[int, typer.Option(min=34, max=MAX_HORIZON_MS, help="How far ahead, milliseconds.")] = 1000,
    refinement: Annotated[
        str | None, typer.Option(help="For gru_snf, such as 'pcn(steps=1, step_size=0.2)'. [default: the weights' own]")
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Only these, by name and separated by commas. [default: all]")
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="One window every so many frames.")] = 15,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many windows, evenly spread.")] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help=f"At most {QUICK_WINDOWS} windows; fewer under worse input, a small library."),
    ] = False,
    library_limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Training windows that nearest_neighbour looks at, at most."
            f" [default: {LIBRARY_WINDOWS}, or {QUICK_LIBRARY_WINDOWS} with --quick]",
        ),
    ] = None,
    robustness: Annotated[bool, typer.Option(help="Also score under worse input.")] = True,
    recording: Annotated[
        list[Path] | None,
        typer.Option(help="A recording for worse input; may be given several times. [default: the bundled one]"),
    ] = None,
    anomaly: Annotated[
        bool, typer.Option("--anomaly", help="Score alerts instead of forecasts: on made events, or on --labels.")
    ] = False,
    labels: Annotated[
        Path | None, typer.Option(help="With --anomaly: events in the recordings, recording,start_s,end_s,kind (.csv).")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="With --anomaly: calibration file, as `calibrate` writes it. [default: the bundled one]"),
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the results into this .png or .svg file.")] = None,
    dump: Annotated[
        Path | None, typer.Option(help="Write truth and futures of gru_snf, gru_nf and the controls into this .npz.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Score the forecaster, its controls and simple baselines on recorded motion.

    Every sampler has the same weights, seeds and number of samples. The tables go to stderr.
    """
    # A log has no width of its own: there the tables are as wide as they need to be.
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_COLUMNS)
    if labels is not None and not anomaly:
        raise InvalidInput("is given without --anomaly", field="labels", expected="both, or neither")
    if anomaly:
        from bridge.cli.evaluate_anomaly import evaluate_anomaly

        evaluate_anomaly(
            console,
            data,
            joint_map,
            split=split,
            labels=labels,
            calibration=calibration,
            weights=weights,
            quick=quick,
            figure=figure,
            seed=seed,
            device=device,
            threads=threads,
            as_json=as_json,
        )
        return
    # Loaded late: help and wrong options should not wait for torch.
    with busy(console, "loading torch"):
        import torch

        from bridge.evaluation import (
            SampleDump,
            cut_windows,
            evaluate_methods,
            missing_methods,
            robustness_json,
            robustness_table,
            select_clips,
            standard_methods,
            to_json,
            to_tables,
        )
        from bridge.evaluation.samplers import UNTUNED_CONTROLS
        from bridge.forecaster import Forecaster, Refinement
        from bridge.whole_file import check_output

    began = time.monotonic()
    if figure is not None:
        from bridge.evaluation.figure import check_figure_path, save_figure

        check_figure_path(figure)
    if dump is not None:
        check_output(dump, field="dump")
    with busy(console, "loading the weights"):
        forecaster = Forecaster.load(weights, device=device, threads=threads)
    chosen = Refinement.parse(refinement) if refinement is not None else forecaster.refinement
    everything = read_motion(data, joint_map, console)
    clips = select_clips(everything, split)
    horizon_frames = max(1, round(horizon_ms * forecaster.rate_hz / 1000))
    windows = cut_windows(
        clips,
        forecaster.layout,
        context_frames=forecaster.context_frames,
        horizon_frames=horizon_frames,
        rate_hz=forecaster.rate_hz,
        stride_frames=stride,
        max_windows=min((count for count in (limit, QUICK_WINDOWS if quick else None) if count), default=None),
    )
    library = None
    if methods is None or "nearest_neighbour" in methods.split(","):
        most = library_limit or (QUICK_LIBRARY_WINDOWS if quick else LIBRARY_WINDOWS)
        library = _library(everything, split, forecaster, horizon_frames, most)
    all_methods = standard_methods(forecaster, samples, chosen, library=library)
    left_out = missing_methods(forecaster, library=library)
    compared = _chosen(all_methods, methods, left_out)
    left_out = left_out if methods is None else {}
    keep = nullcontext() if dump is None else SampleDump(dump, windows, ("gru_snf", "gru_nf", *UNTUNED_CONTROLS))
    with keep as sink, counting(console, "windows", len(windows) * len(compared)) as advance:
        result = evaluate_methods(
            windows,
            compared,
            forecaster.layout,
            rate_hz=forecaster.rate_hz,
            seed=seed,
            threads=threads or torch.get_num_threads(),
            keep=sink,
            progress=lambda name, count: advance(count, name),
        )
    under = [method for method in compared if method.name in _UNDER_CONDITIONS]
    worse = None
    if robustness and under:
        real = [
            clip
            for path in recording or [BUNDLED_RECORDING]
            for clip in read_motion(path, joint_map, console, field="recording")
        ]
        worse = _under_conditions(console, clips, under, forecaster, horizon_frames, quick, limit, seed, real)
    elapsed_s = time.monotonic() - began
    for table in (*to_tables(result), *([] if worse is None else [robustness_table(worse)])):
        print_tables(console, table)
        console.print()
    for name, why in (left_out | ({} if worse is None else worse.left_out)).items():
        console.print(f"Without {name}: {why}.", highlight=False)
    if figure is not None:
        with busy(console, "drawing"):
            save_figure(figure, result, worse)
    console.print(
        f"Weights {forecaster.weights_id[:12]}, {samples} samples, {chosen}, seed {seed}, {forecaster.device},"
        f" {torch.get_num_threads()} threads, {elapsed_s:.0f} s.",
        highlight=False,
    )
    if as_json:
        document = {
            "split": split if clips[0].split is not None else None,
            "weights": forecaster.weights_id,
            "samples": samples,
            "horizon_ms": horizon_ms,
            "refinement": str(chosen),
            "seed": seed,
            "device": str(forecaster.device),
            "threads": torch.get_num_threads(),
            "elapsed_s": round(elapsed_s, 1),
            **to_json(result),
            "left_out": left_out,
            "library_windows": 0 if library is None else len(library),
            "robustness": None if worse is None else robustness_json(worse),
        }
        write_json(document)


def _chosen(methods: Sequence[Method], names: str | None, left_out: dict[str, str]) -> list[Method]:
    """The methods named in a comma-separated list, in the order of the table; all for None.

    Raises:
        InvalidInput: if there is no such method.
    """
    if names is None:
        return list(methods)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [method.name for method in methods]
    for name in wanted:
        if name not in known:
            why = f": {left_out[name]}" if name in left_out else ""
            raise InvalidInput(f"no method {name!r} here{why}", field="methods", expected=f"some of {', '.join(known)}")
    if not wanted:
        raise InvalidInput("no method is named", field="methods", expected=f"some of {', '.join(known)}")
    return [method for method in methods if method.name in wanted]


def _library(
    clips: Sequence[Clip], split: str, forecaster: Forecaster, horizon_frames: int, most: int
) -> list[EvaluationWindow] | None:
    """Windows of the training split, evenly spread; None where there is none or it is the one that is scored."""
    from bridge.evaluation import library_windows

    known = [clip for clip in clips if clip.split == _TRAIN_SPLIT and clip.layout_id == forecaster.layout.id]
    if split == _TRAIN_SPLIT or not known:
        return None
    windows = library_windows(
        known,
        forecaster.layout,
        context_frames=forecaster.context_frames,
        horizon_frames=horizon_frames,
        rate_hz=forecaster.rate_hz,
        max_windows=most,
    )
    return windows or None


def _under_conditions(
    console: Console,
    clips: Sequence[Clip],
    methods: Sequence[Method],
    forecaster: Forecaster,
    horizon_frames: int,
    quick: bool,
    limit: int | None,
    seed: int,
    recordings: Sequence[Clip],
) -> Robustness:
    from bridge.evaluation import evaluate_robustness
    from bridge.evaluation.robustness import QUICK_WINDOWS as FEW
    from bridge.evaluation.robustness import WINDOWS

    with counting(console, "worse input", None) as advance:
        return evaluate_robustness(
            clips,
            methods,
            forecaster.layout,
            context_frames=forecaster.context_frames,
            horizon_frames=horizon_frames,
            rate_hz=forecaster.rate_hz,
            max_windows=min(FEW if quick else WINDOWS, limit or WINDOWS),
            seed=seed,
            recordings=recordings,
            progress=lambda name, count: advance(count, name),
        )
