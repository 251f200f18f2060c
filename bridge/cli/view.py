"""``pose-bridge view``: avatars, their futures, p-values and alerts on a page in the browser."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import BUNDLED_RECORDING, JointMapFile
from bridge.cli.credentials import NO_CREDENTIALS, CredentialFiles, with_credentials
from bridge.cli.help_page import examples
from bridge.cli.options import ClipName, Futures, HorizonMs, Samples, Seed, SendTo
from bridge.limits import MAX_FALSE_ALARMS_PER_HOUR, MIN_FALSE_ALARMS_PER_HOUR
from bridge.skeleton import MEDIAPIPE_POSE_33

DEFAULT_PORT = 50554


class PlaySpeed(StrEnum):
    """How fast a recording plays at first."""

    TENTH = "0.1"
    QUARTER = "0.25"
    HALF = "0.5"
    TRUE = "1"
    DOUBLE = "2"
    FOUR = "4"


@examples(
    ("pose-bridge view walk.npz --speed 0.5", "A recording and its forecasts, at half speed at first."),
    ("pose-bridge view walk.npz --to 127.0.0.1:50551", "The same through a running server, again and again."),
    ("pose-bridge view --watch tcp://127.0.0.1:50555", "What `serve --zmq-watch tcp://127.0.0.1:50555` publishes."),
)
@with_credentials()
def view(
    recording: Annotated[
        Path | None,
        typer.Argument(help="Recording, motion file (npz) or BVH file.", show_default="the bundled recording"),
    ] = None,
    to: SendTo = None,
    watch: Annotated[
        str | None,
        typer.Option("--watch", metavar="ENDPOINT", help="Show what a server publishes there (its zmq_watch)."),
    ] = None,
    clip: ClipName = None,
    joint_map: JointMapFile = None,
    avatars: Annotated[int, typer.Option(min=1, max=64, help="Avatars: the recording, phase-shifted.")] = 1,
    speed: Annotated[PlaySpeed, typer.Option(help="Times as fast as it happened.")] = PlaySpeed.TRUE,
    samples: Samples = 32,
    futures: Futures = 5,
    horizon_ms: HorizonMs = 1000,
    seed: Seed = 0,
    false_alarms_per_hour: Annotated[
        float,
        typer.Option(
            min=MIN_FALSE_ALARMS_PER_HOUR,
            max=MAX_FALSE_ALARMS_PER_HOUR,
            help="Without a server: false alarms an hour to accept.",
        ),
    ] = 1.0,
    weights: Annotated[
        Path | None, typer.Option(help="Without a server: weights file. [default: the bundled one]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Without a server: CPU threads. [default: half the cores]")
    ] = None,
    layout: Annotated[str, typer.Option(help="With --watch: the landmarks that are shown.")] = MEDIAPIPE_POSE_33.id,
    host: Annotated[str, typer.Option(help="Where the page listens; anyone who reaches it may look.")] = "127.0.0.1",
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow a --host that other machines reach.")] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help=f"0: any free one. [default: {DEFAULT_PORT} if it is free, else any]"),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long. [default: at Ctrl-C]")] = None,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout as soon as the page is there.")
    ] = False,
) -> None:
    """Show avatars, their futures with probabilities, p-values and alerts in 3D, on a page in the browser.

    A recording is forecast here, for the moment that is shown; it can be played, paused, sought, slowed down. With --to
    it goes to a running server at its true speed, again and again, and the page shows what comes back. With --watch
    the page shows the forecasts of everyone that the server serves. Ctrl-C ends it.

    The page is for a browser on this machine: other pages that are open there can neither read nor control it, other
    programs and users of this machine can. Open it by its address or as localhost, also through a tunnel of ssh.
    """
    # Loaded late: help and wrong options should not wait for torch and viser.
    from bridge.cli.view_run import ViewPlan, run_view
    from bridge.errors import InvalidInput
    from bridge.wire.values import SessionConfig

    if to is not None and watch is not None:
        raise InvalidInput("--to and --watch are given", field="view", expected="one of them, or none")
    if watch is not None and recording is not None:
        raise InvalidInput(
            "shows what others send, and a recording is given", field="watch", expected="--to with a recording"
        )
    config = SessionConfig(
        client_name="view", samples=samples, futures=futures, horizon_ms=horizon_ms, seed=seed, layout_id=layout
    ).validated()
    plan = ViewPlan(
        recording=recording or BUNDLED_RECORDING,
        clip_id=clip,
        joint_map=joint_map,
        to=to,
        watch=watch,
        avatars=avatars,
        speed=float(speed.value),
        config=config,
        false_alarms_per_hour=false_alarms_per_hour,
        weights=weights,
        threads=threads,
        host=host,
        insecure=insecure,
        port=port,
        open_browser=not no_open and not as_json,
        seconds=seconds,
        credentials=credentials.read(),
    )
    run_view(plan, print_json=as_json)
