"""``pose-bridge alerts``: look alerts of a running server up, and acknowledge them."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.cli.credentials import (
    CurveKey,
    CurveServerKey,
    TlsCa,
    TlsCert,
    TlsKey,
    TokenFile,
    client_credentials,
)
from bridge.limits import MAX_ALERTS_PER_ANSWER

if TYPE_CHECKING:
    from bridge.client import AlertsClient

alerts = typer.Typer(
    name="alerts", help="Look alerts of a running server up, and acknowledge them.", no_args_is_help=True
)

_Server = Annotated[
    str, typer.Option("--server", metavar="ADDRESS", help="HOST:PORT (gRPC) or tcp://HOST:PORT (ZeroMQ).")
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]
_DEFAULT_SERVER = "127.0.0.1:50551"


@alerts.callback()
def _alerts() -> None:
    """Look alerts of a running server up, and acknowledge them."""


@alerts.command(name="list")
def list_alerts(
    server: _Server = _DEFAULT_SERVER,
    active: Annotated[bool, typer.Option("--active", help="Only alerts that are on.")] = False,
    avatar: Annotated[str, typer.Option(help="Only of this avatar.")] = "",
    client: Annotated[str, typer.Option(help="Only of this client.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_ALERTS_PER_ANSWER, help="At most so many.")] = 20,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    curve_server_key: CurveServerKey = None,
    curve_key: CurveKey = None,
    as_json: _Json = False,
) -> None:
    """List alerts as they stand, last raised first."""
    from bridge.cli.watch_view import alerts_table
    from bridge.wire.alerts import alert_to_json

    reader = _reader(server, token_file, tls_ca, tls_cert, tls_key, curve_server_key, curve_key)
    page = reader.newest(limit=limit, client_name=client, avatar_id=avatar, active_only=active)
    Console(stderr=True).print(alerts_table(list(page.alerts)))
    if as_json:
        print(json.dumps({"alerts": [alert_to_json(a) for a in page.alerts], "last_cursor": page.last_cursor}))


@alerts.command()
def ack(
    alert_id: Annotated[str, typer.Argument(help="Id of the alert.")],
    server: _Server = _DEFAULT_SERVER,
    by: Annotated[str | None, typer.Option(help="Who saw it. [default: your user name]")] = None,
    note: Annotated[str, typer.Option(help="Anything to add.")] = "",
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    curve_server_key: CurveServerKey = None,
    curve_key: CurveKey = None,
    as_json: _Json = False,
) -> None:
    """Note that you saw an alert; the first one who does counts. Where tokens are used it takes the scope "admin"."""
    from bridge.wire.alerts import alert_to_json

    reader = _reader(server, token_file, tls_ca, tls_cert, tls_key, curve_server_key, curve_key)
    alert = reader.acknowledge(alert_id, by or getpass.getuser(), note)
    typer.echo(f"{alert.id}: acknowledged by {alert.acknowledged_by}", err=True)
    if as_json:
        print(json.dumps({"alert": alert_to_json(alert)}))


@alerts.command()
def show(
    alert_id: Annotated[str, typer.Argument(help="Id of the alert.")],
    out: Annotated[
        Path | None, typer.Option(help="Write what was seen as a recording (.npz) that `score` reads.")
    ] = None,
    server: _Server = _DEFAULT_SERVER,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    curve_server_key: CurveServerKey = None,
    curve_key: CurveKey = None,
    as_json: _Json = False,
) -> None:
    """Show one alert, and what was seen, scored and forecast when it was raised."""
    from bridge.cli.watch_view import alerts_table, bar_of
    from bridge.recordings import save_recording
    from bridge.wire.alerts import alert_to_json

    reader = _reader(server, token_file, tls_ca, tls_cert, tls_key, curve_server_key, curve_key)
    alert, snapshot = reader.snapshot(alert_id)
    console = Console(stderr=True)
    console.print(alerts_table([alert]))
    document: dict[str, object] = {"alert": alert_to_json(alert), "frames": 0}
    if snapshot is not None:
        p_values = [None if p != p else float(p) for p in snapshot.p_values.tolist()]
        console.print("".join(bar_of(p) for p in p_values[-72:]))
        document |= {
            "frames": len(snapshot.timestamps_us),
            "timestamps_us": snapshot.timestamps_us.tolist(),
            "p_values": p_values,
            "samples": snapshot.samples_m.shape[0],
        }
        if out is not None:
            stamps_us = snapshot.timestamps_us
            span_s = float(stamps_us[-1] - stamps_us[0]) * 1e-6
            save_recording(
                out,
                pose_m=snapshot.observed_m[..., :3],
                visibility=snapshot.observed_m[..., 3],
                timestamp_us=stamps_us,
                fps=(len(stamps_us) - 1) / span_s if span_s > 0 else 30.0,
                layout_id=snapshot.layout_id,
                subject=alert.avatar_id,
                source=f"alert {alert.id}",
            )
            document["out"] = str(out)
    if as_json:
        print(json.dumps(document, allow_nan=False))


def _reader(
    server: str,
    token_file: Path | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    curve_server_key: Path | None,
    curve_key: Path | None,
) -> AlertsClient:
    from bridge.client import AlertsClient

    credentials = client_credentials(
        token_file=token_file,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
        curve_server_key=curve_server_key,
        curve_key=curve_key,
    )
    return AlertsClient(server, **credentials)
