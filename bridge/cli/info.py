"""``pose-bridge info``: what is installed here, and what the weights are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def info(
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: torch decides]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Print versions, device, threads and what the weights file says about itself."""
    # Loaded late: help should not wait for torch.
    from rich.console import Console

    from bridge.cli.info_report import describe, describe_as_table

    facts = describe(weights, device=device, threads=threads)
    Console(stderr=True).print(describe_as_table(facts))
    if as_json:
        print(json.dumps(facts), flush=True)
