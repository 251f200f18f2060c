"""``pose-bridge doctor``: whether this machine can do what PoseBridge needs, and what to do where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.help_page import examples
from bridge.cli.options import AsJson
from bridge.cli.output import write_json
from bridge.cli.setting_options import config_option, setting_option


@examples(
    ("pose-bridge doctor", "Everything, with a server of its own for a moment."),
    ("pose-bridge doctor --config pose-bridge.toml --no-loopback", "What `serve --config` would use; starts nothing."),
)
def doctor(
    config: Annotated[Path | None, config_option()] = None,
    grpc: Annotated[str | None, setting_option("grpc")] = None,
    zmq: Annotated[str | None, setting_option("zmq")] = None,
    ops: Annotated[str | None, setting_option("ops")] = None,
    weights: Annotated[str | None, setting_option("weights")] = None,
    calibration: Annotated[str | None, setting_option("calibration")] = None,
    device: Annotated[str | None, setting_option("device")] = None,
    threads: Annotated[int | None, setting_option("threads")] = None,
    alert_log: Annotated[str | None, setting_option("alert_log")] = None,
    library: Annotated[
        Path | None, typer.Option(help="libposebridge. [default: a build beside the sources, else the system's]")
    ] = None,
    loopback: Annotated[
        bool, typer.Option("--loopback/--no-loopback", help="Start a server and ask it for forecasts.")
    ] = True,
    as_json: AsJson = False,
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
        write_json({"ok": healthy, "checks": [finding.to_json() for finding in findings]})
    if not healthy:
        raise typer.Exit(1)
