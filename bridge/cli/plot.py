"""``pose-bridge plot``: a moment of a recording with its futures, as a picture, a strip or a film."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import JointMapFile
from bridge.limits import MAX_FUTURES, MAX_HORIZON_MS, MAX_SEED


class Kind(StrEnum):
    """What is drawn."""

    STILL = "still"
    STORYBOARD = "storyboard"
    ANIMATION = "animation"


class ThemeName(StrEnum):
    """Paper."""

    LIGHT = "light"
    DARK = "dark"


def plot(
    recording: Annotated[Path, typer.Argument(help="Recording, motion file (.npz) or BVH file.")],
    out: Annotated[
        Path | None, typer.Option(help=".png, .svg, .gif or .mp4 (needs ffmpeg). [default: RECORDING.KIND.png, here]")
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="What to draw. [default: what --out can hold, a still]")] = None,
    at: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Now, from the clip's first frame. [default: where most movement is]"),
    ] = None,
    futures: Annotated[int, typer.Option(min=1, max=MAX_FUTURES, help="Futures drawn.")] = 5,
    horizon_ms: Annotated[int, typer.Option(min=1, max=MAX_HORIZON_MS, help="How far ahead.")] = 1000,
    theme: Annotated[ThemeName, typer.Option(help="Colour of the paper.")] = ThemeName.LIGHT,
    clip: Annotated[str | None, typer.Option(help="Clip of a file with many. [default: the first]")] = None,
    joint_map: JointMapFile = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same moment, same weights: same futures.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Draw the past, several futures with their probabilities, and what then happened.

    still: past, a row for each future, the truth. storyboard: a strip, one column a moment. animation: a film of about
    five seconds, in which the futures part and the truth catches up with them. The choice of the moment looks only at
    what the person did, not at how good the forecast is.
    """
    # Loaded late: help and wrong options should not wait for torch and matplotlib.
    from rich.console import Console

    from bridge.cli.plot_run import PlotPlan, run_plot
    from bridge.wire.values import SessionConfig

    console = Console(stderr=True, highlight=False)
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
        print(json.dumps(facts, allow_nan=False), flush=True)
