"""``pose-bridge convert``: motion of any kind that is read here, BVH above all, to recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import JointMapFile
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson
from bridge.cli.output import write_json


@examples(
    ("pose-bridge convert mocap --out recordings", "A folder of BVH files whose joints a built-in map knows."),
    ("pose-bridge convert take.bvh --write-joint-map map.toml", "Begins a map of your own, to be completed."),
    ("pose-bridge convert take.bvh --joint-map map.toml --out take.npz", "One file, by that map."),
)
def convert(
    source: Annotated[
        Path, typer.Argument(help="BVH file, motion file, recording, or a folder of them, with its sub-folders.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to fill, or a file (.npz) for one clip.")] = None,
    joint_map: JointMapFile = None,
    write_joint_map: Annotated[
        Path | None,
        typer.Option(metavar="MAP.toml", help="Write a joint map for the BVH file SOURCE, to be completed, instead."),
    ] = None,
    clip: Annotated[str | None, typer.Option(help="Only this clip. [default: all]")] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Half precision: half the size, rounded to 0.5 mm within 2 m.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Convert BVH files, or any other motion, to recordings (npz) at their own frame rate.

    Into a folder goes a recording for each clip, named as its file was and in sub-folders as it was, and an index.csv
    with subject, split, action and licence; edit it to say who is who and which split is whose. A recording opens in a
    moment where a BVH file takes seconds, and `pose-bridge view` and `pose-bridge plot` show what came out.
    """
    # Loaded late: help and wrong options should not wait for the rest.
    from rich.console import Console

    from bridge.cli.convert_run import begin_joint_map, convert_motion
    from bridge.errors import InvalidInput

    console = Console(stderr=True, highlight=False)
    if (out is None) == (write_joint_map is None):
        raise InvalidInput(
            "says neither or both of what to write", field="convert", expected="--out or --write-joint-map"
        )
    if write_joint_map is not None:
        facts = begin_joint_map(source, write_joint_map, console)
    else:
        assert out is not None
        facts = convert_motion(source, out, joint_map, clip, half=half, console=console)
    if as_json:
        write_json(facts)
