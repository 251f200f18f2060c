"""``pose-bridge score``: a recording through the code that watches live streams, and the alerts that it would raise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge.cli.clips import JointMapFile, choose_clip
from bridge.limits import MAX_FALSE_ALARMS_PER_HOUR, MIN_FALSE_ALARMS_PER_HOUR


def score(
    recording: Annotated[Path, typer.Argument(help="Recording, motion file (.npz) or BVH file.")],
    clip: Annotated[
        str | None, typer.Option(help="Which clip of a file that holds several. [default: the first]")
    ] = None,
    joint_map: JointMapFile = None,
    false_alarms_per_hour: Annotated[
        float,
        typer.Option(
            min=MIN_FALSE_ALARMS_PER_HOUR, max=MAX_FALSE_ALARMS_PER_HOUR, help="False alarms that are acceptable."
        ),
    ] = 1.0,
    calibration: Annotated[
        Path | None, typer.Option(help="What `pose-bridge calibrate` wrote. [default: the bundled one]")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the forecasts, as in a session's config.")] = 0,
    avatar: Annotated[
        str | None, typer.Option(help="Name of the avatar, which seeds its forecasts. [default: the clip's name]")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw p-values over time, and the frames around alerts (.png or .svg).")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Say which frames of a recording were outside what was forecast, and what a server would have raised.

    Exit code 0 with or without alerts.
    """
    from bridge.anomaly import BUNDLED_CALIBRATION, Calibration, alerts_of, identity_of, p_values_of, replay
    from bridge.cli.score_report import to_text
    from bridge.forecaster import Forecaster

    console = Console(stderr=True, highlight=False)
    if figure is not None:
        from bridge.evaluation.figure import check_figure_path

        check_figure_path(figure)
    chosen = choose_clip(recording, clip, joint_map, console)
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    normal = Calibration.load(calibration or BUNDLED_CALIBRATION)
    normal.require(identity_of(forecaster))
    (track,) = replay(
        forecaster,
        [chosen],
        calibration=normal,
        false_alarms_per_hour=false_alarms_per_hour,
        seed=seed,
        avatar_id=avatar,
    )
    alerts, p_values = alerts_of(track), p_values_of(track)
    console.print(to_text(track, alerts, p_values, false_alarms_per_hour))
    if figure is not None:
        from bridge.figures import plot_scores

        plot_scores(track, layout=forecaster.layout).savefig(figure)
    if as_json:
        document = {
            "recording": str(recording),
            "clip": chosen.clip_id,
            "frames": chosen.frames,
            "verdicts": sum(p is not None for p in p_values),
            "false_alarms_per_hour": false_alarms_per_hour,
            "smallest_p_value": normal.report.smallest_p_value,
            "alerts": [alert.to_json() for alert in alerts],
            "p_values": p_values,
        }
        print(json.dumps(document, allow_nan=False))
