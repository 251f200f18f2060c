"""``pose-bridge calibrate``: learn from a studio's own recordings what counts as normal motion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.cli.clips import JointMapFile, read_motion
from bridge.errors import InvalidInput

if TYPE_CHECKING:
    from bridge.anomaly import Calibration
    from bridge.recordings import Clip

_RATES = (60.0, 12.0, 1.0, 0.1)


def calibrate(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings, motion files, BVH files, or folders of them: normal motion only.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, for `serve --calibration`.")],
    joint_map: JointMapFile = None,
    split: Annotated[
        str, typer.Option(help="Split named in a folder's index.csv; everything is used where there is none.")
    ] = "calibration",
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the forecasts.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Calibrate p-values and alert thresholds on motion that neither trained nor tuned the weights.

    Costs about 5 ms a frame. An hour of what your players or patients normally do is a good beginning; the report says
    what less supports.
    """
    from bridge.anomaly import Calibration, identity_of, replay
    from bridge.forecaster import Forecaster

    if not out.parent.is_dir():
        raise InvalidInput(f"there is no folder {out.parent}", field="out", expected="an existing folder")
    if out.is_dir():
        raise InvalidInput(f"{out} is a folder", field="out", expected="a file to write")
    console = Console(stderr=True, highlight=False)
    given = _clips(recordings, split, joint_map, console)
    clips = _without_copies(given)
    if len(clips) < len(given):
        console.print(f"{len(given) - len(clips)} of {len(given)} tracks are copies of others and count once.")
    forecaster = Forecaster.load(weights, device=device, threads=threads)
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("frames", total=sum(clip.frames for clip in clips))
        tracks = replay(forecaster, clips, seed=seed, progress=lambda frames: bar.update(task, advance=frames))
    made = Calibration.fit([track.scored for track in tracks], identity_of(forecaster))
    made.save(out)
    console.print(_text(made, out))
    if as_json:
        document = {
            "out": str(out),
            "identity": asdict(made.identity),
            **asdict(made.report),
            "thresholds": [{"false_alarms_per_hour": rate, "threshold": made.threshold(rate)} for rate in _RATES],
        }
        print(json.dumps(document, allow_nan=False))


def _clips(paths: Sequence[Path], split: str, joint_map: Path | None, console: Console) -> list[Clip]:
    from bridge.evaluation.windows import select_clips

    clips = [clip for path in paths for clip in select_clips(read_motion(path, joint_map, console), split)]
    layouts = sorted({clip.layout_id for clip in clips})
    if len(layouts) > 1:
        raise InvalidInput(f"have the layouts {layouts}", field="recordings", expected="one layout")
    return clips


def _without_copies(clips: Sequence[Clip]) -> list[Clip]:
    """Each motion once: a file that is named twice, or a copy of it, is no more data."""
    once: dict[bytes, Clip] = {}
    for clip in clips:
        content = hashlib.sha256(clip.pose_m.tobytes()).digest()
        once.setdefault(content, clip)
    return list(once.values())


def _text(made: Calibration, out: Path) -> str:
    report = made.report
    lines = [
        f"{report.hours * 60:.1f} minutes with a verdict: {report.tracks} tracks of {report.subjects} subjects.",
        f"{report.values} frames far enough apart: the smallest p-value is {report.smallest_p_value:.5f}.",
        f"Below {report.alarms_per_hour_supported:.1f} false alarms an hour thresholds follow the tail of what came:",
        *(f"  {rate:5g} an hour: evidence of {made.threshold(rate):.1f}" for rate in _RATES),
    ]
    if report.subjects < 10:
        lines.append("Few subjects: the next one may well alarm more or less often than asked for. More of them help.")
    lines.append(f"Written to {out}.")
    return "\n".join(lines)
