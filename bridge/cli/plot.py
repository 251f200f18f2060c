"""``pose-bridge plot``: a moment of a recording with its futures, as a picture, a strip or a film."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import JointMapFile
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, ClipName, Device, Futures, HorizonMs, Seed, Threads, Weights
from bridge.cli.output import write_json
from bridge.cli.progress import busy


class Kind(StrEnum):
    """What is drawn."""

    STILL = "still"
    STORYBOARD = "storyboard"
    ANIMATION = "animation"


class ThemeName(StrEnum):
    """Paper."""

    LIGHT = "light"
    DARK = "dark"


@examples(
    ("pose-bridge plot walk.npz --at 3 --out moment.png", "The moment three seconds in, as a picture."),
    ("pose-bridge plot walk.npz --out moment.gif --theme dark", "The one with most movement, as a film."),
)
def plot(
    recording: Annotated[Path, typer.Argument(help="Recording, motion file (.npz) or BVH file.")],
    out: Annotated[
        Path | None, typer.Option(help=".png, .svg, .gif or .mp4 (needs ffmpeg). [default: RECORDING.KIND.png, here]")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="What to draw. [default: what --out can hold, a still]")] = None,
    at: Annotated[
        float | None,
        typer.Option(help="Now, from the clip's first frame. [default: where most movement is]"),
    ] = None,
    futures: Futures = 5,
    horizon_ms: HorizonMs = 1000,
    theme: Annotated[ThemeName, typer.Option(help="Colour of the paper.")] = ThemeName.LIGHT,
    clip: ClipName = None,
    joint_map: JointMapFile = None,
    weights: Weights = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Draw the past, several futures with their probabilities, and what then happened.

    still: past, a row for each future, the truth. storyboard: a strip, one column a moment. animation: a film of about
    five seconds, in which the futures part and the truth catches up with them. The choice of the moment looks only at
    what the person did, not at how good the forecast is.
    """
    # Loaded late: help and wrong options should not wait for torch and matplotlib.
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with busy(console, "loading torch"):
        from bridge.cli.plot_run import PlotPlan, run_plot
        from bridge.wire.values import SessionConfig

    plan = PlotPlan(
        recording=recording,
        clip_id=clip,
        joint_map=joint_map,
        out=out,
        kind=kind,
        at_s=at,
        config=SessionConfig(client_name="plot", futures=futures, horizon_ms=horizon_ms, seed=seed),
        theme=theme.value,
        weights=weights,
        device=device,
        threads=threads,
    )
    facts = run_plot(plan, console)
    shares = ", ".join(f"{100 * share:.0f} %" for share in facts["probabilities"])
    console.print(f"{facts['clip']} at {facts['at_s']:.2f} s: {facts['futures']} futures ({shares})", soft_wrap=True)
    console.print(f"{facts['kind']} written to {facts['out']} ({facts['bytes'] / 1e6:.2f} MB)", soft_wrap=True)
    if as_json:
        write_json(facts)
