"""TLS for gRPC: the server's certificate, and certificates asked of clients (mTLS) where a CA for them is given."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from bridge.errors import InvalidInput, NotFound
from bridge.service.tokens import warn_if_others_read


def server_credentials(cert: Path, key: Path, client_ca: Path | None = None) -> grpc.ServerCredentials:
    """Read PEM files: the certificate with its chain, its key, and the CA whose clients may connect (None: anyone's).

    Raises:
        NotFound: if a file does not exist.
        InvalidInput: if one cannot be read, is something else, or the key is not the certificate's; names the setting.
    """
    chain_pem = _read(cert, "tls_cert")
    key_pem = _read(key, "tls_key")
    ca_pem = None if client_ca is None else _read(client_ca, "tls_client_ca")
    # gRPC would take anything here and fail at every handshake: ask OpenSSL first.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if b"-----BEGIN CERTIFICATE-----" not in chain_pem:
        raise InvalidInput(f"{cert} holds no certificate", field="tls_cert", expected="a PEM file")
    if b"PRIVATE KEY-----" not in key_pem:
        raise InvalidInput(f"{key} holds no private key", field="tls_key", expected="a PEM file")
    try:
        # An empty password: OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem, expected = f"{key} is not the key of {cert}", "the key that the certificate was made for"
        elif b"ENCRYPTED" in key_pem:
            problem, expected = f"{key} is encrypted", "a key without a password, readable for the service only"
        else:
            problem, expected = f"{cert} and {key} do not load: {_reason(error)}", "a PEM certificate and its PEM key"
        raise InvalidInput(problem, field="tls_key", expected=expected) from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            problem = f"{client_ca} does not load: {_reason(error)}"
            raise InvalidInput(problem, field="tls_client_ca", expected="PEM certificates") from None
    warn_if_others_read(key)
    credentials: grpc.ServerCredentials = grpc.ssl_server_credentials(
        [(key_pem, chain_pem)], root_certificates=ca_pem, require_client_auth=ca_pem is not None
    )
    return credentials


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", field=field, expected="a PEM file") from None
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
        raise InvalidInput(problem, field=field, expected="a readable PEM file") from None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or error.strerror or "no reason given").replace("_", " ").lower()
