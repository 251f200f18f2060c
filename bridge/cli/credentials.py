"""Options of commands that connect to a server: what they show it, and how they know it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from bridge.errors import InvalidInput

if TYPE_CHECKING:
    from bridge.client import CurveKeys, TlsFiles

TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File that holds the token, for a server that asks for one.")
]
TlsCa = Annotated[
    Path | None, typer.Option(metavar="FILE", help="gRPC over TLS: who may have signed the server's certificate, PEM.")
]
TlsCert = Annotated[Path | None, typer.Option(metavar="FILE", help="The client's own certificate, PEM (mutual TLS).")]
TlsKey = Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, PEM.")]
CurveServerKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="ZeroMQ over CURVE: the server's public key (server.key).")
]
CurveKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The client's key (NAME.key_secret), for a server with a list.")
]


class ClientCredentials(TypedDict):
    """Arguments of `bridge.client.connect`."""

    token: str | None
    tls: TlsFiles | None
    curve: CurveKeys | None


def client_credentials(
    *,
    token_file: Path | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    curve_server_key: Path | None,
    curve_key: Path | None,
) -> ClientCredentials:
    """Return what the options say as arguments for `bridge.client.connect`, which reads keys and certificates.

    Raises:
        InvalidInput: if the token's file cannot be read, or a client's key is given without the server's.
    """
    from bridge.client import CurveKeys, TlsFiles

    if curve_key is not None and curve_server_key is None:
        raise InvalidInput("is given alone", field="curve-key", expected="--curve-server-key with it")
    return ClientCredentials(
        token=None if token_file is None else _read_token(token_file),
        tls=TlsFiles(tls_ca, tls_cert, tls_key) if tls_ca or tls_cert or tls_key else None,
        curve=None if curve_server_key is None else CurveKeys(curve_server_key, curve_key),
    )


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(
            f"cannot read {path}: {reason}", field="token-file", expected="a file with a token"
        ) from None
