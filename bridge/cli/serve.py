"""``pose-bridge serve``: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.help_page import examples
from bridge.cli.setting_options import with_settings
from bridge.config import EffectiveSettings
from bridge.whole_file import check_output


@examples(
    ("pose-bridge serve", "gRPC on 127.0.0.1:50551, ZeroMQ on :50552, ops page on :50553."),
    (
        "pose-bridge serve --config pose-bridge.toml --log-format json",
        "Settings from a file, one JSON object a log line.",
    ),
    ("pose-bridge serve --engine null --grpc 127.0.0.1:0 --ready-file ready.json", "Canned answers, to try a client."),
)
@with_settings
def serve(
    effective: EffectiveSettings,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Written as JSON {grpc, zmq, zmq_watch, ops} with the real ports when the server listens.",
        ),
    ] = None,
) -> None:
    """Serve forecasts over gRPC and ZeroMQ until SIGTERM or Ctrl-C. Listens on the loopback unless told otherwise.

    Every option but --config and --ready-file is a setting. It can also stand in the file that --config names
    (`max_sessions = 100`) or in the environment (POSE_BRIDGE_MAX_SESSIONS=100); an option beats the environment, which
    beats the file. `pose-bridge config show` prints what holds, and why.
    """
    settings = effective.settings
    if ready_file is not None:
        check_output(ready_file, field="ready-file")
    # Loaded late: help and wrong options should not wait for grpc.
    from bridge.service import Server
    from bridge.service.logs import configure_logging, flush_logs

    configure_logging(settings.log_level, settings.log_format, settings.log_file)
    try:
        asyncio.run(Server(settings).run(ready_file=ready_file))
    finally:
        flush_logs()  # so that an error is said after what led to it
