"""``pose-bridge replay``: a recording to a running server, the forecasts to a file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.clips import JointMapFile, choose_clip
from bridge.cli.credentials import CurveKey, CurveServerKey, TlsCa, TlsCert, TlsKey, TokenFile, client_credentials
from bridge.limits import MAX_FUTURES, MAX_HORIZON_MS, MAX_SAMPLES, MIN_SAMPLES


class Speed(StrEnum):
    """How fast a recording is sent."""

    TRUE = "1"
    """As recorded; a server that cannot keep up skips forecasts."""
    MAX = "max"
    """Frame by frame, waiting for every forecast."""


def replay(
    file: Annotated[Path, typer.Argument(help="Recording, motion file (npz) or BVH file.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="HOST:PORT (gRPC) or tcp://HOST:PORT (ZeroMQ).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Forecasts as npz. [default: FILE's name with .forecasts.npz, here]")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the recording; needs no server. .pbr: for engine plugins; .jsonl: for grpcurl and the like.",
        ),
    ] = None,
    speed: Annotated[Speed, typer.Option(help="1: as recorded. max: as fast as the server answers.")] = Speed.TRUE,
    clip: Annotated[str | None, typer.Option(help="Clip of a file with many. [default: the first]")] = None,
    joint_map: JointMapFile = None,
    samples: Annotated[int, typer.Option(min=MIN_SAMPLES, max=MAX_SAMPLES, help="Trajectories drawn.")] = 32,
    futures: Annotated[int, typer.Option(min=1, max=MAX_FUTURES, help="Futures returned.")] = 5,
    horizon_ms: Annotated[int, typer.Option(min=1, max=MAX_HORIZON_MS, help="How far ahead.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same frames, same weights: same forecasts.")] = 0,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    curve_server_key: CurveServerKey = None,
    curve_key: CurveKey = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")] = False,
) -> None:
    """Send a recording to a running server and write the forecasts to an npz file.

    \b
    Keys, for N forecasts of K futures, H steps, J landmarks:
      futures (N, K, H, J, 3)   metres, hip-centred, MediaPipe axes
      roots (N, K, H, 3)        metres; only if the recording has roots
      probabilities (N, K)      most probable first
      mode_ids (N, K)           the same for a future that goes on
      spread (N, H, J)          metres
      based_on_sequence (N,)    row of the recording
      based_on_timestamp_us (N,)  on the recording's clock
      acceptance_rate (N,)      NaN without refinement
      latency_us (N,)           the server's part: frame in to forecast out
      step_us, layout, recording, clip
    A forecast of fewer futures is padded with NaN and probability 0.

    With --export the recording itself is written: as plain binary for the native client (.pbr), or as the requests of a
    stream, one JSON object a line (.jsonl), which grpcurl and clients in any language can send.
    """
    # Loaded late: help and wrong options should not wait for the client's libraries.
    from rich.console import Console

    from bridge.cli.replay_run import export_clip, replay_clip, require_known_export, save_forecasts
    from bridge.client import connect
    from bridge.errors import InvalidInput
    from bridge.limits import MAX_FORECAST_RATE_HZ
    from bridge.wire.values import Encoding, SessionConfig

    if to is None and export is None:
        raise InvalidInput(
            "says neither where to send the recording nor where to write it",
            field="replay",
            expected="--to or --export",
        )
    if export is not None:
        require_known_export(export)
    console = Console(stderr=True)
    target = out or Path(f"{file.stem}.forecasts.npz")
    chosen = choose_clip(file, clip, joint_map, console)
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
            print(
                json.dumps({"recording": str(file), "clip": chosen.clip_id, "frames": chosen.frames, **exported}),
                flush=True,
            )
        return
    credentials = client_credentials(
        token_file=token_file,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
        curve_server_key=curve_server_key,
        curve_key=curve_key,
    )
    with connect(to, config=config, **credentials) as client:
        forecasts, faults = replay_clip(client, chosen, as_recorded=speed is Speed.TRUE, console=console)
        stats = client.stats()
    save_forecasts(target, forecasts, chosen, recording=file.name)
    console.print(f"{chosen.frames} frames, {len(forecasts)} forecasts -> {target}")
    for fault in faults[-3:]:
        console.print(f"frame {fault.sequence} was not used: {fault.error}", style="yellow")
    if as_json:
        result = {
            "recording": str(file),
            "clip": chosen.clip_id,
            "frames_sent": stats.frames_sent,
            "forecasts": len(forecasts),
            "frame_faults": len(faults),
            "latency_ms": {"p50": stats.latency_ms(50), "p99": stats.latency_ms(99)},
            "out": str(target.resolve()),
            **exported,
        }
        print(json.dumps(result), flush=True)
