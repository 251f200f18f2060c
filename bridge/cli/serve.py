"""``pose-bridge serve``: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bridge.config import load_settings


def serve(
    grpc: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="gRPC address, '' for none. [default: 127.0.0.1:50551]")
    ] = None,
    zmq: Annotated[
        str | None,
        typer.Option(
            metavar="ENDPOINT", help="tcp://HOST:PORT or ipc://PATH, '' for none. [default: tcp://127.0.0.1:50552]"
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights file. [default: the bundled one]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, mps, cuda or cuda:N. [default: auto]")] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of a computation. [default: half the cores, at most 8]")
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(help="Sessions at a time, over both transports. [default: 64]")
    ] = None,
    max_batch_windows: Annotated[
        int | None, typer.Option(help="Windows computed together at most. [default: 64]")
    ] = None,
    grace_ms: Annotated[
        int | None, typer.Option(help="Time to finish what is under way after SIGTERM. [default: 2000]")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. [default: info]")] = None,
    log_format: Annotated[str | None, typer.Option(help="console or json. [default: console]")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written as JSON {grpc, zmq} with the real ports when the server listens.")
    ] = None,
) -> None:
    """Serve forecasts over gRPC and ZeroMQ until SIGTERM or Ctrl-C. Listens on the loopback unless told otherwise.

    Port 0 takes a free port. Every option but --ready-file is also an environment variable: POSE_BRIDGE_GRPC and so on.
    """
    settings = load_settings(
        grpc=grpc,
        zmq=zmq,
        weights=weights,
        device=device,
        threads=threads,
        max_sessions=max_sessions,
        max_batch_windows=max_batch_windows,
        grace_ms=grace_ms,
        log_level=log_level,
        log_format=log_format,
    )
    # Loaded late: help and wrong options should not wait for grpc.
    from bridge.service import Server
    from bridge.service.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(Server(settings).run(ready_file=ready_file))
