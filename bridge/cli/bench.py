"""``pose-bridge bench``: how fast this machine runs what it is asked to."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.cli.bench_saver import bench_saver
from bridge.cli.bench_serve import bench_serve
from bridge.cli.help_page import CommandPage, GroupPage, examples
from bridge.cli.options import AsJson, Device, Threads, Weights
from bridge.cli.output import write_json
from bridge.cli.progress import busy, telling
from bridge.cli.tables import print_tables
from bridge.errors import InvalidInput
from bridge.limits import MAX_HORIZON_STEPS, MAX_SAMPLES

if TYPE_CHECKING:
    from bridge.bench import Workload

QUICK_BATCHES = (1, 16)
FULL_BATCHES = (1, 16, 64)
DEFAULT_SAMPLES = 32
_LOG_COLUMNS = 120

bench = typer.Typer(name="bench", cls=GroupPage, no_args_is_help=True)


class Preset(StrEnum):
    """Which network."""

    default = "default"
    paper = "paper"
    both = "both"


@bench.callback()
@examples(("pose-bridge bench rollout --quick", "How fast forecasts are drawn here, in under a minute."))
def _bench() -> None:
    """Measure the speed of this machine."""


bench.command("serve", cls=CommandPage)(bench_serve)
bench.command("saver", cls=CommandPage)(bench_saver)


@bench.command(cls=CommandPage)
@examples(
    ("pose-bridge bench rollout --quick", "Both networks, two batch sizes, in under a minute."),
    (
        "pose-bridge bench rollout --preset default --batch 1,8 --figure speed.png",
        "Your batches, as a picture.",
    ),
)
def rollout(
    preset: Annotated[
        Preset, typer.Option(help="default: the weights file. paper: the sizes of the published network.")
    ] = Preset.both,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="Numbers of windows, with commas. [default: 1,16,64, with --quick 1,16]"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_SAMPLES, help="Trajectories drawn for each forecast. [default: 32, paper 100]"),
    ] = None,
    horizon_frames: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_HORIZON_STEPS, help="How far ahead, frames. [default: one second, paper 16]"),
    ] = None,
    threads: Threads = None,
    device: Device = "auto",
    weights: Weights = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw time against batch size into this .png or .svg file.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer repeats, an eighth of the loop, under a minute.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time whole rollouts next to the matrix products they consist of and to a loop that draws sample by sample.

    Both networks, three batch sizes, in a few minutes on two cores. The tables and the count of the work with its
    formula go to stderr. Other work on the machine shows in the numbers.
    """
    batches = parse_batches(batch) if batch is not None else QUICK_BATCHES if quick else FULL_BATCHES
    # Loaded late: help and wrong options should not wait for torch.
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_COLUMNS)
    with busy(console, "loading torch"):
        import torch

        from bridge.bench import (
            DEFINITIONS,
            FULL,
            QUICK,
            PaperNet,
            PaperSizes,
            Row,
            default_workload,
            formula,
            machine,
            measure,
            paper_workload,
            to_json,
            to_tables,
        )
        from bridge.evaluation.figure import check_figure_path
        from bridge.forecaster import Forecaster, pick_device

    if figure is not None:
        check_figure_path(figure)
    began = time.monotonic()
    chosen = pick_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    makers: list[Callable[[], Workload]] = []
    if preset in (Preset.default, Preset.both):
        forecaster = Forecaster.load(weights, device=str(chosen), threads=threads)
        sizes = {"samples": samples or DEFAULT_SAMPLES, "horizon": horizon_frames or round(forecaster.rate_hz)}
        makers += [partial(default_workload, forecaster, batch=count, **sizes) for count in batches]
    if preset in (Preset.paper, Preset.both):
        paper = PaperSizes()
        net = PaperNet(paper).eval().to(chosen)
        sizes = {"samples": samples or paper.samples, "horizon": horizon_frames or paper.horizon_frames}
        makers += [partial(paper_workload, net, batch=count, **sizes) for count in batches]
    rows: list[Row] = []
    formulas: dict[str, list[str]] = {}
    with telling(console) as tell:
        for make in makers:
            workload = make()
            formulas.setdefault(workload.preset, [f"batch {workload.batch}:", *formula(workload.gemms)])
            rows.append(measure(workload, QUICK if quick else FULL, progress=partial(_tell, tell, workload)))
    used = torch.get_num_threads()
    for name, lines in formulas.items():
        console.print(f"[bold]Work of the {name} preset[/bold]", *lines, sep="\n", highlight=False)
    print_tables(console, *to_tables(rows))
    for name, meaning in DEFINITIONS.items():
        console.print(f"[cyan]{name}[/cyan]: {meaning}", highlight=False)
    elapsed_s = time.monotonic() - began
    console.print(
        f"{chosen} ({machine(chosen)}), {used} threads, torch {torch.__version__}, {elapsed_s:.0f} s.", highlight=False
    )
    if figure is not None:
        from bridge.bench.figure import draw_figure

        draw_figure(rows, figure, machine=machine(chosen), threads=used)
    if as_json:
        document = {**to_json(rows, formulas, chosen, used), "quick": quick, "elapsed_s": round(elapsed_s, 1)}
        write_json(document)


def _tell(tell: Callable[[str], None], workload: Workload, what: str) -> None:
    tell(f"{workload.preset}, batch {workload.batch}: {what}")


def parse_batches(text: str) -> tuple[int, ...]:
    """Read ``1,16,64``.

    Raises:
        InvalidInput: if it is not a list of whole numbers above 0.
    """
    try:
        batches = tuple(int(part) for part in text.split(","))
    except ValueError:
        batches = ()
    if not batches or min(batches) < 1:
        raise InvalidInput(f"{text!r}", field="batch", expected="whole numbers above 0, for example 1,16,64")
    return batches
