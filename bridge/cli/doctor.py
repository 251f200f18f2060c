"""``pose-bridge doctor``: whether this machine can do what PoseBridge needs, and what to do where it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bridge.config import CONFIG_VARIABLE


def doctor(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Settings from a TOML file. [default: what {CONFIG_VARIABLE} names]"),
    ] = None,
    grpc: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="As of `serve`.")] = None,
    zmq: Annotated[str | None, typer.Option(metavar="ENDPOINT", help="As of `serve`.")] = None,
    ops: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="As of `serve`.")] = None,
    weights: Annotated[str | None, typer.Option(metavar="FILE", help="As of `serve`.")] = None,
    calibration: Annotated[str | None, typer.Option(metavar="FILE", help="As of `serve`.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. [default: half the cores]")] = None,
    alert_log: Annotated[str | None, typer.Option(metavar="FILE", help="As of `serve`.")] = None,
    library: Annotated[
        Path | None, typer.Option(help="libposebridge. [default: a build beside the sources, else the system's]")
    ] = None,
    loopback: Annotated[
        bool, typer.Option("--loopback/--no-loopback", help="Start a server and ask it for forecasts.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Check this machine, the settings and the files, and say for each finding what to do.

    One line a check: ok, hint (works, could be better) or problem. Looks at what `pose-bridge serve` would use: options
    here, the environment, a configuration file, defaults. Exit code 0 only if there is no problem.
    """
    # Loaded late: help should not wait for rich.
    from rich.console import Console

    from bridge.cli.checks import Status
    from bridge.cli.doctor_run import DoctorPlan, run_doctor, summary_of

    given = {
        "grpc": grpc,
        "zmq": zmq,
        "ops": ops,
        "weights": weights,
        "calibration": calibration,
        "device": device,
        "threads": threads,
        "alert_log": alert_log,
    }
    console = Console(stderr=True, highlight=False)
    findings = run_doctor(DoctorPlan(config, given, library, loopback), console)
    healthy = all(finding.status is not Status.PROBLEM for finding in findings)
    console.print(summary_of(findings), style="bold")
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [finding.to_json() for finding in findings]}), flush=True)
    if not healthy:
        raise typer.Exit(1)
