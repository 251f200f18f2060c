"""``pose-bridge bench serve``: the service under load."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, Weights
from bridge.cli.output import write_json
from bridge.cli.progress import telling
from bridge.cli.setting_options import setting_option
from bridge.cli.tables import print_tables
from bridge.client.address import TransportKind

_LOG_COLUMNS = 140


class EngineKind(StrEnum):
    """What answers."""

    local = "local"
    null = "null"


class Placement(StrEnum):
    """Where the engine runs."""

    auto = "auto"
    thread = "thread"
    process = "process"


@examples(
    (
        "pose-bridge bench serve --avatars 2 --seconds 8",
        "Two avatars at 30 Hz over gRPC, forecast with the bundled weights.",
    ),
    ("pose-bridge bench serve --engine null --avatars 64 --transport zmq", "What the service costs without forecasts."),
    (
        "pose-bridge bench serve --find-capacity --overload 3",
        "The most it serves, and what three times that does to it.",
    ),
)
def bench_serve(
    avatars: Annotated[
        int | None, typer.Option(min=1, help="Avatars. [default: 70 % of the capacity that was found, else 64]")
    ] = None,
    hz: Annotated[float, typer.Option(min=10, max=240, help="Frames a second of every avatar.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Of a load, after the warm-up.")] = 10.0,
    transport: Annotated[TransportKind, typer.Option(help="How frames travel.")] = TransportKind.GRPC,
    sessions: Annotated[
        int | None, typer.Option(min=1, help="Connections. [default: one for every 8 avatars, at most 64]")
    ] = None,
    clients: Annotated[int | None, typer.Option(min=1, help="Processes that hold them. [default: one a core]")] = None,
    batched: Annotated[
        bool, typer.Option("--batched", help="One message a session and frame, not one an avatar and frame.")
    ] = False,
    engine: Annotated[EngineKind, setting_option("engine")] = EngineKind.local,
    engine_placement: Annotated[Placement | None, setting_option("engine_placement")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads. [default: one a server core where pinned]")
    ] = None,
    weights: Weights = None,
    device: Annotated[str | None, setting_option("device")] = None,
    pin: Annotated[
        bool, typer.Option("--pin/--no-pin", help="Server and clients on cores of their own, where there are two.")
    ] = True,
    capacity: Annotated[
        bool, typer.Option("--find-capacity", help="Search for the most avatars that are served in full.")
    ] = False,
    known_capacity: Annotated[
        int | None, typer.Option("--capacity", min=1, help="What --find-capacity found earlier, for --overload.")
    ] = None,
    overload: Annotated[
        float | None, typer.Option(min=1, metavar="FACTOR", help="Also: 70 % of the capacity, FACTOR times it, back.")
    ] = None,
    saturate: Annotated[
        bool, typer.Option("--saturate", help="Also: more than fits, against the forecaster alone on the same cores.")
    ] = False,
    watching: Annotated[
        bool, typer.Option("--watching", help="Also: what scoring the motion costs, against a server that does not.")
    ] = False,
    fault: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Also: what others notice of faults; names with commas, or all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the load of many games on a server of its own and say what became of every frame.

    Clients are processes of their own. They send every frame when it is due, whatever the server does, and latency
    counts from that time. A bare byte handler on the same transport is measured beside it, with the same load and
    sizes. Other work on the machine shows in the numbers; how much there was is reported.

    Faults: kill-client, kill-ops-peer, sigterm-under-load, stalled-reader, slow-loris, connection-storm,
    disk-full-logs.
    """
    # Loaded late: help and wrong options should not wait for this.
    from bridge.bench.serve import (
        BenchOptions,
        LoadOptions,
        Pinning,
        ServiceOptions,
        available_cores,
        choose_cores,
        parse_faults,
        run_bench,
        to_json,
        to_lines,
        to_tables,
    )

    pinning = choose_cores(available_cores()) if pin else Pinning()
    options = BenchOptions(
        service=ServiceOptions(
            engine=engine.value,
            engine_placement=None if engine_placement is None else engine_placement.value,
            threads=threads or len(pinning.server) or None,
            weights=weights,
            device=device,
        ),
        load=LoadOptions(
            transport=transport.value,
            hz=hz,
            seconds=seconds,
            sessions=sessions,
            clients=clients,
            batched=batched,
            pinning=pinning,
        ),
        avatars=avatars,
        search=capacity,
        capacity=known_capacity or 0,
        overload_factor=overload or 0.0,
        faults=parse_faults(fault) if fault is not None else (),
        saturate=saturate,
        watching=watching,
    )
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_COLUMNS)
    began_s = time.monotonic()
    with telling(console) as tell:
        report = run_bench(options, progress=tell)
    print_tables(console, *to_tables(report))
    for line in to_lines(report):
        console.print(line, highlight=False)
    if as_json:
        document = {**to_json(report), "elapsed_s": round(time.monotonic() - began_s, 1)}
        write_json(document)
