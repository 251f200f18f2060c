"""Options of commands that connect to a server: what they show it, and how they know it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, TypeVar

import typer

from bridge.errors import DeadlineExceeded, InvalidInput, Unavailable

if TYPE_CHECKING:
    from bridge.client import CurveKeys, TlsFiles

_Command = TypeVar("_Command", bound=Callable[..., None])

_PANEL = "Security"
_HELP = {
    "token_file": "File that holds the token, for a server that asks for one.",
    "tls_ca": "gRPC over TLS: who may have signed the server's certificate, PEM.",
    "tls_cert": "The client's own certificate, PEM (mutual TLS).",
    "tls_key": "Its private key, PEM.",
    "curve_server_key": "ZeroMQ over CURVE: the server's public key (server.key).",
    "curve_key": "The client's key (NAME.key_secret), for a server with a list.",
}
_PARAMETER = "credentials"


class ClientCredentials(TypedDict):
    """Arguments of `bridge.client.connect`."""

    token: str | None
    tls: TlsFiles | None
    curve: CurveKeys | None


@dataclass(frozen=True, slots=True)
class CredentialFiles:
    """The files that the options of `with_credentials` name."""

    token_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    curve_server_key: Path | None = None
    curve_key: Path | None = None

    def read(self) -> ClientCredentials:
        """Return them as arguments for `bridge.client.connect`, which reads keys and certificates.

        Raises:
            InvalidInput: if the token's file cannot be read, or a client's key is given without the server's.
        """
        from bridge.client import CurveKeys, TlsFiles

        if self.curve_key is not None and self.curve_server_key is None:
            raise InvalidInput("is given alone", field="curve-key", expected="--curve-server-key with it")
        tls = self.tls_ca or self.tls_cert or self.tls_key
        return ClientCredentials(
            token=None if self.token_file is None else _read_token(self.token_file),
            tls=TlsFiles(self.tls_ca, self.tls_cert, self.tls_key) if tls else None,
            curve=None if self.curve_server_key is None else CurveKeys(self.curve_server_key, self.curve_key),
        )


NO_CREDENTIALS = CredentialFiles()
"""For a server that asks for none."""


def with_credentials(*, curve: bool = True) -> Callable[[_Command], _Command]:
    """Give a command the options of what it shows a server, where its parameter ``credentials`` stands.

    The command gets the files as `CredentialFiles`. Without ``curve`` there are no options for ZeroMQ.
    """
    names = [name for name in _HELP if curve or not name.startswith("curve")]

    def decorate(command: _Command) -> _Command:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            parameters += [_option(name) for name in names] if parameter.name == _PARAMETER else [parameter]
        signature = inspect.Signature(parameters, return_annotation=None)

        @functools.wraps(command)
        def run(*arguments: Any, **given: Any) -> None:
            files = CredentialFiles(**{name: given.pop(name, None) for name in names})
            try:
                command(*arguments, **given, **{_PARAMETER: files})
            except (Unavailable, DeadlineExceeded) as error:
                error.expected = error.expected or "a server that runs there and answers"
                raise

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run  # type: ignore[return-value]

    return decorate


def _option(name: str) -> inspect.Parameter:
    info = typer.Option(metavar="FILE", help=_HELP[name], rich_help_panel=_PANEL)
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[Path | None, info]
    )


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(
            f"cannot read {path}: {reason}", field="token-file", expected="a file with a token"
        ) from None
