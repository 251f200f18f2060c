"""``pose-bridge``: one application, one module a command; what a command needs is loaded when it runs."""

from __future__ import annotations

import logging
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
from bridge.cli.help_page import CommandPage, GroupPage, examples
from bridge.cli.info import info
from bridge.cli.keys import keys
from bridge.cli.output import write_line
from bridge.cli.plot import plot
from bridge.cli.replay import replay
from bridge.cli.score import score
from bridge.cli.serve import serve
from bridge.cli.train import train
from bridge.cli.view import view
from bridge.cli.watch import watch

app = typer.Typer(
    name="pose-bridge",
    cls=GroupPage,
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
    app.command(cls=CommandPage)(command)
app.add_typer(alerts)
app.add_typer(bench)
app.add_typer(config)
app.add_typer(keys)


def _print_version(wanted: bool) -> None:
    if wanted:
        write_line(f"pose-bridge {__version__}")
        raise typer.Exit


@app.callback()
@examples(
    ("pose-bridge demo", "The whole way on a recording that comes with it, in 17 seconds."),
    ("pose-bridge serve", "The service, on the loopback; Ctrl-C ends it."),
    ("pose-bridge score --help", "More about one command."),
)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from (a traceback); stands before the command.")
    ] = False,
) -> None:
    """Keypoints in, several probability-weighted future poses out, inside the frame budget.

    Exit codes: 0 when what was asked for happened, 1 when not (one line on stderr says why), 2 for a wrong usage, 130
    after Ctrl-C, 143 after SIGTERM. What has no other end (serve, watch, view, capture from a camera) ends with Ctrl-C
    and exit code 0.

    Text for people goes to stderr, what `--json` asks for to stdout. Colours and moving bars are for terminals only;
    NO_COLOR=1 switches colours off.
    """
    shown.debug = debug


@dataclass
class _Shown:
    """How errors are told; set by the options before the command."""

    debug: bool = False


shown = _Shown()


def run() -> None:
    """Run the command that ``sys.argv`` names; errors are the caller's, `SystemExit` carries the exit code."""
    # What libraries note in passing is for those who run a service; `serve` sets its own log up.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app(prog_name="pose-bridge")
