"""``pose-bridge demo``: a real recording through a real server and back, watched, scored and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import BUNDLED_RECORDING
from bridge.client.address import TransportKind
from bridge.limits import MAX_AVATARS_PER_SESSION, MAX_FUTURES, MAX_HORIZON_MS, MAX_SAMPLES, MIN_SAMPLES


def demo(
    recording: Annotated[
        Path, typer.Option(help="Recording or motion file (npz).", show_default="the bundled recording")
    ] = BUNDLED_RECORDING,
    clip: Annotated[str | None, typer.Option(help="Clip of a file with many. [default: the first]")] = None,
    transport: Annotated[TransportKind, typer.Option(help="How frames travel.")] = TransportKind.GRPC,
    avatars: Annotated[
        int, typer.Option(min=1, max=MAX_AVATARS_PER_SESSION, help="Avatars: the recording, phase-shifted.")
    ] = 1,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long to stream. [default: two rounds with a pause between]")
    ] = None,
    samples: Annotated[int, typer.Option(min=MIN_SAMPLES, max=MAX_SAMPLES, help="Trajectories drawn.")] = 32,
    futures: Annotated[int, typer.Option(min=1, max=MAX_FUTURES, help="Futures returned.")] = 5,
    horizon_ms: Annotated[int, typer.Option(min=1, max=MAX_HORIZON_MS, help="How far ahead.")] = 1000,
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of the server. [default: half the cores]")
    ] = None,
    picture: Annotated[Path, typer.Option(help="Where to draw a moment.")] = Path("pose-bridge-demo.png"),
    headless: Annotated[bool, typer.Option("--headless", help="No live display.")] = False,
    view: Annotated[
        bool, typer.Option("--view", help="Show it in the browser too, as `pose-bridge view` does; needs viser.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="With --view: do not open a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Stream a recording at its true speed through a server of its own and show what comes back.

    Twice, with a pause between. The forecasts are scored against what the person then did, next to the last pose held.
    """
    # Loaded late: help and wrong options should not wait for numpy, rich and matplotlib.
    from bridge.cli.demo_run import DemoPlan, run_demo
    from bridge.wire.values import SessionConfig

    config = SessionConfig(client_name="demo", samples=samples, futures=futures, horizon_ms=horizon_ms)
    plan = DemoPlan(
        recording=recording,
        clip_id=clip,
        transport=transport,
        avatars=avatars,
        seconds=seconds,
        config=config,
        weights=weights,
        threads=threads,
        picture=picture,
        live=not headless,
        view=view,
        open_browser=not no_open,
    )
    run_demo(plan, print_json=as_json)
