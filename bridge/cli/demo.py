"""``pose-bridge demo``: a real recording through a real server and back, watched, scored and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import BUNDLED_RECORDING
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, ClipName, Futures, HorizonMs, Samples, ServerThreads, Weights
from bridge.client.address import TransportKind
from bridge.limits import MAX_AVATARS_PER_SESSION


@examples(
    ("pose-bridge demo", "The bundled recording, twice; draws pose-bridge-demo.png."),
    ("pose-bridge demo --recording walk.npz --transport zmq --seconds 5", "Another one over ZeroMQ, for five seconds."),
    ("pose-bridge demo --headless --json", "For a program: the numbers on the last line of stdout."),
)
def demo(
    recording: Annotated[
        Path, typer.Option(help="Recording or motion file (npz).", show_default="the bundled recording")
    ] = BUNDLED_RECORDING,
    clip: ClipName = None,
    transport: Annotated[TransportKind, typer.Option(help="How frames travel.")] = TransportKind.GRPC,
    avatars: Annotated[
        int, typer.Option(min=1, max=MAX_AVATARS_PER_SESSION, help="Avatars: the recording, phase-shifted.")
    ] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, max=3600, help="How long to stream. [default: two rounds with a pause between]"),
    ] = None,
    samples: Samples = 32,
    futures: Futures = 5,
    horizon_ms: HorizonMs = 1000,
    weights: Weights = None,
    threads: ServerThreads = None,
    picture: Annotated[Path, typer.Option(help="Where to draw a moment.")] = Path("pose-bridge-demo.png"),
    headless: Annotated[bool, typer.Option("--headless", help="No live display.")] = False,
    view: Annotated[
        bool, typer.Option("--view", help="Show it in the browser too, as `pose-bridge view` does; needs viser.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="With --view: do not open a browser.")] = False,
    as_json: AsJson = False,
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
