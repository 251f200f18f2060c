"""``pose-bridge evaluate``: how good the forecasts are on recorded motion, next to simpler ways to forecast."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.limits import MAX_HORIZON_MS, MAX_SAMPLES

QUICK_WINDOWS = 240
_LOG_COLUMNS = 120


def evaluate(
    data: Annotated[Path, typer.Option(help="Motion file, recording, or a folder of them.")],
    split: Annotated[
        str, typer.Option(help="Split named in the folder's index.csv; everything is used where there is none.")
    ] = "validation",
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    samples: Annotated[int, typer.Option(min=2, max=MAX_SAMPLES, help="Samples of every sampler.")] = 32,
    horizon_ms: Annotated[int, typer.Option(min=34, max=MAX_HORIZON_MS, help="How far ahead.")] = 1000,
    refinement: Annotated[
        str | None, typer.Option(help="For gru_snf, such as 'pcn(steps=1, step_size=0.2)'. [default: the weights' own]")
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="One window every so many frames.")] = 15,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many windows, evenly spread.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"The same as --limit {QUICK_WINDOWS}.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all sampling and of the bootstrap.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Score the forecaster, its controls and simple baselines on recorded motion.

    Every sampler has the same weights, seeds and number of samples. The tables go to stderr.
    """
    # Loaded late: help and wrong options should not wait for torch.
    from bridge.evaluation import cut_windows, evaluate_methods, select_clips, standard_methods, to_json, to_tables
    from bridge.forecaster import Forecaster, Refinement
    from bridge.recordings import load_clips

    # A log has no width of its own: there the tables are as wide as they need to be.
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_COLUMNS)
    began = time.monotonic()
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    chosen = Refinement.parse(refinement) if refinement is not None else forecaster.refinement
    clips = select_clips(load_clips(data), split)
    windows = cut_windows(
        clips,
        forecaster.layout,
        context_frames=forecaster.context_frames,
        horizon_frames=max(1, round(horizon_ms * forecaster.rate_hz / 1000)),
        rate_hz=forecaster.rate_hz,
        stride_frames=stride,
        max_windows=min((count for count in (limit, QUICK_WINDOWS if quick else None) if count), default=None),
    )
    methods = standard_methods(forecaster, samples, chosen)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("windows", total=len(windows) * len(methods))
        result = evaluate_methods(
            windows,
            methods,
            forecaster.layout,
            rate_hz=forecaster.rate_hz,
            seed=seed,
            progress=lambda name, count: bar.update(task, advance=count, description=name),
        )
    elapsed_s = time.monotonic() - began
    console.print(*to_tables(result))
    console.print(
        f"Weights {forecaster.weights_id[:12]}, {samples} samples, {chosen}, seed {seed}, {forecaster.device},"
        f" {elapsed_s:.0f} s.",
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
            "elapsed_s": round(elapsed_s, 1),
            **to_json(result),
        }
        print(json.dumps(document, allow_nan=False))
