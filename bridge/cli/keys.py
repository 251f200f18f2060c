"""``pose-bridge keys``: what a server and its clients need to know each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.help_page import CommandPage, GroupPage, examples
from bridge.cli.options import AsJson
from bridge.cli.output import write_json, write_line

keys = typer.Typer(name="keys", cls=GroupPage, no_args_is_help=True)


@keys.callback()
@examples(("pose-bridge keys new --out curve --name studio", "Keys for a server and its client studio."))
def _keys() -> None:
    """Make CURVE keys and bearer tokens."""


@keys.command(cls=CommandPage)
@examples(("pose-bridge keys new --out curve --name studio", "Keys for a server and its client studio."))
def new(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the keys.")] = Path("keys"),
    name: Annotated[str, typer.Option(help="Whose key it is; names the client's files.")] = "client",
    as_json: AsJson = False,
) -> None:
    """Make CURVE keys for a client, and for the server if the folder has none yet. Nothing is ever overwritten.

    `DIR/server.key_secret` is for `serve --curve-secret-key`, `DIR/allowed` for `serve --curve-allow`; `DIR/server.key`
    and `DIR/NAME.key_secret` go to the client.
    """
    # Loaded late: help should not wait for zmq.
    from bridge.curve_keys import KeyPair, read_key_pair, write_key_pair
    from bridge.errors import InvalidInput
    from bridge.wire.values import checked_name

    server_file, server_secret = out / "server.key", out / "server.key_secret"
    client_file, client_secret = out / "allowed" / f"{name}.key", out / f"{name}.key_secret"
    if checked_name(name, field="name") == "server":
        raise InvalidInput("is the server's own", field="name", expected="a client's name")
    made_server = not server_secret.exists()
    server = KeyPair.new() if made_server else read_key_pair(server_secret, field="out")
    client = KeyPair.new()
    write_key_pair(client, client_file, client_secret)
    if made_server:
        write_key_pair(server, server_file, server_secret)
    typer.echo(
        f"{'made' if made_server else 'kept'} the server's keys, made those of {name}\n"
        f"serve with:   --curve-secret-key {server_secret} --curve-allow {client_file.parent}\n"
        f"connect with: curve=CurveKeys({server.public!r}, {str(client_secret)!r})",
        err=True,
    )
    if as_json:
        facts = {
            "name": name,
            "server_made": made_server,
            "server_public_key": server.public,
            "server_public_file": str(server_file),
            "server_secret_file": str(server_secret),
            "client_public_key": client.public,
            "client_public_file": str(client_file),
            "client_secret_file": str(client_secret),
        }
        write_json(facts)


@keys.command(cls=CommandPage)
@examples(
    (
        "pose-bridge keys token --name studio --tokens tokens.toml > studio.token",
        "Lets studio stream; the token goes to its file, its hash to the server's.",
    ),
    (
        "pose-bridge keys token --name guard --scope watch --tokens tokens.toml --json",
        "Lets guard watch alerts; the token is in the JSON.",
    ),
)
def token(
    name: Annotated[str, typer.Option(help="Whose token it is; appears in logs.")],
    tokens: Annotated[Path, typer.Option(help="Tokens file (TOML) to add it to; made if there is none.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="stream|watch|admin", help="May be given more than once. [default: stream]"),
    ] = None,
    sessions: Annotated[int | None, typer.Option(help="Sessions at a time. [default: no limit]")] = None,
    avatars: Annotated[int | None, typer.Option(help="Avatars at a time. [default: no limit]")] = None,
    frames_per_second: Annotated[float | None, typer.Option(help="Over all sessions. [default: no limit]")] = None,
    message_bytes: Annotated[int | None, typer.Option(help="Longest message. [default: 4 MB]")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a bearer token, add its hash to the server's tokens file, and print the token: it is never shown again.

    A server reads the file when it starts.
    """
    # Loaded late: help should not wait for it.
    from bridge.service.tokens import TokenLimits, append_token

    allowed = TokenLimits(sessions, avatars, frames_per_second, message_bytes)
    secret, entry = append_token(tokens, name, scope or ["stream"], allowed)
    scopes = sorted(entry.scopes)
    typer.echo(f"added {name} ({', '.join(scopes)}) to {tokens}; its token, shown this once:", err=True)
    if as_json:
        write_json({"name": name, "token": secret, "scopes": scopes, "tokens": str(tokens)})
    else:
        write_line(secret)
