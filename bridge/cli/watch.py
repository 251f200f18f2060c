"""``pose-bridge watch``: p-values and alerts of a running server, live in the terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from bridge.cli.credentials import NO_CREDENTIALS, CredentialFiles, with_credentials
from bridge.cli.help_page import examples
from bridge.cli.options import DEFAULT_SERVER, OnlyAvatar, OnlyClient
from bridge.cli.output import write_json
from bridge.cli.progress import busy
from bridge.errors import BridgeError, InvalidInput

if TYPE_CHECKING:
    from bridge.cli.watch_view import WatchView
    from bridge.client import AlertsClient

_REFRESH_HZ = 8
_LOOK_S = 0.1


@examples(
    ("pose-bridge watch", "The server of this machine, until Ctrl-C."),
    ("pose-bridge watch --server studio:50551 --tls-ca tls.pem --json", "Another one over TLS, for a program to read."),
)
@with_credentials(curve=False)
def watch(
    server: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Server to ask: HOST:PORT (gRPC; no other transport has this).")
    ] = DEFAULT_SERVER,
    avatar: OnlyAvatar = "",
    client: OnlyClient = "",
    after: Annotated[
        int | None, typer.Option(min=0, metavar="CURSOR", help="Alerts after this one too; 0: all that are stored.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long. [default: at Ctrl-C]")] = None,
    credentials: CredentialFiles = NO_CREDENTIALS,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for every alert and verdict.")
    ] = False,
) -> None:
    """Show each avatar's p-values as a line that moves, and alerts as they are raised and cleared.

    A reconnect misses no alert. The p-value says how often normal motion is at least as surprising.
    """
    from bridge.cli.watch_view import WatchView
    from bridge.client import AlertsClient
    from bridge.client.address import TransportKind, parse_address

    if parse_address(server).kind is not TransportKind.GRPC:
        raise InvalidInput(f"{server} is not gRPC", field="server", expected=f"HOST:PORT, such as {DEFAULT_SERVER}")
    reader = AlertsClient(server, **credentials.read())
    with busy(Console(stderr=True), f"asking {server}"):
        reader.newest(limit=1)  # a server that is not there, or has no alerts to show, says so at once
    view = WatchView()
    failures: list[BridgeError] = []
    threads = [
        _follow(failures, lambda: _alerts(reader, view, after, client, avatar, as_json)),
        _follow(failures, lambda: _verdicts(reader, view, client, avatar, as_json)),
    ]
    end_s = None if seconds is None else time.monotonic() + seconds
    try:
        if as_json:
            _until(end_s, failures, lambda: None)
        else:
            with Live(view.render(), console=Console(), refresh_per_second=_REFRESH_HZ) as live:
                _until(end_s, failures, lambda: live.update(view.render()))
    except KeyboardInterrupt:
        pass
    finally:
        reader.close()
        for thread in threads:
            thread.join(5.0)
    if failures:
        raise failures[0]


def _until(end_s: float | None, failures: list[BridgeError], refresh: Callable[[], None]) -> None:
    while not failures and (end_s is None or time.monotonic() < end_s):
        time.sleep(_LOOK_S)
        refresh()


def _follow(failures: list[BridgeError], work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except BridgeError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _alerts(reader: AlertsClient, view: WatchView, after: int | None, client: str, avatar: str, as_json: bool) -> None:
    from bridge.wire.alerts import alert_to_json

    for alert in reader.watch(after, client_name=client, avatar_id=avatar):
        view.add_alert(alert)
        if as_json:
            write_json({"alert": alert_to_json(alert)})


def _verdicts(reader: AlertsClient, view: WatchView, client: str, avatar: str, as_json: bool) -> None:
    for client_name, avatar_id, verdict in reader.verdicts(client_name=client, avatar_id=avatar, rate_hz=10.0):
        view.add_verdict(client_name, avatar_id, verdict)
        if as_json:
            said = {
                "client_name": client_name,
                "avatar_id": avatar_id,
                "sequence": verdict.sequence,
                "timestamp_us": verdict.timestamp_us,
                "p_value": verdict.p_value,
                "no_verdict": None if verdict.no_verdict is None else verdict.no_verdict.value,
                "evidence": verdict.evidence,
                "alert_id": verdict.alert_id or None,
            }
            write_json({"verdict": said})
