"""Who a client says it is, and how it knows the server: tokens, TLS and CURVE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.client.address import Address, TransportKind
from bridge.curve_keys import KeyPair, is_key, read_key_pair, read_public_key
from bridge.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import grpc

_TOKEN = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for gRPC over TLS.

    Attributes:
        ca: the authorities that may have signed the server's certificate; None: those that the system trusts.
        cert: the client's own certificate, for servers that ask for one (mutual TLS); comes with ``key``.
        key: its private key.
    """

    ca: Path | str | None = None
    cert: Path | str | None = None
    key: Path | str | None = None


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Keys for ZeroMQ over CURVE.

    Attributes:
        server_public: the server's public key, 40 characters of Z85, or the ``.key`` file that holds it.
        client_secret_file: the client's ``.key_secret`` file, as `pose-bridge keys new` makes it; None: a new pair for
            every client, for servers that let every key in.
    """

    server_public: Path | str
    client_secret_file: Path | str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everything that a client shows a server or checks about it; never shown in a repr."""

    token: str | None = field(default=None, repr=False)
    tls: TlsFiles | None = None
    curve: CurveKeys | None = None

    def require_fit(self, address: Address) -> None:
        """Check the token, and that what encrypts is what the address's transport uses.

        Raises:
            InvalidInput: if not.
        """
        if self.token is not None and _TOKEN.fullmatch(self.token) is None:
            raise InvalidInput(
                "is no token", field="token", expected="what `pose-bridge keys token` printed, without white space"
            )
        if self.tls is not None and address.kind is not TransportKind.GRPC:
            raise InvalidInput(f"{address} is ZeroMQ", field="tls", expected="curve for ZeroMQ, tls for gRPC")
        if self.curve is not None and address.kind is not TransportKind.ZMQ:
            raise InvalidInput(f"{address} is gRPC", field="curve", expected="tls for gRPC, curve for ZeroMQ")

    def grpc_metadata(self) -> Sequence[tuple[str, str]] | None:
        """Return what goes with every call."""
        return None if self.token is None else (("authorization", f"Bearer {self.token}"),)

    def grpc_channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Read the TLS files; None without TLS.

        Raises:
            NotFound, InvalidInput: if a file is missing or cannot be read.
        """
        if self.tls is None:
            return None
        if (self.tls.cert is None) != (self.tls.key is None):
            raise InvalidInput("one without the other", field="tls", expected="cert and key, or neither")
        ca, cert, key = (
            _read(path, f"tls.{name}")
            for name, path in (("ca", self.tls.ca), ("cert", self.tls.cert), ("key", self.tls.key))
        )
        import grpc  # late: ZeroMQ's users need not have it loaded

        return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)

    def curve_pairs(self) -> tuple[str, KeyPair] | None:
        """Return the server's public key and the client's own pair; None without CURVE.

        Raises:
            NotFound, InvalidInput: if a file is missing or holds something else, or the key is none.
        """
        if self.curve is None:
            return None
        server_public = str(self.curve.server_public)
        if not is_key(server_public):
            server_public = read_public_key(Path(self.curve.server_public), field="curve.server_public")
        own = self.curve.client_secret_file
        pair = KeyPair.new() if own is None else read_key_pair(Path(own), field="curve.client_secret_file")
        return server_public, pair


NO_CREDENTIALS = Credentials()
"""For servers that ask for nothing."""


def _read(path: Path | str | None, field: str) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field=field, expected="a PEM file") from None
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
        raise InvalidInput(problem, field=field, expected="a readable PEM file") from None
