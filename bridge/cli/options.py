"""Options that several commands have: one name, one meaning, one text in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.limits import (
    MAX_FALSE_ALARMS_PER_HOUR,
    MAX_FUTURES,
    MAX_HORIZON_MS,
    MAX_SAMPLES,
    MAX_SEED,
    MIN_FALSE_ALARMS_PER_HOUR,
    MIN_SAMPLES,
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]

# What computes.
Weights = Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")]
Device = Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")]
ServerThreads = Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: half the cores]")]
Calibration = Annotated[
    Path | None, typer.Option(help="Calibration file, as `calibrate` writes it. [default: the bundled one]")
]

# What is asked for.
Samples = Annotated[int, typer.Option(min=MIN_SAMPLES, max=MAX_SAMPLES, help="Trajectories drawn for each forecast.")]
Futures = Annotated[int, typer.Option(min=1, max=MAX_FUTURES, help="Futures returned, at most.")]
HorizonMs = Annotated[int, typer.Option(min=1, max=MAX_HORIZON_MS, help="How far ahead, milliseconds.")]


def _fits_wire(seed: int) -> int:
    """A check and no `max`, which would stand in the help with its twenty digits."""
    if seed > MAX_SEED:
        raise typer.BadParameter(f"{seed} is above {MAX_SEED}.")
    return seed


Seed = Annotated[
    int, typer.Option(min=0, callback=_fits_wire, help="Of all that is drawn: the same one, the same result.")
]
FalseAlarmsPerHour = Annotated[
    float,
    typer.Option(min=MIN_FALSE_ALARMS_PER_HOUR, max=MAX_FALSE_ALARMS_PER_HOUR, help="False alarms an hour to accept."),
]

# What it is done with.
ClipName = Annotated[str | None, typer.Option("--clip", help="Clip of a file with many. [default: the first]")]
Split = Annotated[
    str,
    typer.Option(help="Split named in a folder's index.csv; where there is none, all is used."),
]

# Where a server is.
SendTo = Annotated[
    str | None,
    typer.Option("--to", metavar="ADDRESS", help="Server to send to: HOST:PORT (gRPC), tcp://HOST:PORT (ZeroMQ)."),
]
Server = Annotated[
    str,
    typer.Option("--server", metavar="ADDRESS", help="Server to ask: HOST:PORT (gRPC), tcp://HOST:PORT (ZeroMQ)."),
]
DEFAULT_SERVER = "127.0.0.1:50551"
"""Where `pose-bridge serve` listens for gRPC unless told otherwise."""
OnlyAvatar = Annotated[str, typer.Option("--avatar", help="Only this avatar. [default: all]")]
OnlyClient = Annotated[str, typer.Option("--client", help="Only avatars of this client. [default: all]")]
