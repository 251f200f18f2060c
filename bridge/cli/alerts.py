"""``pose-bridge alerts``: look alerts of a running server up, and acknowledge them."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bridge.cli.credentials import NO_CREDENTIALS, CredentialFiles, with_credentials
from bridge.cli.help_page import CommandPage, GroupPage, examples
from bridge.cli.options import DEFAULT_SERVER, AsJson, OnlyAvatar, OnlyClient, Server
from bridge.cli.output import write_json
from bridge.cli.progress import busy
from bridge.cli.tables import print_tables
from bridge.limits import MAX_ALERTS_PER_ANSWER

if TYPE_CHECKING:
    from bridge.client import AlertsClient

alerts = typer.Typer(name="alerts", cls=GroupPage, no_args_is_help=True)

_AlertId = Annotated[str, typer.Argument(help="Id of the alert; `alerts list` shows it.")]
_SOME_ID = "01JDSX3V7Q"


@alerts.callback()
@examples(("pose-bridge alerts list --active", "What is on now, on the server of this machine."))
def _alerts() -> None:
    """Look alerts of a running server up, and acknowledge them."""


@alerts.command(name="list", cls=CommandPage)
@examples(
    ("pose-bridge alerts list --active", "What is on now, on the server of this machine."),
    ("pose-bridge alerts list --client my-game --limit 100 --json", "The last hundred of one client, for a program."),
)
@with_credentials()
def list_alerts(
    server: Server = DEFAULT_SERVER,
    active: Annotated[bool, typer.Option("--active", help="Only alerts that are on.")] = False,
    avatar: OnlyAvatar = "",
    client: OnlyClient = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_ALERTS_PER_ANSWER, help="At most so many.")] = 20,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: AsJson = False,
) -> None:
    """List alerts as they stand, last raised first."""
    from bridge.cli.watch_view import alerts_table
    from bridge.wire.alerts import alert_to_json

    reader = _reader(server, credentials)
    console = Console(stderr=True)
    with busy(console, f"asking {server}"):
        page = reader.newest(limit=limit, client_name=client, avatar_id=avatar, active_only=active)
    print_tables(console, alerts_table(list(page.alerts), whole=True))
    if as_json:
        write_json({"alerts": [alert_to_json(a) for a in page.alerts], "last_cursor": page.last_cursor})


@alerts.command(cls=CommandPage)
@examples((f'pose-bridge alerts ack {_SOME_ID} --by Ada --note "a cat walked by"', "Says who saw it, and what it was."))
@with_credentials()
def ack(
    alert_id: _AlertId,
    server: Server = DEFAULT_SERVER,
    by: Annotated[str | None, typer.Option(help="Who saw it. [default: your user name]")] = None,
    note: Annotated[str, typer.Option(help="Anything to add.")] = "",
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: AsJson = False,
) -> None:
    """Note that you saw an alert; the first one who does counts. Where tokens are used it takes the scope "admin"."""
    from bridge.wire.alerts import alert_to_json

    reader = _reader(server, credentials)
    with busy(Console(stderr=True), f"telling {server}"):
        alert = reader.acknowledge(alert_id, by or getpass.getuser(), note)
    typer.echo(f"{alert.id}: acknowledged by {alert.acknowledged_by}", err=True)
    if as_json:
        write_json({"alert": alert_to_json(alert)})


@alerts.command(cls=CommandPage)
@examples((f"pose-bridge alerts show {_SOME_ID} --out alert.npz", "Keeps what was seen, for `pose-bridge score`."))
@with_credentials()
def show(
    alert_id: _AlertId,
    out: Annotated[
        Path | None, typer.Option(help="Write what was seen as a recording (.npz) that `score` reads.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: AsJson = False,
) -> None:
    """Show one alert, and what was seen, scored and forecast when it was raised."""
    from bridge.cli.watch_view import alerts_table, bar_of
    from bridge.recordings import save_recording
    from bridge.whole_file import check_output
    from bridge.wire.alerts import alert_to_json

    if out is not None:
        check_output(out)
    reader = _reader(server, credentials)
    console = Console(stderr=True)
    with busy(console, f"asking {server}"):
        alert, snapshot = reader.snapshot(alert_id)
    print_tables(console, alerts_table([alert], whole=True))
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
        write_json(document)


def _reader(server: str, credentials: CredentialFiles) -> AlertsClient:
    from bridge.client import AlertsClient

    return AlertsClient(server, **credentials.read())
