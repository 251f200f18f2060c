"""``pose-bridge replay``: a recording to a running server, the forecasts to a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import JointMapFile, choose_clip
from bridge.cli.credentials import NO_CREDENTIALS, CredentialFiles, with_credentials
from bridge.cli.help_page import examples
from bridge.cli.options import AsJson, ClipName, Futures, HorizonMs, Samples, Seed, SendTo


class Speed(StrEnum):
    """How fast a recording is sent."""

    TRUE = "1"
    """As recorded; a server that cannot keep up skips forecasts."""
    MAX = "max"
    """Frame by frame, waiting for every forecast."""


@examples(
    ("pose-bridge replay walk.npz --to 127.0.0.1:50551", "Sends it to a server here, writes walk.forecasts.npz."),
    ("pose-bridge replay walk.npz --to 127.0.0.1:50551 --speed max --json", "As fast as the server answers."),
    ("pose-bridge replay walk.npz --export walk.pbr", "Writes it for the native client; needs no server."),
)
@with_credentials()
def replay(
    recording: Annotated[Path, typer.Argument(help="Recording, motion file (npz) or BVH file.")],
    to: SendTo = None,
    out: Annotated[
        Path | None, typer.Option(help="Forecasts as npz. [default: RECORDING's name with .forecasts.npz, here]")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the recording; needs no server. .pbr: for engine plugins; .jsonl: for grpcurl and the like.",
        ),
    ] = None,
    speed: Annotated[Speed, typer.Option(help="1: as recorded. max: as fast as the server answers.")] = Speed.TRUE,
    clip: ClipName = None,
    joint_map: JointMapFile = None,
    samples: Samples = 32,
    futures: Futures = 5,
    horizon_ms: HorizonMs = 1000,
    seed: Seed = 0,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: AsJson = False,
) -> None:
    """Send a recording to a running server and write the forecasts to an npz file.

    Keys, for N forecasts of K futures, H steps, J landmarks:

    - futures (N, K, H, J, 3): metres, hip-centred, MediaPipe axes
    - roots (N, K, H, 3): metres; only if the recording has roots
    - probabilities (N, K): most probable first
    - mode_ids (N, K): the same for a future that goes on
    - spread (N, H, J): metres
    - based_on_sequence (N): row of the recording
    - based_on_timestamp_us (N): on the recording's clock
    - acceptance_rate (N): NaN without refinement
    - latency_us (N): the server's part, frame in to forecast out
    - step_us, layout, recording, clip

    A forecast of fewer futures is padded with NaN and probability 0.

    With --export the recording itself is written: as plain binary for the native client (.pbr), or as the requests of a
    stream, one JSON object a line (.jsonl), which grpcurl and clients in any language can send.
    """
    # Loaded late: help and wrong options should not wait for the client's libraries.
    from rich.console import Console

    from bridge.cli.output import write_json
    from bridge.cli.replay_run import export_clip, replay_clip, require_known_export, save_forecasts
    from bridge.client import connect
    from bridge.errors import InvalidInput
    from bridge.limits import MAX_FORECAST_RATE_HZ
    from bridge.whole_file import check_output
    from bridge.wire.values import Encoding, SessionConfig

    if to is None and export is None:
        raise InvalidInput(
            "says neither where to send the recording nor where to write it",
            field="replay",
            expected="--to or --export",
        )
    console = Console(stderr=True, highlight=False)
    target = out or Path(f"{recording.stem}.forecasts.npz")
    if export is not None:
        require_known_export(export)
    for path, option in ((target if to else None, "out"), (export, "export")):
        if path is not None:
            check_output(path, field=option)
    chosen = choose_clip(recording, clip, joint_map, console)
    config = SessionConfig(
        client_name="replay",
        layout_id=chosen.layout_id,
        # Every frame is to be answered, whatever the recording's rate.
        forecast_rate_hz=MAX_FORECAST_RATE_HZ,
        horizon_ms=horizon_ms,
        samples=samples,
        futures=futures,
        encoding=Encoding.FLOAT32,
        seed=seed,
    )
    exported: dict[str, object] = {}
    if export is not None:
        size = export_clip(export, chosen, config)
        console.print(f"{chosen.frames} frames -> {export}")
        exported = {"exported": str(export.resolve()), "exported_bytes": size}
    if to is None:
        if as_json:
            write_json({"recording": str(recording), "clip": chosen.clip_id, "frames": chosen.frames, **exported})
        return
    with connect(to, config=config, **credentials.read()) as client:
        forecasts, faults = replay_clip(client, chosen, as_recorded=speed is Speed.TRUE, console=console)
        stats = client.stats()
    save_forecasts(target, forecasts, chosen, recording=recording.name)
    console.print(f"{chosen.frames} frames, {len(forecasts)} forecasts -> {target}")
    for fault in faults[-3:]:
        console.print(f"frame {fault.sequence} was not used: {fault.error}", style="yellow")
    if as_json:
        result = {
            "recording": str(recording),
            "clip": chosen.clip_id,
            "frames_sent": stats.frames_sent,
            "forecasts": len(forecasts),
            "frame_faults": len(faults),
            "latency_ms": {"p50": stats.latency_ms(50), "p99": stats.latency_ms(99)},
            "out": str(target.resolve()),
            **exported,
        }
        write_json(result)
