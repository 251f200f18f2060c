"""``pose-bridge bench saver``: what frame saving saves, and what it costs."""

from __future__ import annotations

import sys
import time
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
from bridge.limits import MAX_SILENCE_MS, MIN_SILENCE_MS

if TYPE_CHECKING:
    from bridge.recordings import Clip

FUTURES = 5
QUICK_CLIPS = 8
QUICK_SECONDS = 5.0
_LOG_COLUMNS = 140


@examples(
    ("pose-bridge bench saver --quick", "On the bundled recording, in seconds."),
    ("pose-bridge bench saver --data motion --figure saved.png", "On a folder, with a picture; takes minutes."),
)
def bench_saver(
    data: Annotated[Path | None, typer.Option(help="Motion file, recording, BVH file, or a folder of them.")] = None,
    joint_map: JointMapFile = None,
    split: Split = "validation",
    recording: Annotated[
        list[Path] | None,
        typer.Option(help="A recording; may be given several times. [default: the bundled one, without --data]"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=2, help="Take the middle of clips that are longer.")] = 6.0,
    samples: Samples = 32,
    max_silence_ms: Annotated[
        int, typer.Option(min=MIN_SILENCE_MS, max=MAX_SILENCE_MS, help="Longest time without a sent frame.")
    ] = 500,
    latency_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="From a frame's capture to its forecast being there.")
    ] = 50.0,
    weights: Weights = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    figure: Annotated[Path | None, typer.Option(help="Draw error by bytes saved into this .png or .svg file.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"At most {QUICK_CLIPS} clips, {QUICK_SECONDS:g} s of each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send recordings with every 2nd, 3rd or 5th frame, or those that left the forecast; hold that against all frames.

    The real client's saver, the service's filler and timelines and the forecaster run in this process, on the
    recordings' own time. The table goes to stderr.
    """
    # Loaded late: help and wrong options should not wait for torch.
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_COLUMNS)
    with busy(console, "loading torch"):
        import torch

        from bridge.bench import machine
        from bridge.bench.saver import DEFINITIONS, Settings, draw_figure, measure, shortened, to_json, to_table
        from bridge.evaluation.figure import check_figure_path
        from bridge.evaluation.windows import even_subset
        from bridge.forecaster import Forecaster

    if figure is not None:
        check_figure_path(figure)
    began = time.monotonic()
    with busy(console, "loading the weights"):
        forecaster = Forecaster.load(weights, device=device, threads=threads)
    clips = _clips(data, split, recording, joint_map, console)
    if quick:
        clips = even_subset(clips, QUICK_CLIPS)
    clips = [shortened(clip, min(seconds, QUICK_SECONDS) if quick else seconds) for clip in clips]
    settings = Settings(samples, min(FUTURES, samples), max_silence_ms, latency_ms, seed)
    with counting(console, "frames", sum(clip.frames for clip in clips)) as advance:
        tallies = measure(forecaster, clips, settings, progress=advance)
    elapsed_s = time.monotonic() - began
    print_tables(console, to_table(tallies))
    for name, meaning in DEFINITIONS.items():
        console.print(f"[cyan]{name}[/cyan]: {meaning}", highlight=False)
    spans_s = sum(float(clip.timestamp_us[-1] - clip.timestamp_us[0]) for clip in clips) * 1e-6
    console.print(
        f"{_of(clips)}, {spans_s:.0f} s; {samples} samples, forecasts {latency_ms:g} ms late, silence of at most"
        f" {max_silence_ms} ms; {machine(forecaster.device)}, {torch.get_num_threads()} threads, {elapsed_s:.0f} s.",
        highlight=False,
    )
    if figure is not None:
        draw_figure(tallies, figure, title=f"{_of(clips)}, {spans_s:.0f} s, forecasts {latency_ms:g} ms late")
    if as_json:
        document = {
            "clips": [clip.clip_id for clip in clips],
            "seconds": round(spans_s, 3),
            "weights": forecaster.weights_id,
            "samples": samples,
            "max_silence_ms": max_silence_ms,
            "latency_ms": latency_ms,
            "seed": seed,
            "quick": quick,
            "device": str(forecaster.device),
            "device_name": machine(forecaster.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "elapsed_s": round(elapsed_s, 1),
            "rows": to_json(tallies),
            "definitions": DEFINITIONS,
        }
        write_json(document)


def _of(clips: list[Clip]) -> str:
    return clips[0].clip_id if len(clips) == 1 else f"{len(clips)} clips"


def _clips(
    data: Path | None, split: str, recordings: list[Path] | None, joint_map: Path | None, console: Console
) -> list[Clip]:
    from bridge.evaluation.windows import select_clips

    chosen = [] if data is None else select_clips(read_motion(data, joint_map, console), split)
    for path in recordings or ([BUNDLED_RECORDING] if data is None else []):
        chosen += read_motion(path, joint_map, console, field="recording")
    return chosen
