"""``pose-bridge score``: a recording through the code that watches live streams, and the alerts that it would raise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge.cli.clips import JointMapFile
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, Calibration, ClipName, Device, FalseAlarmsPerHour, Seed, Threads, Weights
from bridge.cli.output import write_json
from bridge.cli.progress import busy, counting


@examples(
    ("pose-bridge score walk.npz", "Frames outside the forecasts, and the alerts that a server would raise."),
    ("pose-bridge score walk.npz --figure p-values.png --json", "With a picture, and all p-values for a program."),
)
def score(
    recording: Annotated[Path, typer.Argument(help="Recording, motion file (.npz) or BVH file.")],
    clip: ClipName = None,
    joint_map: JointMapFile = None,
    false_alarms_per_hour: FalseAlarmsPerHour = 1.0,
    calibration: Calibration = None,
    weights: Weights = None,
    seed: Seed = 0,
    avatar: Annotated[
        str | None,
        typer.Option(help="Name of the avatar, which seeds its forecasts. [default: the clip's name]"),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw p-values and what was seen at alerts into this .png or .svg file."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Say which frames of a recording were outside what was forecast, and what a server would have raised.

    Exit code 0 with or without alerts.
    """
    console = Console(stderr=True, highlight=False)
    with busy(console, "loading torch"):
        from bridge import anomaly
        from bridge.cli.clips import choose_clip
        from bridge.cli.score_report import to_text
        from bridge.forecaster import Forecaster

    if figure is not None:
        from bridge.evaluation.figure import check_figure_path

        check_figure_path(figure)
    chosen = choose_clip(recording, clip, joint_map, console)
    with busy(console, "loading the weights"):
        forecaster = Forecaster.load(weights, device=device, threads=threads)
        normal = anomaly.Calibration.load(calibration or anomaly.BUNDLED_CALIBRATION)
    normal.require(anomaly.identity_of(forecaster))
    with counting(console, "frames", chosen.frames) as advance:
        (track,) = anomaly.replay(
            forecaster,
            [chosen],
            calibration=normal,
            false_alarms_per_hour=false_alarms_per_hour,
            seed=seed,
            avatar_id=avatar,
            progress=advance,
        )
    alerts, p_values = anomaly.alerts_of(track), anomaly.p_values_of(track)
    console.print(to_text(track, alerts, p_values, false_alarms_per_hour))
    if figure is not None:
        from bridge.figures import plot_scores
        from bridge.whole_file import whole_file

        with busy(console, "drawing"), whole_file(figure, field="figure", keep_suffix=True) as draft:
            plot_scores(track, layout=forecaster.layout).savefig(draft)
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
        write_json(document)
