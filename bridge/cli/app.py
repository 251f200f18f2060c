"""``pose-bridge``: one application, one module a command; what a command needs is loaded when it runs."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Annotated

import structlog
import typer

from bridge import __version__
from bridge.cli.alerts import alerts
from bridge.cli.bench import bench
from bridge.cli.calibrate import calibrate
from bridge.cli.capture import capture
from bridge.cli.config import config
from bridge.cli.convert import convert
from bridge.cli.demo import demo
from bridge.cli.doctor import doctor
from bridge.cli.evaluate import evaluate
from bridge.cli.info import info
from bridge.cli.keys import keys
from bridge.cli.plot import plot
from bridge.cli.replay import replay
from bridge.cli.score import score
from bridge.cli.serve import serve
from bridge.cli.train import train
from bridge.cli.view import view
from bridge.cli.watch import watch
from bridge.errors import BridgeError

app = typer.Typer(
    name="pose-bridge",
    help="Keypoints in, several probability-weighted future poses out, inside the frame budget.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # "rich" takes [default: ...] for a style and leaves it out
    pretty_exceptions_enable=False,
)
for command in (
    serve,
    demo,
    replay,
    capture,
    view,
    info,
    doctor,
    convert,
    train,
    evaluate,
    score,
    plot,
    calibrate,
    watch,
):
    app.command()(command)
app.add_typer(alerts)
app.add_typer(bench)
app.add_typer(config)
app.add_typer(keys)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pose-bridge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from (a traceback).")] = False,
) -> None:
    """Take the options that come before the command."""
    _shown.debug = debug


@dataclass
class _Shown:
    """How errors are told; set by the options before the command."""

    debug: bool = False


_shown = _Shown()


def main() -> None:
    """Run the command line. What goes wrong is said in one line on stderr: exit code 1, or 2 for a wrong usage."""
    # What libraries note in passing is for those who run a service; `serve` sets its own log up.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        app()
    except BridgeError as error:
        if _shown.debug:
            raise
        typer.echo(f"pose-bridge: error: {error}", err=True)
        sys.exit(1)
